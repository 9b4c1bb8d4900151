"""--from and --to on a real store: whole windows that lie in the span, whatever it is."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzers.windows import Window
from monitor.cli import cli
from monitor.queries.dates import moment, moment_of
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

DAY = 86_400


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Three weeks of a block an hour and ten minutes."""
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    opened = open_store(path, "regtest")
    chain = extend(genesis(), 432, spacing=4_200)
    opened.apply(Step([block.stored(pool="ab"[i % 2]) for i, block in enumerate(chain)]))
    opened.close()
    return "--network", "regtest", "--store", f"sqlite:///{path}"


def rows(*arguments: str) -> list[tuple[int, int]]:
    """Return when each window begins (Unix seconds), and its blocks."""
    result = run("concentration", "--each", "--csv", *arguments)
    if result.exit_code:
        assert "no whole window" in result.stderr, result.output
        return []
    table = csv.DictReader(io.StringIO(result.stdout))
    return [(moment(row["start_time"]), int(row["blocks"])) for row in table]


@pytest.fixture(scope="module")
def whole(store: tuple[str, ...]) -> dict[str, list[tuple[int, int]]]:
    sizes = ("1d", "2d", "7d", "12h", "24", "100")
    return {size: rows(*store, "--window", size) for size in sizes}


@pytest.mark.slow
def test_ten_days_are_ten_days(
    store: tuple[str, ...], whole: dict[str, list[tuple[int, int]]]
) -> None:
    first = whole["1d"][3][0]
    span = ("--from", moment_of(first), "--to", moment_of(first + 10 * DAY))
    assert rows(*store, "--window", "1d", *span) == whole["1d"][3:13]
    one = ("--from", moment_of(first), "--to", moment_of(first + DAY))
    assert rows(*store, "--window", "1d", *one) == whole["1d"][3:4]


@pytest.mark.slow
@given(st.sampled_from(["1d", "2d", "7d", "12h", "24", "100"]), st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_span_has_the_windows_of_the_whole_chain_within_it(
    store: tuple[str, ...], whole: dict[str, list[tuple[int, int]]], size: str, data: Any
) -> None:
    known = whole[size]
    low, high = known[0][0] - 2 * DAY, known[-1][0] + 9 * DAY
    moments = st.integers(low // 3600, high // 3600).map(lambda hour: hour * 3600)
    start, end = data.draw(st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1]))
    window = Window.parse(size)
    span = window.seconds or 0
    inside = [
        (begin, blocks)
        for begin, blocks in known
        if begin >= start and begin + (span or (blocks - 1) * 4_200 + 1) <= end
    ]
    asked = ("--from", moment_of(start), "--to", moment_of(end))
    assert rows(*store, "--window", size, *asked) == inside


def test_the_same_span_for_trends_eras_and_rolling_windows(
    store: tuple[str, ...], whole: dict[str, list[tuple[int, int]]]
) -> None:
    first = whole["1d"][2][0]
    span = (*store, "--from", moment_of(first), "--to", moment_of(first + 10 * DAY))
    trend = json.loads(run("trend", *span, "--window", "1d", "--json").stdout)
    assert trend["trends"][0]["windows"] == 10
    eras = json.loads(run("eras", *span, "--window", "1d", "--json").stdout)
    assert sum(era["windows"] for era in eras["divisions"]["subsidy"]["eras"]) == 10
    rolling = rows(*span, "--window", "7d", "--step", "1d")
    assert [start for start, _ in rolling] == [first + day * DAY for day in range(4)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-01-02", 1_704_153_600),
        ("2024-01-02T00:00", 1_704_153_600),
        ("2024-01-02T00:00Z", 1_704_153_600),
        ("2024-01-02t02:30:00+02:30", 1_704_153_600),
        ("2024-01-01 19:00:00-05:00", 1_704_153_600),
        ("2024-01-02T00:00:00.999Z", 1_704_153_600),
    ],
)
def test_moments(text: str, seconds: int) -> None:
    assert moment(text) == seconds


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_any_offset_is_the_same_moment(when: datetime, minutes: int) -> None:
    there = when.replace(tzinfo=UTC, microsecond=0).astimezone(timezone(timedelta(minutes=minutes)))
    assert moment(there.isoformat()) == int(there.timestamp())
    assert moment(moment_of(int(there.timestamp()))) == int(there.timestamp())


@pytest.mark.parametrize(
    "text", ["", "soon", "2024-13-01", "2024-02-30", "0000-01-01", "1704153600000000000000", "٣"]
)
def test_what_is_no_moment_is_said(text: str, store: tuple[str, ...]) -> None:
    for option in ("--from", "--to"):
        result = run("concentration", *store, option, text)
        assert result.exit_code == 2
        assert "is no day or time" in result.stderr


@pytest.mark.slow
def test_a_span_that_is_none_and_one_beyond_the_store(store: tuple[str, ...]) -> None:
    for ends in (("2024-01-02", "2024-01-02"), ("2024-01-03", "2024-01-02")):
        result = run("concentration", *store, "--from", ends[0], "--to", ends[1])
        assert result.exit_code == 2
        assert "is not before --to" in result.stderr
    for command in (("concentration", "--each"), ("concentration",), ("trend",), ("risk",)):
        result = run(*command, *store, "--window", "1d", "--from", "2030-01-01")
        assert result.exit_code == 2
        assert "from 2030-01-01 to the end: the store goes from 2011-02-0" in result.stderr
    result = run("concentration", *store, "--from", "2001-01-01", "--json")
    assert "note: the store begins at 2011-02-0" in result.stderr
    assert json.loads(result.stdout)["blocks"] > 0
    history = run("concentration", "--history", "--from", "2030-01-01")
    assert "the history goes from 2020-01-01 to 2026-" in history.stderr
