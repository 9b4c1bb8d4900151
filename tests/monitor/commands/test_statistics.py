"""The statistics commands over a table, the history that ships, and a real store."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from analyzers.claims import CLAIMS
from analyzers.summary import summarize
from monitor.cli import cli
from monitor.queries.dates import moment
from monitor.queries.tables import parse_counts
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

HISTORY = ("--history", "--from", "2023-01-01", "--to", "2024-01-01")


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=stdin)


def as_json(*arguments: str) -> Any:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of forty blocks: every other by antpool, a tenth by nobody known."""
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    opened = open_store(path, "regtest")
    pools = ("antpool", "viabtc", "antpool", "f2pool", None)
    chain = extend(genesis(), 40)
    opened.apply(Step([block.stored(pool=pools[i % 5]) for i, block in enumerate(chain)]))
    opened.close()
    return f"sqlite:///{path}"


def test_counts_on_the_command_line() -> None:
    found = as_json("concentration", "--counts", "3,2,1", "--json")
    assert found["blocks"] == 6
    assert found["figures"]["nakamoto_half"]["value"] == 2
    assert found["figures"]["hhi_plug_in"]["value"] == pytest.approx(0.388889)
    assert [share["pool"] for share in found["shares"]] == ["#1", "#2", "#3"]
    low, high = summarize({"a": 3, "b": 3}).shares[0].interval
    share = found["shares"][0]["share"]
    assert (share["low"], share["high"]) == pytest.approx((low, high), rel=1e-5)


def test_counts_from_a_file_and_from_stdin(tmp_path: Path) -> None:
    text = "# of a day\nentity,count\n=cmd,4\nb,2\nb,1\n"
    (tmp_path / "t.csv").write_text(text)
    found = as_json("concentration", "--counts", str(tmp_path / "t.csv"), "--json")
    assert {s["pool"]: s["blocks"] for s in found["shares"]} == {"=cmd": 4, "b": 3}
    assert "7 blocks" in run("concentration", "--counts", "-", stdin=text).output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b\n", "line 1"),
        ("a,1\nb,-1\n", "line 2"),
        ("a,1\nb,1.5\n", "line 2"),
        ("a,1\nb\n", "line 2"),
        ("\udcff".encode("utf-8", "surrogateescape"), "UTF-8"),
    ],
)
def test_a_bad_table_is_named_by_its_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = run("concentration", "--counts", str(path))
    assert result.exit_code == 2
    assert message in result.stderr


@given(st.text(max_size=60).filter(lambda text: "\0" not in text))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        counts = parse_counts("0" + text)
    except (OSError, ValueError):
        return
    assert all(blocks >= 0 for blocks in counts.values())


def test_empty_counts_have_dashes_and_nulls_not_errors() -> None:
    assert as_json("concentration", "--counts", "0,0", "--json")["figures"]["gini"]["value"] is None
    result = run("concentration", "--counts", "0")
    assert result.exit_code == 0
    assert "0 blocks" in result.output
    assert "nan" not in result.output.lower()


@pytest.mark.slow
def test_the_last_window_of_the_history() -> None:
    found = as_json("concentration", *HISTORY, "--window", "30d", "--json")
    assert found["start_time"] == 1_701_475_200
    assert "not of this project" in found["source"]
    assert found["figures"]["hhi"]["low"] < found["figures"]["hhi"]["value"]
    table = run("concentration", *HISTORY, "--window", "30d")
    assert "foundryusa" in table.output


@pytest.mark.slow
def test_a_window_in_which_shares_moved_is_said_to_be_so() -> None:
    moved = ("concentration", "--history", "--to", "2022-12-01", "--window", "180d")
    assert "too narrow" in " ".join(run(*moved).output.split())
    assert as_json(*moved, "--json")["figures"]["homogeneity_p"]["value"] < 1e-6


