"""The founding article's claims, each judged by numbers that a reader can follow and change.

`evaluate` gives one `Finding` a claim. A verdict is "holds", "does not hold" or "cannot be
said"; the last is an answer, too, and comes with what would be needed. Nothing here knows a
price of bitcoin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from analyzers.assumptions import Assumptions, Input
from analyzers.claims import cost, markets, places, pools
from analyzers.claims.age import dated
from analyzers.claims.values import Case, Finding, Quantity, Swing, Verdict
from analyzers.registry.lenskind import LensKind
from analyzers.windows import CountTable

__all__ = [
    "CLAIMS",
    "Assumptions",
    "Case",
    "Finding",
    "Input",
    "Quantity",
    "Swing",
    "Verdict",
    "evaluate",
]

_Judge = Callable[[Assumptions, CountTable, str], Finding]

OF_CONTROL: Final = frozenset({"control", "hardware", "opposite"})
"""Claims on who controls mining: nothing but a lens of control says anything of them."""

CLAIMS: Final[dict[str, _Judge]] = {
    "cost-some-regions": lambda given, _table, _source: cost.some_regions(given),
    "cost-where-mined": lambda given, _table, _source: cost.where_mined(given),
    "cost-united-states": lambda given, _table, _source: cost.united_states(given),
    "cost-all-in": lambda given, _table, _source: cost.all_in(given),
    "migration": lambda given, _table, _source: places.migration(given),
    "geography": lambda given, _table, _source: places.geography_spreads(given),
    "control": lambda _given, table, source: pools.control(table, source),
    "hardware": lambda _given, table, source: pools.hardware(table, source),
    "edge-forecast": lambda given, _table, _source: markets.edge_forecast(given),
    "edge-percent": lambda given, _table, _source: markets.edge_percent(given),
    "ai": lambda given, _table, _source: markets.ai_spreads(given),
    "opposite": lambda given, table, source: markets.opposite(table, given, source),
}
"""What is judged, in the order of the article: claim by its short name."""


def evaluate(
    table: CountTable,
    source: str,
    assumptions: Assumptions | None = None,
    only: Sequence[str] = (),
    *,
    kind: LensKind = LensKind.CONTROL,
    today: date | None = None,
) -> tuple[Finding, ...]:
    """Judge the claims.

    Parameters
    ----------
    table:
        Blocks per pool, in windows that do not overlap.
    source:
        Whose labels these are.
    assumptions:
        Inputs; those that ship, unless given.
    only:
        Short names of claims to judge; all if empty.
    kind:
        Kind of the lens that `table` is seen through. Claims on control cannot be said under
        another one.
    today:
        The day on which the verdicts are read: old figures are then said to be old.

    Raises
    ------
    ValueError
        If an input is not possible, or a claim, series or market is not known.

    Examples
    --------
    >>> from analyzers.history import SOURCE, load_history
    >>> table = load_history().merged(7)
    >>> given = Assumptions().given({"tariff": 0.05})
    >>> [found.verdict for found in evaluate(table, SOURCE, given, ["cost-united-states"])]
    ['does not hold']
    """
    given = assumptions or Assumptions()
    for name in only:
        if name not in CLAIMS:
            raise ValueError(f"no claim {name[:40]!r}; there are {', '.join(CLAIMS)}")
    return tuple(
        dated(_under(judge(given, table, source), kind), today)
        for name, judge in CLAIMS.items()
        if not only or name in only
    )


def _under(found: Finding, kind: LensKind) -> Finding:
    """Return `found` as far as the kind of the lens allows."""
    if kind.is_control or found.slug not in OF_CONTROL:
        return found
    return replace(
        found,
        verdict="cannot be said",
        because=f"This lens is one of {kind.value}. {kind.why_withheld} What follows is of its "
        f"groups, and no verdict on control. {found.because}",
        cases=tuple(case._replace(verdict="cannot be said") for case in found.cases),
    )
