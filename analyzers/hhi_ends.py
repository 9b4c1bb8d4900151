"""The ends of an interval of HHI, for one window or thousands, in closed form but for a root.

The unbiased estimate U of HHI h has, in windows of n blocks, a variance of
4(n-2)(S3 - h^2)/(n(n-1)) + 2h(1-h)/(n(n-1)), where Sj is the sum of the shares to the power of j
(Simpson 1949). The first part is that of a mean; where shares are nearly equal it vanishes, and
U is a chi-square. So an end is the h under which U lies at the wanted quantile of a Pearson
type III distribution with the first three moments of U: a normal one at one border, a
chi-square at the other. What S3 and S4 are where HHI is h is known from the shares seen, drawn
towards equality or away from it until they have that HHI.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaincinv

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats)
"""One window, or an array of them: numpy takes a hundred times as long for one."""

DOUBT: Final = 2.0
"""The spread of the shares is itself an estimate, the worse the fewer blocks the effective number
of entities has: its variance is taken larger by 1 + `DOUBT`/(n h). Chosen by simulation
(``python -m tests.simulations``) of windows of 36 blocks and more."""

FLAT: Final = 1e-3
"""A skewness, or a part of an equal share, as good as none."""

LEAST: Final = 1e-12
"""HHI is looked for from here to 1 less it."""

STEPS: Final = 40
ACCURACY: Final = 1e-7
"""Of the root, as a part of HHI; some six steps are usual."""


class _Ops(NamedTuple, Generic[Number]):
    """What the formulas need of a kind of number."""

    most: Callable[[Number, Number], Number]
    least: Callable[[Number, Number], Number]
    root: Callable[[Number], Number]
    choose: Callable[[Any, Number, Number], Number]


_ONE: Final[_Ops[float]] = _Ops(max, min, math.sqrt, lambda yes, a, b: a if yes else b)
_MANY: Final[_Ops[Floats]] = _Ops(np.maximum, np.minimum, np.sqrt, np.where)


class _Seen(NamedTuple, Generic[Number]):
    """What is known of a window: its blocks, and how the shares lie around `equal` ones.

    `second` is the sum of squared differences from `equal`; `third` and `fourth` are those of
    higher powers as parts of it to the same power.
    """

    blocks: Number
    unbiased: Number
    equal: Number
    second: Number
    third: Number
    fourth: Number


def hhi_ends(counts: Sequence[float], singles: int, level: float) -> tuple[float, float]:
    """Return lower and upper end of HHI (ratio) of one window.

    Parameters
    ----------
    counts:
        Blocks of each entity that has any; two blocks and two miners at least, `singles` included.
    singles:
        Further miners with one block each.
    level:
        Probability content of the interval.

    Examples
    --------
    >>> [round(end, 3) for end in hhi_ends([100, 30, 14], 0, 0.95)]
    [0.458, 0.614]
    """
    n = math.fsum(counts) + singles
    unbiased = math.fsum(c * (c - 1) for c in counts) / (n * (n - 1))
    once, twice = sum(c == 1 for c in counts) + singles, sum(c == 2 for c in counts)
    unseen, equal = _unseen(float(len(counts) + singles), once, twice)
    sums = [
        math.fsum((c / n - equal) ** power for c in counts)
        + singles * (1 / n - equal) ** power
        + unseen * (-equal) ** power
        for power in (2, 3, 4)
    ]
    uneven = sums[0] > FLAT * equal / n
    third = sums[1] / sums[0] ** 1.5 if uneven else 0.0
    fourth = sums[2] / sums[0] ** 2 if uneven else equal
    seen = _Seen(n, unbiased, equal, sums[0], third, fourth)
    half = 1 / (n * (n - 1))

    def end(part: float, moved: float) -> float:
        target = min(max(unbiased + moved, LEAST), 1 - LEAST)
        ends = (LEAST, target) if part > 0.5 else (target, 1 - LEAST)

        def excess(hhi: float) -> float:
            return hhi + _quantile(_ONE, seen, hhi, part) - target

        if excess(ends[0]) >= 0:
            return ends[0] if ends[0] > LEAST else 0.0
        if excess(ends[1]) <= 0:
            return ends[1] if ends[1] < 1 - LEAST else 1.0
        return float(brentq(excess, ends[0], ends[1], xtol=ACCURACY * target, rtol=ACCURACY))

    return end((1 + level) / 2, -half), end((1 - level) / 2, half)


def many_hhi_ends(counts: Floats, singles: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the ends of `hhi_ends` for each row of `counts`, zeros allowed.

    Examples
    --------
    >>> days = np.array([[72.0, 72.0, 0.0], [100.0, 30.0, 14.0]])
    >>> low, high = many_hhi_ends(days, np.zeros(2), 0.95)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.483, 0.458], [0.523, 0.614])
    """
    seen = _seen(counts, singles)
    half = 1 / (seen.blocks * (seen.blocks - 1))
    target = np.stack([seen.unbiased - half, seen.unbiased + half])
    target = np.clip(target, LEAST, 1 - LEAST)
    part = np.repeat([[(1 + level) / 2], [(1 - level) / 2]], len(counts), axis=1)
    low, high = np.full_like(target, LEAST), np.full_like(target, 1 - LEAST)
    low[1], high[0] = target[1], target[0]
    ends = _roots(lambda hhi: hhi + _quantile(_MANY, seen, hhi, part) - target, low, high)
    return np.where(ends[0] > LEAST, ends[0], 0.0), np.where(ends[1] < 1 - LEAST, ends[1], 1.0)


