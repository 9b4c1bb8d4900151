"""The tables that the simulations make, how they are kept, and where docs/methods.md shows them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.simulations import histories, windows
from tests.simulations.histories import LONG, SHORT, WANDERS

RESULT: Final = Path(__file__).parents[1] / "vectors" / "levels.json"
PAGE: Final = Path(__file__).parents[2] / "docs" / "methods.md"
BLOCKS: Final = (36, 72, 144, 432, 1008, 4320)

Row = tuple[str, list[float | None]]


class Table(NamedTuple):
    """A table of parts (0..1), its rows made one by one as each may take minutes."""

    title: str
    heads: tuple[str, ...]
    rows: Callable[[int], Iterator[Row]]
    cost: int
    """Windows or histories a cell, of a thousand asked for."""


def _mixes(check: windows.Covers) -> Callable[[int], Iterator[Row]]:
    def rows(count: int) -> Iterator[Row]:
        for name, mix in windows.MIXES.items():
            yield name, [windows.part(check, mix, blocks, count) for blocks in BLOCKS]

    return rows


def _hhi(count: int) -> Iterator[Row]:
    for name, mix in windows.MIXES.items():
        yield name, [windows.hhi_covered(mix, blocks, count) for blocks in BLOCKS]


def _trends(days: int, drift: float) -> Callable[[int], Iterator[Row]]:
    def rows(count: int) -> Iterator[Row]:
        for wander in WANDERS:
            found = histories.verdicts(wander, days, count, _lengths(days), drift)
            yield str(wander), [*histories.part_found(found)]

    return rows


def _lengths(days: int) -> tuple[int, ...]:
    return tuple(window for window in histories.WINDOWS if days // window >= 10)


def _changes(jump: float) -> Callable[[int], Iterator[Row]]:
    def rows(count: int) -> Iterator[Row]:
        for wander in WANDERS:
            yield (
                str(wander),
                [
                    histories.changes_found(wander, days, window, count, jump)
                    for days, window in CHANGES
                ],
            )

    return rows


CHANGES: Final = ((364, 7), (728, 7), (LONG, 28))


def _differences(count: int) -> Iterator[Row]:
    for name, mix in windows.MIXES.items():
        for blocks in (144, 1008):
            yield f"{name}; {blocks}", [*windows.part_of_changes(mix, blocks, count)]


def _claims(count: int) -> Iterator[Row]:
    for share, blocks in ((0.05, 144), (0.05, 1008), (0.31, 144), (0.31, 2016)):
        yield f"{share:.0%} of {blocks} blocks", [*windows.refused_claims(share, blocks, count)]


def _rates(count: int) -> Iterator[Row]:
    yield "covered", [windows.rate_covered(blocks, count) for blocks in BLOCKS]


def _streaks(count: int) -> Iterator[Row]:
    for blocks, run, share in ((144, 4, 0.3), (1008, 6, 0.3), (2016, 3, 0.05)):
        yield f"{run} of {share:.0%} in {blocks}", [*windows.streaks(blocks, run, share, count)]


_AT: Final = tuple(f"{blocks:,}" for blocks in BLOCKS)
_SPANS: Final = tuple(f"{days // 7} weeks of {window} d" for days, window in CHANGES)


def _days(days: int) -> tuple[str, ...]:
    return (*(f"{window} d" for window in _lengths(days)), "differ")


TABLES: Final[dict[str, Table]] = {
    "hhi": Table("Coverage of HHI and 1/HHI, blocks a window", _AT, _hhi, 4000),
    "entropy": Table("Coverage of exp(entropy), all", _AT, _mixes(windows.entropy), 300),
    "sure-entropy": Table(
        "Coverage of exp(entropy), where it has no note", _AT, _mixes(windows.sure_entropy), 300
    ),
    "share": Table("Coverage of the largest, named beforehand", _AT, _mixes(windows.largest), 300),
    "top": Table("Coverage of CR3, all", _AT, _mixes(windows.top_three), 300),
    "sure-top": Table(
        "Coverage of CR3, where it has no note", _AT, _mixes(windows.sure_top_three), 300
    ),
    "nakamoto": Table(
        "The most probable Nakamoto coefficient is right", _AT, _mixes(windows.likely_nakamoto), 100
    ),
    "alarm": Table(
        "P(one is over 1/3) > 99 % where none is", _AT, _mixes(windows.false_alarm(1 / 3)), 300
    ),
    "differences": Table(
        "Two windows of the same shares",
        ("HHI: covered", "a share: covered", "told apart"),
        _differences,
        300,
    ),
    "claims": Table("A true claim is refused", ("a share", "a hash rate"), _claims, 20_000),
    "rates": Table("Coverage of the network's hash rate, blocks", _AT, _rates, 20_000),
    "streaks": Table("A streak", ("computed", "simulated"), _streaks, 300),
    "trend-none": Table(
        f"A trend found where none is, {LONG} days", _days(LONG), _trends(LONG, 0), 1000
    ),
    "trend-none-short": Table(
        f"A trend found where none is, {SHORT} days", _days(SHORT), _trends(SHORT, 0), 1000
    ),
    "trend-some": Table(
        f"A trend found, the largest +5 % of itself a year, {LONG} days",
        _days(LONG),
        _trends(LONG, 0.05),
        150,
    ),
    "change-none": Table("A change found where none is", _SPANS, _changes(0.0), 100),
    "change-some": Table(
        "A change found, the largest loses 6 points to the second halfway",
        _SPANS,
        _changes(0.06),
        100,
    ),
}


def measured(name: str, thousand: int) -> dict[str, Any]:
    """Return one table as it is kept, simulated with `thousand` in place of a thousand."""
    table = TABLES[name]
    count = max(2, table.cost * thousand // 1000)
    rows: list[Row] = []
    for label, parts in table.rows(count):
        kept = [None if part is None or math.isnan(part) else round(part, 4) for part in parts]
        rows.append((label, kept))
        print(f"{name}: {label}", flush=True)
    return {"draws": count, "rows": rows}


def kept() -> dict[str, Any]:
    """Return all tables as they are kept."""
    found: dict[str, Any] = json.loads(RESULT.read_text("utf-8"))
    return found


def markdown(name: str, result: dict[str, Any]) -> str:
    """Return a table as docs/methods.md shows it."""
    table = TABLES[name]
    lines = [
        f"| {table.title} | {' | '.join(table.heads)} |",
        f"|---{'|---' * len(table.heads)}|",
        *(
            f"| {label} | {' | '.join('-' if part is None else f'{part:.1%}' for part in parts)} |"
            for label, parts in result["rows"]
        ),
    ]
    return "\n".join([*lines, "", f"({result['draws']:,} draws a cell.)"])


def page(text: str, found: dict[str, Any]) -> str:
    """Return `text` with each table between its marks made anew."""
    for name, result in found.items():
        begin, end = f"<!-- simulated: {name} -->", "<!-- end -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        shown = f"{begin}\n\n{markdown(name, result)}\n\n{end}"
        text = pattern.sub(shown.replace("\\", r"\\"), text, count=1)
    return text
