"""How concentrated mining is: the usual measures, over block counts per entity.

Every function takes `counts`, a mapping of entity to blocks or just the numbers, in any
order. Counts stay integers until the last step, so ties and thresholds are decided
exactly. Entities without blocks are ignored, except by `gini`, `theil` and
`hhi_normalised`, which describe a population and say so. Empty counts give NaN (None for
`nakamoto`): there is nothing to measure. Intervals are in `analyzers.intervals`.

These are measures of a sample. A window of blocks is a draw from the hash rate behind it,
and most plug-in figures are biased; each function says which way. See ``docs/methods.md``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final, Literal, TypeAlias

import numpy as np
from scipy.special import exp1, psi

Counts: TypeAlias = "Mapping[Hashable, int] | Mapping[str, int] | Iterable[int]"
"""Blocks per entity, or just the numbers of blocks."""

Threshold: TypeAlias = "Fraction | float | int"
"""A share 0..1; a float is read as the decimal that it prints as (0.33 is 33/100)."""

EntropyEstimator = Literal["plug-in", "miller-madow", "chao-shen", "chao-wang-jost", "grassberger"]

SUMMED: Final = 1000
FAR: Final = 500.0
"""Terms of a series that are summed one by one, and where its integral has its asymptotic form."""

POINTS: Final = 10_000
"""HHI points of a single entity: competition authorities write HHI in percent squared."""


class CountsError(ValueError):
    """Counts that cannot be block counts: negative, not whole, or not numbers."""


def population(counts: Counts) -> list[int]:
    """Return the counts as integers, largest first, zeros kept.

    Raises
    ------
    CountsError
        If a count is negative or not a whole number.

    Examples
    --------
    >>> population({"a": 1, "b": 3, "c": 0})
    [3, 1, 0]
    """
    values = counts.values() if isinstance(counts, Mapping) else counts
    numbers = []
    for value in values:
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            raise CountsError(f"{value!r} is not a number of blocks") from None
        if number != value:
            raise CountsError(f"{value!r} is not a whole number of blocks")
        if number < 0:
            raise CountsError(f"a number of blocks cannot be negative: {number}")
        numbers.append(number)
    numbers.sort(reverse=True)
    return numbers


def present(counts: Counts) -> list[int]:
    """Return the counts above zero as integers, largest first (see `population`).

    Examples
    --------
    >>> present([1, 0, 3])
    [3, 1]
    """
    return [number for number in population(counts) if number]


def as_fraction(share: Threshold) -> Fraction:
    """Return a share as an exact fraction; a float stands for the decimal it prints as.

    Examples
    --------
    >>> as_fraction(0.33), as_fraction(1)
    (Fraction(33, 100), Fraction(1, 1))
    """
    return share if isinstance(share, Fraction) else Fraction(str(share))


def hhi(counts: Counts) -> float:
    """Return the plug-in Herfindahl-Hirschman index, the sum of squared shares (1/k..1).

    Times `POINTS` it is the figure of competition authorities. Biased up: its expectation
    is HHI + (1 - HHI)/n under multinomial sampling. Source: Herfindahl 1950, Hirschman 1945.

    Examples
    --------
    >>> round(hhi([8, 6, 3, 3]) * POINTS)
    2950
    >>> hhi([7]), hhi([])
    (1.0, nan)
    """
    numbers = present(counts)
    n = sum(numbers)
    return sum(c * c for c in numbers) / n**2 if n else math.nan


def hhi_unbiased(counts: Counts) -> float:
    """Return the unbiased HHI: the chance that two different blocks share a miner (0..1).

    NaN below two blocks; 0 where no entity has two. Source: Simpson 1949,
    doi:10.1038/163688a0.

    Examples
    --------
    >>> round(hhi_unbiased([3, 2, 1]) * POINTS, 4)
    2666.6667
    """
    numbers = present(counts)
    n = sum(numbers)
    return sum(c * (c - 1) for c in numbers) / (n * (n - 1)) if n > 1 else math.nan


def hhi_normalised(counts: Counts) -> float:
    """Return (HHI - 1/k)/(1 - 1/k), 0 for equal and 1 for single (0..1).

    k is the number of entities given, zeros included; NaN below two.

    Examples
    --------
    >>> hhi_normalised([2, 2]), hhi_normalised([4, 0])
    (0.0, 1.0)
    """
    k = len(population(counts))
    return (hhi(counts) - 1 / k) / (1 - 1 / k) if k > 1 else math.nan


def hhi_band(ratio: float, guidelines: Literal["2010", "2023"] = "2023") -> str:
    """Return the band that the US merger guidelines put an HHI (ratio) in.

    The 2010 guidelines draw the lines at 1500 and 2500 points, those of 2023 at 1000 and
    1800. They speak of markets for goods: for mining the bands are a comparison, no law.

    Examples
    --------
    >>> hhi_band(0.16), hhi_band(0.16, "2010"), hhi_band(0.09)
    ('moderately concentrated', 'moderately concentrated', 'unconcentrated')
    """
    if math.isnan(ratio):
        return "unknown"
    low, high = {"2010": (1500, 2500), "2023": (1000, 1800)}[guidelines]
    points = ratio * POINTS
    if points > high:
        return "highly concentrated"
    return "moderately concentrated" if points > low else "unconcentrated"


def effective_number(counts: Counts, order: float = 2.0) -> float:
    """Return the Hill number of `order`: as many equal entities would be as concentrated.

    Order 2 is 1/HHI, order 1 is exp(entropy), order 0 counts the entities, and infinity is
    1/(largest share). Biased down for small windows. Source: Hill 1973, doi:10.2307/1934352.

    Examples
    --------
    >>> round(effective_number([4, 2, 2, 1], order=1), 4), effective_number([2, 2])
    (3.5717, 2.0)
    """
    return math.exp(renyi(counts, order))


def renyi(counts: Counts, order: float) -> float:
    """Return the Rényi entropy of `order` >= 0 in nats (0..ln k).

    Order 1 is Shannon's; infinity is the min-entropy, -ln of the largest share.

    Raises
    ------
    ValueError
        If `order` is negative or NaN.

    Examples
    --------
    >>> round(renyi([432, 288, 216, 64], 2) / math.log(2), 3)
    1.642
    >>> round(renyi([3, 2, 1], math.inf) / math.log(2), 3)
    1.0
    """
    if not order >= 0:
        raise ValueError(f"the order of an entropy is 0 or more, not {order}")
    numbers = present(counts)
    n = sum(numbers)
    if not n:
        return math.nan
    if math.isinf(order):
        return math.log(n / numbers[0])
    if order == 1:
        return shannon(numbers)
    if order == 2:
        return math.log(n**2 / sum(c * c for c in numbers))
    return math.log(math.fsum((c / n) ** order for c in numbers)) / (1 - order)


def shannon(counts: Counts, estimator: EntropyEstimator = "plug-in") -> float:
    """Return the Shannon entropy in nats (divide by ln 2 for bits).

    The plug-in is biased down, by some 0.11 bits for 144 blocks of today's mix. The others
    correct that: Miller-Madow (Miller 1955), Chao-Shen (2003, doi:10.1023/A:1026096204727),
    Chao, Wang and Jost (2013, doi:10.1111/2041-210X.12108) and Grassberger (2003,
    arXiv:physics/0307138). The last has the least bias here; the one before it where many small
    entities are not seen.

    Examples
    --------
    >>> [round(shannon([3, 2, 1], e), 4)
    ...  for e in ("plug-in", "miller-madow", "chao-shen", "chao-wang-jost", "grassberger")]
    [1.0114, 1.1781, 1.2573, 1.2535, 1.3955]
    """
    numbers = present(counts)
    n = sum(numbers)
    if not n:
        return math.nan
    if estimator == "grassberger":
        # of a single entity the estimate falls just below 0, where no entropy is
        return max(0.0, math.log(n) - math.fsum(c * _grassberger_g(c) for c in numbers) / n)
    if estimator == "chao-shen":
        return math.fsum(-q * math.log(q) * w for q, w in chao_shen_terms(numbers))
    if estimator == "chao-wang-jost":
        seen = math.fsum(c / n * float(psi(float(n)) - psi(float(c))) for c in numbers)
        return seen + _unseen_entropy(n, numbers.count(1), numbers.count(2))
    plug_in = math.fsum(-c / n * math.log(c / n) for c in numbers) + 0.0
    return plug_in + (len(numbers) - 1) / (2 * n) if estimator == "miller-madow" else plug_in


def chao_shen_terms(counts: Counts) -> list[tuple[float, float]]:
    """Return (share scaled to the estimated coverage, 1/chance to be seen) per entity.

    Any sum of f(share) over all entities, the unseen too, is estimated by the sum of
    f(share) times the weight over those seen (Chao and Shen 2003).

    Examples
    --------
    >>> [(round(q, 3), round(weight, 3)) for q, weight in chao_shen_terms([8, 1, 1])]
    [(0.64, 1.0), (0.08, 1.768), (0.08, 1.768)]
    """
    numbers = present(counts)
    n = sum(numbers)
    singles = sum(c == 1 for c in numbers)
    coverage = 1 - (n - 1 if singles == n > 1 else singles * (n > 1)) / n if n else 0.0
    shares = (coverage * c / n for c in numbers)
    return [(q, 1 / -math.expm1(n * math.log1p(-q)) if q < 1 else 1.0) for q in shares]


def _unseen_entropy(total: int, once: int, twice: int) -> float:
    """Return the entropy (nats) that entities not seen add, from those seen once and twice.

    Of Chao, Wang and Jost: `once`/`total` times the sum over j >= 0 of (1 - a)^(j+1)/(total + j).
    """
    if not once or total < 2:
        return 0.0
    if twice:
        a = 2 * twice / ((total - 1) * once + 2 * twice)
    else:
        a = 2 / ((total - 1) * (once - 1) + 2)
    if a >= 1:
        return 0.0
    terms = min(SUMMED, math.ceil(40 / a))
    powers = np.arange(1, terms + 1, dtype=np.float64)
    rate = -math.log1p(-a)
    found = float((np.exp(-rate * powers) / (total - 1 + powers)).sum())
    if terms == SUMMED:
        # the rest as an integral, e^((m-1)r) E1(m r) with m = total + terms, by Euler and Maclaurin
        start = total + terms
        argument = start * rate
        integral = (
            math.exp(argument) * float(exp1(argument))
            if argument < FAR
            else (1 - 1 / argument) / argument
        )
        found += math.exp(-rate * (terms + 1)) * (integral + 0.5 / start)
    return once / total * found


def _grassberger_g(count: int) -> float:
    sign, size = -1 if count % 2 else 1, float(count)  # psi knows no integers beyond 64 bits
    return float(psi(size) + sign / 2 * (psi((size + 1) / 2) - psi(size / 2)))


def gini(counts: Counts) -> float:
    """Return the Gini coefficient of the entities given (0..(k-1)/k).

    Entities with zero blocks belong to the population and raise it, so figures over
    different populations do not compare; a single entity gives 0. Source: Gini 1912.

    Examples
    --------
    >>> round(gini([5, 4, 3, 2, 1]), 5), gini([1, 1, 3, 0, 0]), gini([1])
    (0.26667, 0.56, 0.0)
    """
    numbers = population(counts)
    n, k = sum(numbers), len(numbers)
    if not n:
        return math.nan
    return sum((k - 1 - 2 * rank) * c for rank, c in enumerate(numbers)) / (k * n)


def theil(counts: Counts) -> float:
    """Return the Theil T index, ln k - entropy, in nats (0..ln k), zeros counted in k.

    Source: Theil 1967.

    Examples
    --------
    >>> round(theil([3, 2, 1, 1, 1, 1]), 3), round(theil([432, 0, 0, 0]), 3)
    (0.115, 1.386)
    """
    numbers = population(counts)
    return math.log(len(numbers)) - shannon(numbers) if sum(numbers) else math.nan


def concentration_ratio(counts: Counts, top: int) -> float:
    """Return the joint share of the `top` largest entities, CR_top (0..1).

    Biased up where the entities at the edge of the group are close.

    Examples
    --------
    >>> round(concentration_ratio([3, 2, 1, 1, 1, 1], 3), 6)
    0.666667
    """
    if top < 1:
        raise ValueError(f"a concentration ratio needs one entity or more, not {top}")
    numbers = present(counts)
    return sum(numbers[:top]) / sum(numbers) if numbers else math.nan


def max_power_ratio(counts: Counts) -> float:
    """Return the largest entity's share (0..1): `concentration_ratio` of one.

    Biased up where the two largest are close: the maximum of two draws is above each.

    Examples
    --------
    >>> max_power_ratio([3, 2, 1])
    0.5
    """
    return concentration_ratio(counts, 1)


def nakamoto(
    counts: Counts, threshold: Threshold = Fraction(1, 2), *, strict: bool = True
) -> int | None:
    """Return the fewest entities that together hold more than `threshold` of the blocks.

    Decided in integers. ``strict=False`` lets a tie count (``>=``), as
    Blockchain-Technology-Lab/consensus-decentralization does, where this figure with a
    free threshold is also the tau index. None for empty counts, and in strict mode for a
    threshold of 1, which nobody exceeds. From small windows it is wrong quite often; see
    `analyzers.summary` for its posterior.

    Raises
    ------
    ValueError
        If `threshold` is not in 0..1.

    Examples
    --------
    >>> nakamoto([3, 2, 1]), nakamoto([3, 2, 1], strict=False)
    (2, 1)
    >>> nakamoto([3, 2, 1, 1, 1, 1], Fraction(1, 3)), nakamoto([3, 2, 1, 1, 1, 1], 0.33)
    (2, 1)
    >>> nakamoto([]) is None
    True
    """
    limit = as_fraction(threshold)
    if not 0 <= limit <= 1:
        raise ValueError(f"a threshold is a share in 0..1, not {threshold}")
    numbers = present(counts)
    needed, held = limit.numerator * sum(numbers), 0
    for size, count in enumerate(numbers, start=1):
        held += count * limit.denominator
        if held > needed or (held == needed and not strict):
            return size
    return None


def centralisation_index(days: Sequence[Counts], top: int = 6, span: int = 30) -> list[float]:
    """Return 0xB10C's mining centralisation index: CR_top of each day, averaged over `span`.

    One value a day, each the mean of the days up to it (fewer at the start; empty days are
    passed over). Source: 0xB10C/mainnet-observer and "Bitcoin Mining Centralization in
    2025", April 2025.

    Examples
    --------
    >>> centralisation_index([[1, 1], [3, 1], []], top=1, span=2)
    [0.5, 0.625, 0.75]
    """
    daily = [concentration_ratio(counts, top) for counts in days]
    smooth = []
    for end in range(1, len(daily) + 1):
        known = [ratio for ratio in daily[max(0, end - span) : end] if not math.isnan(ratio)]
        smooth.append(math.fsum(known) / len(known) if known else math.nan)
    return smooth
