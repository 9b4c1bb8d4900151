"""Concentration over time: one row a window, with intervals, all in closed form.

The vectorised counterpart of `analyzers.summary` for histories; thousands of windows take
a fraction of a second. `analyzers.simulate` adds what has no closed form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyzers.concentration import Threshold, as_fraction
from analyzers.hhi_ends import many_hhi_ends
from analyzers.ignorance import UNKNOWN_LIMIT, Readings
from analyzers.intervals import LEVEL, share_intervals
from analyzers.intervals import alone as one_alone
from analyzers.windows import CountTable

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Series:
    """Figures of each window (row), as in `analyzers.summary.Summary`; NaN where undefined.

    `hhi`, `hhi_plug_in`, `effective_number`, `nakamoto` and `largest` take each of the `unknown`
    blocks for a miner's own; the same names with `_as_one` take all for those of one more miner,
    with `_of_largest` for the largest's. The first and the last are bounds. Intervals hold
    the true value under every reading. `nakamoto` is -1 for empty windows. `largest` is the share
    of the window's largest entity, its interval that of an entity named beforehand.

    `withheld` tells windows of which too many blocks are unknown for a single figure
    (`analyzers.ignorance.UNKNOWN_LIMIT`).
    """

    start_time: Integers
    first_height: Integers
    blocks: Integers
    unknown: Integers
    entities: Integers
    withheld: NDArray[np.bool_]
    hhi: Floats
    hhi_as_one: Floats
    hhi_of_largest: Floats
    hhi_low: Floats
    hhi_high: Floats
    hhi_sd: Floats
    hhi_plug_in: Floats
    hhi_plug_in_as_one: Floats
    hhi_plug_in_of_largest: Floats
    effective_number: Floats
    effective_number_as_one: Floats
    effective_number_of_largest: Floats
    nakamoto: Integers
    nakamoto_as_one: Integers
    nakamoto_of_largest: Integers
    largest: Floats
    largest_as_one: Floats
    largest_of_largest: Floats
    largest_low: Floats
    largest_high: Floats


class _Reading(NamedTuple):
    """The figures of each window under one reading of its unknown blocks."""

    hhi: Floats
    hhi_low: Floats
    hhi_high: Floats
    hhi_sd: Floats
    plug_in: Floats
    nakamoto: Integers
    largest: Floats
    largest_low: Floats
    largest_high: Floats

    @property
    def effective_number(self) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = np.where(self.hhi > 0, 1 / self.hhi, np.nan)
        return found


def series(table: CountTable, level: float = LEVEL, threshold: Threshold = 0.5) -> Series:
    """Return the figures of each window of `table`; `threshold` is that of `nakamoto`.

    Examples
    --------
    >>> from analyzers.history import load_history
    >>> days = series(load_history())
    >>> len(days.hhi) == len(load_history()), bool((days.hhi_low < days.hhi_high).all())
    (True, True)
    >>> bool((days.hhi <= days.hhi_of_largest).all())
    True
    """
    found = readings_of(table).each(
        lambda part: _reading(part.counts, part.unattributed, level, threshold)
    )
    alone, one, most = found
    nobody = (table.counts > 0).sum(axis=1) == 0
    with np.errstate(invalid="ignore"):
        low = np.minimum.reduce([reading.hhi_low for reading in found])
        high = np.maximum.reduce([reading.hhi_high for reading in found])
    low[nobody] = high[nobody] = np.nan
    return Series(
        start_time=table.start_time,
        first_height=table.first_height,
        blocks=table.blocks,
        unknown=table.unattributed,
        entities=(table.counts > 0).sum(axis=1),
        withheld=table.unattributed * UNKNOWN_LIMIT.denominator
        > table.blocks * UNKNOWN_LIMIT.numerator,
        hhi=alone.hhi,
        hhi_as_one=one.hhi,
        hhi_of_largest=most.hhi,
        hhi_low=low,
        hhi_high=high,
        hhi_sd=alone.hhi_sd,
        hhi_plug_in=alone.plug_in,
        hhi_plug_in_as_one=one.plug_in,
        hhi_plug_in_of_largest=most.plug_in,
        effective_number=alone.effective_number,
        effective_number_as_one=one.effective_number,
        effective_number_of_largest=most.effective_number,
        nakamoto=alone.nakamoto,
        nakamoto_as_one=one.nakamoto,
        nakamoto_of_largest=most.nakamoto,
        largest=alone.largest,
        largest_as_one=one.largest,
        largest_of_largest=most.largest,
        largest_low=alone.largest_low,
        largest_high=most.largest_high,
    )


def readings_of(table: CountTable) -> Readings[CountTable]:
    """Return `table` under each reading of the unknown blocks of its windows.

    Examples
    --------
    >>> from analyzers.windows import table_of
    >>> found = readings_of(table_of([{"a": 5, "b": 2, None: 3}], [0], [0], [0]))
    >>> [(part.counts.tolist(), part.unattributed.tolist()) for part in found]
    [([[5, 2]], [3]), ([[5, 2, 3]], [0]), ([[8, 2]], [0])]
    """
    own = table.unattributed
    if not own.any():
        return Readings(table, table, table)
    named, nobody = (table.entities, table.counts), ("unknown", own[:, None])
    as_one = (*named[0], nobody[0]), np.column_stack([named[1], nobody[1]])
    names, counts = named if named[0] else as_one
    largest = counts.copy()
    if named[0]:
        largest[np.arange(len(own)), largest.argmax(axis=1)] += own
    none = np.zeros_like(own)
    return Readings(
        table,
        *(
            replace(table, entities=names, counts=counts, unattributed=none)
            for names, counts in (as_one, (names, largest))
        ),
    )


def _reading(counts: Integers, own: Integers, level: float, threshold: Threshold) -> _Reading:
    """Return the figures of windows; `own` are their blocks of a miner each."""
    exact, alone = counts.astype(np.float64), own.astype(np.float64)
    n = exact.sum(axis=1) + alone
    entities = (counts > 0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        hhi = (exact * (exact - 1)).sum(axis=1) / (n * (n - 1))
        plug_in = ((exact**2).sum(axis=1) + alone) / n**2
        third = (exact * (exact - 1) * (exact - 2)).sum(axis=1) / (n * (n - 1) * (n - 2))
        variance = 4 * (n - 2) * third + 2 * hhi - 2 * (2 * n - 3) * hhi**2
        sd = np.sqrt(np.maximum(variance / (n * (n - 1)), 0))
    low, high = _hhi_intervals(exact, alone, entities, level)
    low, high = np.where(hhi < low, hhi, low), np.where(hhi > high, hhi, high)
    top = np.maximum(exact.max(axis=1, initial=0), alone > 0)
    largest = np.divide(top, n, out=np.full_like(n, np.nan), where=n > 0)
    return _Reading(
        hhi,
        low,
        high,
        sd,
        plug_in,
        _nakamoto(counts, own, threshold),
        largest,
        *_share_ends(top, n, level),
    )


def _hhi_intervals(
    counts: Floats, own: Floats, entities: Integers, level: float
) -> tuple[Floats, Floats]:
    """Return the ends of `analyzers.intervals.hhi_interval` for each row."""
    low, high = np.full_like(own, np.nan), np.full_like(own, np.nan)
    rivals = (entities + own > 1) & (entities > 0)
    low[rivals], high[rivals] = many_hhi_ends(counts[rivals], own[rivals], level)
    for row in np.flatnonzero((entities == 1) & (own == 0)):
        low[row], high[row] = one_alone(int(counts[row].sum()), level)
    return low, high


def _share_ends(found: Floats, totals: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the ends of `share_intervals` where each row has a total of its own."""
    low, high = np.full_like(totals, np.nan), np.full_like(totals, np.nan)
    for total in np.unique(totals[totals > 0]):
        rows = totals == total
        low[rows], high[rows] = share_intervals(found[rows], int(total), level)
    return low, high


def _nakamoto(counts: Integers, own: Integers, threshold: Threshold) -> Integers:
    """Return the strict coefficient of each row in integers; -1 where nobody gets there."""
    limit = as_fraction(threshold)
    held = np.cumsum(-np.sort(-counts, axis=1), axis=1)
    blocks = counts.sum(axis=1) + own
    needed = limit.numerator * blocks // limit.denominator
    sizes: Integers = (held <= needed[:, None]).sum(axis=1) + 1
    short = sizes > counts.shape[1]
    if short.any():
        last = held[short, -1] if held.shape[1] else 0
        named = (counts[short] > 0).sum(axis=1)
        sizes[short] = named + needed[short] - last + 1
    sizes[(blocks == 0) | (needed >= blocks)] = -1
    return sizes
