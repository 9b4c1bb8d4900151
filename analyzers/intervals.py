"""How sure the figures are: intervals and probabilities from block counts, in closed form.

Blocks of a window are taken as draws from fixed shares (multinomial). Real shares drift
inside a window, so these intervals are minimum widths; `analyzers.differences.homogeneity`
checks that.

A share, or the share of a group named beforehand, has its own binomial interval. HHI has one
around its unbiased estimate (`analyzers.hhi_ends`), entropy around two estimates of it. Groups
picked by their size use the Dirichlet posterior with Jeffreys' prior, half a block for
each entity seen. No simulation is needed here; see `analyzers.simulate` for what needs it.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincc, betaincinv, entr, ndtri

from analyzers.concentration import (
    Counts,
    Threshold,
    chao_shen_terms,
    present,
    shannon,
)
from analyzers.hhi_ends import hhi_ends

LEVEL: Final = 0.95
"""Default probability content of an interval."""

JEFFREYS: Final = 0.5
"""Default prior: pseudo-blocks for each entity."""

MANY_ONCE: Final = 0.03
"""Where a larger part of the blocks are the only ones of their miners, the entropy may be larger
than its interval says."""

NEGLIGIBLE: Final = 1e-4
"""Joint probabilities below this are left out of `any_exceeds`."""

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(16)
NODES: Final = (_POINTS + 1) / 2
WEIGHTS: Final = _WEIGHTS / 2
"""Gauss-Legendre over one share in `any_exceeds`: right to 0.0004 for 20 to 2016 blocks."""

MANY: Final = 1 << 50
"""From so many blocks on an interval is narrower than any digit shown, so that larger counts
(hash rates in H/s, stakes in wei) are scaled down to it: the functions below end there."""

ShareMethod = Literal["jeffreys", "wilson", "clopper-pearson"]
Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end, in the unit of the figure that they belong to."""

    low: float
    high: float


UNKNOWN: Final = Interval(math.nan, math.nan)


def share_intervals(
    found: ArrayLike, total: int, level: float = LEVEL, method: ShareMethod = "jeffreys"
) -> tuple[Floats, Floats]:
    """Return lower and upper ends for shares of which `found` of `total` blocks are known.

    Jeffreys: Beta(x + 1/2, n - x + 1/2) quantiles, 0 or 1 at the borders (Brown, Cai and
    DasGupta 2001, doi:10.1214/ss/1009213286). Wilson (1927) inverts the score test.
    Clopper-Pearson (1934) never covers less than `level`, and mostly more. NaN for an empty
    window.

    Raises
    ------
    ValueError
        If `found` is not within 0..`total` or `level` not within 0..1.

    Examples
    --------
    >>> low, high = share_intervals([0, 43, 144], 144)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.228, 0.983], [0.017, 0.377, 1.0])
    """
    x, whole = scaled(found, total)
    if np.any((x < 0) | (x > whole)):
        raise ValueError(f"blocks found must be within 0..{whole:.0f}")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval is within 0..1, not {level}")
    if whole == 0:
        return np.full_like(x, math.nan), np.full_like(x, math.nan)
    tail = (1 - level) / 2
    if method == "wilson":
        z = ndtri(1 - tail)
        p, spread = x / whole, z * z / whole
        half = np.sqrt(p * (1 - p) * spread + spread * spread / 4)
        low, high = ((p + spread / 2 + sign * half) / (1 + spread) for sign in (-1, 1))
    elif method == "clopper-pearson":
        low = betaincinv(np.maximum(x, 1), whole - x + 1, tail)
        high = betaincinv(x + 1, np.maximum(whole - x, 1), 1 - tail)
    else:
        low = betaincinv(x + JEFFREYS, whole - x + JEFFREYS, tail)
        high = betaincinv(x + JEFFREYS, whole - x + JEFFREYS, 1 - tail)
    return np.where(x == 0, 0.0, low), np.where(x == whole, 1.0, high)


def scaled(found: ArrayLike, total: float) -> tuple[Floats, float]:
    """Return counts and their total as floating numbers, scaled down to `MANY` if beyond.

    Examples
    --------
    >>> scaled([3, 1], 4)[1]
    4.0
    """
    x = np.asarray(found, dtype=np.float64)
    if total <= MANY:
        return x, float(total)
    return x / float(total) * MANY, float(MANY)


