"""Shares of any market: series that ship, and tables of the user's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from analyzers import geography, tables
from analyzers.claims.markets import markets
from analyzers.compare import (
    Measures,
    Point,
    Shares,
    from_rows,
    full_lists,
    growth,
    hhi_points,
    measure,
    measure_part,
)
from analyzers.ignorance import union
from analyzers.intervals import hhi_unbiased_sd
from analyzers.sharefile import Given, read_shares
from analyzers.summary import Summary, summarize
from monitor.errors import QuestionError
from monitor.queries.selection import given as table_of
from monitor.queries.tables import text_of

POOLS: Final = "pools"
"""The name of the history of pools that ships."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Figures that are no shares of firms, the oldest first.

    `growth` is a year's (ratio), `times` the last over the first, in `years`; None where the
    figures are parts, or of one year.
    """

    rows: tuple[tables.Row, ...]
    growth: float | None
    times: float | None
    years: float


def share_series() -> list[str]:
    """Return the names of the series of shares that ship."""
    return [*markets(), *geography.series_names()]


def size_series() -> list[str]:
    """Return the names of the series of sizes that ship."""
    return list(dict.fromkeys(row.series for row in tables.load("sizes")))


def sizes_of(series: str) -> Sizes:
    """Return a series of `size_series`.

    Raises
    ------
    QuestionError
        If there is none of this name.
    """
    rows = sorted(
        (row for row in tables.load("sizes") if row.series == series), key=lambda row: row.period
    )
    if not rows:
        raise QuestionError(f"no series {series[:40]!r}; there are {', '.join(size_series())}")
    first, last = rows[0], rows[-1]
    years = last.period.year - first.period.year
    if years <= 0 or first.unit == "%":
        return Sizes(tuple(rows), None, None, years)
    rate = growth(first.number, last.number, years)
    return Sizes(tuple(rows), rate, last.number / first.number, years)


def shipped(series: str) -> Given:
    """Return a series of `share_series`.

    Raises
    ------
    QuestionError
        If there is none of this name.
    """
    rows = [
        row
        for name in ("markets", "countries")
        for row in tables.load(name)
        if row.series == series
    ]
    if not rows:
        raise QuestionError(
            f"no series {series[:40]!r} of shares; there are {', '.join(share_series())}"
        )
    return Given(tuple(shares for shares in from_rows(rows) if shares.covered), ())


def measured(shares: Shares) -> Measures:
    """Return the measures of shares; a list that lacks a large entity gives no upper bounds."""
    return measure_part(shares) if geography.lacks(shares) else measure(shares)


def summaries(given: Given) -> list[tuple[str | None, Summary]]:
    """Return date and summary of each table of counts.

    Raises
    ------
    QuestionError
        If there are more of nobody known than can be counted one by one.
    """
    found = []
    for period, counts in given.counts:
        table = table_of(counts)
        summary = summarize(table.counts, unattributed=table.unattributed)
        found.append((None if period is None else str(period), summary))
    return found


def points_of(given: Given) -> list[Point]:
    """Return HHI (ratio) over time: of counts with intervals, of full lists with bounds.

    Raises
    ------
    QuestionError
        If the series has no dates.
    """
    if not given.counts:
        return hhi_points(
            [found for found in full_lists(given.shares) if not geography.lacks(found)]
        )
    points = []
    for (period, counts), (_, summary) in zip(given.counts, summaries(given), strict=True):
        if period is None:
            raise QuestionError("counts without dates are no series")
        table = table_of(counts)
        error = hhi_unbiased_sd([*table.counts.values(), *[1] * table.unattributed])
        variance = 0.0 if math.isnan(error) else error**2
        hhi = union(summary.readings.each(lambda reading: reading.hhi_interval))
        points.append(Point(period.year, hhi, variance))
    return points


def points_named(name: str) -> list[Point]:
    """Return HHI (ratio) over time of ``pools``, of a series that ships, or of a file.

    Raises
    ------
    ValueError
        If a file is no table of shares.
    OSError
        If it cannot be read.
    """
    if name == POOLS:
        from analyzers.claims.pools import hhi_of_pools
        from analyzers.history import load_history

        return hhi_of_pools(load_history().merged(7))
    if name in share_series():
        return points_of(shipped(name))
    return points_of(read_shares(text_of(name), name))
