"""What has no closed form, simulated for whole histories at once (Numba, all cores).

Nakamoto coefficients and maxima of many shares are functions of order: their posterior is
drawn. The same seed gives the same figures on any number of threads. Importing this module
imports Numba; the agent uses `analyzers.summary` instead.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numba import get_num_threads
from numpy.typing import ArrayLike, NDArray

from analyzers.intervals import JEFFREYS, LEVEL
from analyzers.kernels.posterior import scratch_for, simulate_window
from analyzers.summary import THRESHOLDS
from hashing.sha256d import on_threads, split

Floats = NDArray[np.float64]

DRAWS: Final = 10_000
"""Default draws a window: standard error of a probability 0.005 at most."""

MAX_SIZE: Final = 12
"""Nakamoto coefficients from this on are counted together."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Posterior figures of each window (row); NaN for empty windows.

    `hhi` and `largest` have the columns mean, low, high (ratios). `above_half` and its like
    are probabilities that some entity exceeds the threshold, `nakamoto_half` and its like
    have one column for each size from 1 to `MAX_SIZE`, the last meaning that or more.

    The interval of `hhi` covers as often as stated. That of `largest` cannot: the largest of
    a sample is too large where two are close, and 95 % intervals cover 92 to 95 %.
    """

    hhi: Floats
    largest: Floats
    above_half: Floats
    above_third: Floats
    above_quarter: Floats
    nakamoto_half: Floats
    nakamoto_third: Floats
    nakamoto_quarter: Floats


def simulate(
    counts: ArrayLike,
    unattributed: ArrayLike | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
    prior: float = JEFFREYS,
    executor: Executor | None = None,
    parts: int = 32,
) -> Simulated:
    """Draw the Dirichlet posterior of each window.

    Parameters
    ----------
    counts:
        Blocks, one row a window and one column an entity; zeros are not of the window.
    unattributed:
        Blocks of nobody known in each window, taken as miners of their own.
    draws, seed, level:
        How many draws, what makes them repeatable, and the content of the intervals.
    prior:
        Pseudo-blocks for each entity seen; Jeffreys' half by default.
    executor, parts:
        Where the windows are simulated, in so many parts: any executor in the manner of
        `concurrent.futures`, such as ``distributed.Client(...).get_executor()``. None is
        here. The figures are the same.

    Raises
    ------
    ValueError
        If the counts are no table of non-negative numbers, or another argument is outside
        its range.

    Examples
    --------
    >>> result = simulate([[43, 25, 20, 15, 9, 7, 4, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1]])
    >>> result.nakamoto_half[0, 1:4].round(1).tolist()
    [0.1, 0.9, 0.0]
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or np.any(table < 0) or not np.all(np.isfinite(table)):
        raise ValueError("counts must be a table of numbers, one row a window, none negative")
    if draws < 1 or prior <= 0 or parts < 1 or not 0 < level < 1 or seed < 0:
        raise ValueError("draws, prior, level, seed or parts is outside its range")
    own = np.zeros(len(table)) if unattributed is None else np.asarray(unattributed, float)
    if own.shape != (len(table),) or np.any(own < 0):
        raise ValueError("there must be one number of unattributed blocks for each window")
    alphas = -np.sort(-table, axis=1)
    columns = (alphas > 0).sum(axis=1)
    others = np.where((own > 0) | (columns == 1), own + prior, 0.0)
    plan = _Plan(draws, seed, (1 - level) / 2)
    if executor is None:
        found = [_simulated(plan, 0, alphas + prior, columns, others)]
    else:
        pieces = max(1, min(parts, len(table)))
        cuts = [len(table) * i // pieces for i in range(pieces + 1)]
        futures = [
            executor.submit(_simulated, plan, a, alphas[a:b] + prior, columns[a:b], others[a:b])
            for a, b in pairwise(cuts)
        ]
        found = [future.result() for future in futures]
    hhi, largest, above, sizes = (np.concatenate(column) for column in zip(*found, strict=True))
    return Simulated(hhi, largest, *above.T, *sizes.transpose(1, 0, 2))


class _Plan(NamedTuple):
    draws: int
    seed: int
    tail: float


def _simulated(
    plan: _Plan, first: int, alphas: Floats, columns: NDArray[np.int64], others: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Simulate windows from number `first` on, with all cores.

    Returned per window: HHI and largest share (mean, low, high); per window and threshold:
    probability that the largest exceeds it, and probabilities of the sizes 1..`MAX_SIZE`.
    """
    windows, levels = len(alphas), len(THRESHOLDS)
    thresholds = np.array([float(t) for t in THRESHOLDS])
    hhi, largest = np.full((windows, 3), np.nan), np.full((windows, 3), np.nan)
    above = np.full((windows, levels), np.nan)
    sizes = np.full((windows, levels, MAX_SIZE), np.nan)
    # a parameter below 1 is drawn one higher and scaled by uniform ** (1 / parameter)
    other_d = np.where(others >= 1.0, others, others + 1.0) - 1.0 / 3.0
    other_c = 1.0 / np.sqrt(9.0 * other_d)

    def simulate_part(part: range) -> None:
        squares, maxima = np.empty(plan.draws), np.empty(plan.draws)
        for window in part:
            if not (k := int(columns[window])):
                continue
            d = alphas[window, :k] - 1.0 / 3.0
            c = 1.0 / np.sqrt(9.0 * d)
            other = others[window], other_d[window], other_c[window]
            scratch = scratch_for(k, levels)
            counts = sizes[window]
            simulate_window(
                *(d, c, *other, thresholds, plan.seed, first + window, scratch),
                *(squares, maxima, counts),
            )
            counts /= plan.draws
            hhi[window] = _mean_and_ends(squares, plan.tail)
            largest[window] = _mean_and_ends(maxima, plan.tail)
            above[window] = (maxima[:, np.newaxis] > thresholds).mean(axis=0)

    on_threads(simulate_part, split(windows, max(1, min(get_num_threads(), windows))))
    return hhi, largest, above, sizes


def _mean_and_ends(values: Floats, tail: float) -> tuple[float, float, float]:
    """Return the mean and the quantiles at `tail` and 1 - `tail`."""
    low, high = np.quantile(values, (tail, 1.0 - tail))
    return float(values.mean()), float(low), float(high)
