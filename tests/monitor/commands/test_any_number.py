"""Any number in any option of the statistics commands gives figures or one line: no traceback."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analyzers.summary import summarize
from monitor.cli import cli
from monitor.errors import PoolscopeError
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

ODD = (
    *("0", "-0", "1e400", "-1e400", "1e-400", "nan", "inf", "-inf", "1,234", "1_000", "0x10"),
    *("1/3", "2/0", "50%", "1e59", "1e60", "9e999999999", "\u0661\u0662", "\u00b2"),
    *("18446744073709551616", "9223372036854775807", "9223372036854775808"),
)
NUMBERS = (
    st.integers().map(str)
    | st.integers(0, 10**70).map(str)
    | st.floats().map(str)
    | st.decimals(allow_nan=True, allow_infinity=True).map(str)
    | st.sampled_from(ODD)
)
TABLES = st.lists(st.tuples(st.sampled_from(["a", "b", "Unknown", "rest"]), NUMBERS), max_size=5)
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    opened = open_store(path, "regtest")
    chain = extend(genesis(), 30)
    opened.apply(Step([block.stored(pool="ab"[i % 2]) for i, block in enumerate(chain)]))
    opened.close()
    return "--network", "regtest", "--store", f"sqlite:///{path}"


def run(*arguments: str, stdin: str | None = None) -> Result:
    """Run a command; a traceback fails, and so does a figure that JSON cannot carry."""
    result = CliRunner().invoke(cli, arguments, input=stdin)
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit | PoolscopeError), result.exception
        assert result.exit_code != 0
        message = str(result.exception) if result.exit_code == 1 else result.stderr.splitlines()[-1]
        assert message
        assert "\n" not in message
    elif "--json" in arguments:
        json.loads(result.stdout, parse_constant=pytest.fail)
    return result


@pytest.mark.slow
@given(st.lists(NUMBERS, min_size=1, max_size=6))
@example(["250000000000000000000", "150000000000000000000", "90000000000000000000"])
@example(["1e59", "1", "3"])
@RELAXED
def test_counts(counts: list[str]) -> None:
    text = ",".join(counts)
    for command in ("concentration", "risk"):
        run(command, f"--counts={text}", "--json")
        run(command, f"--counts={text}")
    run("concentration", f"--counts={text}", "--compare=3,2", "--json")
    run("concentration", "--counts=3,2", f"--compare={text}", "--csv")


@pytest.mark.slow
@given(TABLES)
@RELAXED
def test_tables(rows: list[tuple[str, str]]) -> None:
    text = "\n".join(f'{name},"{number}"' for name, number in rows)
    for form in ((), ("--json",)):
        run("concentration", "--counts", "-", *form, stdin=text)
        run("risk", "--counts", "-", *form, stdin=text)
        run("compare", "-", *form, stdin=text)
        run("compare", "-", "--against", "pools", *form, stdin=text)


@pytest.mark.slow
@given(NUMBERS, NUMBERS)
@RELAXED
def test_options(store: tuple[str, ...], one: str, other: str) -> None:
    run("risk", f"--share={one}", f"--risk={other}", "--json")
    run("concentration", "--counts=5,4,3", f"--threshold={one}", f"--level={other}", "--json")
    run("concentration", "--counts=5,4,3", f"--seed={one}", "--json")
    run("concentration", *store, f"--window={one}", "--json")
    run("concentration", *store, "--each", f"--step={one}", f"--window={other}", "--json")
    run("concentration", *store, f"--from={one}", f"--to={other}", "--json")
    run("network", *store, f"--claim=a={one}", f"--level={other}", "--json")
    run("network", *store, f"--window={one}", f"--to={other}", "--json")
    run("pools", *store, f"--window={one}", "--json")


@pytest.mark.slow
@given(st.lists(st.integers(1, 10**59), min_size=1, max_size=6), st.integers(0, 30))
@settings(deadline=None)
def test_figures_of_large_counts_are_those_of_small_ones(counts: list[int], zeros: int) -> None:
    """Shares do not depend on the unit; intervals hold them, and narrow to nothing."""
    names = [f"#{place}" for place in range(len(counts))]
    found = summarize(dict(zip(names, counts, strict=True)), draws=200)
    total = sum(counts)
    assert found.blocks == total
    for share in found.shares:
        assert share.share == share.blocks / total
        low, high = share.interval
        assert low - 1e-9 <= share.share <= high + 1e-9
        if total > 1 << 50:
            assert high - low < 1e-6
    exact = sum(count * count for count in counts) / total**2
    assert found.hhi_plug_in == pytest.approx(exact)
    assert found.hhi == pytest.approx(exact) or total < 10**6
    assert math.isnan(found.hhi) or found.hhi_interval.low <= found.hhi <= found.hhi_interval.high
    scaled = {name: count * 10**zeros for name, count in zip(names, counts, strict=True)}
    if sum(scaled.values()) < 10**60 and total > 1 << 50:
        larger = summarize(scaled, draws=200)
        assert larger.nakamoto_half.observed == found.nakamoto_half.observed
        assert larger.gini == pytest.approx(found.gini)
        assert larger.effective_number_entropy == pytest.approx(found.effective_number_entropy)


def test_large_counts_by_hand() -> None:
    counts: Any = "250000000000000000000,150000000000000000000,90000000000000000000"
    found = json.loads(run("concentration", f"--counts={counts}", "--json").stdout)
    assert found["blocks"] == 490_000_000_000_000_000_000
    assert found["figures"]["hhi"]["value"] == pytest.approx((25**2 + 15**2 + 81) / 49**2)
    assert found["figures"]["nakamoto_half"]["value"] == 1
    assert found["nakamoto_half"]["posterior"] == {"1": 1.0}
    same = json.loads(run("compare", "-", "--json", stdin="a,2.5e20\nb,1.5e20\nc,9e19\n").stdout)
    assert same["tables"][0]["hhi"] == pytest.approx((25**2 + 15**2 + 81) / 49**2)
