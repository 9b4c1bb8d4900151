"""Each verdict follows from its inputs, and moves when a reader changes one of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date

import numpy as np
import pytest

from analyzers.assumptions import BY_READER, UNITS, Assumptions, shipped
from analyzers.claims import CLAIMS, Finding, evaluate
from analyzers.claims.cost import sites
from analyzers.claims.values import judge
from analyzers.economics import EconomicsError
from analyzers.history import SOURCE, load_history
from analyzers.intervals import Interval
from analyzers.registry.lenskind import LensKind
from analyzers.windows import CountTable, table_of

WEEKS = load_history().merged(7)
VERDICTS = {
    "cost-some-regions": "holds",
    "cost-where-mined": "cannot be said",
    "cost-united-states": "cannot be said",
    "cost-all-in": "holds",
    "migration": "cannot be said",
    "geography": "cannot be said",
    "control": "cannot be said",
    "hardware": "cannot be said",
    "edge-forecast": "cannot be said",
    "edge-percent": "does not hold",
    "ai": "cannot be said",
    "opposite": "cannot be said",
}


def finding(
    slug: str,
    table: CountTable = WEEKS,
    *,
    series: str = "",
    market: str = "",
    given: Mapping[str, float] | None = None,
) -> Finding:
    assumptions = Assumptions(series=series, market=market).given(given or {})
    (found,) = evaluate(table, SOURCE, assumptions, [slug])
    return found


@pytest.mark.slow
def test_the_verdicts_on_what_ships() -> None:
    found = evaluate(WEEKS, SOURCE)
    assert {claim.slug: claim.verdict for claim in found} == VERDICTS
    assert list(VERDICTS) == list(CLAIMS)


@pytest.mark.parametrize("slug", CLAIMS)
def test_every_verdict_can_be_followed(slug: str) -> None:
    found = finding(slug)
    assert found.slug == slug
    assert found.said_by
    assert found.because.endswith(".")
    assert found.turns
    assert found.sources
    assert found.unsaid
    assert found.claimed.unit or found.claimed.text
    assert found.found.unit
    assert found.inputs
    for item in found.inputs:
        assert item.unit, item
        assert item.date, item
        assert item.source, item
        assert item.low <= item.value <= item.high, item
    if math.isfinite(found.interval.low):
        assert found.interval.low <= found.found.value <= found.interval.high


def test_an_interval_decides() -> None:
    assert judge(Interval(2, 3), 1) == "holds"
    assert judge(Interval(0, 1), 1) == "does not hold"
    assert judge(Interval(0, 2), 1) == "cannot be said"


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"tariff": 0.05}, "does not hold"),
        ({"tariff": 0.14}, "cannot be said"),
        ({"tariff": 0.20}, "holds"),
        ({"tariff": 0.0929}, "cannot be said"),
        ({"efficiency": 15.1}, "does not hold"),
        ({"efficiency": 28.2}, "holds"),
        ({"difficulty": 300e12}, "holds"),
        ({"subsidy": 1.5625}, "holds"),
        ({"tariff": 0.05, "capital": 60.0}, "holds"),
        ({"tariff": 0.05, "opex": 2.0}, "holds"),
    ],
)
def test_the_cost_in_the_united_states_moves_with_its_inputs(
    given: dict[str, float], verdict: str
) -> None:
    found = finding("cost-united-states", given=given)
    assert found.verdict == verdict
    by_reader = {item.name for item in found.inputs if item.source == BY_READER}
    assert by_reader == set(given)


def test_the_condition_at_which_the_cost_turns() -> None:
    # 138.967 T, fees of 0.55 %, 20 J/TH and a PUE of 1.1: 1 160 823 kWh, 0.0861 USD/kWh.
    found = finding("cost-united-states")
    assert "0.0861 USD/kWh" in found.turns
    known = {"efficiency": 20.0, "pue": 1.1, "fees": 0.0055}
    assert (
        finding("cost-united-states", given={**known, "tariff": 0.0860}).verdict == "does not hold"
    )
    assert finding("cost-united-states", given={**known, "tariff": 0.0863}).verdict == "holds"


def test_some_regions_are_judged_one_by_one() -> None:
    found = finding("cost-some-regions")
    verdicts = {case.label: case.verdict for case in found.cases}
    assert verdicts["Massachusetts"] == "holds"
    assert verdicts["Texas"] == "cannot be said"
    assert verdicts["Louisiana"] == "does not hold"
    assert finding("cost-some-regions", given={"tariff": 0.06}).cases[0].label == "the tariff given"
    assert finding("cost-some-regions", given={"tariff": 0.05}).verdict == "does not hold"
    assert finding("cost-some-regions", given={"tariff": 0.0}).verdict == "does not hold"


def test_published_costs_of_listed_miners() -> None:
    # CoinShares: all-in 96,100 (Q2 2024), 106,000 (Q3 2024), 137,800 (Q2 2025).
    found = finding("cost-all-in")
    assert found.found.value == 137_800
    verdicts = {case.label: case.verdict for case in found.cases}
    assert verdicts["all-in, 2024-Q2"] == "does not hold"
    assert verdicts["all-in, 2024-Q3"] == "holds"
    assert verdicts["cash, 2025-Q4"] == "does not hold"


@pytest.mark.parametrize(
    ("series", "way"),
    [("CBECI map", "fell"), ("Hashrate Index", "rose"), ("CCAF survey", ""), ("MinerMetrics", "")],
)
def test_rounding_alone_decides_nothing_of_geography(series: str, way: str) -> None:
    found = finding("geography", series=series)
    assert found.verdict == "cannot be said"
    assert {case.verdict for case in found.cases} == {"cannot be said"}
    (case,) = found.cases
    assert (f"{way} by the figures as published" in case.note) == bool(way)
    assert "no source's own error is in them" in found.because


def test_where_mining_is_known_is_judged_by_itself() -> None:
    found, wider = finding("cost-where-mined"), finding("cost-some-regions")
    places = {case.label for case in found.cases}
    assert {"Texas", "Georgia", "Kentucky", "Tennessee", "North Dakota", "New York"} <= places
    assert places < {case.label for case in wider.cases}
    assert "Rhode Island" not in places
    assert all("site: " in case.note for case in found.cases)
    assert "No mining site is known in Rhode Island" in wider.because
    assert {row.source for row in sites().values()} <= set(found.sources)
    assert finding("cost-where-mined", given={"tariff": 0.2}).verdict == "holds"
    assert finding("cost-where-mined", given={"tariff": 0.05}).verdict == "does not hold"
    assert finding("cost-where-mined", given={"efficiency": 60.0}).verdict == "holds"


@pytest.mark.parametrize("kind", LensKind)
def test_only_a_lens_of_control_says_anything_of_control(kind: LensKind) -> None:
    rows: list[dict[str | None, int]] = [{"a": 700, "b": 308}] * 12
    table = table_of(rows, [0] * 12, range(12), [1_577_836_800 + 604_800 * i for i in range(12)])
    for found in evaluate(table, SOURCE, only=("control", "hardware", "migration"), kind=kind):
        of_kind = f"This lens is one of {kind.value}. " in found.because
        assert of_kind == (kind is not LensKind.CONTROL and found.slug != "migration")
        assert not of_kind or found.verdict == "cannot be said"


def test_a_verdict_on_a_rise_is_withheld_under_another_lens() -> None:
    spread: dict[str | None, int] = {str(i): 9 for i in range(16)}
    table = weeks_of(spread, {"a": 72, "b": 72})
    (plain,) = evaluate(table, SOURCE, only=["hardware"])
    (of_countries,) = evaluate(table, SOURCE, only=["hardware"], kind=LensKind.JURISDICTION)
    assert (plain.verdict, of_countries.verdict) == ("holds", "cannot be said")


def test_old_figures_are_said_to_be_old() -> None:
    def as_of(slug: str, today: date | None) -> str:
        (found,) = evaluate(WEEKS.part(slice(0, 12)), SOURCE, only=[slug], today=today)
        return found.as_of

    assert as_of("cost-united-states", None) == ""
    assert as_of("cost-united-states", date(2026, 2, 1)) == ""
    # its oldest input that moves is the fees of 2026-01-12
    assert as_of("cost-united-states", date(2026, 11, 27)) == "as of 2026-01-12, 319 days ago"
    assert as_of("cost-all-in", date(2026, 11, 27)) == "as of 2025-06-30, 515 days ago"
    assert as_of("migration", date(2026, 11, 27)) == "as of 2025-12-31, 331 days ago"


def test_the_verdict_on_control_names_both_spans() -> None:
    found = finding("control", load_history().merged(28))
    assert "Over all windows since 2020-01-" in found.because
    assert "In the running era alone (subsidy 3.125 BTC): " in found.because


@pytest.mark.parametrize("series", ["", "CBECI map", "Hashrate Index", "CCAF survey"])
def test_rounding_alone_decides_nothing_of_migration(series: str) -> None:
    found = finding("migration", series=series)
    assert found.verdict == "cannot be said"
    assert {case.verdict for case in found.cases} == {"cannot be said"}
    assert "rounding alone" in found.because


@pytest.mark.slow
@pytest.mark.parametrize("span", [(None, None), (None, 1713571767), (1713571767, None)])
def test_the_verdict_on_control_is_the_same_in_windows_of_every_length(
    span: tuple[int | None, int | None],
) -> None:
    days = load_history().between(*span)
    found = {length: finding("control", days.merged(length)) for length in (1, 7, 14, 28)}
    assert {each.verdict for each in found.values()} == {"cannot be said"}
    for each in found.values():  # and each tells the same slope, within a tenth of its interval
        low, high = found[7].interval
        assert abs(each.found.value - found[7].found.value) < (high - low) / 10


@pytest.mark.slow
def test_control_is_judged_where_it_moves() -> None:
    # the largest goes from 5 to 50 % in six years, the others share the rest
    tops = np.linspace(0.05, 0.5, 313)
    rising: list[dict[str | None, int]] = [
        {str(i): round(1008 * (top if i == 0 else (1 - top) / 19)) for i in range(20)}
        for top in tops
    ]
    starts = [1_577_836_800 + 604_800 * i for i in range(313)]
    up = table_of(rising, [0] * 313, range(313), starts)
    down = table_of(rising[::-1], [0] * 313, range(313), starts)
    assert finding("control", up).verdict == "holds"
    assert finding("control", down).verdict == "does not hold"
    assert finding("control", WEEKS.part(slice(0, 5))).verdict == "cannot be said"


def test_control_is_open_where_unknown_blocks_decide() -> None:
    # HHI of those known falls only because more and more blocks are of nobody known
    rows: list[dict[str | None, int]] = [{"a": 700 - 2 * i, None: 308 + 2 * i} for i in range(313)]
    starts = [1_577_836_800 + 604_800 * i for i in range(313)]
    assert finding("control", table_of(rows, [0] * 313, range(313), starts)).verdict == (
        "cannot be said"
    )


def weeks_of(early: dict[str | None, int], late: dict[str | None, int]) -> CountTable:
    day = 86_400
    starts = [1262304000 + i * day for i in range(12)] + [1420070400 + i * day for i in range(12)]
    return table_of([early] * 12 + [late] * 12, [0] * 24, range(24), starts)


def test_hardware_needs_two_eras_with_names() -> None:
    spread: dict[str | None, int] = {str(i): 9 for i in range(16)}
    half: dict[str | None, int] = {"a": 72, "b": 72}
    assert finding("hardware", weeks_of(spread, half)).verdict == "holds"
    assert finding("hardware", weeks_of(half, spread)).verdict == "does not hold"
    assert finding("hardware", weeks_of({None: 144}, half)).verdict == "cannot be said"


def test_the_edge_market_grows_by_376_percent() -> None:
    found = finding("edge-percent")
    assert found.found.value == pytest.approx(376.5, abs=0.05)
    forecast = finding("edge-forecast")
    assert forecast.found.value == pytest.approx(21.55, abs=0.005)
    assert forecast.claimed.value == pytest.approx(21.53, abs=0.005)


def test_ai_by_market() -> None:
    found = finding("ai")
    assert {case.verdict for case in found.cases} == {"cannot be said"}  # rounding is no error
    cases = {case.label: case.note for case in found.cases}
    assert cases["cloud infrastructure: HHI"].endswith("fell by the figures as published")
    assert cases["enterprise LLM API: largest three"].endswith("rose by the figures as published")
    assert "as published" not in cases["enterprise LLM API: HHI"]
    assert "3 of concentration fell and 1 rose" in found.because
    for market in ("cloud infrastructure", "ChatGPT app share"):
        assert finding("ai", market=market).verdict == "cannot be said"


def test_opposite_directions_cannot_be_said_from_two_dates() -> None:
    found = finding("opposite", market="cloud infrastructure")
    assert found.verdict == "cannot be said"
    assert any("2 points; a trend test needs 10" in text for text in found.unsaid)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no claim 'nope'"):
        evaluate(WEEKS, SOURCE, only=["nope"])
    with pytest.raises(ValueError, match="no series 'nope'"):
        finding("migration", series="nope")
    with pytest.raises(ValueError, match="no series 'nope'"):
        finding("geography", series="nope")
    with pytest.raises(ValueError, match="no market 'nope'"):
        finding("ai", market="nope")
    with pytest.raises(EconomicsError, match="'nope' is no input"):
        Assumptions().given({"nope": 1.0})
    with pytest.raises(EconomicsError, match="finite"):
        Assumptions().given({"tariff": math.nan})
    with pytest.raises(EconomicsError, match="'tariff' has to be given"):
        Assumptions().input("tariff")


def test_what_ships_is_uncertain_where_nobody_knows() -> None:
    inputs = shipped()
    assert set(inputs) <= set(UNITS)
    assert inputs["efficiency"].low < inputs["efficiency"].value < inputs["efficiency"].high
    assert inputs["difficulty"].low == inputs["difficulty"].high
    left_out = Assumptions().input("capital")
    assert left_out.value == 0
