"""How much electricity the network draws, by the method of Cambridge's CBECI.

Machines that earn more than their electricity costs are taken to run. The best of them
gives the lower bound, the worst the upper, and their plain mean the best guess. It is a
model of who could run, not a count of who does: the bounds are far apart, and whoever runs
at a loss, or at a lower tariff, is not in it.

Source: cbeci.org, as programmed in CambridgeAltFin/ccaf_cbeci_api @2107c88c and @0cf8b86a.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from analyzers import tables
from analyzers.economics import DAY, JOULES_PER_KWH, TERA, EconomicsError

CBECI_TARIFF: Final = 0.05
"""The tariff (dollars per kWh) of CBECI's default estimate."""
PUE_LOWER: Final = 1.01
PUE_GUESS: Final = 1.10
PUE_UPPER: Final = 1.20
SERVICE_YEARS: Final = 5
"""Machines older than this are taken to be gone."""
THRESHOLD_DAYS: Final = 14
"""The profitability threshold is the mean of so many days."""
SMOOTH_DAYS: Final = 7
"""The estimate is the mean of so many days."""
YEAR_SECONDS: Final = 365.25 * DAY
JOULES_PER_TWH: Final = 1e9 * JOULES_PER_KWH


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of mining machine: energy per hash, and when it came out."""

    name: str
    joules_per_terahash: float
    released: date

    def sold_by(self, day: date) -> bool:
        """Tell whether the machine is out, and not yet too old, on `day`."""
        end = self.released.replace(
            year=self.released.year + SERVICE_YEARS, day=min(self.released.day, 28)
        )
        return self.released < day < end


def machines() -> tuple[Machine, ...]:
    """Return the machines that ship as a table, the oldest first.

    Examples
    --------
    >>> machines()[-1].name
    'Antminer S23 Hydro'
    """
    rows = (row for row in tables.load("machines") if row.series == "machine")
    found = (Machine(row.entity, row.number, row.period.first) for row in rows)
    return tuple(sorted(found, key=lambda machine: machine.released))


class Power(NamedTuple):
    """Power of the network in watts: bounds, and the guess between them."""

    lower: float
    guess: float
    upper: float


def annual_energy(watts: float) -> float:
    """Return the joules of a year of 365.25 days at this power.

    Examples
    --------
    >>> round(annual_energy(15.74e9) / JOULES_PER_TWH)
    138
    """
    return watts * YEAR_SECONDS


def hash_rate_of(watts: float, joules_per_terahash: float, pue: float = 1.0) -> float:
    """Return the hash rate (H/s) that draws `watts` at this efficiency.

    Examples
    --------
    >>> round(hash_rate_of(138 * JOULES_PER_TWH / YEAR_SECONDS, 28.2) / 1e18, 2)
    558.25
    """
    return watts / (joules_per_terahash / TERA * pue)


def profitable(
    known: Iterable[Machine],
    usd_per_hash: float,
    *,
    tariff: float = CBECI_TARIFF,
    day: date | None = None,
) -> tuple[Machine, ...]:
    """Return the machines whose electricity costs less than they earn.

    `usd_per_hash` is the dollars a hash earns (`hashprice` times price). With `day`, only
    those that were out by then and not over `SERVICE_YEARS` old.

    Raises
    ------
    EconomicsError
        If `tariff` is not above zero.

    Examples
    --------
    >>> earned = 30 / (1e15 * DAY)  # 30 USD/PH/day
    >>> sorted(m.name for m in profitable(machines(), earned, tariff=0.06))
    ['Antminer S21', 'Antminer S21 Pro', 'Antminer S21 XP', 'Antminer S23 Hydro']
    """
    if not tariff > 0:
        raise EconomicsError(f"a tariff must be above zero here, not {tariff}")
    limit = usd_per_hash * TERA * JOULES_PER_KWH / tariff
    return tuple(
        machine
        for machine in known
        if machine.joules_per_terahash < limit and (day is None or machine.sold_by(day))
    )


def network_power(running: Sequence[Machine], hash_rate: float) -> Power:
    """Return CBECI's estimate of the power that `hash_rate` (H/s) draws.

    Raises
    ------
    EconomicsError
        If no machine runs.

    Examples
    --------
    >>> fleet = [Machine(str(e), e, date(2024, 1, 1)) for e in (15, 15, 20, 30)]
    >>> power = network_power(fleet, 1000e18)
    >>> [round(annual_energy(watts) / JOULES_PER_TWH, 2) for watts in power]
    [132.8, 192.85, 315.58]
    """
    if not running:
        raise EconomicsError("no machine earns its electricity; keep the last set that did")
    needs = [machine.joules_per_terahash / TERA for machine in running]
    return Power(
        min(needs) * hash_rate * PUE_LOWER,
        sum(needs) / len(needs) * hash_rate * PUE_GUESS,
        max(needs) * hash_rate * PUE_UPPER,
    )


class Day(NamedTuple):
    """What CBECI needs of a day: hash rate (H/s) and dollars earned per hash."""

    day: date
    hash_rate: float
    usd_per_hash: float


def power_series(
    days: Sequence[Day], known: Sequence[Machine], *, tariff: float = CBECI_TARIFF
) -> list[tuple[date, Power]]:
    """Return the estimate for each day, as CBECI smooths it.

    The earnings are a trailing mean of `THRESHOLD_DAYS`, the result one of `SMOOTH_DAYS`.
    On days when no machine would pay, the power of the day before stands. Days before the
    first that has a running machine are left out.
    """
    raw: list[tuple[date, Power]] = []
    for index, (day, rate, _) in enumerate(days):
        span = days[max(0, index + 1 - THRESHOLD_DAYS) : index + 1]
        earned = sum(past.usd_per_hash for past in span) / len(span)
        running = profitable(known, earned, tariff=tariff, day=day)
        if running:
            raw.append((day, network_power(running, rate)))
        elif raw:
            raw.append((day, raw[-1][1]))
    smooth = []
    for index, (day, _) in enumerate(raw):
        last = [power for _, power in raw[max(0, index + 1 - SMOOTH_DAYS) : index + 1]]
        smooth.append((day, Power(*(sum(ends) / len(last) for ends in zip(*last, strict=True)))))
    return smooth