def share_interval(
    found: int, total: int, level: float = LEVEL, method: ShareMethod = "jeffreys"
) -> Interval:
    """Return the interval of one share; see `share_intervals`.

    Examples
    --------
    >>> [round(end, 6) for end in share_interval(43, 144)]
    [0.228423, 0.376802]
    >>> [round(end, 6) for end in share_interval(0, 144, method="wilson")]
    [0.0, 0.025984]
    """
    low, high = share_intervals(found, total, level, method)
    return Interval(float(low), float(high))


def share_exceeds(found: ArrayLike, total: int, threshold: float) -> Floats:
    """Return the probability that the share behind `found` of `total` exceeds `threshold`.

    Closed form, Jeffreys' prior; for an entity or group named beforehand. NaN for an empty
    window. Meant for alerts: the largest of many looks larger than it is, so ask for a high
    probability, not for an even one.

    Examples
    --------
    >>> float(share_exceeds(43, 144, 1 / 3).round(6)), float(share_exceeds(72, 144, 0.5))
    (0.188977, 0.5)
    """
    x, whole = scaled(found, total)
    if whole == 0:
        return np.full_like(x, math.nan)
    result: Floats = np.asarray(betaincc(x + JEFFREYS, whole - x + JEFFREYS, float(threshold)))
    return result


def any_exceeds(
    counts: Counts, threshold: Threshold, total: int | None = None, *, each: ArrayLike | None = None
) -> float:
    """Return the probability that any entity's share exceeds `threshold`, on the high side.

    The sum of `share_exceeds` over the entities less that over pairs. Each share is judged as if
    it was named beforehand, with half a block more for it and for the rest: shares so judged
    add up to more than one, and the largest of many looks larger than it is. In a window of 1008
    blocks that hardly matters; of 144 blocks it gives 0.19 where the posterior of all shares
    together gives 0.10, and of six blocks of six miners 1.0 for 0.57 (a third). Below a third
    threes are not taken off either. `total` may count blocks that belong to none of `counts`;
    `each` saves computing `share_exceeds` of the counts, largest first, again. NaN for empty
    windows.

    Examples
    --------
    >>> round(any_exceeds([72, 72], 0.5), 6), round(any_exceeds([50, 46, 20, 15, 13], 1 / 3), 2)
    (1.0, 0.85)
    """
    numbers = present(counts)
    n = sum(numbers) if total is None else total
    if not n:
        return math.nan
    if n > MANY:
        numbers = [round(number * MANY / n) for number in numbers]
        n = MANY
    limit = float(threshold)
    chances = np.asarray(share_exceeds(numbers, n, limit) if each is None else each, dtype=float)
    chance = float(chances.sum())
    if limit < 0.5:
        least = NEGLIGIBLE / max(float(chances.max(initial=0.0)), NEGLIGIBLE)
        likely = [i for i, p in enumerate(chances.tolist()) if p > least]
        for place, i in enumerate(likely[:-1], start=1):
            others = np.array([numbers[j] for j in likely[place:]], dtype=np.float64)
            chance -= float(_both_exceed(numbers[i], others, n, limit).sum())
    return min(1.0, max(chance, float(chances.max(initial=0.0))))


def _both_exceed(first: int, others: Floats, total: int, threshold: float) -> Floats:
    """Return the probabilities that `first` and each of `others` both exceed `threshold`.

    Marginals are Jeffreys'; the share of `first` is integrated over its quantiles.
    """
    a, b = first + JEFFREYS, total - first + JEFFREYS
    above = float(betaincc(a, b, threshold))
    p = betaincinv(a, b, 1 - above * NODES)
    needed = np.minimum(threshold / np.maximum(1 - p, threshold), 1.0)
    rest = np.maximum(total - first - others, 1e-9)
    inside = betaincc((others + JEFFREYS)[:, None], rest[:, None], needed)
    return np.asarray(above * (inside @ WEIGHTS), dtype=np.float64)


