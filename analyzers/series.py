"""Concentration over time: one row a window, with intervals, all in closed form.

The vectorised counterpart of `analyzers.summary` for histories; thousands of windows take
a fraction of a second. `analyzers.simulate` adds what has no closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analyzers.concentration import Threshold, as_fraction
from analyzers.hhi_ends import many_hhi_ends
from analyzers.intervals import LEVEL, alone, share_intervals
from analyzers.windows import CountTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """Figures of each window (row), as in `analyzers.summary.Summary`; NaN where undefined.

    `nakamoto` is -1 for empty windows. `largest` is the share of the window's largest entity,
    its interval that of an entity named beforehand.
    """

    start_time: NDArray[np.int64]
    first_height: NDArray[np.int64]
    blocks: NDArray[np.int64]
    entities: NDArray[np.int64]
    hhi: Floats
    hhi_plug_in: Floats
    hhi_low: Floats
    hhi_high: Floats
    hhi_sd: Floats
    effective_number: Floats
    nakamoto: NDArray[np.int64]
    largest: Floats
    largest_low: Floats
    largest_high: Floats


def series(table: CountTable, level: float = LEVEL, threshold: Threshold = 0.5) -> Series:
    """Return the figures of each window of `table`; `threshold` is that of `nakamoto`.

    Unattributed blocks count as miners of their own: HHI is then a lower bound.

    Examples
    --------
    >>> from analyzers.history import load_history
    >>> days = series(load_history())
    >>> len(days.hhi) == len(load_history()), bool((days.hhi_low < days.hhi_high).all())
    (True, True)
    """
    counts, own = table.counts.astype(np.float64), table.unattributed.astype(np.float64)
    n = counts.sum(axis=1) + own
    entities = (counts > 0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        hhi = (counts * (counts - 1)).sum(axis=1) / (n * (n - 1))
        plug_in = ((counts**2).sum(axis=1) + own) / n**2
        third = (counts * (counts - 1) * (counts - 2)).sum(axis=1) / (n * (n - 1) * (n - 2))
        variance = 4 * (n - 2) * third + 2 * hhi - 2 * (2 * n - 3) * hhi**2
        sd = np.sqrt(np.maximum(variance / (n * (n - 1)), 0))
        effective = np.where(hhi > 0, 1 / hhi, np.nan)
    low, high = _hhi_intervals(counts, own, entities, level)
    top = counts.max(axis=1, initial=0)
    largest_low, largest_high = _share_ends(top, n, level)
    return Series(
        table.start_time,
        table.first_height,
        table.blocks,
        entities,
        hhi,
        plug_in,
        low,
        high,
        sd,
        effective,
        _nakamoto(table, threshold),
        np.divide(top, n, out=np.full_like(n, np.nan), where=n > 0),
        largest_low,
        largest_high,
    )


def _hhi_intervals(
    counts: Floats, own: Floats, entities: NDArray[np.int64], level: float
) -> tuple[Floats, Floats]:
    """Return the ends of `analyzers.intervals.hhi_interval` for each row."""
    low, high = np.full_like(own, np.nan), np.full_like(own, np.nan)
    rivals = (entities + own > 1) & (entities > 0)
    low[rivals], high[rivals] = many_hhi_ends(counts[rivals], own[rivals], level)
    for row in np.flatnonzero((entities == 1) & (own == 0)):
        low[row], high[row] = alone(int(counts[row].sum()), level)
    return low, high


def _share_ends(found: Floats, totals: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the ends of `share_intervals` where each row has a total of its own."""
    low, high = np.full_like(totals, np.nan), np.full_like(totals, np.nan)
    for total in np.unique(totals[totals > 0]):
        rows = totals == total
        low[rows], high[rows] = share_intervals(found[rows], int(total), level)
    return low, high


def _nakamoto(table: CountTable, threshold: Threshold) -> NDArray[np.int64]:
    """Return the strict coefficient of each row in integers; -1 where nobody gets there."""
    limit = as_fraction(threshold)
    held = np.cumsum(-np.sort(-table.counts, axis=1), axis=1)
    blocks = table.blocks
    needed = limit.numerator * blocks // limit.denominator
    sizes: NDArray[np.int64] = (held <= needed[:, None]).sum(axis=1) + 1
    short = sizes > table.counts.shape[1]
    if short.any():
        last = held[short, -1] if held.shape[1] else 0
        named = (table.counts[short] > 0).sum(axis=1)
        sizes[short] = named + needed[short] - last + 1
    sizes[(blocks == 0) | (needed >= blocks)] = -1
    return sizes
