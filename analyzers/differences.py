"""What changed between two windows that share no block, and how sure that is.

Each difference is later minus earlier, with its interval and the probability that the true
figure rose. As in `analyzers.intervals`, blocks are draws from shares that hold still inside
a window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, chdtrc, ndtr, ndtri

from analyzers.concentration import Counts, hhi_unbiased, present
from analyzers.intervals import (
    JEFFREYS,
    LEVEL,
    UNKNOWN,
    Interval,
    hhi_interval,
    scaled,
    share_interval,
)

Floats = NDArray[np.float64]


class Change(NamedTuple):
    """Difference of a figure between two windows (later minus earlier)."""

    difference: float
    interval: Interval
    probability_up: float
    """Probability that the true figure rose."""


def hhi_change(earlier: Counts, later: Counts, level: float = LEVEL) -> Change:
    """Return how HHI (ratio) changed between two windows that share no block.

    The interval is put together from those of both windows, end by end (Zou and Donner 2008,
    doi:10.1002/sim.3095), as Newcombe's is for shares: also where shares are equal, so that the
    estimate is no normal one. The probability is that of a normal figure with this interval.

    Examples
    --------
    >>> change = hhi_change([50, 50], [90, 10])
    >>> [round(end, 2) for end in change.interval], change.probability_up > 0.99
    ([0.21, 0.41], True)
    """
    before, after = present(earlier), present(later)
    first, second = hhi_unbiased(before), hhi_unbiased(after)
    difference = second - first
    (low0, high0), (low1, high1) = hhi_interval(before, level), hhi_interval(after, level)
    if math.isnan(difference):
        return Change(math.nan, UNKNOWN, math.nan)
    interval = Interval(
        difference - math.hypot(second - low1, high0 - first),
        difference + math.hypot(high1 - second, first - low0),
    )
    # how sure the sign is shows the reach towards no change
    reach = difference - interval.low if difference > 0 else interval.high - difference
    up = float(ndtr(difference / reach * ndtri((1 + level) / 2))) if difference else 0.5
    return Change(difference, interval, up)


def share_change(earlier: tuple[int, int], later: tuple[int, int], level: float = LEVEL) -> Change:
    """Return how a share changed between two windows, each given as (found, total).

    The interval is Newcombe's hybrid of two Wilson intervals (1998, method 10,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I). The probability
    is that of one Beta posterior to exceed the other (Jeffreys' prior).

    Examples
    --------
    >>> change = share_change((30, 144), (50, 144))
    >>> round(change.difference, 3), round(change.probability_up, 2)
    (0.139, 1.0)
    """
    (x0, n0), (x1, n1) = earlier, later
    if not n0 or not n1:
        return Change(math.nan, UNKNOWN, math.nan)
    p0, p1 = x0 / n0, x1 / n1
    low0, high0 = share_interval(x0, n0, level, "wilson")
    low1, high1 = share_interval(x1, n1, level, "wilson")
    interval = Interval(
        p1 - p0 - math.hypot(p1 - low1, high0 - p0),
        p1 - p0 + math.hypot(high1 - p1, p0 - low0),
    )
    middles = (np.arange(1000) + 0.5) / 1000
    (f0, t0), (f1, t1) = scaled(x0, n0), scaled(x1, n1)
    after = betaincinv(f1 + JEFFREYS, t1 - f1 + JEFFREYS, middles)
    up = float(np.mean(betainc(f0 + JEFFREYS, t0 - f0 + JEFFREYS, after)))
    return Change(p1 - p0, interval, up)


def homogeneity(first: Counts, second: Counts) -> float:
    """Return the p-value that two parts of a window come from the same shares.

    Pearson's chi-square over entities in the same order (give mappings to match by name);
    entities with fewer than ten blocks in both parts together are pooled. A small value
    says that shares moved, so that intervals of the whole window are too narrow. NaN where
    fewer than two groups are left.

    Examples
    --------
    >>> round(homogeneity({"a": 30, "b": 20}, {"a": 20, "b": 30}), 4)
    0.0455
    """
    table = _aligned(first, second)
    both = table.sum(axis=0)
    rare = both < 10
    kept = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    kept = kept[:, kept.sum(axis=0) > 0]
    rows, columns = kept.sum(axis=1), kept.sum(axis=0)
    if kept.shape[1] < 2 or not rows.all():
        return math.nan
    expected = np.outer(rows, columns) / kept.sum()
    return float(chdtrc(kept.shape[1] - 1, float(((kept - expected) ** 2 / expected).sum())))


def _aligned(first: Counts, second: Counts) -> Floats:
    """Return two rows of counts over the same entities.

    Raises
    ------
    ValueError
        If both are plain numbers of different length.
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        names = list(dict.fromkeys([*first, *second]))
        return np.array([[part.get(name, 0) for name in names] for part in (first, second)], float)
    rows = [list(first), list(second)]
    if len(rows[0]) != len(rows[1]):
        raise ValueError("counts without names must be as many in both windows")
    return np.array(rows, dtype=float)


@dataclass(frozen=True, slots=True)
class ShareMove:
    """One entity in both windows; `change` is that of its share."""

    entity: str
    earlier: int
    later: int
    change: Change


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two windows side by side; `blocks` counts each, `same` is `homogeneity` of both.

    `shares` are ordered by how far they moved, unattributed blocks not among them.
    """

    blocks: tuple[int, int]
    hhi: Change
    same: float
    shares: tuple[ShareMove, ...]


def compare_windows(
    earlier: Mapping[str, int],
    later: Mapping[str, int],
    unattributed: tuple[int, int] = (0, 0),
    level: float = LEVEL,
) -> Comparison:
    """Return what changed from `earlier` to `later`, blocks per entity.

    `unattributed` blocks of nobody known are miners of their own in both. Each share is
    judged as if named beforehand: of twenty that did not move, one leaves its 95 % interval
    by chance; `Comparison.same` judges all at once.

    Examples
    --------
    >>> found = compare_windows({"a": 40, "b": 60}, {"a": 70, "b": 30})
    >>> [(move.entity, round(move.change.difference, 2)) for move in found.shares]
    [('a', 0.3), ('b', -0.3)]
    >>> compare_windows({}, {"a": 1}).shares[0].change.difference
    nan
    """
    both = (earlier, later)
    totals = [sum(part.values()) + own for part, own in zip(both, unattributed, strict=True)]
    everyone = [[*part.values(), *[1] * own] for part, own in zip(both, unattributed, strict=True)]
    moves = []
    for name in dict.fromkeys([*later, *earlier]):
        found = earlier.get(name, 0), later.get(name, 0)
        change = share_change((found[0], totals[0]), (found[1], totals[1]), level)
        moves.append(ShareMove(name, *found, change))
    moves.sort(key=lambda move: (-round(abs(move.change.difference), 12), move.entity))
    owned = [{**part, None: own} for part, own in zip(both, unattributed, strict=True)]
    return Comparison(
        (totals[0], totals[1]),
        hhi_change(everyone[0], everyone[1], level),
        homogeneity(*owned),
        tuple(moves),
    )
