"""Where hash rate is, as far as anybody says: shares of countries by series, and their limits.

No block tells where it was mined. Each series below has its own way to guess, and they
disagree by more than mining moved in years: the survey of 2024 gives the United States 75 %
of its sample where the heatmap of 2025 gives 36 % of the network. So series are never
chained, and a change holds only within one.

Where the operators of pools sit is another question: see the lens ``country``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final, NamedTuple

from analyzers import tables
from analyzers.compare import (
    Measures,
    Movement,
    ShareError,
    Shares,
    from_rows,
    full_lists,
    hhi_points,
    measure,
    movement,
    one_series,
)

LIMITS: Final[Mapping[str, str]] = {
    "CBECI map": "internet addresses of the miners of some pools, 37 to 44 % of the network: "
    "proxies move them (China at 0 % in July 2021, 22 % in September), Germany and Ireland are "
    "too high; ends in January 2022",
    "CCAF survey": "49 firms that answered, 48 % of the network, most of them American",
    "Ethiopian Electric Power": "one utility about its own country",
    "Hashrate Index": "a company's estimate from its pool, brokerage and trade; method unpublished",
    "MinerMetrics": "counted sites, bottom up; one date",
}
"""What each series is made of, and what that keeps it from showing."""

INCOMPLETE: Final = {
    ("CBECI map", "2021-05"): "Kazakhstan, larger than Canada, is missing",
    ("CBECI map", "2021-09"): "the United States, larger than China, are missing",
    ("Ethiopian Electric Power", "2024-12"): "only Ethiopia is listed",
    ("MinerMetrics", "2023-11"): "China and Russia, 27 % together, are missing",
}
"""Quotations that leave out a country larger than one they list: no bounds follow."""


@functools.cache
def country_shares(series: str | None = None) -> tuple[Shares, ...]:
    """Return the dated shares of countries, of one series or of all, oldest first in each.

    Raises
    ------
    ShareError
        If there is no such series.

    Examples
    --------
    >>> [str(shares.period) for shares in country_shares("CCAF survey")]
    ['2024-06/2024-09']
    """
    found = from_rows(tables.load("countries"))
    if series is None:
        return tuple(found)
    own = tuple(shares for shares in found if shares.series == series)
    if not own:
        raise ShareError(f"no series {series[:40]!r}; there are {', '.join(series_names())}")
    return own


def series_names() -> tuple[str, ...]:
    """Return the names of the series.

    Examples
    --------
    >>> "Hashrate Index" in series_names()
    True
    """
    return tuple(dict.fromkeys(shares.series for shares in country_shares()))


def lists(series: str) -> tuple[Shares, ...]:
    """Return the dates of a series at which its largest countries are listed."""
    own = one_series(country_shares(series))
    return tuple(shares for shares in full_lists(own) if not lacks(shares))


def lacks(shares: Shares) -> str:
    """Return which larger country a list leaves out, empty if none is known to be.

    Examples
    --------
    >>> [str(found.period) for found in country_shares("CBECI map") if lacks(found)]
    ['2021-05', '2021-09']
    """
    return INCOMPLETE.get((shares.series, str(shares.period)), "")


def concentration_of(series: str) -> list[tuple[Shares, Measures]]:
    """Return concentration over countries at each date of a series, as bounds.

    Examples
    --------
    >>> [(str(shares.period), [round(end * 10_000) for end in found.hhi])
    ...  for shares, found in concentration_of("CBECI map")][0]
    ('2020-04', [4407, 4428])
    """
    return [(shares, measure(shares)) for shares in lists(series)]


def movement_of(series: str) -> Movement:
    """Return how concentration over countries moved within one series.

    Examples
    --------
    >>> movement_of("CBECI map").change, movement_of("Hashrate Index").change
    ('fell', 'rose')
    """
    return movement(hhi_points(lists(series)))


class CountryChange(NamedTuple):
    """A country's share (ratio) at the first and last date that list it, with rounding."""

    country: str
    first: tuple[str, float, float]
    last: tuple[str, float, float]

    @property
    def difference(self) -> float:
        """Later share less earlier."""
        return self.last[1] - self.first[1]

    @property
    def rounding(self) -> float:
        """How far the difference may be off because sources round."""
        return self.first[2] + self.last[2]


def country_change(series: str, country: str) -> CountryChange | None:
    """Return how a country's share changed within one series; None below two dates.

    Examples
    --------
    >>> change = country_change("Hashrate Index", "United States")
    >>> round(change.difference, 5), round(change.rounding, 6)
    (0.01975, 0.005005)
    """
    rows = sorted(
        (
            row
            for row in tables.load("countries")
            if row.series == series and row.entity == country and row.unit == "%"
        ),
        key=lambda row: row.period,
    )
    if len(rows) < 2:
        return None
    first, last = ((str(r.period), r.number, r.rounding) for r in (rows[0], rows[-1]))
    return CountryChange(country, first, last)


def implied_hash_rate(series: str) -> list[tuple[str, str, float]]:
    """Return (date, country, network hash rate in EH/s) wherever a source gives both figures.

    The figures of one date must agree: hash rate over share is the whole network's.

    Examples
    --------
    >>> [round(total, 1) for date, _, total in implied_hash_rate("CBECI map")
    ...  if date == "2022-01"]
    [187.6, 187.6, 187.6]
    """
    rows = tables.load("countries")
    shares = {
        (row.period, row.entity): row.number for row in rows if row.series == series and row.number
    }
    return [
        (str(row.period), row.entity, row.number / shares[row.period, row.entity])
        for row in rows
        if row.series == f"{series} hash rate" and (row.period, row.entity) in shares
    ]