@pytest.mark.slow
def test_each_window_of_the_history() -> None:
    weeks = as_json("concentration", *HISTORY, "--each", "--json")["windows"]
    assert len(weeks) == 52
    result = run("concentration", *HISTORY, "--each", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.output)))
    assert [float(row["hhi"]) for row in rows] == [
        week["figures"]["hhi"]["value"] for week in weeks
    ]
    assert "2023-12-25" in run("concentration", *HISTORY, "--each").output


def test_figures_as_csv() -> None:
    rows = list(csv.reader(io.StringIO(run("concentration", "--counts", "5,4", "--csv").output)))
    assert rows[0] == ["figure", "value", "low", "high", "least", "most", "alone", "as_one"]
    assert rows[-1][0] == "share:#2"


@pytest.mark.slow
def test_a_lens_from_a_file(tmp_path: Path) -> None:
    lens = tmp_path / "lens.csv"
    lens.write_text("poolin,friends\nantpool,friends\nbinancepool,friends\n")
    merged = as_json("concentration", *HISTORY, "--lens", str(lens), "--json")
    plain = as_json("concentration", *HISTORY, "--json")
    assert merged["shares"][0]["pool"] in {"friends", "foundryusa"}
    assert merged["figures"]["hhi"]["value"] > plain["figures"]["hhi"]["value"]
    lens.write_text("poolin\n")
    assert "line 1" in run("concentration", *HISTORY, "--lens", str(lens)).stderr
    assert "no lens" in run("concentration", *HISTORY, "--lens", "nonesuch").stderr


def test_a_lens_that_ships() -> None:
    seen = as_json("concentration", *HISTORY, "--lens", "template", "--json")
    assert seen["shares"][0]["pool"] == "antpoolandfriends"
    assert seen["figures"]["nakamoto_half"]["value"] == 2


@pytest.mark.slow
def test_the_history_has_our_names() -> None:
    names = {s["pool"] for s in as_json("concentration", "--history", "--json")["shares"]}
    assert "ocean" in names
    assert "oceanxyz" not in names


def test_the_store(store: str) -> None:
    place = ("--network", "regtest", "--store", store)
    found = as_json("concentration", *place, "--json")
    assert (found["blocks"], found["unknown"], found["first_height"]) == (40, 8, 1)
    assert {s["pool"]: s["blocks"] for s in found["shares"]} == {
        "antpool": 16,
        "f2pool": 8,
        "viabtc": 8,
    }
    assert as_json("concentration", *place, "--window", "10", "--json")["blocks"] == 10
    weeks = as_json("concentration", *place, "--each", "--window", "10", "--json")["windows"]
    assert [week["first_height"] for week in weeks] == [10, 20, 30]
    assert as_json("risk", *place, "--json")["pool"] == "antpool"


@pytest.mark.slow
def test_what_cannot_be_measured_is_said_plainly(store: str, tmp_path: Path) -> None:
    assert "7d" in run("concentration", "--history", "--window", "144").stderr
    assert "no window" in run("concentration", "--history", "--window", "x").stderr
    assert "smaller" in run("trend", *HISTORY, "--window", "2000d").stderr
    assert "only one" in run("concentration", "--counts", "1", "--each").stderr
    place = ("--network", "regtest", "--store", store)
    assert "no block" in run("concentration", *place, "--from", "2030-01-01").stderr
    missing = run("concentration", "--data-dir", str(tmp_path))
    assert missing.exit_code == 1
    assert "--history" in str(missing.exception)


@pytest.mark.slow
def test_trend() -> None:
    found = as_json("trend", "--history", "--window", "14d", "--json")
    by_era = {row["era"]: row for row in found["trends"]}
    assert {row["direction"] for row in found["trends"]} <= {"none", "unknown"}
    assert by_era["all"]["p"] > by_era["all"]["p_mann_kendall"]
    starts = [change["start_time"] for change in found["share_changes"]["changes"]]
    assert any(moment("2021-07-01") <= start < moment("2021-08-01") for start in starts)
    table = run("trend", "--history", "--window", "30d")
    assert "shares changed" in table.output
    rows = csv.DictReader(io.StringIO(run("trend", "--history", "--csv").output))
    assert "slope_per_year" in next(rows)