def group_exceeds(
    counts: Counts, group: int, threshold: Threshold, prior: float = JEFFREYS
) -> float:
    """Return the probability that the `group` largest jointly exceed `threshold`.

    Under the Dirichlet posterior of all entities seen, where a group's share is
    Beta(sum of its a_i, the rest). The prior mass of the many small entities pulls the top
    down a little, against the upward bias of having picked it. For a group that was named
    beforehand use `share_exceeds` with its joint count.

    Examples
    --------
    >>> counts = [43, 25, 20, 15, 9, 7, 4, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1]
    >>> round(group_exceeds(counts, 2, 0.5), 3)
    0.119
    """
    alphas = posterior(counts, prior)
    inside = float(alphas[:group].sum())
    outside = float(alphas[group:].sum())
    if not alphas.size or not outside:
        return math.nan if not alphas.size else float(threshold < 1)
    return float(betaincc(inside, outside, float(threshold)))


def told_apart(counts: Counts, group: int) -> bool:
    """Say whether the `group` largest surely are so: rank `group` found more than the next.

    Two deviations of the difference are asked for. Where they are not there, chance had a say
    in who is in the group, and its joint share is on the high side: with ten equal miners at
    the border an interval of 95 % holds the true one in 63 to 77 % of windows, with twelve equal
    ones in a third of them.

    Examples
    --------
    >>> told_apart([60, 30, 28], 1), told_apart([60, 30, 28], 2), told_apart([60, 30, 28], 3)
    (True, False, True)
    """
    numbers = [*present(counts), 0]
    if group >= len(numbers):
        return True
    last, following = numbers[group - 1], numbers[group]
    return (last - following) ** 2 >= 4 * (last + following) or not following


def posterior(counts: Counts, prior: float = JEFFREYS) -> Floats:
    """Return the Dirichlet parameters, count + `prior` for each entity seen, largest first.

    Examples
    --------
    >>> posterior([1, 3, 0]).tolist()
    [3.5, 1.5]
    """
    numbers = present(counts)
    return scaled(numbers, sum(numbers))[0] + prior


def hhi_interval(counts: Counts, level: float = LEVEL, unattributed: int = 0) -> Interval:
    """Return the interval of HHI (ratio).

    Its ends are those under which the unbiased estimate would lie at the far quantiles of its
    distribution, by its first three moments (`analyzers.hhi_ends`). In windows of 36 to 4,320
    blocks it covers 93 to 98 %, be shares equal, of a few or of many hundred; ``docs/methods.md``
    has the table. `unattributed` blocks count as miners of their own, which add nothing: that
    is a lower bound. A single entity is given an unseen rival, else its HHI would be certain.

    Examples
    --------
    >>> counts = [43, 25, 20, 15, 9, 7, 4, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1]
    >>> [round(10_000 * end) for end in hhi_interval(counts)]
    [1205, 1911]
    """
    numbers = present(counts)
    if not numbers:
        return UNKNOWN
    if len(numbers) == 1 and not unattributed:
        return alone(numbers[0], level)
    total = sum(numbers) + unattributed
    found = scaled(numbers, total)[0].tolist()
    low, high = hhi_ends(found, unattributed, level)
    estimate = sum(c * (c - 1) for c in numbers) / (total * (total - 1))
    return Interval(min(low, estimate), max(high, estimate))  # but for rounding, it is between


def alone(blocks: int, level: float) -> Interval:
    """Return the interval of HHI where one entity found all `blocks`, but may have a rival.

    Examples
    --------
    >>> [round(end, 3) for end in alone(144, 0.95)]
    [0.966, 1.0]
    """
    least = share_interval(blocks, blocks, level).low
    return Interval(least**2 + (1 - least) ** 2, 1.0)


def hhi_unbiased_sd(counts: Counts) -> float:
    """Return the estimated standard deviation of `hhi_unbiased` (ratio).

    Var = [4(n-2) S3 + 2 S2 - 2(2n-3) S2^2] / (n(n-1)) with S2, S3 the unbiased estimates of
    the sums of squared and cubed shares (Simpson 1949). NaN below three blocks.

    Examples
    --------
    >>> round(10_000 * hhi_unbiased_sd([8, 6, 3, 3]))
    370
    """
    numbers = present(counts)
    n = sum(numbers)
    if n < 3:
        return math.nan
    second = sum(c * (c - 1) for c in numbers) / (n * (n - 1))
    third = sum(c * (c - 1) * (c - 2) for c in numbers) / (n * (n - 1) * (n - 2))
    variance = 4 * (n - 2) * third + 2 * second - 2 * (2 * n - 3) * second**2
    return math.sqrt(max(0.0, variance / (n * (n - 1))))


