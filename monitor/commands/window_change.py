"""``poolscope concentration --compare``: what changed between two windows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from analyzers.differences import Comparison, ShareMove, compare_windows
from monitor.answers import convert
from monitor.answers.of_windows import change_of, share_change
from monitor.answers.windows import ChangeRow, Side, WindowChange
from monitor.commands import leftout as left_out
from monitor.commands.output import write_json
from monitor.commands.sides import in_words, of_lens
from monitor.commands.table import write_csv
from monitor.errors import QuestionError
from monitor.queries.dates import moment
from monitor.queries.selection import Counted, Selection, counted, given
from monitor.queries.tables import parse_counts
from monitor.words import number, plain

SHOWN: Final = 20
"""Entities that the table shows; JSON and CSV have all."""


def two_windows(
    selection: Selection, counts: Mapping[str, int] | None, other: str
) -> tuple[Counted, Counted]:
    """Return the window to compare with, and the one asked for.

    `other` is a day at which the earlier window ends, a table as `parse_counts` reads it, or
    anything else for the window just before.

    Raises
    ------
    QuestionError
        If the windows overlap or are not there.
    """
    table = _table(other)
    if counts is not None:
        if table is None:
            raise QuestionError("--compare needs another table beside --counts")
        return given(table), given(counts)
    last = selection.last()
    later = counted(selection, last)
    if table is not None:
        return given(table), later
    end = last.start_time if other == "before" else _seconds(other)
    if end > last.start_time:
        raise QuestionError(f"the window before {other} overlaps the later one")
    before = replace(selection, window=last.window, end=end)
    return counted(before), later


def _table(text: str) -> dict[str, int] | None:
    """Return `text` as a table of counts, None if it names a window."""
    if text == "before" or re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        return parse_counts(text)
    except (OSError, ValueError) as error:
        raise QuestionError(f"--compare: {error}; a day is written 2024-04-20") from None


def _seconds(day: str) -> int:
    try:
        return moment(day)
    except ValueError as error:
        raise QuestionError(f"--compare: {error}") from None


def show_change(earlier: Counted, later: Counted, level: float, form: str | None) -> None:
    """Write what changed, as a table, CSV or JSON."""
    found = compare_windows(
        earlier.counts, later.counts, (earlier.unattributed, later.unattributed), level
    )
    if form == "json":
        write_json(
            WindowChange(
                earlier=_side(earlier, found.blocks[0]),
                later=_side(later, found.blocks[1]),
                level=level,
                hhi=change_of(found.hhi),
                same_shares_p=found.same,
                shares=list(map(share_change, found.shares)),
                left_out=convert.left_out(left_out.said()),
            )
        )
    elif form == "csv":
        rows = [("hhi", found.hhi)]
        rows += [(f"share:{move.entity}", move.change) for move in found.shares]
        write_csv([ChangeRow(figure=name, **dict(change_of(change))) for name, change in rows])
    else:
        _print(found, earlier, later, level)


def _side(found: Counted, blocks: int) -> Side:
    return Side(
        source=found.source,
        window=None if found.window is None else str(found.window),
        lens=found.lens,
        start_time=found.start_time,
        first_height=found.first_height,
        blocks=blocks,
    )


def _print(found: Comparison, earlier: Counted, later: Counted, level: float) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for title, side, blocks in (
        ("earlier", earlier, found.blocks[0]),
        ("later", later, found.blocks[1]),
    ):
        console.print(Text(f"{title}: {blocks} blocks, {in_words(side)}"))
    for line in of_lens(later.sight):
        console.print(Text(line))
    difference, low, high = map(number, (found.hhi[0], *found.hhi.interval))
    console.print(
        f"HHI changed by {difference} ({low} to {high}); "
        f"P(it rose) {number(found.hhi.probability_up)}"
    )
    console.print(f"P-value that no share changed: {number(found.same)}")
    heads = ("pool", "earlier", "later", "change, points", f"{level:.0%} interval", "P(it rose)")
    grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for column in grid.columns[1:4]:
        column.justify = "right"
    for move in found.shares[:SHOWN]:
        grid.add_row(Text(move.entity), *_row(move, found.blocks))
    console.print(grid)
    if len(found.shares) > SHOWN:
        console.print(f"and {len(found.shares) - SHOWN} that moved less")


def _row(move: ShareMove, blocks: tuple[int, int]) -> tuple[str, ...]:
    shares = (
        f"{found / total:.1%}" if total else "-"
        for found, total in zip((move.earlier, move.later), blocks, strict=True)
    )
    change = move.change
    if plain(change.difference) is None:
        return (*shares, "-", "", "-")
    low, high = (f"{100 * end:+.1f}" for end in change.interval)
    return (
        *shares,
        f"{100 * change.difference:+.1f}",
        f"{low} to {high}",
        number(change.probability_up),
    )
