"""The Nakamoto coefficient of a window: observed, and how probable each true one is.

Under each way to read the unknown blocks of the window (`analyzers.ignorance`), from one set of
posterior draws: so the readings differ by what they say, and never by chance.
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
from analyzers.ignorance import Readings, tables

DRAWS: Final = 1000
"""Posterior draws behind the probabilities: 0.016 standard error at most."""

Floats = NDArray[np.float32]


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


def nakamoto_at(
    counts: Mapping[str, int],
    thresholds: Sequence[measures.Threshold],
    *,
    unattributed: int = 0,
    strict: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Readings[Nakamoto], ...]:
    """Return the Nakamoto coefficient at each of `thresholds`, under each reading.

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
    >>> [found.alone.observed for found in nakamoto_at(tied, [0.5, 0.9])]
    [2, 3]
    >>> nakamoto_at(tied, [0.5], strict=False)[0].alone.observed
    1
    >>> [reading.observed for reading in nakamoto_at(tied, [0.5], unattributed=4)[0]]
    [4, 2, 1]
    """
    numbers = measures.present(counts)
    limits = [measures.as_fraction(threshold) for threshold in thresholds]
    blocks = min(sum(numbers) + unattributed, intervals.MANY)
    held = _held(numbers, unattributed, draws, seed) if blocks else None

    def at(limit: Fraction) -> Readings[Nakamoto]:
        sizes = tables(numbers, unattributed).each(
            lambda table: measures.nakamoto(table, limit, strict=strict)
        )
        if held is None or limit >= 1:
            return sizes.each(lambda size: Nakamoto(limit, size, {}))
        chances = held.each(lambda sums: _chances(sums, float(limit), blocks))
        if not unattributed:
            found = Nakamoto(limit, sizes.alone, chances.alone)
            return Readings(found, found, found)
        pairs = zip(sizes, chances, strict=True)
        return Readings(*(Nakamoto(limit, size, chance) for size, chance in pairs))

    return tuple(map(at, limits))


def _held(numbers: list[int], unknown: int, draws: int, seed: int) -> Readings[Floats]:
    """Return, a column a draw, what the largest, the two largest … hold of all work.

    Shares are drawn from the Dirichlet posterior with Jeffreys' prior. Blocks of a miner each,
    and what is left for miners not seen, belong to no row.
    """
    parts = draw_parts(numbers, unknown, draws, seed)
    named, own, unseen = parts[:, : len(numbers)], parts[:, -2:-1], parts[:, -1:]
    whole = parts.sum(axis=1, keepdims=True)
    alone = _sums(named / whole)
    if not unknown:
        return Readings(alone, alone, alone)
    # as one miner they bring the prior's half block, as blocks of a known one they do not
    if not numbers:
        single = _sums(own / whole)
        return Readings(alone, single, single)
    largest = np.concatenate([named[:, :1] + own, named[:, 1:]], axis=1)
    return Readings(
        alone,
        _sums(np.concatenate([named, own + unseen], axis=1) / whole),
        _sums(largest / (whole - unseen if len(numbers) > 1 else whole)),
    )


def _sums(shares: Floats) -> Floats:
    sums: Floats = np.cumsum(np.sort(shares, axis=1).T[::-1], axis=0)
    return sums


def draw_parts(numbers: list[int], unknown: int, draws: int, seed: int) -> Floats:
    """Return `draws` rows of independent Gamma draws, whose ratios to their sum are the shares.

    One column an entity, one for `unknown` blocks (0 where there are none), and one for miners
    not seen: 0 where every block has an owner, of two entities or more.

    Examples
    --------
    >>> draw_parts([6, 3], 0, 1000, seed=0).shape
    (1000, 4)
    """
    alphas = np.append(intervals.posterior(numbers), [unknown, intervals.JEFFREYS])
    if not unknown and len(numbers) > 1:
        alphas[-1] = 0
    return np.random.default_rng(seed).standard_gamma(
        alphas, size=(draws, alphas.size), dtype=np.float32
    )


def _chances(held: Floats, threshold: float, blocks: int) -> dict[int, float]:
    """Return probabilities of the group size that first exceeds `threshold`, by size.

    Where all entities together do not, miners of one block each fill up.
    """
    entities, draws = held.shape
    times: dict[int, int] = {}
    reached = 0
    for size, sums in enumerate(held, start=1):
        now = int(np.count_nonzero(sums > threshold))
        times[size], reached = now - reached, now
        if reached == draws:
            break
    else:
        last = held[-1][held[-1] <= threshold] if entities else np.zeros(draws)
        short = entities + 1 + np.floor((threshold - last) * blocks).astype(np.int64)
        values, counted = np.unique(short, return_counts=True)
        times |= dict(zip(values.tolist(), counted.tolist(), strict=True))
    return {size: number / draws for size, number in times.items() if number}