def _unseen(entities: Number, once: Number, twice: Number) -> tuple[Number, Number]:
    """Return how many entities were not seen (Chao 1984, bias-corrected), and an equal share."""
    unseen = once * (once - 1) / (2 * (twice + 1))
    return unseen, 1 / (entities + unseen)


def _seen(counts: Floats, singles: Floats) -> _Seen[Floats]:
    n = counts.sum(axis=1) + singles
    present = counts > 0
    once, twice = (counts == 1).sum(axis=1) + singles, (counts == 2).sum(axis=1).astype(float)
    unseen, equal = _unseen(present.sum(axis=1) + singles, once, twice)
    apart = np.where(present, counts / n[:, None] - equal[:, None], 0.0)
    single = 1 / n - equal
    second, third, fourth = (
        (apart**power).sum(axis=1) + singles * single**power + unseen * (-equal) ** power
        for power in (2, 3, 4)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        uneven = second > FLAT * equal / n
        third = np.where(uneven, third / second**1.5, 0.0)
        fourth = np.where(uneven, fourth / second**2, equal)
    unbiased = (counts * (counts - 1)).sum(axis=1) / (n * (n - 1))
    return _Seen(n, unbiased, equal, second, third, fourth)


class _Spread(NamedTuple, Generic[Number]):
    """How U varies, as sums over the shares (Hoeffding's parts of U).

    `uneven` is the variance of a block's share, S3 - h^2, `skewed` the third cumulant of the mean
    and of mean and pairs, `pairs` that of pairs.
    """

    uneven: Number
    skewed: Number
    pairs: Number


def _spread(ops: _Ops[Number], seen: _Seen[Number], h: Number) -> _Spread[Number]:
    """Return how U varies where the shares are stretched until their HHI is `h`."""
    none = 0 * h
    even, moved = ops.least(seen.equal, h), ops.most(h - seen.equal, none)
    # shares are `even` plus what they differ from it by
    skewed = moved * ops.root(moved) * seen.third
    s3 = even * even + 3 * even * moved + skewed
    s4 = even * even * (even + 6 * moved) + 4 * even * skewed + moved * moved * seen.fourth
    square = h * h
    mean = s4 - 3 * h * s3 + 2 * h * square
    both = ops.most(s4 - 2 * h * s3 + h * square, none)
    pairs = ops.most(s3 - 3 * s4 + 3 * s3 * h - h * square, none)
    return _Spread(ops.most(s3 - square, none), mean + 3 * both, pairs)


def _quantile(ops: _Ops[Number], seen: _Seen[Number], hhi: Number, part: Number) -> Number:
    """Return the quantile of U - `hhi` at `part`: Pearson type III with U's first three moments."""
    n, pairs = seen.blocks, seen.blocks * (seen.blocks - 1)
    spread, near = _spread(ops, seen, hhi), ops.least(hhi, seen.equal + seen.second)
    # beyond the HHI of those seen all grow alike, until one has all; where they are so equal
    # that stretching them lets them vary more, that holds
    those, grown = _spread(ops, seen, near), hhi / near
    alike = (1 - hhi) / (1 - near) * grown * grown
    stretched = (spread.uneven > alike * those.uneven) | (near >= hhi)
    uneven = ops.choose(stretched, spread.uneven, alike * those.uneven)
    skewed = ops.choose(stretched, spread.skewed, alike * grown * those.skewed)
    paired = ops.choose(stretched, spread.pairs, alike * those.pairs)
    uneven = uneven * (1 + DOUBT / (n * hhi))
    variance = (4 * (n - 2) * uneven + 2 * hhi * (1 - hhi)) / pairs
    deviation = ops.root(variance)
    skewness = 8 * (skewed / (n * n) + paired / (pairs * (n - 1))) / (variance * deviation)
    skewness = ops.choose(abs(skewness) < FLAT, FLAT + 0 * hhi, skewness)
    shape = 4 / (skewness * skewness)
    right = skewness > 0
    drawn: Any = gammaincinv(shape, ops.choose(right, part, 1 - part))
    score: Number = (drawn - shape) / ops.root(shape)
    return deviation * ops.choose(right, score, -score)


def _roots(excess: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Return where `excess` passes 0 between `low` and `high`; an end where it does not.

    The secant's steps, with the value of an end that stays halved (Illinois, Dowell and
    Jarratt 1971, doi:10.1007/BF01934364).
    """
    below, above = excess(low), excess(high)
    inside = (below < 0) & (above > 0)
    result = np.where(above <= 0, high, low)
    was_up = np.zeros(result.shape, dtype=np.bool_)
    was_down = was_up
    for _ in range(STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            middle = high - above * (high - low) / (above - below)
        step = np.abs(middle - result)
        result = np.where(inside, middle, result)
        if not (step[inside] > ACCURACY * middle[inside]).any():
            break
        value = excess(np.where(inside, middle, high))
        up = value > 0
        below = np.where(up, np.where(was_up, below / 2, below), value)
        above = np.where(up, value, np.where(was_down, above / 2, above))
        low, high = np.where(up, low, middle), np.where(up, middle, high)
        was_up, was_down = up, ~up
    return result