def entropy_interval(counts: Counts, level: float = LEVEL) -> Interval:
    """Return an interval of the Shannon entropy (nats) around two estimates of it.

    It reaches from below the lesser to above the greater of Grassberger's estimate and that of
    Chao, Wang and Jost, which knows of miners not seen. The variance is (sum p ln^2 p - H^2)/n
    + (k-1)/n^2, where sums and k are scaled to the estimated coverage (Chao and Shen 2003), as
    the unseen tail would else make it too small; above, k is Chao's number of entities.
    Hutcheson (1970) has half the second term; the other half stands for the correction of bias,
    and is what simulation asks for. Where `seen_once` is above `MANY_ONCE` the upper end
    is not sure: how many miners found no block, and how small they are, cannot be known.
    A single entity may have one unseen rival.

    Examples
    --------
    >>> [round(end, 3) for end in entropy_interval([4, 2, 2, 1])]
    [0.865, 2.185]
    """
    numbers = present(counts)
    n = sum(numbers)
    if n < 2:
        return UNKNOWN
    if len(numbers) == 1:
        rival = 1 - share_interval(n, n, level).low
        return Interval(0.0, float(entr(rival) + entr(1 - rival)))
    terms = chao_shen_terms(numbers)
    covered = math.fsum(-q * math.log(q) * w for q, w in terms)
    squared = math.fsum(q * math.log(q) ** 2 * w for q, w in terms)
    plain = math.fsum(c / n * math.log(c / n) ** 2 for c in numbers) - shannon(numbers) ** 2
    variance = max(squared - covered**2, plain, 0.0) / n
    seen = math.fsum(weight for _, weight in terms)
    once, twice = numbers.count(1), numbers.count(2)
    likely = max(seen, len(numbers) + once * (once - 1) / (2 * (twice + 1)))
    score = float(ndtri((1 + level) / 2))
    below = score * math.sqrt(variance + (seen - 1) / n**2)
    above = score * math.sqrt(variance + (likely - 1) / n**2) * (1 + 1 / math.sqrt(n))
    centres = shannon(numbers, "grassberger"), shannon(numbers, "chao-wang-jost")
    return Interval(max(0.0, min(centres) - below), max(centres) + above)


def seen_once(counts: Counts) -> float:
    """Return the part of the blocks (ratio) that are the only ones of their miners.

    About as much of the work is of miners that found none (Good 1953,
    doi:10.1093/biomet/40.3-4.237). NaN for empty windows.

    Examples
    --------
    >>> seen_once([8, 1, 1])
    0.2
    """
    numbers = present(counts)
    return numbers.count(1) / sum(numbers) if numbers else math.nan


def effective_number_interval(
    counts: Counts, order: Literal[1, 2] = 2, level: float = LEVEL
) -> Interval:
    """Return the interval of the effective number of entities, of order 1 or 2.

    Order 2 inverts `hhi_interval`, order 1 raises e to `entropy_interval`.

    Examples
    --------
    >>> counts = [43, 25, 20, 15, 9, 7, 4, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1]
    >>> [round(end, 2) for end in effective_number_interval(counts)]
    [5.23, 8.3]
    """
    if order == 1:
        low, high = entropy_interval(counts, level)
        return Interval(math.exp(low), math.exp(high))
    return inverse(hhi_interval(counts, level))


def inverse(interval: Interval) -> Interval:
    """Return the interval of 1/x for an interval of x >= 0; infinite where x may be 0.

    Examples
    --------
    >>> inverse(Interval(0.25, 0.5)), inverse(Interval(0.0, 0.5)).high
    (Interval(low=2.0, high=4.0), inf)
    """
    low, high = interval
    return Interval(1 / high if high else math.inf, 1 / low if low else math.inf)
