"""Whether a measure rises over many windows, and when shares changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from analyzers.changepoints import ChangePoints, change_points
from analyzers.figures import MEASURES, Unit
from analyzers.series import Floats
from analyzers.trend import (
    Figure,
    Trend,
    by_era,
    effective_figure,
    hhi_figure,
    largest_figure,
    share_figure,
    window_trend,
)
from analyzers.windows import CountTable, Window
from monitor.errors import QuestionError
from monitor.queries.selection import Selection
from monitor.queries.tables import entity_named, slug_finder

FOLLOWED: Final[dict[str, Figure]] = {
    "hhi": hhi_figure,
    "effective_number": effective_figure,
    "cr1": largest_figure,
}
"""Measures of the whole that can be followed, by the names of `analyzers.figures`."""

_FORMER: Final = {"effective": "effective_number", "largest": "cr1"}
"""What two of them were called before; understood still."""


@dataclass(frozen=True, slots=True)
class Part:
    """The trend in an era, or in the whole (``all``), and from how many windows."""

    name: str
    windows: int
    trend: Trend


@dataclass(frozen=True, slots=True)
class Found:
    """Trends of a measure, and the changes of all shares.

    `measure` is a name of `analyzers.figures`, or ``share`` for that of `pool`; slopes are in
    `unit` a year. `alpha` is the rate of false positives of each test.
    """

    window: Window
    measure: str
    pool: str | None
    title: str
    unit: Unit
    alpha: float
    parts: tuple[Part, ...]
    changes: ChangePoints


def trends(selection: Selection, measure: str = "hhi", alpha: float = 0.05) -> Found:
    """Return the trend of a measure, whole and by subsidy era, and when shares changed.

    Parameters
    ----------
    measure:
        ``hhi``, ``effective_number``, ``cr1`` (share of the largest), or a pool for its share,
        by slug, name or alias.
    alpha:
        Rate of false positives, 0..1: of each test, and of the change points as a whole.

    Raises
    ------
    QuestionError
        If `measure` is none of these, or the selection holds no whole window.
    StoreError
        If the store cannot be read.
    """
    table, window = selection.table()
    name, pool, title, unit, figure = _measure(measure, table, selection)
    eras = [("all", table), *((era.name, part) for era, part in by_era(table))]
    parts = tuple(Part(era, len(part), window_trend(part, figure, 1 - alpha)) for era, part in eras)
    changes = change_points(table, alpha=alpha)
    return Found(window, name, pool, title, unit, alpha, parts, changes)


def _measure(
    given: str, table: CountTable, selection: Selection
) -> tuple[str, str | None, str, Unit, Figure]:
    """Return name, pool, title, unit, and what takes the figure from windows."""
    name = _FORMER.get(given, given)
    if name in FOLLOWED:
        known = next(measure for measure in MEASURES if measure.name == name)
        return name, None, known.title, known.unit, FOLLOWED[name]
    pool = entity_named(given, table.entities, slug_finder(table.entities, selection.registry))
    if pool is None:
        some = ", ".join(table.entities[:5])
        raise QuestionError(
            f"--measure {given!r} is neither {', '.join(FOLLOWED)} nor a pool such as {some}"
        )
    column = table.entities.index(pool)

    def share(part: CountTable) -> tuple[Floats, Floats]:
        return share_figure(part.counts[:, column], part.blocks)

    return "share", pool, f"Share of {pool}", Unit.RATIO, share
