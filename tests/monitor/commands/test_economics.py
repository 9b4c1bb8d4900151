"""``cost``, ``claims`` and ``compare`` as a user runs them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from analyzers.claims import CLAIMS, Case, Finding, Quantity
from analyzers.intervals import UNKNOWN, Interval
from monitor.answers.of_claims import claim as answer_of
from monitor.cli import cli
from monitor.report.claims import as_html
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

NO_STORE = ("--store", "sqlite:////nonexistent/store.sqlite")


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=stdin)


def as_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of forty blocks that says it is mainnet; its difficulty is that of regtest."""
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    opened = open_store(path, "mainnet")
    opened.apply(Step([block.stored() for block in extend(genesis(), 40)]))
    opened.close()
    return f"sqlite:///{path}"


def test_cost_of_a_fleet() -> None:
    # 950 EH/s is a difficulty of 132.713 T: 97,160.54 USD, worked by hand.
    difficulty = 950e18 * 600 / (2**48 / 65535)
    found = as_json(
        "cost",
        *("--difficulty", str(difficulty), "--fees", "0.01", "--tariff", "0.07"),
        *("--efficiency", "20", "--pue", "1.05", "--pool-fee", "0.02", "--capital", "15"),
    )
    assert found["cost"]["usd_per_btc"] == pytest.approx(97_160.54, abs=0.01)
    drawn = found["cost"]["drawn_usd_per_btc"]
    assert (drawn["low"], drawn["high"]) == pytest.approx((97_160.54, 97_160.54), rel=1e-5)
    assert found["earnings"] is None
    assert found["regions"] == []


def test_cost_with_a_price() -> None:
    # Hashrate Index, 2026-01-12: 38.85 USD/PH/day by the formula.
    found = as_json(
        "cost",
        *("--difficulty", "148.26e12", "--fees", "0.0055", "--price", "91132"),
        *("--tariff", "0.07", "--efficiency", "20", "--pue", "1"),
    )
    assert found["earnings"]["hashprice_usd_per_ph_day"] == pytest.approx(38.85, abs=0.005)
    assert found["earnings"]["break_even_tariff_usd_per_kwh"] == pytest.approx(0.0809, abs=5e-5)
    assert found["cost"]["probability_above_price"] == 0


def test_cost_of_the_whole_network() -> None:
    # April 2026, 138.967 T, fees of 0.55 %: 1,055,294 kWh at 20 J/TH. At 73,000 USD the S19 XP,
    # S21, S21 Pro, S21 XP and S23 Hydro pay, by CBECI's method with a PUE of 1.10.
    found = as_json("cost", "--no-store", "--price", "73000", "--tariff", "0.07")["network"]
    assert found["twh_per_year"]["low"] < found["twh_per_year"]["high"]
    mean = (21.5 + 17.5 + 15.1 + 13.5 + 9.7) / 5
    assert found["kwh_per_btc"]["value"] == pytest.approx(1_055_294 / 20 * mean * 1.1, rel=1e-5)
    assert found["kwh_per_btc"]["high"] == pytest.approx(1_055_294 / 20 * 21.5 * 1.2, rel=1e-5)
    assert found["usd_per_btc"]["value"] == pytest.approx(
        0.07 * found["kwh_per_btc"]["value"], rel=1e-5
    )


def test_the_price_that_is_set() -> None:
    nowhere = ("--set", "economics.price_url=http://127.0.0.1:1/", "--tariff", "0.05")
    result = run("cost", "--no-store", *nowhere)
    assert result.exit_code == 0
    assert "going on without a price" in result.stderr
    assert "earnings" not in result.stdout
    known = ("--offline", "--set", "economics.price_usd=73000")
    found = as_json("cost", "--no-store", *nowhere, *known)
    assert found["price"]["usd_per_btc"] == 73_000
    assert found["price"]["source"] == "setting economics.price_usd"


