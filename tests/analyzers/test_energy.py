"""CBECI's method against its own constants and figures of Cambridge; sources in each test."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from analyzers.economics import EconomicsError, Terms, hashprice
from analyzers.energy import (
    JOULES_PER_TWH,
    YEAR_SECONDS,
    Day,
    Machine,
    annual_energy,
    hash_rate_of,
    machines,
    network_power,
    power_series,
    profitable,
)
from tests.analyzers.test_economics import anchor

START = date(2025, 1, 1)


def machine(efficiency: float, released: date = date(2024, 1, 1)) -> Machine:
    return Machine(f"{efficiency} J/TH", efficiency, released)


def earnings(limit: float, tariff: float = 0.05) -> float:
    """Dollars per hash at which machines up to `limit` J/TH pay."""
    return limit / 1e12 / 3.6e6 * tariff


def test_bounds_and_best_guess() -> None:
    # CambridgeAltFin/ccaf_cbeci_api @2107c88c: PUE 1.01, 1.10, 1.20 on the best, the mean and
    # the worst machine. 1000 EH/s with 15, a mean of 20, and 30 J/TH.
    power = network_power([machine(e) for e in (15, 15, 20, 30)], 1000e18)
    found = [annual_energy(watts) / JOULES_PER_TWH for watts in power]
    assert found == pytest.approx([132.80, 192.85, 315.58], abs=0.006)


def test_hash_rate_behind_cambridges_energy() -> None:
    # CCAF, April 2025: 138 TWh at 28.2 J/TH; a sample of 268 EH/s is said to be 48 %.
    watts = anchor("network energy", "network") * JOULES_PER_TWH / YEAR_SECONDS
    assert watts / 1e9 == pytest.approx(15.74, abs=0.005)
    implied = hash_rate_of(watts, anchor("network energy", "efficiency"))
    assert implied / 1e18 == pytest.approx(558.25, abs=0.05)
    sample = anchor("network energy", "sample") / anchor(
        "network energy", "sample part of the network"
    )
    assert implied / 1e18 == pytest.approx(sample, rel=0.001)


def test_who_pays_at_a_tariff() -> None:
    known = [machine(e) for e in (15, 20, 30)]
    assert [m.joules_per_terahash for m in profitable(known, earnings(20.1))] == [15, 20]
    assert [m.joules_per_terahash for m in profitable(known, earnings(20.1), tariff=0.1)] == []
    assert len(profitable(known, earnings(20.1), tariff=0.03)) == 3
    with pytest.raises(EconomicsError):
        profitable(known, 1.0, tariff=0)


def test_machines_are_out_for_five_years() -> None:
    leap = machine(20, date(2020, 2, 29))
    assert not leap.sold_by(date(2020, 2, 29))
    assert leap.sold_by(date(2020, 3, 1))
    assert leap.sold_by(date(2025, 2, 27))
    assert not leap.sold_by(date(2025, 3, 1))


def test_what_ships_gives_a_figure_for_april_2026() -> None:
    earned = hashprice(Terms(138.97e12, 312_500_000, 0.0055)) * 73_000
    running = profitable(machines(), earned, day=date(2026, 4, 12))
    ours = ("S19 XP", "S21", "S21 Pro", "S21 XP", "S23 Hydro")
    assert {m.name for m in running} == {f"Antminer {name}" for name in ours}
    # what nobody undercuts: the best machine alone, at the 994.8 EH/s of 138.97 T
    lower = annual_energy(network_power(running, 994.8e18).lower) / JOULES_PER_TWH
    assert lower == pytest.approx(85.4, abs=0.1)


def test_nobody_pays() -> None:
    with pytest.raises(EconomicsError, match="keep the last"):
        network_power([], 1e18)


def test_series_is_smoothed_and_keeps_the_last_set() -> None:
    # As in energy_consumption/v1_1_1 of ccaf_cbeci_api: 14-day threshold, last values kept
    # where nobody pays, 7-day result.
    rates = [100e18] * 20 + [200e18] * 30
    known = [machine(20)]
    earned = [earnings(10)] * 3 + [earnings(40)] * 17 + [0.0] * 30
    days = [
        Day(START + timedelta(days=i), rate, e)
        for i, (rate, e) in enumerate(zip(rates, earned, strict=True))
    ]
    found = power_series(days, known)
    one = network_power(known, 100e18)
    assert found[0][0] > START
    assert found[0][1] == pytest.approx(one)
    by_day = {(day - START).days: power for day, power in found}
    # the mean of earnings stays above the machine's need until half of the 14 days are zero
    assert by_day[26].guess == pytest.approx(2 * one.guess)
    assert by_day[49].guess == pytest.approx(2 * one.guess)
    assert one.guess < by_day[22].guess < 2 * one.guess
    assert power_series([], known) == []
