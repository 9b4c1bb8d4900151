"""What the report says first: the newest window in words, and beside the one a year before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

import numpy as np

from analyzers.concentration import POINTS
from analyzers.differences import Change, Comparison, compare_windows
from analyzers.figures import figures_of
from analyzers.summary import THIRD, Summary
from analyzers.trend import Trend
from analyzers.windows import CountTable
from monitor.report.html import grid
from monitor.words import ends, number

YEAR = 365.2425 * 86_400

LIKELY = 0.95
"""A probability from which the text says that something is so."""


def year_before(table: CountTable) -> int | None:
    """Return the window that began a year before the last, None where the table has none."""
    wanted = int(table.start_time[-1]) - YEAR
    place = int(np.abs(table.start_time - wanted).argmin())
    return place if abs(table.start_time[place] - wanted) < YEAR / 24 else None


def compared(table: CountTable, earlier: int, level: float) -> Comparison:
    """Return what changed from window `earlier` to the last."""
    own = (int(table.unattributed[earlier]), int(table.unattributed[-1]))
    return compare_windows(table.row(earlier), table.row(-1), own, level)


def in_short(
    summary: Summary, trends: Sequence[tuple[str, Trend]], change: tuple[int, Comparison] | None
) -> str:
    """Return the last window in a few sentences, as HTML.

    `trends` are those of HHI by era, the last one the present; `change` is when the earlier
    window began, and what changed since.
    """
    figures = {figure.name: figure for figure in figures_of(summary)}
    hhi, equals = figures["hhi"], figures["effective_number"]
    low, high = (number(end * POINTS) for end in hhi.interval)
    points = f"{number(hhi.value * POINTS)} points ({low} to {high})"
    said = [f"{summary.withheld}."] if summary.withheld else []
    said.append(
        f"HHI is {f'{low} to {high} points' if summary.withheld else points}, {hhi.note} by the US "
        "merger guidelines of 2023: as concentrated as "
        f"{ends(equals.bounds.low, equals.bounds.high)} miners of one size."
    )
    if summary.shares:
        first = summary.shares[0]
        chance = summary.any_above_bounds(THIRD)
        over = (
            ""
            if math.isnan(chance.high)
            else f"; that somebody has over a third of the work has a probability of "
            f"{ends(chance.low, chance.high)}"
        )
        said.append(
            f"The largest is {first.entity} with {first.share:.1%} of the blocks "
            f"({first.interval.low:.1%} to {first.interval.high:.1%}){over}."
        )
    half = figures["nakamoto_half"]
    if half.note:
        between = ends(half.bounds.low, half.bounds.high)
        said.append(f"The Nakamoto coefficient is {between} by the blocks found; {half.note}.")
    if change is not None:
        start, found = change
        said.append(f"Since the window of {_day(start)}, a year before, {_moved(found.hhi)}.")
    if trends:
        era, last = trends[-1]
        said.append(_trend(era, last))
    return "".join(f"<li>{escape(text)}</li>" for text in said).join(("<ul>", "</ul>"))


def _moved(change: Change) -> str:
    points = number(abs(change.difference) * POINTS)
    low, high = (number(end * POINTS) for end in change.interval)
    way = "risen" if change.difference > 0 else "fallen"
    sure = max(change.probability_up, 1 - change.probability_up)
    if math.isnan(change.difference) or sure < LIKELY:
        return f"no change of HHI can be shown ({low} to {high} points)"
    return f"HHI has {way} by {points} points ({low} to {high})"


def _trend(era: str, found: Trend) -> str:
    direction = found.direction()
    if direction == "unknown":
        return f"In the era “{era}” there are too few windows for a trend."
    if direction == "none":
        return f"In the era “{era}” HHI shows no trend (p {number(found.p)})."
    low, high = (number(end * POINTS) for end in found.slope.interval)
    return (
        f"In the era “{era}” HHI is {direction}: {number(found.slope.value * POINTS)} points "
        f"a year ({low} to {high}; p {number(found.p)})."
    )


def shares_table(summary: Summary, found: Comparison | None) -> str:
    """Return who mined the last window, and what changed since the earlier one, as HTML."""
    control = not any(math.isnan(share.above_third) for share in summary.shares)
    heads = ["entity", "blocks", "share, %", f"{summary.level:.0%} interval"]
    heads += ["P(over 1/3)"] if control else []
    if found is not None:
        heads += ["in a year, points", f"{summary.level:.0%} interval", "P(it rose)"]
    moves = {move.entity: move.change for move in found.shares} if found else {}
    rows = []
    for share in summary.shares:
        low, high = share.interval
        row = [
            share.entity,
            str(share.blocks),
            f"{100 * share.share:.1f}",
            f"{100 * low:.1f} to {100 * high:.1f}",
            *([ends(share.above_third, share.above_third_most)] if control else []),
        ]
        if found is not None:
            change = moves[share.entity]
            low, high = change.interval
            row += [
                f"{100 * change.difference:+.1f}",
                f"{100 * low:+.1f} to {100 * high:+.1f}",
                number(change.probability_up),
            ]
        rows.append(row)
    return grid(heads, rows)


def _day(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")