@pytest.mark.slow
def test_trend_of_one_pool() -> None:
    found = as_json("trend", *HISTORY, "--measure", "foundryusa", "--json")
    assert (found["measure"], found["pool"], found["unit"]) == ("share", "foundryusa", "ratio")
    assert "nor a pool" in run("trend", *HISTORY, "--measure", "nonesuch").stderr


def test_no_change_is_said() -> None:
    arguments = ("--history", "--from", "2023-02-01", "--to", "2023-02-20")
    assert "no change of shares" in run("trend", *arguments).output


def test_risk_of_a_share() -> None:
    found = as_json("risk", "--share", "0.3", "--json")
    assert found["confirmations"] == {"value": 32, "low": 32, "high": 32}
    assert found["holding"] is None
    chances = {row["confirmations"]: row["probability"] for row in found["double_spend"]}
    assert chances[6]["value"] == pytest.approx(0.15645, abs=1e-5)
    shown = run("risk", "--share", "0.6").output
    assert "never" in shown
    assert "1 confirmation  " in shown
    assert "2 confirmations " in shown


@pytest.mark.slow
def test_risk_of_the_largest_and_of_a_group() -> None:
    found = as_json("risk", "--counts", "43,25,20,15,41", "--json")
    assert found["pool"] == "#1"
    assert found["confirmations"]["low"] < found["confirmations"]["value"]
    group = as_json("risk", *HISTORY, "--entity", "antpool", "--entity", "poolin", "--json")
    assert group["pool"] == "antpool + poolin"
    assert "found no block" in run("risk", *HISTORY, "--entity", "nonesuch").stderr
    assert "no largest" in run("risk", "--counts", "0").stderr
    assert "P(over 1/3)" in run("risk", *HISTORY).output


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "plots"), [("# kind: control\n", 5), ("", 4)])
def test_report(kind: str, plots: int, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    lens = tmp_path / "lens.csv"
    lens.write_text(f"{kind}antpool,<script>alert(1)</script>\n")
    arguments = (*HISTORY, "--window", "14d", "--lens", str(lens), "--draws", "500")
    result = run("report", *arguments, "--out", str(out))
    assert result.exit_code == 0, result.output
    page = out.read_text("utf-8")
    assert page.count("<svg ") == plots  # the coefficient's posterior is of control alone
    for of_control in ("P(over 1/3)", "probability that it is over 1/3", "any_above_third"):
        assert (of_control in page) == bool(kind)
    assert page.count('<section class="claim"') == len(CLAIMS)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "nan" not in page.split("<h2>Data</h2>")[1]
    assert "no such" not in result.output
    files = [
        list(csv.DictReader(io.StringIO(base64.b64decode(data).decode())))
        for data in re.findall(r'href="data:text/csv;base64,([^"]+)"', page)
    ]
    assert [len(rows) for rows in files] == [26, 26]
    for figures, blocks in zip(*files, strict=True):
        assert figures["start_time"] == blocks.pop("start_time")
        assert int(figures["blocks"]) == sum(map(int, blocks.values()))
    for outside in ('src="http', "url(http", "@import", "<link"):
        assert outside not in page


@pytest.mark.slow
def test_the_same_seed_draws_the_same_plots(tmp_path: Path) -> None:
    pages = []
    for name in ("a.html", "b.html"):
        run("report", *HISTORY, "--window", "30d", "--draws", "200", "--out", str(tmp_path / name))
        pages.append((tmp_path / name).read_text("utf-8").split("<h2>", 1)[1])
    assert pages[0] == pages[1]


@pytest.mark.slow
def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    result = run("report", *HISTORY, "--draws", "100", "--out", str(tmp_path / "no" / "r.html"))
    assert result.exit_code == 1
    assert "choose another --out" in str(result.exception)
