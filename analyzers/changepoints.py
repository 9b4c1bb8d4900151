"""When did the pools' shares change? Change points on the counts themselves, by likelihood.

The sampling error of block counts is known, so multinomial segments are tested rather than
a Gaussian model of some index: a swap between two pools is seen that HHI hides. Shares also
wander all the time; how far is measured (`analyzers.variogram`), and a change is only one that
wander does not explain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from analyzers.variogram import Pairs, chi_squares, gain_beyond
from analyzers.windows import CountTable

Floats = NDArray[np.float64]

MAX_ENTITIES: Final = 10
"""The largest entities are followed by name, the rest as one."""

REPLICATES: Final = 400
"""Simulated histories behind the penalty."""


@dataclass(frozen=True, slots=True)
class Change:
    """Shares changed before window `index`.

    `gain` is the log-likelihood that the split is worth beyond wander, to be held against the
    penalty. `shifts` are changes of share, the largest first.
    """

    index: int
    start_time: int
    gain: float
    shifts: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ChangePoints:
    """All changes found, with what they were judged by."""

    changes: tuple[Change, ...]
    penalty: float
    dispersion: float
    windows: int


def change_points(
    table: CountTable,
    *,
    alpha: float = 0.05,
    seed: int = 0,
    max_entities: int = MAX_ENTITIES,
    replicates: int = REPLICATES,
) -> ChangePoints:
    """Find where the shares of a table of non-overlapping windows changed.

    Candidates are the exact minimum of the penalised cost over all segmentations (PELT: Killick,
    Fearnhead and Eckley 2012, doi:10.1080/01621459.2012.737745) with multinomial segments. The
    penalty is what the best single split gains with probability `alpha` in simulated histories of
    constant shares. Then the one that is worth least beyond wander goes, until all that are
    left are worth more than the penalty. How often a change is found where shares merely wander,
    and which changes are found, is in ``docs/methods.md``. Where shares wander widely, a jump is
    seldom told from it.

    Raises
    ------
    ValueError
        If `alpha` is not within 0..1.

    Examples
    --------
    >>> from analyzers.windows import table_of
    >>> rows = [{"a": 60, "b": 84}] * 20 + [{"a": 90, "b": 54}] * 20
    >>> found = change_points(table_of(rows, [0] * 40, range(0, 5760, 144), range(40)))
    >>> [(change.index, change.shifts[0][0]) for change in found.changes]
    [(20, 'b')]
    """
    if not 0 < alpha < 1:
        raise ValueError(f"a false-positive rate is within 0..1, not {alpha}")
    kept = table.blocks > 0
    counts = _condense(table, max_entities)[kept]
    if len(counts) < 2 or counts.shape[1] < 2:
        return ChangePoints((), math.nan, math.nan, len(counts))
    spread = dispersion(counts)
    penalty = _penalty(counts, alpha, seed, replicates)
    cuts, gains = _beyond_wander(counts, _segment(counts, penalty * spread), penalty)
    names = (*table.entities[: counts.shape[1] - 1], "others")
    places = np.flatnonzero(kept)
    edges = [0, *cuts, len(counts)]
    changes = []
    for before, cut, after, gain in zip(edges, cuts, edges[2:], gains, strict=False):
        left, right = counts[before:cut].sum(axis=0), counts[cut:after].sum(axis=0)
        moved = right / right.sum() - left / left.sum()
        order = np.argsort(-np.abs(moved), kind="stable")
        shifts = tuple((names[i], float(moved[i])) for i in order if moved[i])
        index = int(places[cut])
        changes.append(Change(index, int(table.start_time[index]), gain, shifts))
    return ChangePoints(tuple(changes), penalty, spread, len(counts))


def dispersion(counts: Floats) -> float:
    """Return variance over multinomial variance between neighbouring windows, at least 1.

    The median of the chi-squares of neighbours over the median that chi-square has: the
    few pairs that straddle a change do not matter.

    Examples
    --------
    >>> dispersion(np.array([[50.0, 50.0], [50.0, 50.0], [80.0, 20.0], [50.0, 50.0]])) > 10
    True
    """
    chi2, freedom = chi_squares(counts[:-1], counts[1:])
    usable = freedom > 0
    if not usable.any():
        return 1.0
    median = freedom[usable] * (1 - 2 / (9 * freedom[usable])) ** 3
    return max(1.0, float(np.median(chi2[usable] / median)))


def _condense(table: CountTable, max_entities: int) -> Floats:
    """Return counts of the largest entities and one last column for everybody else."""
    rest = table.counts[:, max_entities:].sum(axis=1) + table.unattributed
    return np.column_stack([table.counts[:, :max_entities], rest]).astype(np.float64)


def _cost(counts: Floats) -> Floats:
    """Return minus the multinomial log-likelihood of segments at their own shares."""
    total = counts.sum(axis=-1)
    cost: Floats = np.asarray(xlogy(total, total) - xlogy(counts, counts).sum(axis=-1))
    return cost


def _penalty(counts: Floats, alpha: float, seed: int, replicates: int) -> float:
    """Return the gain of the best split that constant shares exceed with chance `alpha`."""
    rng = np.random.default_rng(seed)
    sizes = counts.sum(axis=1).astype(np.int64)
    shares = counts.sum(axis=0) / counts.sum()
    gains = np.empty(replicates)
    for replicate in range(replicates):
        sums = np.cumsum(rng.multinomial(sizes, shares), axis=0, dtype=np.float64)
        left, whole = sums[:-1], sums[-1]
        gains[replicate] = (_cost(whole) - _cost(left) - _cost(whole - left)).max()
    return float(np.quantile(gains, 1 - alpha))


def _beyond_wander(
    counts: Floats, cuts: list[int], penalty: float
) -> tuple[list[int], list[float]]:
    """Return the cuts that are worth more than `penalty` beyond wander, and what they are worth."""
    pairs = Pairs(counts)
    sums = np.vstack([np.zeros(counts.shape[1]), np.cumsum(counts, axis=0)])
    cuts = list(cuts)
    while cuts:
        wander = pairs.wander(cuts)
        edges = [0, *cuts, len(counts)]
        gains = [
            gain_beyond(
                sums[cut] - sums[before],
                sums[after] - sums[cut],
                wander.excess(cut - before, after - cut),
            )
            for before, cut, after in zip(edges, cuts, edges[2:], strict=False)
        ]
        least = int(np.argmin(gains))
        if gains[least] > penalty:
            return cuts, gains
        del cuts[least]
    return [], []


def _segment(counts: Floats, penalty: float) -> list[int]:
    """Return the first windows of all segments but the first, at least total cost."""
    sums = np.vstack([np.zeros(counts.shape[1]), np.cumsum(counts, axis=0)])
    best = np.full(len(sums), math.inf)
    best[0] = -penalty
    previous = np.zeros(len(sums), dtype=np.int64)
    starts = np.array([0])
    for end in range(1, len(sums)):
        costs = best[starts] + _cost(sums[end] - sums[starts])
        choice = int(costs.argmin())
        best[end] = costs[choice] + penalty
        previous[end] = starts[choice]
        starts = np.append(starts[costs <= best[end]], end)
    cuts: list[int] = []
    end = int(previous[-1])
    while end:
        cuts.append(end)
        end = int(previous[end])
    return cuts[::-1]
