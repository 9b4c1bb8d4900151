"""What ``poolscope concentration`` shows beside the usual figures, and what changed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from analyzers.concentration import centralisation_index
from analyzers.differences import share_change
from analyzers.history import load_history
from monitor.cli import cli
from monitor.queries.dates import moment
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

HISTORY = ("--history", "--from", "2023-01-01", "--to", "2024-01-01")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ("concentration", *arguments))


def as_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_nakamoto_coefficient_at_any_threshold_with_either_tie_rule() -> None:
    strict = as_json("--counts", "4,2,2", "--threshold", "3/4", "--threshold", "0.66")["figures"]
    assert strict["nakamoto_half"]["value"] == 2
    assert strict["nakamoto_3/4"]["value"] == 3
    assert strict["nakamoto_33/50"]["value"] == 2
    tied = as_json("--counts", "4,2,2", "--threshold", "3/4", "--ties")["figures"]
    assert tied["nakamoto_half"]["value"] == 1
    assert tied["nakamoto_3/4"]["value"] == 2
    assert "over 3/4" in run("--counts", "4,2,2", "--threshold", "3/4").output


@pytest.mark.parametrize("bad", ["1", "-0.1", "x", "1/0", "nan"])
def test_a_threshold_is_a_share(bad: str) -> None:
    result = run("--counts", "1", f"--threshold={bad}")
    assert result.exit_code == 2
    assert "threshold" in result.output


@pytest.mark.slow
def test_groups_have_intervals_of_their_own() -> None:
    found = as_json(*HISTORY, "--group", "antpool, poolin", "--group", "foundryusa")["groups"]
    assert [group["pool"] for group in found] == ["antpool + poolin", "foundryusa"]
    share = found[0]["share"]
    assert share["low"] < share["value"] < share["high"]
    assert "antpool + poolin" in run(*HISTORY, "--group", "antpool,poolin").output
    rows = run(*HISTORY, "--group", "antpool,poolin", "--csv").output
    assert "group:antpool + poolin" in rows
    assert "found no block" in run(*HISTORY, "--group", "antpool,nonesuch").output


def test_entropies_as_others_publish_them() -> None:
    figures = as_json("--counts", "3,2,1")["figures"]
    assert figures["entropy_plug_in"]["value"] == pytest.approx(1.459, abs=5e-4)
    assert figures["entropy_chao_shen"]["value"] == pytest.approx(1.257316 / 0.6931472, rel=1e-5)


@pytest.mark.slow
def test_days_have_the_centralisation_index() -> None:
    arguments = ("--history", "--each", "--window", "1d", "--from", "2026-04-01")
    days = as_json(*arguments)["windows"]
    table = load_history().between(int(load_history().start_time[-len(days)]))
    rows = zip(table.rows(), table.unattributed.tolist(), strict=True)
    counts = [[*row.values(), *[1] * own] for row, own in rows]
    assert [day["figures"]["cr6_30d"]["value"] for day in days] == pytest.approx(
        centralisation_index(counts, 6)
    )
    assert "CR6" in run(*arguments).output
    assert (
        "cr6_30d"
        not in as_json("--history", "--each", "--from", "2026-01-01")["windows"][0]["figures"]
    )


@pytest.mark.slow
def test_windows_that_overlap() -> None:
    arguments = (*HISTORY, "--each", "--window", "30d", "--step", "1d")
    found = as_json(*arguments)
    starts = [window["start_time"] for window in found["windows"]]
    assert starts[:2] == [moment("2023-01-01"), moment("2023-01-02")]
    assert len(starts) == 365 - 29
    assert found["step"] == "1d"
    apart = as_json(*HISTORY, "--each", "--window", "30d")["windows"]
    assert found["windows"][-1] == apart[-1]
    for bad, message in (("4d", "multiple"), ("144", "days")):
        result = run(*HISTORY, "--each", "--window", "30d", "--step", bad)
        assert message in result.output
    assert "--each" in run(*HISTORY, "--step", "1d").output
    assert "no whole window" in run(*HISTORY, "--each", "--window", "600d", "--step", "1d").output


def test_two_tables_side_by_side() -> None:
    found = as_json("--counts", "60,40", "--compare", "40,60")
    first, second = found["shares"]
    expected = share_change((40, 100), (60, 100))
    assert (first["pool"], second["pool"]) == ("#1", "#2")
    difference = first["difference"]
    assert difference["value"] == pytest.approx(0.2)
    assert (difference["low"], difference["high"]) == pytest.approx(expected.interval, rel=1e-5)
    assert first["probability_up"] > 0.99
    assert found["hhi"]["difference"]["value"] == 0


@pytest.mark.slow
def test_the_window_before_and_one_that_ends_at_a_day() -> None:
    before = as_json(*HISTORY, "--window", "30d", "--compare")
    assert before["earlier"]["start_time"] == moment("2023-11-02")
    assert before["later"]["start_time"] == moment("2023-12-02")
    day = as_json(*HISTORY, "--window", "30d", "--compare", "2023-07-01")
    assert day["earlier"]["start_time"] == moment("2023-06-01")
    text = run(*HISTORY, "--window", "30d", "--compare").output
    assert "P-value that no share changed" in text
    assert " nan" not in text
    rows = run(*HISTORY, "--compare", "--csv").output
    assert next(csv.reader(io.StringIO(rows)))[0] == "figure"
    assert len(before["shares"]) > 20
    assert "moved less" in text


def test_windows_of_the_store(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s.sqlite", "regtest")
    chain = extend(genesis(), 40)
    pools = ["antpool" if i < 20 or i % 2 else "viabtc" for i in range(40)]
    store.apply(Step([b.stored(pool=p) for b, p in zip(chain, pools, strict=True)]))
    store.close()
    place = ("--network", "regtest", "--store", f"sqlite:///{tmp_path / 's.sqlite'}")
    found = as_json(*place, "--window", "20", "--compare")
    assert (found["earlier"]["blocks"], found["later"]["blocks"]) == (20, 20)
    assert found["earlier"]["first_height"] == 1
    assert found["shares"][0]["difference"]["value"] == pytest.approx(-0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--counts", "1", "--compare"), "another table"),
        (("--counts", "1", "--compare", "nonesuch"), "a day is written"),
        (("--history", "--compare", "2030-01-01"), "overlaps"),
        (("--history", "--compare", "2023-02-30"), "no day"),
        (("--history", "--compare", "2020-01-02"), "no whole window"),
        (("--history", "--compare", "--each"), "one of them"),
        (("--history", "--compare", "--ties"), "one window"),
        (("--history", "--each", "--group", "antpool"), "one window"),
    ],
)
def test_what_cannot_be_compared_is_said_plainly(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_empty_windows_have_dashes_not_errors() -> None:
    result = run("--counts", "0", "--compare", "0")
    assert result.exit_code == 0
    assert "nan" not in result.output
    assert as_json("--counts", "0", "--compare", "1")["hhi"]["difference"]["value"] is None


DECEMBER = ("--history", "--window", "30d", "--to", "2021-12-01")


@pytest.mark.slow
def test_what_a_fifth_of_unknown_blocks_leaves_open_is_said_and_nothing_else() -> None:
    found = as_json(*DECEMBER)
    assert (found["blocks"], found["unknown"]) == (4377, 935)
    assert "935 of 4377 blocks are unknown" in found["withheld"]
    for name, figure in found["figures"].items():
        assert figure["value"] is None or name == "homogeneity_p", name
    half = found["figures"]["nakamoto_half"]
    assert [half[part] for part in ("alone", "as_one", "least", "most")] == [4, 3, 2, 4]
    assert found["nakamoto_half"]["observed"] is None
    assert found["nakamoto_half"]["posterior"] == {"4": 1.0}
    assert set(found["nakamoto_half"]["posterior_of_largest"]) == {"2"}
    antpool = found["shares"][0]
    assert (
        antpool["share"]["value"]
        == antpool["share"]["least"]
        == pytest.approx(703 / 4377, rel=1e-5)
    )
    assert antpool["share"]["most"] == pytest.approx(1638 / 4377, rel=1e-5)
    assert antpool["share"]["high"] > antpool["share"]["most"]
    assert antpool["above_third"] < 0.001
    assert antpool["above_third_most"] > 0.99
    table = run(*DECEMBER).output
    assert "figures are given only between" in table
    assert "100%" not in table
    assert "37.4%" in table
    rows = {
        row["figure"]: row for row in csv.DictReader(io.StringIO(run(*DECEMBER, "--csv").output))
    }
    assert (rows["hhi"]["value"], rows["hhi"]["most"]) == ("", "0.210816")
    assert rows["share:antpool"]["most"] == "0.374229"


@pytest.mark.slow
def test_each_window_says_what_unknown_blocks_leave_open() -> None:
    span = ("--history", "--window", "30d", "--from", "2021-06-01", "--to", "2022-06-01", "--each")
    rows = list(csv.DictReader(io.StringIO(run(*span, "--csv").output)))
    for row in rows:
        many = 10 * int(row["unknown"]) > int(row["blocks"])
        assert bool(row["withheld"]) is many
        for name in ("hhi", "hhi_plug_in", "effective_number", "cr1", "nakamoto_half"):
            assert (row[name] == "") is many
            assert float(row[f"{name}_least"]) <= float(row[f"{name}_as_one"])
            assert float(row[f"{name}_as_one"]) <= float(row[f"{name}_most"])
    assert 0 < sum(bool(row["withheld"]) for row in rows) < len(rows)
    table = run(*span).output
    assert "2 to 4" in table
    assert "have no single figures" in table


def test_risk_counts_unknown_blocks_at_the_high_end() -> None:
    result = CliRunner().invoke(cli, ["risk", *DECEMBER, "--json"])
    found = json.loads(result.stdout)
    assert found["holding"]["unknown"] == 935
    assert found["holding"]["any_above_third"] < 0.001
    assert found["holding"]["any_above_third_most"] > 0.99
    assert found["share"]["high"] > 0.374
    assert found["confirmations"]["value"] < found["confirmations"]["high"]
