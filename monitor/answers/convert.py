"""From values to the answers about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from analyzers.figures import MEASURES, Figure, figures_of
from analyzers.ignorance import Bounds
from analyzers.intervals import Interval
from analyzers.leftout import LeftOut
from analyzers.nakamoto import Nakamoto
from analyzers.network import Estimate
from analyzers.registry.lenses import NO_ROW, PLAIN_SIGHT, Lens, Sight
from analyzers.summary import Reading, Share, Summary
from monitor import answers

if TYPE_CHECKING:
    from monitor.snapshot import WindowView


def estimate(value: Estimate) -> answers.Estimate:
    """Return a figure with its interval."""
    return spread(value.value, value.interval)


def spread(value: float, interval: Interval) -> answers.Estimate:
    """Return `value` with `interval`."""
    return answers.Estimate(value=value, low=interval.low, high=interval.high)


def bounded(value: float, interval: Interval, bounds: Bounds) -> answers.BoundedEstimate:
    """Return `value` with `interval` and what is not known."""
    return answers.BoundedEstimate(
        value=value, low=interval.low, high=interval.high, least=bounds.low, most=bounds.high
    )


def reading(found: Figure) -> answers.Reading:
    """Return a measure with all that chance and unknown blocks leave open."""
    return answers.Reading(
        **dict(bounded(found.value, found.interval, found.bounds)),
        alone=found.readings.alone,
        as_one=found.readings.as_one,
    )


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
        share=bounded(entry.share, entry.interval, entry.bounds),
        above_quarter=entry.above_quarter,
        above_quarter_most=entry.above_quarter_most,
        above_third=entry.above_third,
        above_third_most=entry.above_third_most,
        above_half=entry.above_half,
        above_half_most=entry.above_half_most,
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
                bounded=measure.bounded,
            )
            for measure in MEASURES
        ]
    )


def figures(found: Iterable[Figure]) -> dict[str, answers.Reading]:
    """Return figures by name."""
    return {figure.name: reading(figure) for figure in found}


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
    shown = list(shown)
    return {
        "blocks": found.blocks,
        "unknown": found.unattributed,
        "entities": found.entities,
        "withheld": found.withheld or None,
        "figures": figures(shown),
        "notes": {figure.name: figure.note for figure in shown if figure.note},
        "withheld_by_lens": sight.kind.why_withheld,
        "note": note_of(sight),
        "nakamoto_half": nakamoto(found, lambda reading: reading.nakamoto_half),
        "nakamoto_third": nakamoto(found, lambda reading: reading.nakamoto_third),
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


def nakamoto(found: Summary, of: Callable[[Reading], Nakamoto]) -> answers.Nakamoto:
    """Return a Nakamoto coefficient of a window, with what is probable of the true one."""
    readings = found.readings.each(of)
    alone, as_one, of_largest = readings
    return answers.Nakamoto(
        threshold=float(alone.threshold),
        observed=None if found.withheld else alone.observed,
        least=of_largest.observed,
        most=alone.observed,
        posterior=dict(sorted(alone.posterior.items())),
        posterior_as_one=dict(sorted(as_one.posterior.items())),
        posterior_of_largest=dict(sorted(of_largest.posterior.items())),
    )
