"""Any market under the measures of mining pools: shares, bounds, growth, divergence.

Published shares mostly name the largest few and leave a rest. What the rest is decides how
concentrated a market is, so figures come as bounds: at the low end the rest is many tiny
firms, at the high end firms as large as the smallest that is listed, which holds
for lists of the largest and for no other. Counts are another matter: they have intervals, by
`analyzers.summary`.

Shares of two series are never put in one line. Two publishers count different things, and
the step between them is then taken for a change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from analyzers.intervals import Interval
from analyzers.tables import REST, Period, Row
from analyzers.trend import MINIMUM, trend

GRAIN: Final = 10**7
"""Shares become whole parts of this many, so that the measures of counts apply exactly."""

FULL_LIST: Final = 4
"""Shares of fewer entities leave bounds of HHI too wide to compare, but see `FULL_COVER`."""
FULL_COVER: Final = 0.9
"""Shares that add up to this much of the whole compare, however few they are."""

Change = Literal["rose", "fell", "within its bounds", "unknown"]


class ShareError(ValueError):
    """Shares that cannot be compared: no numbers, over the whole, or of several series."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Who had what part of a whole at one time: ratios 0..1, largest first, by one source."""

    series: str
    period: Period | None
    parts: tuple[tuple[str, Decimal], ...]
    sources: tuple[str, ...] = ()

    @property
    def covered(self) -> float:
        """The part of the whole that is listed (0..1)."""
        return float(sum(share for _, share in self.parts))

    def share_of(self, entity: str) -> float | None:
        """Return the share of `entity`, None if it is not listed."""
        return next((float(share) for name, share in self.parts if name == entity), None)


class Measures(NamedTuple):
    """Concentration of one list of shares: each figure from its least to its greatest value.

    `nakamoto` has None for the greatest where the listed do not reach a half.
    """

    listed: int
    covered: float
    hhi: Interval
    effective_number: Interval
    nakamoto: tuple[int | None, int | None]
    largest: float
    top3: Interval


def shares_of(
    pairs: Iterable[tuple[str, Decimal]],
    series: str = "",
    period: Period | None = None,
    sources: Sequence[str] = (),
) -> Shares:
    """Return shares (ratios) in order; those of the entity `rest` are left unlisted.

    Raises
    ------
    ShareError
        If a share is not within 0..1, an entity comes twice, or all are over the whole.
    """
    parts: dict[str, Decimal] = {}
    for name, share in pairs:
        if name == REST:
            continue
        if name in parts:
            raise ShareError(f"{name[:40]!r} comes twice in {series or 'the table'} {period or ''}")
        if not 0 <= share <= 1:
            raise ShareError(f"the share of {name[:40]!r} is not within the whole")
        parts[name] = share
    slack = Decimal("0.005") * max(1, len(parts)).bit_length()
    if sum(parts.values()) > 1 + slack:
        raise ShareError(f"the shares of {series or 'the table'} {period or ''} exceed the whole")
    ordered = sorted(parts.items(), key=lambda item: (-item[1], item[0]))
    return Shares(series, period, tuple(ordered), tuple(dict.fromkeys(sources)))


def from_rows(rows: Iterable[Row]) -> list[Shares]:
    """Return the shares in a sourced table, one for each series and date, oldest first."""
    groups: dict[tuple[str, Period], list[Row]] = {}
    for row in rows:
        if row.unit == "%":
            groups.setdefault((row.series, row.period), []).append(row)
    found = [
        shares_of(
            ((row.entity, row.value / 100) for row in group),
            series,
            period,
            [row.source for row in group],
        )
        for (series, period), group in groups.items()
    ]
    return sorted(found, key=lambda shares: (shares.series, shares.period or NEVER))


NEVER: Final = Period.parse("9999")
"""Where tables without a date are sorted to."""


def measure(shares: Shares) -> Measures:
    """Return the bounds of every measure, for all that the unlisted rest may be.

    Examples
    --------
    >>> d = Decimal
    >>> found = measure(shares_of([("AWS", d("0.29")), ("Azure", d("0.2")), ("GCP", d("0.13"))]))
    >>> [round(end * 10_000) for end in found.hhi], round(found.top3.low, 2)
    ([1410, 1892], 0.62)
    """
    listed = [max(1, round(share * GRAIN)) for _, share in shares.parts if share]
    if not listed:
        unknown = Interval(math.nan, math.nan)
        return Measures(0, 0.0, unknown, unknown, (None, None), math.nan, unknown)
    known = sum(listed)
    rest, smallest = max(0, GRAIN - known), listed[-1]
    alike, last = divmod(rest, smallest)  # the rest as firms of the smallest size, and one less
    whole = known + rest
    squares = sum(part * part for part in listed)
    hhi = Interval(
        squares / whole**2, (squares + alike * smallest * smallest + last * last) / whole**2
    )
    fewest = _fewest(listed, smallest, whole)
    largest = [*listed[:3], *[smallest] * min(alike, 3), last][:3]
    reached = 2 * known > whole
    return Measures(
        listed=len(listed),
        covered=known / whole,
        hhi=hhi,
        effective_number=Interval(1 / hhi.high, 1 / hhi.low),
        nakamoto=(fewest, fewest if reached else None),
        largest=listed[0] / whole,
        top3=Interval(sum(listed[:3]) / whole, sum(largest) / whole),
    )


