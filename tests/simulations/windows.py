"""How often intervals and probabilities of one window, or of two, hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analyzers import differences, intervals, network
from analyzers.concentration import nakamoto
from analyzers.intervals import Interval
from analyzers.nakamoto import nakamoto_at
from analyzers.series import series
from analyzers.summary import HALF
from analyzers.windows import CountTable
from tests.analyzers.vectors import pool_mix

Floats = NDArray[np.float64]

ALPHA: Final = 0.05
FIRST_SEED: Final = 10_000


def _parts(weights: Iterable[float]) -> Floats:
    found = np.array(list(weights), dtype=np.float64)
    result: Floats = found / found.sum()
    return result


_TAGS: Final = _parts(pool_mix("tags"))

MIXES: Final[dict[str, Floats]] = {
    "by tag, 2025": _TAGS,
    "AntPool and friends as one": _parts(pool_mix("friends")),
    "by tag, 5 % by 100 small miners": _parts([*_TAGS * 0.95, *[0.05 / 100] * 100]),
    "by tag, 5 % by 1,000 small miners": _parts([*_TAGS * 0.95, *[0.05 / 1000] * 1000]),
    "one of 40 %, 300 small ones": _parts([0.4, *[0.6 / 300] * 300]),
    "Zipf, 200": _parts(1 / rank for rank in range(1, 201)),
    "geometric, 60 (0.9)": _parts(0.9**rank for rank in range(60)),
    "geometric, 60 (0.8)": _parts(0.8**rank for rank in range(60)),
    "2 equal": _parts([1] * 2),
    "4 equal": _parts([1] * 4),
    "12 equal": _parts([1] * 12),
    "50 equal": _parts([1] * 50),
    "12 nearly equal": _parts(1 + 0.3 * place for place in np.linspace(-1, 1, 12)),
    "55 and 45 %": _parts([55, 45]),
    "90 and 10 %": _parts([90, 10]),
}

Covers = Callable[[list[int], Floats], bool | None]
"""Whether an inference from counts holds what is true of shares; None where it says nothing."""


def drawn(mix: Floats, blocks: int, windows: int) -> list[list[int]]:
    """Return windows of blocks drawn from fixed shares."""
    rng = np.random.default_rng([FIRST_SEED, blocks, len(mix)])
    return [list(row) for row in rng.multinomial(blocks, mix, windows).tolist()]


def _holds(interval: Interval, value: float) -> bool:
    return interval.low - 1e-12 <= value <= interval.high + 1e-12


def hhi(counts: list[int], mix: Floats) -> bool:
    """Say whether the interval of HHI holds."""
    return _holds(intervals.hhi_interval(counts), float((mix**2).sum()))


def hhi_covered(mix: Floats, blocks: int, count: int) -> float:
    """Return the part of windows in which the interval of HHI holds, as `series` has it."""
    found = np.array(drawn(mix, blocks, count))
    places = np.arange(count, dtype=np.int64)
    names = tuple(str(place) for place in range(len(mix)))
    table = CountTable(names, found, np.zeros(count, dtype=np.int64), places, places)
    each, true = series(table), float((mix**2).sum())
    return float(np.mean((each.hhi_low <= true + 1e-12) & (true - 1e-12 <= each.hhi_high)))


def entropy(counts: list[int], mix: Floats) -> bool:
    """Say whether the interval of the entropy holds."""
    return _holds(intervals.entropy_interval(counts), float(-(mix * np.log(mix)).sum()))


def sure_entropy(counts: list[int], mix: Floats) -> bool | None:
    """Say the same where the figure has no note that it may be larger."""
    if intervals.seen_once(counts) > intervals.MANY_ONCE:
        return None
    return entropy(counts, mix)


def largest(counts: list[int], mix: Floats) -> bool:
    """Say whether the interval of the largest true share, named beforehand, holds."""
    place = int(mix.argmax())
    return _holds(intervals.share_interval(counts[place], sum(counts)), float(mix[place]))


def top_three(counts: list[int], mix: Floats) -> bool:
    """Say whether the interval of CR3 holds the joint share of the three that are largest."""
    found = sum(sorted(counts)[-3:])
    return _holds(intervals.share_interval(found, sum(counts)), float(np.sort(mix)[-3:].sum()))


def sure_top_three(counts: list[int], mix: Floats) -> bool | None:
    """Say the same where the figure has no note that ranks are not told apart."""
    return top_three(counts, mix) if intervals.told_apart(counts, 3) else None


def likely_nakamoto(counts: list[int], mix: Floats) -> bool:
    """Say whether the most probable Nakamoto coefficient is the true one."""
    table = {str(place): count for place, count in enumerate(counts)}
    posterior = nakamoto_at(table, (HALF,), draws=300)[0].alone
    return posterior.most_probable == nakamoto((mix * 1e9).round().astype(int).tolist())


def false_alarm(threshold: float) -> Covers:
    """Say whether 99 % are given for one above `threshold` although none is."""

    def alarmed(counts: list[int], mix: Floats) -> bool | None:
        if mix.max() > threshold:
            return None
        return intervals.any_exceeds(counts, threshold) > 0.99

    return alarmed


def part(check: Covers, mix: Floats, blocks: int, windows: int) -> float:
    """Return the part of windows in which `check` is so, of those where it says anything."""
    said = [check(counts, mix) for counts in drawn(mix, blocks, windows)]
    told = [each for each in said if each is not None]
    return float(np.mean(told)) if len(told) >= windows / 20 else math.nan


def part_of_changes(mix: Floats, blocks: int, windows: int) -> tuple[float, float, float]:
    """Return how often the interval of a change of HHI, and of a share, holds none; and errors.

    The last is the level of `homogeneity`: how often equal shares are told apart.
    """
    both = drawn(mix, blocks, 2 * windows)
    pairs = list(zip(both[::2], both[1::2], strict=True))
    return (
        float(np.mean([_holds(differences.hhi_change(*pair).interval, 0.0) for pair in pairs])),
        float(
            np.mean(
                [
                    _holds(
                        differences.share_change((one[0], blocks), (other[0], blocks)).interval, 0.0
                    )
                    for one, other in pairs
                ]
            )
        ),
        float(np.mean([differences.homogeneity(one, other) < ALPHA for one, other in pairs])),
    )


def refused_claims(share: float, blocks: int, windows: int) -> tuple[float, float]:
    """Return how often a true claim is refused: of a share, and of a hash rate."""
    rng = np.random.default_rng([FIRST_SEED, blocks])
    of_share = rng.binomial(blocks, share, windows).tolist()
    of_rate = rng.poisson(blocks * share, windows).tolist()
    judged = (
        [network.share_luck(found, blocks, share) for found in of_share],
        [network.luck(found, share * blocks) for found in of_rate],
    )
    one, other = (
        float(np.mean([min(each.at_most, each.at_least) <= ALPHA / 2 for each in way]))
        for way in judged
    )
    return one, other


def rate_covered(intervals_seen: int, windows: int) -> float:
    """Return how often the interval of the network's hash rate holds the true one."""
    rng = np.random.default_rng([FIRST_SEED, intervals_seen])
    times = rng.gamma(intervals_seen, 1.0, windows).tolist()
    work = float(intervals_seen)
    found = [network.hash_rate(work, intervals_seen, seconds).interval for seconds in times]
    return float(np.mean([_holds(each, 1.0) for each in found]))


def streaks(blocks: int, run: int, share: float, windows: int) -> tuple[float, float]:
    """Return the probability of a streak as computed, and the part of windows with one."""
    rng = np.random.default_rng([FIRST_SEED, blocks, run])
    hits = 0
    for _ in range(windows):
        found = network.longest_streaks((rng.random(blocks) < share).tolist())
        hits += True in found and found[True].length >= run
    return network.streak_probability(blocks, run, share), hits / windows