def test_cost_by_region_has_a_source_for_each() -> None:
    found = as_json("cost", "--no-store")
    costs = [row["drawn_usd_per_btc"]["value"] for row in found["regions"]]
    assert costs == sorted(costs)
    assert all(row["source"] and row["date"] for row in found["regions"])
    drawn = [row["drawn_usd_per_btc"] for row in found["regions"]]
    assert all(cost["low"] < cost["value"] < cost["high"] for cost in drawn)
    text = run("cost", "--no-store").output
    assert "Paraguay" in text
    assert "kWh per BTC" in text


def test_cost_in_the_terminal() -> None:
    text = run("cost", "--no-store", "--tariff", "0.05", "--price", "73000").output
    for word in ("USD per BTC", "TWh a year", "if only this changes", "equal to the price"):
        assert word in text
    cheap = run("cost", "--no-store", "--tariff", "0.05", "--price", "1").output
    assert "no machine of the table pays" in cheap


def test_cost_takes_its_terms_from_the_store(store: str) -> None:
    found = as_json("cost", "--store", store, "--tariff", "0.05")
    inputs = {item["name"]: item for item in found["inputs"]}
    assert inputs["difficulty"]["value"] == pytest.approx(4.6565e-10, rel=1e-4)
    assert "block 40 of the store" in inputs["difficulty"]["source"]
    assert inputs["subsidy"]["value"] == 50
    assert inputs["difficulty"]["date"] != "-"
    own = as_json("cost", "--store", store, "--tariff", "0.05", "--fees", "0.5")
    assert {i["name"]: i["value"] for i in own["inputs"]}["fees"] == 0.5


def test_cost_without_a_store_says_so() -> None:
    result = run("cost", *NO_STORE, "--tariff", "0.05")
    assert result.exit_code == 0
    assert "using the table that ships" in result.stderr


