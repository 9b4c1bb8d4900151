"""From what was found of windows of blocks to the answers about them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analyzers import differences
from analyzers.changepoints import ChangePoints
from analyzers.eras import Division, EraFigures, change
from analyzers.ignorance import Bounds, Readings, union, withheld
from analyzers.intervals import UNKNOWN, Interval, inverse
from analyzers.series import Series
from analyzers.trend import Trend
from monitor import answers
from monitor.answers import windows as shapes
from monitor.answers.convert import spread


def series_rows(
    found: Series, more: Mapping[str, Readings[list[float]]] | None = None
) -> list[shapes.WindowRow]:
    """Return one row a window; `more` are other figures by name, a number for each window."""
    of = {
        "hhi": Readings(found.hhi, found.hhi_as_one, found.hhi_of_largest),
        "hhi_plug_in": Readings(
            found.hhi_plug_in, found.hhi_plug_in_as_one, found.hhi_plug_in_of_largest
        ),
        "effective_number": Readings(
            found.effective_number,
            found.effective_number_as_one,
            found.effective_number_of_largest,
        ),
        "cr1": Readings(found.largest, found.largest_as_one, found.largest_of_largest),
        "nakamoto_half": Readings(
            found.nakamoto, found.nakamoto_as_one, found.nakamoto_of_largest
        ).each(lambda sizes: np.where(sizes > 0, sizes, math.nan)),
    } | dict(more or {})
    rows = []
    for i, time in enumerate(found.start_time.tolist()):
        ends = Interval(float(found.hhi_low[i]), float(found.hhi_high[i]))
        intervals = {
            "hhi": ends,
            "effective_number": inverse(ends),
            "cr1": Interval(float(found.largest_low[i]), float(found.largest_high[i])),
        }
        blocks, unknown = int(found.blocks[i]), int(found.unknown[i])
        why = withheld(unknown, blocks)
        rows.append(
            shapes.WindowRow(
                start_time=time,
                first_height=int(found.first_height[i]),
                blocks=blocks,
                entities=int(found.entities[i]),
                unknown=unknown,
                withheld=why or None,
                figures={
                    name: _reading(
                        readings.each(lambda values, at=i: float(values[at])),  # type: ignore[misc]
                        intervals.get(name, UNKNOWN),
                        given=not why,
                    )
                    for name, readings in of.items()
                },
            )
        )
    return rows


def _reading(found: Readings[float], interval: Interval, *, given: bool) -> answers.Reading:
    """Return a bounded measure; its single value only if it is to be `given`."""
    least, most = union((value, value) for value in found)
    return answers.Reading(
        value=found.alone if given else None,
        low=interval.low,
        high=interval.high,
        least=least,
        most=most,
        alone=found.alone,
        as_one=found.as_one,
    )


def change_of(found: differences.Change) -> shapes.Change:
    """Return how a figure changed between two windows."""
    return shapes.Change(
        difference=spread(found.difference, found.interval), probability_up=found.probability_up
    )


def share_change(found: differences.ShareMove) -> shapes.ShareChange:
    """Return how a share changed between two windows."""
    return shapes.ShareChange(
        pool=found.entity,
        earlier_blocks=found.earlier,
        later_blocks=found.later,
        difference=spread(found.change.difference, found.change.interval),
        probability_up=found.change.probability_up,
    )


def period_trend(era: str, windows: int, found: Trend, alpha: float) -> shapes.PeriodTrend:
    """Return the trend of a measure in a period; `alpha` is the rate of false positives."""
    return shapes.PeriodTrend(
        era=era,
        windows=windows,
        direction=found.direction(alpha),
        p=found.p,
        p_mann_kendall=found.p_naive,
        slope_per_year=spread(found.slope.value, found.slope.interval),
        autocorrelation=found.autocorrelation,
    )


def change_points(found: ChangePoints) -> shapes.ChangePoints:
    """Return the times at which shares changed."""
    return shapes.ChangePoints(
        penalty=found.penalty,
        dispersion=found.dispersion,
        changes=[
            shapes.SharesMoved(
                start_time=change.start_time, gain=change.gain, shifts=dict(change.shifts)
            )
            for change in found.changes
        ],
    )


def divisions(found: Mapping[Division, Sequence[EraFigures]]) -> dict[str, shapes.Division]:
    """Return eras by kind, with the step from each to the next."""
    return {
        name: shapes.Division(eras=[_era(era) for era in eras], steps=list(_steps(eras)))
        for name, eras in found.items()
    }


def _era(found: EraFigures) -> shapes.EraRow:
    return shapes.EraRow(
        era=found.era.name,
        source=found.era.source,
        windows=found.windows,
        blocks=found.blocks,
        unknown_ratio=found.unattributed,
        hhi=spread(found.hhi, found.interval),
        hhi_bounds=spread(found.hhi, _ends(found.bounds)),
        direction=found.trend.direction(),
        p=found.trend.p,
        slope_per_year=found.trend.slope.value,
    )


def _ends(found: Bounds) -> Interval:
    return Interval(found.low, found.high)


def _steps(eras: Sequence[EraFigures]) -> Iterator[shapes.EraStep]:
    for first, second in itertools.pairwise(eras):
        step = change(first, second)
        yield shapes.EraStep(
            earlier=step.earlier,
            later=step.later,
            difference=spread(step.difference, step.interval),
            difference_bounds=spread(step.difference, _ends(step.bounds)),
        )
