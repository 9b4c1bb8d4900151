"""``poolscope compare --against``: whether two series move apart, and what keeps that open."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from analyzers.compare import (
    Divergence,
    Movement,
    Point,
    divergence,
    full_lists,
    hhi_points,
)
from analyzers.geography import lacks
from analyzers.sharefile import Given
from analyzers.summary import summarize
from monitor.queries.selection import given as table_of
from monitor.words import number, plain

POOLS: Final = "pools"
"""The name of the history of pools that ships."""
_POINTS: Final = 10_000


def points_of(given: Given) -> list[Point]:
    """Return HHI (ratio) over time: of counts with intervals, of full lists with bounds.

    Raises
    ------
    ValueError
        If the series has no dates.
    """
    if not given.counts:
        return hhi_points([found for found in full_lists(given.shares) if not lacks(found)])
    points = []
    for period, counts in given.counts:
        if period is None:
            raise ValueError("counts without dates are no series")
        found = table_of(counts)
        summary = summarize(found.counts, unattributed=found.unattributed)
        points.append(Point(period.year, summary.hhi_interval))
    return points


def points_of_pools() -> list[Point]:
    """Return HHI (ratio) of pools by week, from the history that ships."""
    from analyzers.claims.pools import hhi_of_pools
    from analyzers.history import load_history

    return hhi_of_pools(load_history().merged(7))


def show_divergence(
    names: tuple[str, str], first: list[Point], second: list[Point], *, as_json: bool
) -> None:
    """Print whether the concentration of two series moves apart."""
    found = divergence(first, second)
    if as_json:
        click.echo(json.dumps(_values(names, found), indent=2, ensure_ascii=False))
        return
    for name, move in zip(names, (found.first, found.second), strict=True):
        click.echo(f"{name}: {_told(move)}")
    click.echo(f"they move apart: {_verdict(found)}")
    for text in found.unsaid:
        click.echo(f"  {text}")
    click.echo(
        "Both trends would have to be found, each at 5 %. HHI of different things has one "
        "formula and not one meaning."
    )


def _verdict(found: Divergence) -> str:
    if found.opposite is None:
        return "cannot be said"
    return "holds" if found.opposite else "does not hold"


def _told(move: Movement) -> str:
    if move.first is None or move.last is None:
        return "no date with a full list"
    ends = [
        f"{' to '.join(dict.fromkeys(number(_POINTS * end) for end in point.value))} "
        f"in {point.year:.1f}"
        for point in dict.fromkeys((move.first, move.last))
    ]
    p = f", p {move.p:.3g}" if move.direction != "unknown" else ""
    return f"HHI {' and '.join(ends)}; {move.points} dates, trend {move.direction}{p}"


def _values(names: tuple[str, str], found: Divergence) -> dict[str, Any]:
    moves = zip(names, (found.first, found.second), strict=True)
    return {
        "series": [
            {
                "name": name,
                "points": move.points,
                "change": move.change,
                "direction": move.direction,
                "p": plain(move.p),
            }
            for name, move in moves
        ],
        "verdict": _verdict(found),
        "cannot_show": list(found.unsaid),
    }
