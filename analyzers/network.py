"""Figures of the network: hash rate, difficulty forecast, luck, streaks, stale blocks.

Block finding is a Poisson process whose rate is hash rate over expected hashes a block, so
every figure from a few blocks is loose: 144 blocks know the hash rate to some 16 %. Times
are seconds, work is in hashes, hash rates in hashes per second, rates and shares 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, bdtrc, betaincinv, gammaincinv, pdtr, pdtrc

from analyzers.intervals import LEVEL, UNKNOWN, Interval, share_interval
from hashing.params import RETARGET_INTERVAL, TARGET_SPACING, TARGET_TIMESPAN
from hashing.target import HASHES_PER_DIFFICULTY

CLAMP = 4
"""A retarget changes difficulty by no more than this factor."""


class Estimate(NamedTuple):
    """A figure with its interval, in one unit."""

    value: float
    interval: Interval


NO_ESTIMATE = Estimate(math.nan, UNKNOWN)


def hashes_from_difficulty(difficulty: float) -> float:
    """Return the expected number of hashes to find a block at `difficulty`.

    Examples
    --------
    >>> round(hashes_from_difficulty(1) / 600, 2)
    7158388.06
    """
    return difficulty * HASHES_PER_DIFFICULTY


def hash_rate(work: float, intervals: int, seconds: float, level: float = LEVEL) -> Estimate:
    """Return the hash rate (H/s) that did `work` in `intervals` block intervals.

    `work` is the sum of the expected hashes of the blocks that end the intervals, so that a
    retarget inside needs no averaging of difficulty. The time of n intervals is
    Erlang distributed: the interval is rate * chi2_{2n} quantiles / 2n. Use median time past
    or a long span for `seconds`: single header times are set by miners. NaN without an
    interval or without time.

    Examples
    --------
    >>> rate = hash_rate(144 * hashes_from_difficulty(148.26e12), 144, 82_000)
    >>> [round(figure / 1e18, 1) for figure in (rate.value, *rate.interval)]
    [1118.3, 943.1, 1308.1]
    """
    if intervals < 1 or seconds <= 0:
        return NO_ESTIMATE
    rate, tail = work / seconds, (1 - level) / 2
    low, high = (float(gammaincinv(intervals, q)) / intervals for q in (tail, 1 - tail))
    return Estimate(rate, Interval(rate * low, rate * high))


def poisson_interval(found: int, level: float = LEVEL) -> Interval:
    """Return the exact interval of a Poisson mean of which `found` events were seen.

    Source: Garwood 1936, doi:10.1093/biomet/28.3-4.437.

    Examples
    --------
    >>> [round(end, 2) for end in poisson_interval(17)]
    [9.9, 27.22]
    """
    tail = (1 - level) / 2
    low = float(gammaincinv(found, tail)) if found else 0.0
    return Interval(low, float(gammaincinv(found + 1, 1 - tail)))


def pool_hash_rate(
    found: int, hashes_per_block: float, seconds: float, level: float = LEVEL
) -> Estimate:
    """Return a pool's hash rate (H/s) from the blocks it found in `seconds`.

    `hashes_per_block` is the mean of the window. Luck is inside the interval (Garwood's),
    that of the rest of the network does not matter.

    Examples
    --------
    >>> round(pool_hash_rate(43, hashes_from_difficulty(148.26e12), 86_400).value / 1e18)
    317
    """
    if seconds <= 0:
        return NO_ESTIMATE
    low, high = poisson_interval(found, level)
    unit = hashes_per_block / seconds
    return Estimate(found * unit, Interval(low * unit, high * unit))


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the next retarget will do, as far as the epoch's blocks tell.

    `factor` multiplies difficulty (1.02 is +2 %); `seconds_left` until the last block of
    the epoch, `blocks_left` as many.
    """

    factor: Estimate
    seconds_left: Estimate
    blocks_left: int


def forecast(
    intervals: int, seconds: float, level: float = LEVEL, *, period: int = RETARGET_INTERVAL
) -> Forecast:
    """Forecast the retarget after `intervals` of an epoch's 2015 took `seconds`.

    `period` is the number of blocks in an epoch where that is another one.

    The point goes on at the pace so far. The interval holds hash rate constant and knows it
    only from the blocks so far: with m intervals to come and a flat prior on the log rate,
    the rest takes seconds * BetaPrime(m, intervals). The timespan that counts has 2015
    intervals but is held against 2016 * 600 s; the factor is clamped to 1/4..4.

    Raises
    ------
    ValueError
        If `intervals` is not within 0..2015.

    Examples
    --------
    >>> view = forecast(144, 144 * 612).factor
    >>> [round(100 * (figure - 1), 1) for figure in (view.value, *view.interval)]
    [-1.9, -16.8, 14.1]
    """
    whole = period - 1
    if not 0 <= intervals <= whole:
        raise ValueError(f"an epoch has 0..{whole} intervals, not {intervals}")
    left = whole - intervals
    if not intervals or seconds <= 0:
        return Forecast(NO_ESTIMATE, NO_ESTIMATE, left)
    rest = seconds * left / intervals
    rests = (rest, rest)
    if left:
        tail = (1 - level) / 2
        parts = [float(betaincinv(left, intervals, q)) for q in (tail, 1 - tail)]
        rests = (seconds * parts[0] / (1 - parts[0]), seconds * parts[1] / (1 - parts[1]))
    factor, high, low = (_clamped(seconds + more) for more in (rest, *rests))
    return Forecast(Estimate(factor, Interval(low, high)), Estimate(rest, Interval(*rests)), left)


def _clamped(timespan: float) -> float:
    return min(max(TARGET_TIMESPAN / timespan, 1 / CLAMP), float(CLAMP))


@dataclass(frozen=True, slots=True)
class Luck:
    """Blocks found against blocks expected.

    `at_most` and `at_least` are the probabilities of so few, or so many, if the claim
    behind `expected` is true.
    """

    ratio: Estimate
    at_most: float
    at_least: float


def luck(found: int, expected: float, level: float = LEVEL) -> Luck:
    """Judge `found` blocks against the number `expected` of a stated hash rate in a known time.

    How many blocks come in a stretch of time is random, so `found` is Poisson distributed. Of
    a window of a fixed number of blocks, and a claimed share of them, use `share_luck`. The
    claim must come from outside: expected from the same blocks, luck is 1 by construction.

    Examples
    --------
    >>> round(luck(30, 43.2).at_most, 6), round(luck(58, 43.2).at_least, 6)
    (0.022008, 0.018136)
    """
    if not expected > 0:
        return Luck(NO_ESTIMATE, math.nan, math.nan)
    low, high = poisson_interval(found, level)
    return Luck(
        Estimate(found / expected, Interval(low / expected, high / expected)),
        at_most=float(pdtr(found, expected)),
        at_least=float(pdtrc(found - 1, expected)) if found else 1.0,
    )


def share_luck(found: int, blocks: int, share: float, level: float = LEVEL) -> Luck:
    """Judge `found` of `blocks` against a claimed `share` (0..1) of them.

    The number of blocks is given, so `found` is binomial: Poisson tails would be too wide, by
    a factor of sqrt(1 - share) in the deviation, and seldom refuse a wrong claim. The interval
    is Clopper and Pearson's over the share. NaN for an empty window or a share of 0.

    Raises
    ------
    ValueError
        If `share` is not within 0..1, or `found` not within 0..`blocks`.

    Examples
    --------
    >>> round(share_luck(30, 144, 0.3).at_most, 6), round(share_luck(58, 144, 0.3).at_least, 6)
    (0.008803, 0.00549)
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a claimed share is within 0..1, not {share}")
    if not 0 <= found <= blocks:
        raise ValueError(f"blocks found must be within 0..{blocks}, not {found}")
    expected = share * blocks
    if not expected > 0:
        return Luck(NO_ESTIMATE, math.nan, math.nan)
    low, high = share_interval(found, blocks, level, "clopper-pearson")
    return Luck(
        Estimate(found / expected, Interval(low / share, high / share)),
        at_most=float(bdtr(found, blocks, share)),
        at_least=float(bdtrc(found - 1, blocks, share)) if found else 1.0,
    )


def streak_probability(blocks: int, run: int, share: float) -> float:
    """Return the probability that a pool of `share` finds `run` in a row somewhere in `blocks`.

    Exact, by recursion over the place where the first such run ends.

    Raises
    ------
    ValueError
        If `run` is below 1 or `share` not within 0..1.

    Examples
    --------
    >>> streak_probability(10, 3, 0.5), round(streak_probability(144, 6, 0.3), 6)
    (0.5078125, 0.068894)
    """
    if run < 1 or not 0 <= share <= 1:
        raise ValueError("a streak needs a run of 1 or more and a share within 0..1")
    if blocks < run:
        return 0.0
    whole = share**run
    seen = [0.0] * run + [whole]
    for _ in range(run, blocks):
        seen.append(seen[-1] + (1 - seen[-1 - run]) * (1 - share) * whole)
    return min(1.0, seen[-1])


def any_streak_probability(blocks: int, run: int, shares: Iterable[float]) -> float:
    """Return the probability to see any pool find `run` in a row somewhere in `blocks`.

    The honest question after a streak was noticed. Poisson approximation over the expected
    number of runs of all pools, ((n - k)(1 - q) + 1) q^k each; never below the exact figure
    of the largest alone.

    Examples
    --------
    >>> round(any_streak_probability(1008, 6, [0.3, 0.175, 0.135]), 2)
    0.42
    """
    if blocks < run:
        return 0.0
    known = list(shares)
    expected = math.fsum(((blocks - run) * (1 - q) + 1) * q**run for q in known)
    alone = streak_probability(blocks, run, max(known, default=0.0))
    return max(alone, -math.expm1(-expected))


class Streak(NamedTuple):
    """A run of blocks by one entity, from index `start` of the sequence looked at."""

    length: int
    start: int


def longest_streaks(miners: Sequence[Hashable | None]) -> Mapping[Hashable, Streak]:
    """Return each entity's longest run of consecutive blocks, the first of equals.

    None (nobody known) ends a run and has none.

    Examples
    --------
    >>> longest_streaks(["a", "b", "b", None, "a"])
    {'a': Streak(length=1, start=0), 'b': Streak(length=2, start=1)}
    """
    best: dict[Hashable, Streak] = {}
    start = 0
    for index, miner in enumerate(miners):
        if index and miner != miners[index - 1]:
            start = index
        length = index - start + 1
        if miner is not None and (miner not in best or length > best[miner].length):
            best[miner] = Streak(length, start)
    return best


def event_rate(found: int, blocks: int, level: float = LEVEL) -> Estimate:
    """Return how often something happens per block, with Garwood's interval.

    For stale blocks against active ones: a node sees only stales that were relayed to it,
    so that rate is a lower bound. For shares of the blocks themselves (empty blocks) use
    `analyzers.intervals.share_interval`.

    Examples
    --------
    >>> rate = event_rate(17, 52_560)
    >>> [round(100 * figure, 3) for figure in (rate.value, *rate.interval)]
    [0.032, 0.019, 0.052]
    """
    if not blocks:
        return NO_ESTIMATE
    low, high = poisson_interval(found, level)
    return Estimate(found / blocks, Interval(low / blocks, high / blocks))


def stale_rate_from_delay(delay: float) -> float:
    """Return the stale rate that an effective propagation delay (seconds) makes.

    1 - exp(-delay / 600): the chance of a rival block before everyone has switched.

    Examples
    --------
    >>> round(100 * stale_rate_from_delay(2), 3)
    0.333
    """
    return -math.expm1(-delay / TARGET_SPACING)


def delay_from_stale_rate(rate: float) -> float:
    """Return the effective delay (seconds) behind a stale `rate` (0..1, below 1).

    Examples
    --------
    >>> round(delay_from_stale_rate(0.0169), 1)
    10.2
    """
    return -TARGET_SPACING * math.log1p(-rate)


class Delays(NamedTuple):
    """Quantiles of first-seen minus header time, in seconds."""

    blocks: int
    median: float
    p10: float
    p90: float


def first_seen_delays(times: Iterable[tuple[int, int | None]]) -> Delays:
    """Summarise (header time, first seen) pairs; pairs without a first-seen time are left out.

    Header times are set when a miner starts on a template and may lie in the future: a
    delay can be negative, and differences between pools mostly show their clocks and how
    often they renew the header time.

    Examples
    --------
    >>> first_seen_delays([(100, 103), (700, None), (1300, 1301)]).blocks
    2
    """
    delays = [seen - stated for stated, seen in times if seen is not None]
    if not delays:
        return Delays(0, math.nan, math.nan, math.nan)
    low, middle, high = np.quantile(delays, (0.1, 0.5, 0.9)).tolist()
    return Delays(len(delays), middle, low, high)
