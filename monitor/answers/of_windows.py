"""From what was found of windows of blocks to the answers about them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from analyzers import differences
from analyzers.changepoints import ChangePoints
from analyzers.eras import Division, EraFigures, change
from analyzers.intervals import Interval, inverse
from analyzers.series import Series
from analyzers.trend import Trend
from monitor import answers
from monitor.answers import windows as shapes
from monitor.answers.convert import spread


def series_rows(
    found: Series, more: Mapping[str, Sequence[float]] | None = None
) -> list[shapes.WindowRow]:
    """Return one row a window; `more` are other figures by name, a number for each window."""
    more = more or {}
    rows = []
    for i, time in enumerate(found.start_time.tolist()):
        nakamoto = int(found.nakamoto[i])
        ends = Interval(float(found.hhi_low[i]), float(found.hhi_high[i]))
        figures = {
            "hhi": spread(float(found.hhi[i]), ends),
            "hhi_plug_in": _estimate(found.hhi_plug_in[i]),
            "effective_number": spread(float(found.effective_number[i]), inverse(ends)),
            "cr1": _estimate(found.largest[i], found.largest_low[i], found.largest_high[i]),
            "nakamoto_half": _estimate(nakamoto if nakamoto > 0 else math.nan),
        }
        rows.append(
            shapes.WindowRow(
                start_time=time,
                first_height=int(found.first_height[i]),
                blocks=int(found.blocks[i]),
                entities=int(found.entities[i]),
                figures=figures | {name: _estimate(values[i]) for name, values in more.items()},
            )
        )
    return rows


def _estimate(value: float, low: float = math.nan, high: float = math.nan) -> answers.Estimate:
    return spread(float(value), Interval(float(low), float(high)))


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
        hhi_bounds=spread(found.hhi, found.bounds),
        direction=found.trend.direction(),
        p=found.trend.p,
        slope_per_year=found.trend.slope.value,
    )


def _steps(eras: Sequence[EraFigures]) -> Iterator[shapes.EraStep]:
    for first, second in itertools.pairwise(eras):
        step = change(first, second)
        yield shapes.EraStep(
            earlier=step.earlier,
            later=step.later,
            difference=spread(step.difference, step.interval),
            difference_bounds=spread(step.difference, step.bounds),
        )
