"""What ``compare`` says: shares of any market, and whether two series move apart."""

from __future__ import annotations

from typing import Literal

from monitor.answers.base import Answer, CommandAnswer, Estimate, Exact, Figure


class SeriesNames(CommandAnswer):
    """What ``compare --list`` says."""

    series: list[str]
    """Names of the series that ship."""


class MarketShares(Answer):
    """Shares at one date."""

    series: str
    """Name of the series; empty for a table of the user's."""
    date: str | None
    """The day, month or year that it is of; null where it has none."""
    entities: int
    """Entities that are listed."""
    covered: Figure
    """Part of the whole that the listed ones have, a ratio 0..1; 1 for counts."""
    counted: int | None
    """What was counted in all; null for shares."""
    figures: dict[str, Estimate]
    """Measures by name, in the unit that /measures says. Of counts the ends are intervals; of
    shares they are bounds for all that the rest may be, and the value is null where they
    differ."""
    shares: dict[str, Figure]
    """Share by entity, a ratio 0..1, the largest first."""
    sources: list[str]
    """Who says so."""


class Moved(Answer):
    """How HHI moved over the dates of a series."""

    full_lists: int
    """Dates with a full list."""
    change: str
    """From the first to the last: rose, fell, within its bounds, or unknown."""
    direction: str
    """Trend: rising, falling, none, or unknown (too few dates)."""
    p: Figure
    """P-value of the trend test, a probability 0..1."""


class Market(CommandAnswer):
    """Shares of a market at each date, and how concentration moved."""

    tables: list[MarketShares]
    """Shares by date, the oldest first."""
    movement: Moved | None
    """How HHI moved; null for counts, and for one date."""


class MarketSize(Answer):
    """A figure about a market that is no share."""

    date: str
    """The day, month or year that it is of."""
    subject: str
    """What it is of."""
    value: Exact
    """The figure."""
    unit: str
    """Its unit."""
    source: str
    """Who says so."""
    note: str
    """What else to know of it; may be empty."""


class MarketSizes(CommandAnswer):
    """Sizes of a market: they say nothing about concentration."""

    series: str
    """Name of the series."""
    sizes: list[MarketSize]
    """The figures, the oldest first."""
    growth_per_year: Figure
    """Growth a year, a ratio: 0.2 is a fifth more each year; null where none can be said."""


class NamedMovement(Moved):
    """How one of two series moved."""

    name: str
    """Its name, or the file's."""


class Divergence(CommandAnswer):
    """Whether the concentration of two series moves apart."""

    series: list[NamedMovement]
    """Both series."""
    verdict: Literal["holds", "does not hold", "cannot be said"]
    """Whether they move apart."""
    cannot_show: list[str]
    """What keeps it open, or what the data cannot show."""
