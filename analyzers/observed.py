"""What a stretch of chain says about the network: all of `analyzers.network`, over blocks.

Hash rate, shares of it, streaks, empty and stale blocks and delays, each with its
interval. Times are Unix seconds, work is in hashes, rates in hashes per second.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import NamedTuple

from analyzers.intervals import LEVEL, share_interval
from analyzers.network import (
    NO_ESTIMATE,
    Delays,
    Estimate,
    Luck,
    any_streak_probability,
    event_rate,
    first_seen_delays,
    hash_rate,
    longest_streaks,
    luck,
    pool_hash_rate,
    share_luck,
    streak_probability,
)
from hashing.params import MEDIAN_TIME_SPAN


class Seen(NamedTuple):
    """A block of the active chain. `entity` None: nobody known; other None: not known.

    `work` is the expected number of hashes that its target asks for; `first_seen` is when
    the source first saw it.
    """

    height: int
    time: int
    work: float
    entity: str | None
    tx_count: int | None = None
    first_seen: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The longest run of blocks of one entity.

    `probability` is that of so long a run of this entity anywhere in the window, if its share
    is the one observed.
    """

    length: int
    height: int
    probability: float


@dataclass(frozen=True, slots=True)
class EmptyBlocks:
    """Blocks with no transaction but the coinbase, of those whose number is known."""

    found: int
    of_blocks: int
    share: Estimate


@dataclass(frozen=True, slots=True)
class EntityView:
    """What the window says about one entity; `share` is of all its blocks."""

    entity: str
    blocks: int
    share: Estimate
    rate: Estimate
    run: Run
    empty: EmptyBlocks
    delays: Delays


@dataclass(frozen=True, slots=True)
class Observed:
    """The network over a window. `seconds` and `timed_blocks` are what rates are from.

    `any_run` is the longest run of all with the probability to see any entity make one as
    long: None where nobody is known. `stale` is per active block, and a lower bound.
    """

    blocks: int
    timed_blocks: int
    seconds: int
    rate: Estimate
    entities: tuple[EntityView, ...]
    any_run: tuple[str, Run] | None
    empty: EmptyBlocks
    stale_blocks: int
    stale: Estimate
    delays: Delays


def observe(
    blocks: Sequence[Seen],
    before: Sequence[int] = (),
    stale_blocks: int = 0,
    level: float = LEVEL,
) -> Observed:
    """Return all figures of `blocks`, in height order.

    Parameters
    ----------
    before:
        Header times of the blocks before the first, eleven if there are as many: rates are
        timed by median time past, and blocks without one are not timed.
    stale_blocks:
        How many stale blocks were seen in the same stretch.

    Examples
    --------
    >>> chain = [Seen(h, 600 * h, 6e22, "ab"[h % 3 == 0], 1 + h % 7) for h in range(11, 155)]
    >>> view = observe(chain, range(0, 6600, 600))
    >>> view.blocks, view.rate.value / 1e18, [entity.blocks for entity in view.entities]
    (144, 100.0, [96, 48])
    >>> view.any_run[0], view.any_run[1].length, view.empty.found
    ('a', 2, 21)
    """
    timed, seconds = _timed(blocks, before)
    work = math.fsum(block.work for block in timed)
    by_entity: dict[str, list[Seen]] = defaultdict(list)
    for block in blocks:
        if block.entity is not None:
            by_entity[block.entity].append(block)
    runs = longest_streaks([block.entity for block in blocks])
    timed_found: dict[str | None, int] = defaultdict(int)
    for block in timed:
        timed_found[block.entity] += 1
    views = []
    for entity, found in sorted(by_entity.items(), key=lambda item: (-len(item[1]), item[0])):
        share, streak = len(found) / len(blocks), runs[entity]
        rate = NO_ESTIMATE
        if timed:
            rate = pool_hash_rate(timed_found[entity], work / len(timed), seconds, level)
        chance = streak_probability(len(blocks), streak.length, share)
        views.append(
            EntityView(
                entity,
                len(found),
                Estimate(share, share_interval(len(found), len(blocks), level)),
                rate,
                Run(streak.length, blocks[streak.start].height, chance),
                _empty(found, level),
                first_seen_delays((block.time, block.first_seen) for block in found),
            )
        )
    return Observed(
        blocks=len(blocks),
        timed_blocks=len(timed),
        seconds=seconds,
        rate=hash_rate(work, len(timed), seconds, level),
        entities=tuple(views),
        any_run=_any_run(views, len(blocks)),
        empty=_empty(blocks, level),
        stale_blocks=stale_blocks,
        stale=event_rate(stale_blocks, len(blocks), level),
        delays=first_seen_delays((block.time, block.first_seen) for block in blocks),
    )


def _timed(blocks: Sequence[Seen], before: Sequence[int]) -> tuple[Sequence[Seen], int]:
    """Return the blocks that a median time past comes before, and the seconds they took."""
    times = [*before, *(block.time for block in blocks)]
    start = max(len(before), MEDIAN_TIME_SPAN)
    timed = blocks[start - len(before) :]
    if not timed:
        return (), 0
    ends = (times[start - MEDIAN_TIME_SPAN : start], times[-MEDIAN_TIME_SPAN:])
    first, last = (median_low(part) for part in ends)
    return timed, last - first


def _empty(blocks: Sequence[Seen], level: float) -> EmptyBlocks:
    known = [block.tx_count for block in blocks if block.tx_count is not None]
    found = sum(count == 1 for count in known)
    if not known:
        return EmptyBlocks(0, 0, NO_ESTIMATE)
    share = Estimate(found / len(known), share_interval(found, len(known), level))
    return EmptyBlocks(found, len(known), share)


def _any_run(views: Sequence[EntityView], blocks: int) -> tuple[str, Run] | None:
    if not views:
        return None
    longest = max(views, key=lambda view: (view.run.length, -view.blocks))
    shares = [view.share.value for view in views]
    chance = any_streak_probability(blocks, longest.run.length, shares)
    return longest.entity, Run(longest.run.length, longest.run.height, chance)


class Claim(NamedTuple):
    """What somebody says of a pool: its share (0..1), or its hash rate (H/s)."""

    share: float | None = None
    rate: float | None = None


def judge_claims(
    view: Observed, claims: Mapping[str, Claim], level: float = LEVEL
) -> dict[str, Luck]:
    """Return the luck of each pool that something is claimed of.

    A claimed share expects that part of the blocks, whose number is given: luck is binomial.
    A claimed hash rate expects its work over the work of a block in the time that the timed
    blocks took, which needs no share of the network and so no hash rate of it: Poisson.

    Examples
    --------
    >>> chain = [Seen(h, 600 * h, 6e22, "ab"[h % 3 == 0]) for h in range(11, 155)]
    >>> found = judge_claims(observe(chain, range(0, 6600, 600)), {"b": Claim(rate=50e18)})
    >>> round(found["b"].ratio.value, 3), round(found["b"].at_most, 3)
    (0.667, 0.002)
    """
    found = {entity.entity: entity.blocks for entity in view.entities}
    result = {}
    for name, claim in claims.items():
        seen = found.get(name, 0)
        if claim.share is not None:
            result[name] = share_luck(seen, view.blocks, claim.share, level)
        else:
            expected = (claim.rate or 0.0) / view.rate.value * view.blocks
            result[name] = luck(seen, expected, level)
    return result
