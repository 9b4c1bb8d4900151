"""From what was found of markets to the answers about them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analyzers import compare
from analyzers.figures import Figure, figures_of
from analyzers.intervals import Interval
from analyzers.summary import Summary
from monitor import answers
from monitor.answers import markets as shapes
from monitor.answers.convert import spread

FIGURES = ("hhi", "effective_number", "nakamoto_half", "cr1", "cr3")
"""Measures of a market: those that follow from shares alone."""


def listed(shares: compare.Shares, found: compare.Measures) -> shapes.MarketShares:
    """Return shares that may lack some of the whole; ends are bounds."""
    largest = found.largest
    low, high = (math.nan if end is None else float(end) for end in found.nakamoto)
    measures = {
        "hhi": found.hhi,
        "effective_number": found.effective_number,
        "nakamoto_half": Interval(low, high),
        "cr1": Interval(largest, largest),
        "cr3": Interval(*found.top3),
    }
    return shapes.MarketShares(
        series=shares.series,
        date=str(shares.period) if shares.period else None,
        entities=found.listed,
        covered=found.covered,
        counted=None,
        figures={name: _bounds(ends) for name, ends in measures.items()},
        shares={name: float(share) for name, share in shares.parts},
        sources=list(shares.sources),
    )


def _bounds(ends: Interval) -> answers.Estimate:
    return spread(ends.low if ends.low == ends.high else math.nan, ends)


def counted(date: str | None, summary: Summary) -> shapes.MarketShares:
    """Return counts, which are taken as a sample; ends are intervals."""
    return shapes.MarketShares(
        series="",
        date=date,
        entities=summary.entities,
        covered=1,
        counted=summary.blocks,
        figures={
            figure.name: spread(figure.value, _ends(figure))
            for figure in figures_of(summary)
            if figure.name in FIGURES
        },
        shares={share.entity: share.share for share in summary.shares},
        sources=[],
    )


def _ends(figure: Figure) -> Interval:
    """Return the interval of a figure, and where it has none the bounds, if they differ."""
    if math.isnan(figure.interval.low) and figure.bounds.width:
        return Interval(figure.bounds.low, figure.bounds.high)
    return figure.interval


def moved(found: compare.Movement) -> shapes.Moved:
    """Return how HHI moved."""
    return shapes.Moved(
        full_lists=found.points, change=found.change, direction=found.direction, p=found.p
    )


def divergence(names: Sequence[str], found: compare.Divergence) -> shapes.Divergence:
    """Return whether two series of these names move apart."""
    both = zip(names, (found.first, found.second), strict=True)
    return shapes.Divergence(
        series=[shapes.NamedMovement(name=name, **dict(moved(move))) for name, move in both],
        verdict="cannot be said"
        if found.opposite is None
        else "holds"
        if found.opposite
        else "does not hold",
        cannot_show=list(found.unsaid),
    )