def _fewest(listed: Sequence[int], smallest: int, whole: int) -> int:
    """Return how many hold more than half, where the unlisted are as large as the smallest."""
    held = 0
    for size, part in enumerate(listed, start=1):
        held += part
        if 2 * held > whole:
            return size
    return len(listed) - (held - whole // 2 - 1) // smallest


def measure_part(shares: Shares) -> Measures:
    """Return what holds for a list that leaves out entities larger than some it has.

    Only the lower bound of HHI follows, and with it the upper one of the effective number.

    Examples
    --------
    >>> found = measure_part(shares_of([("Canada", Decimal("0.05"))]))
    >>> round(found.hhi.low * 10_000), found.hhi.high
    (25, nan)
    """
    found = measure(shares)
    nan = math.nan
    return found._replace(
        hhi=Interval(found.hhi.low, nan),
        effective_number=Interval(nan, found.effective_number.high),
        nakamoto=(None, None),
        largest=nan,
        top3=Interval(nan, nan),
    )


def full_lists(tables: Iterable[Shares]) -> list[Shares]:
    """Return the tables that list enough for bounds of HHI that can be compared.

    Examples
    --------
    >>> d = Decimal
    >>> full_lists([shares_of([("AWS", d("0.29")), ("Azure", d("0.2"))])])
    []
    """
    return [
        shares
        for shares in tables
        if sum(share > 0 for _, share in shares.parts) >= FULL_LIST or shares.covered >= FULL_COVER
    ]


def one_series(tables: Sequence[Shares]) -> Sequence[Shares]:
    """Return `tables` as they are if they are of one series and in order of time.

    Raises
    ------
    ShareError
        If they are of several series, which must never be chained, or have no dates.
    """
    if names := sorted({shares.series for shares in tables}):
        if len(names) > 1:
            raise ShareError(f"different series cannot be chained: {', '.join(names)}")
        if any(shares.period is None for shares in tables):
            raise ShareError("shares without dates are no series")
    return sorted(tables, key=lambda shares: shares.period or NEVER)


class Point(NamedTuple):
    """A figure at a time (year with a fraction), from its least to its greatest value.

    `variance` is that of its error by sampling, where it is of counts.
    """

    year: float
    value: Interval
    variance: float = 0.0

    @property
    def middle(self) -> float:
        """The middle of the bounds."""
        return (self.value.low + self.value.high) / 2


def hhi_points(tables: Sequence[Shares]) -> list[Point]:
    """Return HHI (ratio) over the time of one series; see `one_series`."""
    return [
        Point(shares.period.year, measure(shares).hhi)
        for shares in one_series(tables)
        if shares.period is not None and shares.parts
    ]


@dataclass(frozen=True, slots=True)
class Movement:
    """How a figure moved: between its ends by bounds, and as a trend if points suffice."""

    points: int
    first: Point | None
    last: Point | None
    change: Change
    direction: Literal["rising", "falling", "none", "unknown"]
    p: float

    @property
    def upward(self) -> bool | None:
        """True for up and False for down, by the trend test alone; None where it is silent."""
        return {"rising": True, "falling": False}.get(self.direction)


def movement(points: Sequence[Point], alpha: float = 0.05) -> Movement:
    """Say how a figure moved over `points` of one series, in order of time.

    `change` compares the ends: it rose if its bounds at the end are wholly above those at
    the start. `direction` is that of `analyzers.trend.trend` of the middles, for which `MINIMUM`
    points are the least.

    Examples
    --------
    >>> movement([Point(2020, Interval(0.44, 0.45)), Point(2022, Interval(0.21, 0.22))]).change
    'fell'
    """
    known = [point for point in points if math.isfinite(point.middle)]
    if len(known) < 2:
        only = known[0] if known else None
        return Movement(len(known), only, only, "unknown", "unknown", math.nan)
    first, last = known[0], known[-1]
    change: Change = "within its bounds"
    if last.value.low > first.value.high:
        change = "rose"
    elif last.value.high < first.value.low:
        change = "fell"
    tested = trend(
        [point.middle for point in known],
        [point.year for point in known],
        variances=[point.variance for point in known],
    )
    return Movement(len(known), first, last, change, tested.direction(alpha), tested.p)


@dataclass(frozen=True, slots=True)
class Divergence:
    """Whether two figures move apart, with what keeps that from being known."""

    first: Movement
    second: Movement
    opposite: bool | None
    unsaid: tuple[str, ...]


def divergence(first: Sequence[Point], second: Sequence[Point], alpha: float = 0.05) -> Divergence:
    """Test whether one figure rises while the other falls.

    Both trends must be found, each at `alpha`: the chance to call two still series
    divergent is below `alpha` then (an intersection-union test). A series too short for a
    trend leaves the answer open, whatever its ends do.

    Examples
    --------
    >>> short = [Point(2022, Interval(0.17, 0.18)), Point(2025, Interval(0.15, 0.16))]
    >>> divergence(short, short).opposite is None
    True
    """
    moves = movement(first, alpha), movement(second, alpha)
    unsaid = []
    for name, move in zip(("first", "second"), moves, strict=True):
        if move.points < MINIMUM:
            unsaid.append(
                f"the {name} series has {move.points} points; a trend test needs {MINIMUM}"
            )
    spans = [(move.first.year, move.last.year) for move in moves if move.first and move.last]
    if len(spans) == 2 and min(span[1] for span in spans) <= max(span[0] for span in spans):
        unsaid.append("the two series have no time in common")
    opposite = None
    if not unsaid:
        ups = [move.upward for move in moves]
        opposite = None not in ups and ups[0] != ups[1]
    return Divergence(*moves, opposite, tuple(unsaid))


def growth(first: float, last: float, years: float) -> float:
    """Return the compound growth a year (ratio) from `first` to `last`.

    Raises
    ------
    ShareError
        If a figure or the time between is not above zero.

    Examples
    --------
    >>> round(growth(25, 119, 8), 4), round(119 / 25 - 1, 2)
    (0.2153, 3.76)
    """
    if not (first > 0 and last > 0 and years > 0):
        raise ShareError("growth needs two figures above zero and some time between them")
    return float((last / first) ** (1 / years) - 1)
