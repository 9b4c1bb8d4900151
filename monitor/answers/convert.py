"""From values to the answers about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from analyzers.figures import MEASURES, Figure, figures_of
from analyzers.intervals import Interval
from analyzers.leftout import LeftOut
from analyzers.network import Estimate
from analyzers.summary import Nakamoto, Share, Summary
from monitor import answers

if TYPE_CHECKING:
    from monitor.snapshot import WindowView


def estimate(value: Estimate) -> answers.Estimate:
    """Return a figure with its interval."""
    return spread(value.value, value.interval)


def spread(value: float, interval: Interval) -> answers.Estimate:
    """Return `value` with `interval`."""
    return answers.Estimate(value=value, low=interval.low, high=interval.high)


def left_out(found: Iterable[LeftOut]) -> list[answers.LeftOut]:
    """Return what an input holds and is not used."""
    return [
        answers.LeftOut(
            kind=left.kind.value, count=left.count, why=left.why, examples=list(left.examples)
        )
        for left in found
    ]


def share(entry: Share, name_of: Callable[[str], str]) -> answers.Share:
    """Return one entity's part of a window."""
    return answers.Share(
        pool=entry.entity,
        name=name_of(entry.entity),
        blocks=entry.blocks,
        share=spread(entry.share, entry.interval),
        above_quarter=entry.above_quarter,
        above_third=entry.above_third,
        above_half=entry.above_half,
    )


def measures() -> answers.Measures:
    """Return the words for every measure of concentration."""
    return answers.Measures(
        measures=[
            answers.Measure(
                name=measure.name,
                title=measure.title,
                unit=measure.unit,
                help=measure.help,
                metric=f"poolscope_{measure.metric.name}" if measure.metric else None,
            )
            for measure in MEASURES
        ]
    )


def figures(found: Iterable[Figure]) -> dict[str, answers.Estimate]:
    """Return figures by name."""
    return {figure.name: spread(figure.value, figure.interval) for figure in found}


def concentration(view: WindowView) -> answers.Concentration:
    """Return how concentrated a window is."""
    found = view.summary
    return answers.Concentration(
        window=view.window,
        lens=view.lens,
        **measured(found, figures_of(found)),
    )


def measured(found: Summary, shown: Iterable[Figure]) -> dict[str, Any]:
    """Return the fields of `answers.Figures`: what was counted, and `shown` by name."""
    shown = list(shown)
    return {
        "blocks": found.blocks,
        "unknown": found.unattributed,
        "entities": found.entities,
        "figures": figures(shown),
        "notes": {figure.name: figure.note for figure in shown if figure.note},
        "nakamoto_half": nakamoto(found.nakamoto_half),
        "nakamoto_third": nakamoto(found.nakamoto_third),
    }


def nakamoto(found: Nakamoto) -> answers.Nakamoto:
    """Return a Nakamoto coefficient with what is probable of the true one."""
    return answers.Nakamoto(
        threshold=float(found.threshold),
        observed=found.observed,
        posterior=dict(sorted(found.posterior.items())),
    )
