"""From values to the answers about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from analyzers.figures import MEASURES, Figure, figures_of
from analyzers.intervals import Interval
from analyzers.leftout import LeftOut
from analyzers.network import Estimate
from analyzers.registry.lenses import NO_ROW, PLAIN_SIGHT, Lens, Sight
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


def share(entry: Share, name_of: Callable[[str], str], sight: Sight = PLAIN_SIGHT) -> answers.Share:
    """Return one entity's part of a window that was looked at as `sight` says."""
    name = name_of(entry.entity)
    return answers.Share(
        pool=entry.entity,
        name=name,
        called=sight.called(entry.entity, name),
        blocks=entry.blocks,
        weak_source_blocks=sight.weak.get(entry.entity, 0),
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
        **measured(found, figures_of(found, control=view.sight.kind.is_control), view.sight),
    )


def measured(found: Summary, shown: Iterable[Figure], sight: Sight) -> dict[str, Any]:
    """Return the fields of `answers.Figures`: what was counted, and `shown` by name."""
    return {
        "blocks": found.blocks,
        "unknown": found.unattributed,
        "entities": found.entities,
        "figures": figures(shown),
        "withheld_by_lens": sight.kind.why_withheld,
        "note": note_of(sight),
        "nakamoto_half": nakamoto(found.nakamoto_half),
        "nakamoto_third": nakamoto(found.nakamoto_third),
    }


def note_of(sight: Sight) -> str:
    """Return why nothing is said of a window, empty where something is."""
    return "" if sight.applies else NO_ROW


def lens(found: Lens, name_of: Callable[[str], str]) -> answers.Lens:
    """Return what a lens is; `name_of` gives the name of an entity under it."""
    return answers.Lens(**_lens(found, name_of))


def _lens(found: Lens, name_of: Callable[[str], str]) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.title,
        "kind": found.kind.value,
        "description": found.description,
        "withheld": found.kind.why_withheld,
        "rest": "" if found.rest is None else name_of(found.rest),
    }


def lens_detail(found: Lens, name_of: Callable[[str], str]) -> answers.LensDetail:
    """Return a lens with its rows; `name_of` gives the name of an entity under it."""
    return answers.LensDetail(
        **_lens(found, name_of),
        rows=[
            answers.LensRow(
                pool=row.pool,
                group=None if row.entity == found.rest else row.entity,
                name=name_of(row.entity),
                first_height=row.heights.first,
                last_height=row.heights.last,
                since_time=row.since,
                until_time=row.until,
                source=row.source,
                weak=row.weak,
            )
            for rows in found.rows.values()
            for row in rows
        ],
    )


def nakamoto(found: Nakamoto) -> answers.Nakamoto:
    """Return a Nakamoto coefficient with what is probable of the true one."""
    return answers.Nakamoto(
        threshold=float(found.threshold),
        observed=found.observed,
        posterior=dict(sorted(found.posterior.items())),
    )
