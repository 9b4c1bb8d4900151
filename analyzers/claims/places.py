"""The claims that mining moves from the United States southward, and so spreads out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from analyzers import geography, tables
from analyzers.assumptions import Assumptions, published
from analyzers.claims.values import (
    ARTICLE,
    NO_NUMBER,
    Case,
    Finding,
    Quantity,
    Verdict,
)
from analyzers.compare import Change, Movement
from analyzers.intervals import UNKNOWN, Interval
from analyzers.tables import Row

OPEN: Final[Verdict] = "cannot be said"
POINTS: Final = 10_000
FROM: Final = "United States"
TO: Final = ("Paraguay", "Ethiopia")
MIGRATION_SERIES: Final = "Hashrate Index"
"""The one series that lists where miners are said to go at more than one date."""

NO_ERROR: Final = "The source states no error of its own; the interval is that of rounding alone."
CHAIN_SILENT: Final = "No block tells where it was mined; every series is somebody's estimate."


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that all share, else that it cannot be said.

    Examples
    --------
    >>> together(["holds", "holds"]), together(["holds", "does not hold"])
    ('holds', 'cannot be said')
    """
    distinct = set(verdicts)
    return distinct.pop() if len(distinct) == 1 else "cannot be said"


def with_way(note: str, change: Change) -> str:
    """Return `note` with the way that published figures moved, where they moved at all.

    It is no verdict: the bounds are those of rounding and of what lists leave out, and the
    source's own error, which it does not state, is not in them.
    """
    return f"{note}; {change} by the figures as published" if change in MOVED else note


MOVED: Final = ("fell", "rose")


def ends(move: Movement) -> tuple[Quantity, Interval]:
    """Return how far HHI moved in points, between the middles and by the bounds."""
    if move.first is None or move.last is None or move.points < 2:
        return Quantity(math.nan, "HHI points", "one date"), UNKNOWN
    first, last = move.first, move.last
    return (
        Quantity(POINTS * (last.middle - first.middle), "HHI points"),
        Interval(
            POINTS * (last.value.low - first.value.high),
            POINTS * (last.value.high - first.value.low),
        ),
    )


def _rows(series: Iterable[str]) -> list[Row]:
    """Return the published shares of these series, as they are in the table."""
    chosen = set(series)
    return [row for row in tables.load("countries") if row.series in chosen and row.unit == "%"]


def _of_lists(series: Iterable[str]) -> list[Row]:
    """Return the shares at the dates whose largest countries are listed."""
    dates = {(name, shares.period) for name in series for shares in geography.lists(name)}
    return [row for row in _rows(series) if (row.series, row.period) in dates]


def _sources(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.source for row in rows))


def _limits(series: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{name}: {geography.LIMITS[name]}." for name in series)


def geography_spreads(assumptions: Assumptions) -> Finding:
    """Judge: hash rate spreads over countries."""
    names = (assumptions.series,) if assumptions.series else geography.series_names()
    cases = []
    for name in names:
        listed = geography.lists(name)
        move = geography.movement_of(name)
        found, interval = ends(move)
        dates = f"{listed[0].period} to {listed[-1].period}" if listed else "no full list"
        cases.append(Case(name, found, interval, OPEN, with_way(dates, move.change)))
    measured = [case for case in cases if math.isfinite(case.found.value)]
    longest = max(measured, key=lambda case: abs(case.found.value), default=None)
    told = "; ".join(
        f"{case.label} {case.found.value:+.0f} points from {case.note}" for case in measured
    )
    return Finding(
        slug="geography",
        claim="The places of mining spread out over more countries.",
        said_by=ARTICLE,
        claimed=NO_NUMBER,
        found=longest.found if longest else Quantity(math.nan, "HHI points", "no two dates"),
        measure=f"change of HHI over countries, {longest.label if longest else 'no series'}",
        interval=longest.interval if longest else UNKNOWN,
        verdict=OPEN,
        because=f"HHI over countries within each series: {told or 'no series has two full lists'}. "
        "Series are never chained, and none states an error of its own: the intervals are of "
        "rounding and of the countries that a list leaves out, and no source's own error is in "
        "them, so they decide nothing.",
        turns="By the lists alone places spread out while China's part fell, until 2022 (series "
        "CBECI map, which proxies move by as much), and drew together in 2025 (Hashrate Index). "
        "One series with one method over both, which states its error, would settle it.",
        inputs=tuple(map(published, _of_lists(names))),
        cases=tuple(cases),
        sources=_sources(_rows(names)),
        unsaid=(CHAIN_SILENT, *_limits(names)),
    )


def migration(assumptions: Assumptions) -> Finding:
    """Judge: cost drives hash rate from the United States to Paraguay and Ethiopia.

    No series states its own error, so nothing is decided: rounding alone is no error of theirs.
    """
    series = assumptions.series or MIGRATION_SERIES
    geography.country_shares(series)
    changes = {name: geography.country_change(series, name) for name in (FROM, *TO)}
    cases = []
    for name, change in changes.items():
        if change is None:
            cases.append(Case(name, Quantity(math.nan, "%", "listed once at most"), UNKNOWN, OPEN))
            continue
        span = Interval(
            100 * (change.difference - change.rounding), 100 * (change.difference + change.rounding)
        )
        (earlier, before, _), (later, after, _) = change.first, change.last
        note = f"{100 * before:.5g} % in {earlier}, {100 * after:.5g} % in {later}"
        cases.append(
            Case(name, Quantity(100 * change.difference, "percentage points"), span, OPEN, note)
        )
    leaving = cases[0]
    told = "; ".join(f"{case.label} {case.note or case.found.text}" for case in cases)
    return Finding(
        slug="migration",
        claim="High cost moves hash rate from the United States to Paraguay and Ethiopia.",
        said_by=ARTICLE,
        claimed=NO_NUMBER,
        found=leaving.found,
        measure=f"change of the part of the United States, {series}",
        interval=leaving.interval,
        verdict=OPEN,
        because=f"In {series}: {told}. {NO_ERROR} A share of the United States that rises does not "
        "refute that miners went to Paraguay and Ethiopia, as others may have come.",
        turns="It would hold if, within one series that states its own error, the shares of "
        "Paraguay or Ethiopia rose by more than that error, with machines that came from the "
        "United States.",
        inputs=tuple(published(row) for row in _rows((series,)) if row.entity in changes),
        cases=tuple(cases),
        sources=_sources(_rows((series,))),
        unsaid=(
            CHAIN_SILENT,
            "A few quarters are no trend. That shares move does not show that cost moved them.",
            "Ethiopia's utility ended its flat rate of 0.0314 USD/kWh on 2025-12-01; the rates "
            "since then are higher.",
            *_limits((series,)),
        ),
    )
