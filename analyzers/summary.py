"""What a window of blocks says about concentration, with how sure it is, in one value.

This is what the agent recomputes for every window and lens when a block arrives, so it is
fast (about a millisecond), needs neither Numba nor pandas, and gives the same figures for
the same counts and seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analyzers import concentration as measures
from analyzers import intervals
from analyzers.intervals import Interval

HALF: Final = Fraction(1, 2)
THIRD: Final = Fraction(1, 3)
QUARTER: Final = Fraction(1, 4)
THRESHOLDS: Final = (HALF, THIRD, QUARTER)
"""A half decides the chain, a third (selfish mining without help) and a quarter (with half
of the network's help) are where attacks on revenue begin."""

TOPS: Final = (1, 2, 3, 4, 5, 6)
"""The group sizes m of the concentration ratios CR_m."""

DRAWS: Final = 1000
"""Posterior draws behind the Nakamoto probabilities: 0.016 standard error at most."""


@dataclass(frozen=True, slots=True)
class Share:
    """One entity's part of a window; probabilities are for its true share."""

    entity: str
    blocks: int
    share: float
    interval: Interval
    above_half: float
    above_third: float
    above_quarter: float


@dataclass(frozen=True, slots=True)
class Nakamoto:
    """The Nakamoto coefficient at `threshold` and what the window says about the true one.

    `posterior` maps sizes to their probabilities; empty for an empty window. The coefficient
    is a function of order, so that no interval of it keeps a coverage of 95 %: over 144 blocks
    of a mix like that of 2025 the observed one is right in 72 % of windows, the most probable
    one in 82 %.
    """

    threshold: Fraction
    observed: int | None
    posterior: Mapping[int, float]

    @property
    def most_probable(self) -> int | None:
        """The size with the highest posterior probability; the smaller of equals."""
        if not self.posterior:
            return None
        return min(self.posterior, key=lambda size: (-self.posterior[size], size))

    def at_most(self, size: int) -> float:
        """Return the probability that `size` or fewer entities hold more than the threshold."""
        if not self.posterior:
            return math.nan
        return math.fsum(p for m, p in self.posterior.items() if m <= size)


@dataclass(frozen=True, slots=True)
class Ratio:
    """CR_m of the m largest, with the interval of that group taken as named beforehand.

    They were picked by what they found, which the interval does not know: where `told_apart`
    fails, CR_m is on the high side.
    """

    top: int
    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Summary:
    """Concentration over one window under one lens. Ratios 0..1; NaN where undefined.

    `blocks` counts all, `unattributed` those of nobody known. These are taken as miners of
    their own, so HHI is a lower bound; `hhi_unattributed_as_one` is the upper. `hhi` is the
    unbiased estimate, `hhi_plug_in` the sum of squared shares that others publish.
    `any_above` maps a threshold to the probability that some entity exceeds it, on the high side.
    `effective_number` is 1/HHI, `effective_number_entropy` exp(entropy).
    """

    blocks: int
    entities: int
    unattributed: int
    level: float
    shares: tuple[Share, ...]
    hhi: float
    hhi_plug_in: float
    hhi_interval: Interval
    hhi_unattributed_as_one: float
    effective_number: float
    effective_number_interval: Interval
    effective_number_entropy: float
    effective_number_entropy_interval: Interval
    nakamoto_half: Nakamoto
    nakamoto_third: Nakamoto
    ratios: tuple[Ratio, ...]
    any_above: Mapping[Fraction, float]
    gini: float

    def share_of(self, entity: str) -> Share | None:
        """Return the share of `entity`, None if it found no block."""
        return next((share for share in self.shares if share.entity == entity), None)

    def group(self, entities: frozenset[str] | set[str]) -> Share:
        """Return the joint share of `entities`, a group named beforehand."""
        found = sum(share.blocks for share in self.shares if share.entity in entities)
        return _shares([(" + ".join(sorted(entities)), found)], self.blocks, self.level)[0]


def summarize(
    counts: Mapping[str, int],
    *,
    unattributed: int = 0,
    level: float = intervals.LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Summary:
    """Return every concentration figure of a window with its interval.

    Parameters
    ----------
    counts:
        Blocks per entity; entities without blocks are ignored.
    unattributed:
        Further blocks of nobody known.
    level:
        Probability content of the intervals.
    draws, seed:
        Posterior draws behind the Nakamoto probabilities, and what makes them repeatable.

    Raises
    ------
    CountsError
        If a count is negative or not whole.

    Examples
    --------
    >>> summary = summarize({"a": 43, "b": 25, "c": 20, "d": 15}, unattributed=41)
    >>> summary.blocks, summary.nakamoto_half.observed, round(summary.shares[0].share, 3)
    (144, 3, 0.299)
    >>> summarize({}).hhi, summarize({}).nakamoto_half.observed
    (nan, None)
    """
    found = sorted(
        ((name, blocks) for name, blocks in counts.items() if blocks),
        key=lambda item: (-item[1], item[0]),
    )
    numbers = measures.present([blocks for _, blocks in found])
    (own,) = measures.population([unattributed]) or [0]
    everyone = numbers + [1] * own
    blocks = sum(everyone)
    hhi = measures.hhi_unbiased(everyone)
    hhi_range = intervals.hhi_interval(numbers, level, unattributed=own)
    entropy_range = intervals.entropy_interval(everyone, level)
    half, third = nakamoto_at(dict(found), (HALF, THIRD), unattributed=own, draws=draws, seed=seed)
    shares = _shares(found, blocks, level)
    above = (
        [s.above_half for s in shares],
        [s.above_third for s in shares],
        [s.above_quarter for s in shares],
    )
    return Summary(
        blocks=blocks,
        entities=len(numbers),
        unattributed=own,
        level=level,
        shares=shares,
        hhi=hhi,
        hhi_plug_in=measures.hhi(everyone),
        hhi_interval=hhi_range,
        hhi_unattributed_as_one=measures.hhi_unbiased([*numbers, own]),
        effective_number=1 / hhi if hhi > 0 else math.nan,
        effective_number_interval=intervals.inverse(hhi_range),
        effective_number_entropy=math.exp(measures.shannon(everyone, "grassberger")),
        effective_number_entropy_interval=Interval(*map(math.exp, entropy_range)),
        nakamoto_half=half,
        nakamoto_third=third,
        ratios=_ratios(numbers, blocks, level),
        any_above={
            threshold: intervals.any_exceeds(numbers, threshold, blocks, each=each)
            for threshold, each in zip(THRESHOLDS, above, strict=True)
        },
        gini=measures.gini(numbers),
    )


def _shares(found: list[tuple[str, int]], total: int, level: float) -> tuple[Share, ...]:
    numbers = np.array([blocks for _, blocks in found], dtype=np.float64)
    low, high = intervals.share_intervals(numbers, total, level)
    above = [intervals.share_exceeds(numbers, total, float(t)) for t in THRESHOLDS]
    columns = zip(low.tolist(), high.tolist(), *(part.tolist() for part in above), strict=True)
    return tuple(
        Share(name, blocks, blocks / total if total else math.nan, Interval(*ends[:2]), *ends[2:])
        for (name, blocks), ends in zip(found, columns, strict=True)
    )


def _ratios(numbers: list[int], total: int, level: float) -> tuple[Ratio, ...]:
    held = [sum(numbers[:top]) for top in TOPS]
    low, high = intervals.share_intervals(held, total, level)
    return tuple(
        Ratio(top, found / total if total else math.nan, Interval(*ends))
        for top, found, *ends in zip(TOPS, held, low.tolist(), high.tolist(), strict=True)
    )


def nakamoto_at(
    counts: Mapping[str, int],
    thresholds: Sequence[measures.Threshold],
    *,
    unattributed: int = 0,
    strict: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Nakamoto, ...]:
    """Return the Nakamoto coefficient at each of `thresholds`, from one set of draws.

    With ``strict=False`` a tie reaches the threshold, as in consensus-decentralization; the
    posterior knows no ties.

    Raises
    ------
    CountsError
        If a count is negative or not whole.
    ValueError
        If a threshold is not in 0..1.

    Examples
    --------
    >>> tied = {"a": 2, "b": 1, "c": 1}
    >>> [found.observed for found in nakamoto_at(tied, [0.5, 0.9])]
    [2, 3]
    >>> nakamoto_at(tied, [0.5], strict=False)[0].observed
    1
    """
    numbers = measures.present(counts)
    everyone = numbers + [1] * unattributed
    limits = [measures.as_fraction(threshold) for threshold in thresholds]
    observed = [measures.nakamoto(everyone, limit, strict=strict) for limit in limits]
    posteriors: list[dict[int, float]] = [{} for _ in limits]
    if everyone:
        drawn = draw_shares(numbers, draws, seed, unattributed=unattributed)
        held = np.cumsum(np.sort(drawn[:, : len(numbers)], axis=1)[:, ::-1], axis=1)
        blocks = min(sum(everyone), intervals.MANY)
        posteriors = [_sizes(held, float(t), blocks) if t < 1 else {} for t in limits]
    return tuple(
        Nakamoto(limit, size, posterior)
        for limit, size, posterior in zip(limits, observed, posteriors, strict=True)
    )


def draw_shares(
    numbers: list[int], draws: int, seed: int, *, unattributed: int = 0
) -> NDArray[np.float32]:
    """Return `draws` rows of shares from the Dirichlet posterior (Jeffreys' prior).

    One column an entity; with `unattributed` blocks, or a single entity, a last column
    holds what belongs to nobody seen.

    Examples
    --------
    >>> draw_shares([6, 3], 1000, seed=0).shape
    (1000, 2)
    """
    alphas = intervals.posterior(numbers)
    if unattributed or alphas.size < 2:
        alphas = np.append(alphas, unattributed + intervals.JEFFREYS)
    gammas = np.random.default_rng(seed).standard_gamma(
        alphas, size=(draws, alphas.size), dtype=np.float32
    )
    shares: NDArray[np.float32] = gammas / gammas.sum(axis=1, keepdims=True)
    return shares


def _sizes(held: NDArray[np.float32], threshold: float, blocks: int) -> dict[int, float]:
    """Return probabilities of the group size that first exceeds `threshold`, by size.

    Where all entities together do not, unattributed miners of one block each fill up.
    """
    size = (held <= threshold).sum(axis=1) + 1
    entities = held.shape[1]
    short = size > entities
    if short.any():
        all_held = held[short, -1] if entities else 0.0
        size[short] += np.floor((threshold - all_held) * blocks).astype(np.int64)
    values, times = np.unique(size, return_counts=True)
    return dict(zip(values.tolist(), (times / len(size)).tolist(), strict=True))
