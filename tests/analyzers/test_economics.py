"""The formulas against figures that others published; each case names its source."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers import tables
from analyzers.economics import (
    DAY,
    JOULES_PER_KWH,
    PETA,
    SATOSHI,
    EconomicsError,
    Fleet,
    Spread,
    Terms,
    break_even_tariff,
    cost_per_btc,
    efficiency_for_cost,
    energy_per_btc,
    hashprice,
    hashprice_usd,
    revenue_per_mwh,
    sensitivity,
    simulate_cost,
    tariff_for_cost,
)

SUBSIDY = 312_500_000
TODAY = Terms(148.26e12, SUBSIDY)


def anchor(series: str, entity: str, date: str = "") -> float:
    """A published figure of the table of anchors; % as ratio, T as a plain number."""
    (row,) = (
        row
        for row in tables.load("anchors")
        if row.series == series and row.entity == entity and date in str(row.period)
    )
    return row.number * (1e12 if row.unit == "T" else 1)


def published_terms(date: str) -> tuple[Terms, float]:
    def figure(name: str) -> float:
        return anchor("hashprice", name, date)

    terms = Terms(figure("difficulty"), round(figure("subsidy") * SATOSHI), figure("fees"))
    return terms, figure("price")


def kwh(terms: Terms, efficiency: float) -> float:
    return energy_per_btc(terms, efficiency) / JOULES_PER_KWH


def test_hashprice_of_hashrate_index_in_october_2021() -> None:
    # Hashrate Index, 2021-10-24: $0.3800/TH/day; the formula gives 0.37987.
    terms, price = published_terms("2021-10-24")
    found = hashprice_usd(terms, price) / 1000
    assert found == pytest.approx(0.37987, abs=5e-6)
    assert found == pytest.approx(anchor("hashprice", "published", "2021"), rel=5e-4)


def test_hashprice_of_hashrate_index_in_january_2026() -> None:
    # Hashrate Index roundup, 2026-01-12: 39.53 $/PH/day and 0.00043143 BTC. The fee that it
    # states is a weekly mean and not that of the index's 144 blocks: 1.7 and 1.2 % off.
    terms, price = published_terms("2026-01-12")
    assert hashprice_usd(terms, price) == pytest.approx(38.85, abs=0.005)
    assert hashprice(terms) * PETA * DAY == pytest.approx(0.00042634, abs=5e-9)
    assert hashprice_usd(terms, price) == pytest.approx(
        anchor("hashprice", "published", "2026"), rel=0.018
    )
    assert hashprice(terms) * PETA * DAY == pytest.approx(
        anchor("hashprice", "published in BTC"), rel=0.013
    )


@pytest.mark.parametrize(
    ("fleet", "efficiency", "expected"),
    [("below 19 J/TH", 17, 96.9), ("19 to 25 J/TH", 22, 74.9), ("25 to 38 J/TH", 32.3, 51.0)],
)
def test_revenue_per_mwh_of_hashrate_index(fleet: str, efficiency: float, expected: float) -> None:
    # Hashrate Index roundup, 2026-01-12: 97, 75 and 51 $/MWh by class of fleet.
    found = revenue_per_mwh(anchor("hashprice", "published", "2026"), efficiency)
    assert found == pytest.approx(expected, abs=0.05)
    assert found == pytest.approx(anchor("revenue per energy", fleet), abs=0.5)


def test_break_even_of_coinshares() -> None:
    # CoinShares Q1 2026: at a hashprice of 30, an S19 XP is under water from 0.06 $/kWh on.
    earned = anchor("break-even", "hashprice")
    assert break_even_tariff(earned, 21.5) == pytest.approx(0.0581, abs=5e-5)
    assert break_even_tariff(earned, 21.5) < anchor("break-even", "S19 XP underwater from")
    assert break_even_tariff(earned, 17.5) == pytest.approx(0.0714, abs=5e-5)


def test_hashprice_of_coinshares() -> None:
    # CoinShares Q4 2025: 36 to 38; at 86,000 USD, 1050 EH/s and 1 % fees the formula has 37.2.
    found = hashprice_usd(Terms.at_hash_rate(1050e18, SUBSIDY, 0.01), 86_000)
    assert found == pytest.approx(37.2, abs=0.05)
    assert anchor("hashprice range", "low") < found < anchor("hashprice range", "high")


def test_break_even_of_de_vries() -> None:
    # Alex de Vries, December 2025: 1.2 GWh per BTC; at 85,000 a loss above 7 c/kWh.
    needed = anchor("energy per bitcoin", "network")
    found = anchor("energy per bitcoin", "price") / needed
    assert found == pytest.approx(0.0708, abs=5e-5)
    assert found == pytest.approx(anchor("energy per bitcoin", "break-even tariff"), abs=0.001)


def test_hash_rate_at_published_difficulties() -> None:
    # Hashrate Index, 2025 and 2026-01-12: 123.23 T from block 893,088 on, a retarget; 148.26 T.
    assert divmod(893_088, 2016) == (443, 0)
    for difficulty, hash_rate in ((123.23e12, 882.13), (126.4e12, 904.82), (148.26e12, 1061.30)):
        found = Terms(difficulty, SUBSIDY).hash_rate / 1e18
        assert found == pytest.approx(hash_rate, abs=0.005)


def test_energy_per_bitcoin() -> None:
    # Worked by hand: D 148.26 T at 20 J/TH; 950 EH/s at 20 J/TH.
    assert kwh(TODAY, 20) == pytest.approx(1_132_056, abs=0.5)
    assert kwh(Terms.at_hash_rate(950e18, SUBSIDY), 20) == pytest.approx(1_013_333, abs=0.5)


def test_cost_in_full() -> None:
    # Worked by hand: 950 EH/s, 20 J/TH, 7 c, PUE 1.05, pool 2 %, fees 1 %, 15 $/TH over 4 years.
    terms = Terms.at_hash_rate(950e18, SUBSIDY, 0.01)
    found = cost_per_btc(
        terms, Fleet(20, 0.07, pue=1.05, capital=15, life_days=1460, pool_fee=0.02)
    )
    assert found.total == pytest.approx(97_160.54, abs=0.005)
    bare = cost_per_btc(Terms.at_hash_rate(950e18, SUBSIDY), Fleet(20, 0.07))
    assert bare.total == bare.electricity == pytest.approx(70_933.33, abs=0.005)


@pytest.mark.parametrize(
    ("hash_rate", "efficiency", "tariff"),
    [
        (600, 33, 0.0947),
        (900, 15, 0.1389),
        (900, 28.2, 0.0739),
        (950, 17.5, 0.1128),
        (1000, 20, 0.0938),
        (1000, 21.5, 0.0872),
        (1050, 25, 0.0714),
        (1100, 30, 0.0568),
    ],
)
def test_tariff_at_which_a_bitcoin_costs_100_000(
    hash_rate: float, efficiency: float, tariff: float
) -> None:
    terms = Terms.at_hash_rate(hash_rate * 1e18, SUBSIDY)
    assert tariff_for_cost(terms, Fleet(efficiency, 0.1), 1e5) == pytest.approx(tariff, abs=5.1e-5)


def test_country_costs_of_cbeci_are_those_of_survivors() -> None:
    # Decrypt, December 2025: the dearer the tariff, the better the machines that the method
    # leaves in, so its costs do not follow the tariff. 1050 EH/s, no fees.
    rows = tables.load("costs")
    cost = {row.entity: row.number for row in rows if row.series == "CBECI by country"}
    tariff = {row.entity: row.number for row in rows if row.series == "CBECI by country tariff"}
    terms = Terms.at_hash_rate(1050e18, SUBSIDY)
    implied = {
        place: efficiency_for_cost(terms, Fleet(20, tariff[place]), cost[place]) for place in cost
    }
    expected = {
        "Paraguay": 21.3,
        "United States, industrial": 17.2,
        "Canada": 15.7,
        "China": 14.4,
        "United States, all sectors": 12.1,
    }
    assert {place: round(value, 1) for place, value in implied.items()} == expected
    by_tariff = sorted(implied, key=lambda place: tariff[place])
    assert by_tariff == list(expected)


def test_thresholds_invert_the_cost() -> None:
    fleet = Fleet(20, 0.07, pue=1.1, opex=0.2, capital=15, pool_fee=0.02)
    tariff = tariff_for_cost(TODAY, fleet, 90_000)
    at = dataclasses.replace(fleet, usd_per_kwh=tariff)
    assert cost_per_btc(TODAY, at).total == pytest.approx(90_000)
    joules = efficiency_for_cost(TODAY, fleet, 90_000)
    at = dataclasses.replace(fleet, joules_per_terahash=joules)
    assert cost_per_btc(TODAY, at).total == pytest.approx(90_000)
    assert tariff_for_cost(TODAY, dataclasses.replace(fleet, capital=1e4), 90_000) < 0
    assert efficiency_for_cost(TODAY, dataclasses.replace(fleet, usd_per_kwh=0), 1) == math.inf


@pytest.mark.slow
@given(st.floats(1, 200), st.floats(0.001, 1), st.floats(1, 2), st.floats(0, 1), st.floats(0, 0.5))
def test_a_miner_breaks_even_where_cost_is_price(
    efficiency: float, tariff: float, pue: float, opex: float, pool_fee: float
) -> None:
    fleet = Fleet(efficiency, tariff, pue=pue, opex=opex, pool_fee=pool_fee)
    price = cost_per_btc(TODAY, fleet).total
    kept = hashprice_usd(TODAY, price) * (1 - pool_fee) / (1 + opex)
    assert break_even_tariff(kept, efficiency, pue) == pytest.approx(tariff)


def test_what_no_miner_can_have_is_refused() -> None:
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(EconomicsError):
            Terms(bad, SUBSIDY)
        with pytest.raises(EconomicsError):
            Fleet(bad, 0.05)
    for change in (
        {"usd_per_kwh": -0.01},
        {"pue": 0.9},
        {"opex": -1.0},
        {"capital": math.inf},
        {"life_days": 0.0},
        {"pool_fee": 1.0},
    ):
        with pytest.raises(EconomicsError):
            dataclasses.replace(Fleet(20, 0.05), **change)
    with pytest.raises(EconomicsError):
        Terms(1.0, 0, 0.5)
    with pytest.raises(EconomicsError):
        Terms(1.0, SUBSIDY, -0.1)
    with pytest.raises(EconomicsError):
        Spread(2, 1, 3)
    with pytest.raises(EconomicsError, match="'nonsense' is no input"):
        sensitivity(TODAY, Fleet(20, 0.05), {"nonsense": Spread(1, 2, 3)})
    with pytest.raises(EconomicsError, match="PUE"):
        simulate_cost(TODAY, Fleet(20, 0.05), {"pue": Spread(0.5, 1, 2)})


def test_simulation_against_the_exact_distribution() -> None:
    # Cost is linear in the tariff, so a triangular tariff gives a triangular cost.
    fleet, spread = Fleet(20, 0.1), Spread(0.05, 0.1, 0.15)
    found = simulate_cost(TODAY, fleet, {"usd_per_kwh": spread}, threshold=kwh(TODAY, 20) * 0.1)
    assert found.median == pytest.approx(kwh(TODAY, 20) * 0.1, rel=0.01)
    tail = 0.05 + math.sqrt(0.025 * 0.1 * 0.05)
    assert found.interval.low == pytest.approx(kwh(TODAY, 20) * tail, rel=0.02)
    assert found.probability_above == pytest.approx(0.5, abs=0.02)


def test_simulation_of_known_inputs_is_the_cost() -> None:
    fleet = Fleet(20, 0.1)
    found = simulate_cost(TODAY, fleet, {"pue": Spread.exact(1.1)}, threshold=1e5)
    cost = cost_per_btc(TODAY, Fleet(20, 0.1, pue=1.1)).total
    assert found.median == found.interval.low == found.interval.high == pytest.approx(cost)
    assert found.probability_above == 1


def test_sensitivity_puts_the_strongest_first() -> None:
    effects = sensitivity(
        TODAY,
        Fleet(20, 0.1),
        {
            "pue": Spread(1, 1.1, 1.2),
            "joules_per_terahash": Spread(15, 20, 30),
            "fee_ratio": Spread.exact(0.01),
        },
    )
    assert [effect.name for effect in effects] == ["joules_per_terahash", "pue"]
    assert effects[0].at_high == pytest.approx(2 * effects[0].at_low)
