"""Concentration by era of hardware and by subsidy, as far as blocks tell who mined them.

Eras are ways to group, no result: first products have dates, their spread has none. Before
pools (November 2010) coinbases carry no names, so the eras that a story of centralisation
begins with are those of which the chain says least. The share of blocks of nobody known is
therefore part of every figure, and the bounds show what it leaves open.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.special import ndtr, ndtri

from analyzers import tables
from analyzers.ignorance import UNBOUNDED, Bounds, causes_of
from analyzers.intervals import LEVEL, UNKNOWN, Interval
from analyzers.series import series
from analyzers.trend import Era, Trend, by_era, trend, window_trend
from analyzers.windows import CountTable

Division = Literal["hardware", "subsidy"]
DIVISIONS: Final[tuple[Division, ...]] = ("hardware", "subsidy")


@functools.cache
def eras(division: Division) -> tuple[Era, ...]:
    """Return the eras of a division, oldest first, from the table that ships.

    Examples
    --------
    >>> [era.name for era in eras("hardware")]
    ['CPU', 'GPU', 'FPGA', 'ASIC']
    """
    rows = (row for row in tables.load("eras") if row.series == division)
    return tuple(
        sorted(
            (Era(row.entity, int(row.value), row.source) for row in rows),
            key=lambda era: era.start,
        )
    )


@dataclass(frozen=True, slots=True)
class EraFigures:
    """Concentration over the windows of one era.

    `hhi` is the mean of the windows' unbiased HHI (ratio), each unattributed block a miner
    of its own, with the interval of its sampling error. `bounds` run from there to the largest of
    each window behind all of them. `unattributed` is their share of the blocks.
    """

    era: Era
    windows: int
    blocks: int
    unattributed: float
    hhi: float
    interval: Interval
    bounds: Bounds
    trend: Trend

    @property
    def sampling_sd(self) -> float:
        """Standard deviation of `hhi` by sampling (ratio)."""
        return (self.interval.high - self.interval.low) / (2 * float(ndtri((1 + LEVEL) / 2)))


def by_division(table: CountTable, division: Division) -> list[EraFigures]:
    """Return concentration in each era that has windows of `table` (not overlapping).

    Examples
    --------
    >>> from analyzers.history import load_history
    >>> [(found.era.name, found.windows) for found in by_division(load_history(), "hardware")]
    [('ASIC', 2303)]
    """
    return [_figures(era, part) for era, part in by_era(table, eras(division))]


def _figures(era: Era, table: CountTable) -> EraFigures:
    found = series(table)
    known = np.isfinite(found.hhi)
    windows = int(known.sum())
    blocks = int(table.blocks.sum())
    if not windows:
        nothing = trend([])
        return EraFigures(era, 0, blocks, math.nan, math.nan, UNKNOWN, UNBOUNDED, nothing)
    mean = float(found.hhi[known].mean())
    error = float(np.sqrt(np.square(found.hhi_sd[known]).sum())) / windows
    reach = float(ndtri((1 + LEVEL) / 2)) * error
    return EraFigures(
        era,
        windows,
        blocks,
        float(table.unattributed.sum()) / blocks,
        mean,
        Interval(mean - reach, mean + reach),
        Bounds(
            mean,
            float(found.hhi_of_largest[known].mean()),
            causes_of(int(table.unattributed.sum())),
        ),
        window_trend(table),
    )


@dataclass(frozen=True, slots=True)
class EraChange:
    """HHI (ratio) of a later era less that of an earlier one.

    `interval` is of sampling alone; `bounds` allow for anybody behind unattributed blocks, and for
    sampling.
    """

    earlier: str
    later: str
    difference: float
    interval: Interval
    bounds: Bounds
    probability_up: float


def change(earlier: EraFigures, later: EraFigures) -> EraChange:
    """Return how mean concentration differs between two eras.

    That it differs does not say why: the era names what machines were sold then, not what
    moved the pools.

    Examples
    --------
    >>> from analyzers.history import load_history
    >>> first, *_, last = by_division(load_history().merged(7), "subsidy")
    >>> change(first, last).difference > 0
    True
    """
    difference = later.hhi - earlier.hhi
    sd = math.hypot(earlier.sampling_sd, later.sampling_sd)
    reach = float(ndtri((1 + LEVEL) / 2)) * sd
    open_ends = later.bounds.less(earlier.bounds)
    return EraChange(
        earlier.era.name,
        later.era.name,
        difference,
        Interval(difference - reach, difference + reach),
        Bounds(open_ends.low - reach, open_ends.high + reach, open_ends.causes),
        float(ndtr(difference / sd)) if sd else float(difference > 0),
    )
