"""What is not known, beside what is chance: the ends that it leaves to a figure.

An interval says how far a sample may be from the truth. It says nothing of blocks that nobody
is known for, of the error that a source has itself, and of how old it is: more blocks do not
make these smaller. They are kept apart as `Bounds`, carried beside every interval, and what
people are shown as an interval is the union of both (`union`).

Unknown blocks may be anybody's. Three ways to read them are computed (`Readings`): each is of a
miner of its own; all are of one further miner; all are of the largest. Moving a block from a
smaller to a larger miner makes a table more concentrated in the sense of majorization. The
first reading is majorized by every other table that the unknown blocks allow, and the last
majorizes every other: so whatever grows with concentration in that sense (Schur-convex, such as
HHI) or falls with it (entropy, Nakamoto coefficient) lies between the first and the last. The
second reading is no bound, but what is to be expected where one pool has changed its tag.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Generic, TypeVar

from analyzers.intervals import UNKNOWN, Interval

Value = TypeVar("Value")
Other = TypeVar("Other")

UNKNOWN_LIMIT: Final = Fraction(1, 10)
"""Part of unknown blocks above which no single figure is given, only what it lies between.

From there on the ends that unknown blocks leave to HHI are further apart than those of chance,
even in the smallest window that the agent watches: see "What is not known" in docs/methods.md."""


class Cause(enum.StrEnum):
    """Why a figure is not known better, however many blocks there are."""

    UNKNOWN_BLOCKS = "unknown blocks"
    SOURCE_ERROR = "error of the source"
    SOURCE_AGE = "age of the source"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what a figure lies for all that is not known, chance apart; NaN where unbounded.

    `causes` are why; there are none where all is known, and both ends are then the figure.

    Examples
    --------
    >>> share = Bounds(0.2, 0.25, (Cause.UNKNOWN_BLOCKS,))
    >>> both = share.joined(Bounds(0.18, 0.22, (Cause.SOURCE_AGE,)))
    >>> both.low, both.high, [str(cause) for cause in both.causes]
    (0.18, 0.25, ['unknown blocks', 'age of the source'])
    """

    low: float
    high: float
    causes: tuple[Cause, ...] = ()

    @property
    def width(self) -> float:
        """How far apart the ends are, in the unit of the figure."""
        return self.high - self.low

    def joined(self, other: Bounds) -> Bounds:
        """Return what holds if either may be so: the hull, for the causes of both."""
        low, high = union([(self.low, self.high), (other.low, other.high)])
        return Bounds(low, high, tuple(dict.fromkeys((*self.causes, *other.causes))))

    def less(self, other: Bounds) -> Bounds:
        """Return the bounds of this figure minus `other`.

        Examples
        --------
        >>> Bounds(4.0, 6.0).less(Bounds(1.0, 2.0))
        Bounds(low=2.0, high=5.0, causes=())
        """
        causes = tuple(dict.fromkeys((*self.causes, *other.causes)))
        return Bounds(self.low - other.high, self.high - other.low, causes)


UNBOUNDED: Final = Bounds(*UNKNOWN)
"""Nothing is known of the ends."""


def union(intervals: Iterable[tuple[float, float]]) -> Interval:
    """Return the interval from the lowest to the highest end; unknown if one of them is.

    Examples
    --------
    >>> union([Interval(0.1, 0.2), Interval(0.15, 0.4)])
    Interval(low=0.1, high=0.4)
    """
    lows, highs = zip(*intervals, strict=True)
    if any(map(math.isnan, (*lows, *highs))):
        return UNKNOWN
    return Interval(min(lows), max(highs))


@dataclass(frozen=True, slots=True)
class Readings(Generic[Value]):
    """One thing under each way to read unknown blocks; the same thrice where there are none.

    `alone`: each is of a miner of its own. `as_one`: all are of one further miner. `of_largest`:
    all are of the largest.
    """

    alone: Value
    as_one: Value
    of_largest: Value

    def __iter__(self) -> Iterator[Value]:
        return iter((self.alone, self.as_one, self.of_largest))

    def each(self, of: Callable[[Value], Other]) -> Readings[Other]:
        """Return what `of` makes of each; of one thing it is asked once."""
        alone = of(self.alone)
        if self.as_one is self.alone and self.of_largest is self.alone:
            return Readings(alone, alone, alone)
        return Readings(alone, of(self.as_one), of(self.of_largest))


def tables(numbers: Sequence[int], unknown: int) -> Readings[list[int]]:
    """Return the blocks of each miner, largest first, under each reading of `unknown` blocks.

    `numbers` are those of the known ones, largest first.

    Examples
    --------
    >>> tables([5, 2], 3)
    Readings(alone=[5, 2, 1, 1, 1], as_one=[5, 3, 2], of_largest=[8, 2])
    """
    if not unknown:
        known = list(numbers)
        return Readings(known, known, known)
    first = numbers[0] if numbers else 0
    return Readings(
        [*numbers, *[1] * unknown],
        sorted([*numbers, unknown], reverse=True),
        [first + unknown, *numbers[1:]],
    )


def bounds_of(found: Readings[float], unknown: int) -> Bounds:
    """Return between what a bounded measure lies, by its readings of so many `unknown` blocks.

    Examples
    --------
    >>> nakamoto = bounds_of(Readings(4.0, 3.0, 2.0), 935)
    >>> nakamoto.low, nakamoto.high
    (2.0, 4.0)
    """
    return Bounds(*union((value, value) for value in found), causes_of(unknown))


def share_bounds(blocks: int, unknown: int, total: int) -> Bounds:
    """Return the bounds of the share (0..1) of who found `blocks` of `total`, `unknown` apart.

    None of the unknown blocks may be its own, or all of them.

    Examples
    --------
    >>> share_bounds(20, 5, 100)
    Bounds(low=0.2, high=0.25, causes=(<Cause.UNKNOWN_BLOCKS: 'unknown blocks'>,))
    """
    if not total:
        return UNBOUNDED
    return Bounds(blocks / total, (blocks + unknown) / total, causes_of(unknown))


def causes_of(unknown: int) -> tuple[Cause, ...]:
    """Return the cause that `unknown` blocks are, if there are any.

    Examples
    --------
    >>> causes_of(0)
    ()
    """
    return (Cause.UNKNOWN_BLOCKS,) if unknown else ()


def withheld(unknown: int, blocks: int) -> str:
    """Say why no single figure of `blocks` is given, of which so many are unknown; "" if it is.

    Examples
    --------
    >>> withheld(935, 4377)
    '935 of 4377 blocks are unknown, more than 10%: figures are given only between their ends'
    >>> withheld(14, 144)
    ''
    """
    if unknown <= UNKNOWN_LIMIT * blocks:
        return ""
    return (
        f"{unknown} of {blocks} blocks are unknown, more than {float(UNKNOWN_LIMIT):.0%}: "
        "figures are given only between their ends"
    )
