"""What a window of blocks says about concentration, with how sure it is, in one value.

This is what the agent recomputes for every window and lens when a block arrives, so it is
fast (some milliseconds), needs neither Numba nor pandas, and gives the same figures for
the same counts and seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Final

import numpy as np

from analyzers import concentration as measures
from analyzers import intervals
from analyzers.ignorance import Bounds, Readings, bounds_of, share_bounds, tables, withheld
from analyzers.intervals import Interval
from analyzers.nakamoto import DRAWS, Nakamoto, nakamoto_at

HALF: Final = Fraction(1, 2)
THIRD: Final = Fraction(1, 3)
QUARTER: Final = Fraction(1, 4)
THRESHOLDS: Final = (HALF, THIRD, QUARTER)
"""A half decides the chain, a third (selfish mining without help) and a quarter (with half
of the network's help) are where attacks on revenue begin."""

TOPS: Final = (1, 2, 3, 4, 5, 6)
"""The group sizes m of the concentration ratios CR_m."""

NEVER: Final = 1e-12
"""A probability below which an entity is left out of that of any: too small to be seen."""


@dataclass(frozen=True, slots=True)
class Share:
    """One entity's part of a window.

    `share` is of the blocks known to be its own, and so is the first of each pair of
    probabilities that its true share is above a threshold. The unknown blocks may be its own
    too: `bounds` say what that would make of the share, and the second probability is for it.
    `interval` holds both, with chance.
    """

    entity: str
    blocks: int
    share: float
    interval: Interval
    bounds: Bounds
    above_half: float
    above_third: float
    above_quarter: float
    above_half_most: float
    above_third_most: float
    above_quarter_most: float

    def above_most(self, threshold: Fraction) -> float:
        """Return the probability to be above one of `THRESHOLDS` with all unknown blocks."""
        chances = (self.above_half_most, self.above_third_most, self.above_quarter_most)
        return chances[THRESHOLDS.index(threshold)]


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
class Reading:
    """Concentration of a table in which every block is somebody's. Ratios 0..1; NaN: undefined.

    `counts` are the blocks of each miner, largest first. `hhi` is the unbiased estimate,
    `hhi_plug_in` the sum of squared shares that others publish. `any_above` maps a threshold to
    the probability that some entity exceeds it, on the high side.
    """

    counts: tuple[int, ...]
    level: float
    hhi: float
    hhi_plug_in: float
    hhi_interval: Interval
    nakamoto_half: Nakamoto
    nakamoto_third: Nakamoto
    ratios: tuple[Ratio, ...]
    any_above: Mapping[Fraction, float]

    @property
    def effective_number(self) -> float:
        """1/HHI: so many equal entities would be as concentrated."""
        return 1 / self.hhi if self.hhi > 0 else math.nan

    @property
    def effective_number_interval(self) -> Interval:
        """The interval of `effective_number`."""
        return intervals.inverse(self.hhi_interval)

    @property
    def effective_number_entropy(self) -> float:
        """Like `effective_number`, but exp(entropy): large ones weigh less."""
        return math.exp(measures.shannon(self.counts, "grassberger"))

    @property
    def effective_number_entropy_interval(self) -> Interval:
        """The interval of `effective_number_entropy`."""
        return Interval(*map(math.exp, intervals.entropy_interval(self.counts, self.level)))

    @property
    def gini(self) -> float:
        """The Gini coefficient of those who found a block."""
        return measures.gini(self.counts)


@dataclass(frozen=True, slots=True)
class Summary(Reading):
    """Concentration over one window under one lens, with what unknown blocks leave open.

    `blocks` counts all, `unattributed` those of nobody known, `entities` those who are. Its own
    figures are of the reading that each unknown block is of a miner of its own; `readings` has
    this one and the others (see `analyzers.ignorance`). Nothing may be told from one reading
    alone: `analyzers.figures` puts them together.
    """

    blocks: int
    entities: int
    unattributed: int
    shares: tuple[Share, ...]
    as_one: Reading | None
    of_largest: Reading | None

    @property
    def readings(self) -> Readings[Reading]:
        """The window under each reading; the same thrice where every block is somebody's."""
        return Readings(self, self.as_one or self, self.of_largest or self)

    @property
    def withheld(self) -> str:
        """Why no single figure is given of the whole; empty if they are."""
        return withheld(self.unattributed, self.blocks)

    def any_above_bounds(self, threshold: Fraction) -> Bounds:
        """Return between what the probability lies that some entity exceeds `threshold`."""
        chances = self.readings.each(lambda reading: reading.any_above[threshold])
        return bounds_of(chances, self.unattributed)

    def share_of(self, entity: str) -> Share | None:
        """Return the share of `entity`, None if it found no block."""
        return next((share for share in self.shares if share.entity == entity), None)

    def group(self, entities: frozenset[str] | set[str]) -> Share:
        """Return the joint share of `entities`, a group named beforehand."""
        found = sum(share.blocks for share in self.shares if share.entity in entities)
        group = [(" + ".join(sorted(entities)), found)]
        return _shares(group, self.blocks, self.unattributed, self.level)[0]


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
    blocks = sum(numbers) + own
    sizes = nakamoto_at(dict(found), (HALF, THIRD), unattributed=own, draws=draws, seed=seed)
    shares = _shares(found, blocks, own, level)
    everyone = tables(numbers, own)
    rows = zip(
        everyone,
        _hhi_intervals(everyone, numbers, level, unknown=own),
        *sizes,
        _ratios(everyone, blocks, level),
        _any_above(numbers, shares, own, blocks),
        strict=True,
    )
    alone, *others = (
        Reading(
            counts=tuple(table),
            level=level,
            hhi=measures.hhi_unbiased(table),
            hhi_plug_in=measures.hhi(table),
            hhi_interval=hhi_interval,
            nakamoto_half=half,
            nakamoto_third=third,
            ratios=ratios,
            any_above=any_above,
        )
        for table, hhi_interval, half, third, ratios, any_above in (rows if own else [next(rows)])
    )
    as_one, of_largest = others or (None, None)
    return Summary(
        **{field.name: getattr(alone, field.name) for field in fields(Reading)},
        blocks=blocks,
        entities=len(numbers),
        unattributed=own,
        shares=shares,
        as_one=as_one,
        of_largest=of_largest,
    )


def _shares(
    found: list[tuple[str, int]], total: int, unknown: int, level: float
) -> tuple[Share, ...]:
    least = np.array([blocks for _, blocks in found], dtype=np.float64)
    ends = np.concatenate([least, least + unknown]) if unknown else least
    low, high = intervals.share_intervals(ends, total, level)
    chances = [intervals.share_exceeds(ends, total, float(t)) for t in THRESHOLDS]
    above, above_most = ([part[side] for part in chances] for side in _sides(len(found), unknown))
    high = high[-len(found) :]
    columns = zip(
        low[: len(found)].tolist(),
        high.tolist(),
        *(part.tolist() for part in (*above, *above_most)),
        strict=True,
    )
    return tuple(
        Share(
            name,
            blocks,
            blocks / total if total else math.nan,
            Interval(begin, end),
            share_bounds(blocks, unknown, total),
            *chances,
        )
        for (name, blocks), (begin, end, *chances) in zip(found, columns, strict=True)
    )


def _sides(entities: int, unknown: int) -> tuple[slice, slice]:
    """Return where the figures without and with all unknown blocks are; both alike for none."""
    least = slice(0, entities)
    return least, slice(entities, 2 * entities) if unknown else least


def _hhi_intervals(
    found: Readings[list[int]], known: list[int], level: float, *, unknown: int
) -> Readings[Interval]:
    alone = intervals.hhi_interval(known, level, unattributed=unknown)
    if not unknown:
        return Readings(alone, alone, alone)
    as_one, of_largest = found.as_one, found.of_largest
    return Readings(
        alone, intervals.hhi_interval(as_one, level), intervals.hhi_interval(of_largest, level)
    )


def _ratios(found: Readings[list[int]], total: int, level: float) -> Readings[tuple[Ratio, ...]]:
    held = found.each(lambda numbers: [sum(numbers[:top]) for top in TOPS])
    low, high = intervals.share_intervals(list(held), total, level)

    def of(place: int) -> tuple[Ratio, ...]:
        ends = zip(low[place].tolist(), high[place].tolist(), strict=True)
        return tuple(
            Ratio(top, blocks / total if total else math.nan, Interval(*both))
            for top, blocks, both in zip(TOPS, list(held)[place], ends, strict=True)
        )

    return Readings(of(0), of(1), of(2))


def _any_above(
    numbers: list[int], shares: Sequence[Share], unknown: int, blocks: int
) -> Readings[Mapping[Fraction, float]]:
    """Return the probability that somebody is above each threshold, under each reading.

    Miners of a single unknown block are left out: none of them is above a threshold.
    """
    alone, together, largest = {}, {}, {}
    for place, threshold in enumerate(THRESHOLDS):
        pairs = [
            (share.blocks, (share.above_half, share.above_third, share.above_quarter)[place])
            for share in shares
        ]
        alone[threshold] = _any_of(pairs, threshold, blocks)
        if unknown:
            one = unknown, float(intervals.share_exceeds(unknown, blocks, float(threshold)))
            first = (shares[0].blocks + unknown, shares[0].above_most(threshold)) if shares else one
            together[threshold] = _any_of([*pairs, one], threshold, blocks)
            largest[threshold] = _any_of([first, *pairs[1:]], threshold, blocks)
    return Readings(alone, together, largest) if unknown else Readings(alone, alone, alone)


def _any_of(pairs: list[tuple[int, float]], threshold: Fraction, total: int) -> float:
    """Return the probability that any of (blocks, its own probability) is above `threshold`."""
    likely = sorted((pair for pair in pairs if not pair[1] < NEVER), reverse=True)
    counts, each = [blocks for blocks, _ in likely], [chance for _, chance in likely]
    return intervals.any_exceeds(counts, threshold, total, each=each)