def test_cost_of_a_chain_whose_coins_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    opened = open_store(path, "regtest")
    opened.apply(Step([block.stored() for block in extend(genesis(), 2)]))
    opened.close()
    result = run("cost", "--store", f"sqlite:///{path}", "--network", "regtest")
    assert result.exit_code == 1
    assert "regtest" in str(result.exception)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("cost", "--tariff", "nan", "--no-store"),
        ("cost", "--tariff", "-1"),
        ("cost", "--pue", "0.5", "--no-store"),
        ("cost", "--pool-fee", "1", "--no-store"),
        ("cost", "--difficulty", "0"),
        ("cost", "--price", "0"),
        ("claims", "--claim", "nope"),
        ("claims", "--series", "nope"),
        ("claims", "--market", "nope"),
        ("claims", "--difficulty", "inf"),
        ("claims", "--from-store", "--history"),
        ("compare",),
        ("compare", "--series", "nope"),
        ("compare", "/nonexistent/file.csv"),
    ],
)
def test_mistakes_are_answered_in_plain_words(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.slow
def test_claims_as_json() -> None:
    found = as_json("claims")["claims"]
    assert [claim["slug"] for claim in found] == list(CLAIMS)
    for claim in found:
        assert claim["verdict"] in {"holds", "does not hold", "cannot be said"}
        assert claim["sources"]
        assert claim["turns"]


@pytest.mark.slow
def test_a_reader_sees_a_verdict_move() -> None:
    def verdict(*given: str) -> str:
        (found,) = as_json("claims", "--claim", "cost-united-states", *given)["claims"]
        return str(found["verdict"])

    assert verdict() == "cannot be said"
    assert verdict("--tariff", "0.05") == "does not hold"
    assert verdict("--efficiency", "30") == "holds"
    (found,) = as_json("claims", "--claim", "control", "--from", "2024-04-20")["claims"]
    assert found["verdict"] == "cannot be said"  # two years do not tell a trend from wander
    (found,) = as_json("claims", "--claim", "geography", "--series", "CBECI map")["claims"]
    assert found["verdict"] == "cannot be said"  # its interval is of rounding alone


def test_claims_from_the_store(store: str) -> None:
    found = as_json("claims", "--from-store", "--store", store, "--window", "10")["claims"]
    by_slug = {claim["slug"]: claim for claim in found}
    assert by_slug["control"]["verdict"] == "cannot be said"
    assert by_slug["control"]["sources"] == ["blocks of the store"]
    inputs = {item["name"]: item for item in by_slug["cost-united-states"]["inputs"]}
    assert "of the store" in inputs["difficulty"]["source"]


@pytest.mark.slow
def test_claims_in_the_terminal() -> None:
    short = run("claims").output
    assert short.count("because") == len(CLAIMS)
    assert "cannot show" not in short
    whole = run("claims", "--full").output
    for word in ("cannot show", "sources:", "if only this changes", "J/TH"):
        assert word in whole


@pytest.mark.slow
def test_claims_as_a_page() -> None:
    page = run("claims", "--html").output
    assert page.startswith("<!DOCTYPE html>")
    assert page.count('<section class="claim"') == len(CLAIMS)
    assert "<script" not in page


HOSTILE = '<script>alert("x")</script>&\'"'


def hostile(text: str) -> Finding:
    return Finding(
        slug=text,
        claim=text,
        said_by=text,
        claimed=Quantity(1.0, text),
        found=Quantity(float("nan"), "", text),
        measure=text,
        interval=UNKNOWN,
        verdict="cannot be said",
        because=text,
        turns=text,
        cases=(Case(text, Quantity(2.0, text), Interval(1, 3), "holds", text),),
        sources=(text,),
        unsaid=(text,),
    )


def test_everything_in_the_fragment_is_escaped() -> None:
    fragment = as_html([hostile(HOSTILE)], heading=3)
    assert "<script" not in fragment
    assert 'alert("x")' not in fragment
    assert "<h3>&lt;script&gt;" in fragment


@given(st.text(max_size=40))
def test_no_text_breaks_out_of_the_fragment(text: str) -> None:
    plain = as_html([hostile("x")])
    found = as_html([hostile("x" + text)])
    assert found.count("<") == plain.count("<")
    assert found.count('"') == plain.count('"')
    json.dumps(answer_of(hostile(text)).model_dump(), allow_nan=False)


def test_compare_what_ships() -> None:
    found = as_json("compare", "--series", "Hashrate Index")
    assert [round(table["figures"]["hhi"]["low"], 4) for table in found["tables"]] == [
        0.1759,
        0.1795,
        0.1903,
    ]
    assert found["movement"]["change"] == "rose"
    names = as_json("compare", "--list")["series"]
    assert "cloud infrastructure" in names
    for name in names:
        result = run("compare", "--series", name)
        assert result.exit_code == 0, result.output
        assert "source: " in result.output


def test_compare_a_table_of_shares(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("date,entity,share\n2024,<b>,60%\n2025,<b>,40%\n2025,c,30%\n")
    found = as_json("compare", str(tmp_path / "t.csv"))
    assert [table["figures"]["cr1"]["value"] for table in found["tables"]] == [0.6, 0.4]
    assert found["movement"]["direction"] == "unknown"


def test_compare_counts() -> None:
    result = run("compare", "-", stdin="a,60\nb,84\n")
    assert "144" in result.output
    found = json.loads(run("compare", "-", "--json", stdin="a,60\nb,84\n").stdout)
    (table,) = found["tables"]
    hhi = table["figures"]["hhi"]
    assert hhi["low"] < hhi["value"] < hhi["high"]
    assert (table["counted"], table["entities"], table["covered"]) == (144, 2, 1)


def test_lists_that_lack_a_large_country_have_no_upper_bound() -> None:
    found = as_json("compare", "--series", "CBECI map")
    by_date = {table["date"]: table for table in found["tables"]}
    assert by_date["2021-05"]["figures"]["hhi"]["high"] is None
    assert by_date["2021-08"]["figures"]["hhi"]["high"] is not None
    assert "2021-07" not in by_date  # China alone, at zero: nothing to measure
    assert found["movement"]["full_lists"] == 3
    text = run("compare", "--series", "MinerMetrics").output
    assert "no upper bound in 2023-11: China and Russia" in text


def test_growth_of_a_market_is_no_concentration() -> None:
    found = as_json("compare", "--series", "edge AI")
    assert found["growth_per_year"] == pytest.approx(0.2155, abs=5e-5)
    assert all(row["source"] and row["unit"] and row["date"] for row in found["sizes"])
    assert "says nothing about concentration" in run("compare", "--series", "edge AI").output


def monthly(hhi: list[float]) -> str:
    """Return counts of two firms whose HHI runs through these values."""
    lines = []
    for i, value in enumerate(hhi):
        first = round(5000 * (1 + (2 * value - 1) ** 0.5))
        month = f"{2020 + i // 12}-{i % 12 + 1:02}"
        lines += [f"{month},a,{first}", f"{month},b,{10_000 - first}"]
    return "\n".join(lines)


def test_two_series_are_tested_for_divergence(tmp_path: Path) -> None:
    rising = tmp_path / "rising.csv"
    rng = random.Random(5)
    noise = [rng.gauss(0, 0.02) for _ in range(48)]
    rising.write_text(monthly([0.6 + 0.012 * i + noise[i] for i in range(24)]))
    falling = monthly([0.9 - 0.012 * i + noise[24 + i] for i in range(24)])

    def verdict(*arguments: str, stdin: str = falling) -> Any:
        result = run("compare", *arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    found = verdict("-", "--against", str(rising))
    assert [series["direction"] for series in found["series"]] == ["falling", "rising"]
    assert found["verdict"] == "holds"
    assert verdict(str(rising), "--against", str(rising))["verdict"] == "does not hold"
    short = verdict("--series", "cloud infrastructure", "--against", "pools")
    assert short["verdict"] == "cannot be said"
    assert "2 points" in short["cannot_show"][0]
    told = run("compare", "--series", "CBECI map", "--against", "Hashrate Index").output
    assert "no time in common" in told
    undated = run("compare", "-", "--against", "pools", stdin="a,60\nb,84\n")
    assert undated.exit_code == 2
    assert "without dates" in undated.stderr
    assert run("compare", "--series", "edge AI", "--against", "pools").exit_code == 2


@pytest.mark.slow
def test_eras_on_the_command_line() -> None:
    found = as_json("eras", "--history")
    assert [era["era"] for era in found["divisions"]["hardware"]["eras"]] == ["ASIC"]
    subsidy = found["divisions"]["subsidy"]
    assert [era["era"] for era in subsidy["eras"]] == ["12.5 BTC", "6.25 BTC", "3.125 BTC"]
    assert [era["direction"] for era in subsidy["eras"]] == ["none", "none", "none"]
    for era in subsidy["eras"]:
        assert era["hhi"]["low"] < era["hhi"]["value"] < era["hhi"]["high"] < 1
        bounds = era["hhi_bounds"]
        assert bounds["low"] <= bounds["value"] == era["hhi"]["value"] <= bounds["high"]
        assert era["source"]
    assert [step["difference"]["value"] > 0 for step in subsidy["steps"]] == [True, True]
    text = run("eras", "--history", "--by", "hardware").output
    assert "one era compares with nothing" in text
    assert "12.5 BTC" not in text


def test_compare_names_a_bad_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,1\nb,much\n")
    result = run("compare", str(tmp_path / "t.csv"))
    assert result.exit_code == 2
    assert "line 2" in result.stderr
    (tmp_path / "u.csv").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in run("compare", str(tmp_path / "u.csv")).stderr
