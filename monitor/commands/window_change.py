"""``poolscope concentration --compare``: what changed between two windows."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import click

from analyzers.differences import Change, Comparison, ShareMove, compare_windows
from monitor.commands import leftout as left_out
from monitor.commands.dates import moment
from monitor.commands.inputs import Counted, Selection, counted, given
from monitor.commands.userfiles import parse_counts
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
    click.UsageError
        If the windows overlap or are not there.
    """
    table = _table(other)
    if counts is not None:
        if table is None:
            raise click.UsageError("--compare needs another table beside --counts")
        return given(table), given(counts)
    last = selection.last()
    later = counted(selection, last)
    if table is not None:
        return given(table), later
    end = last.start_time if other == "before" else _seconds(other)
    if end > last.start_time:
        raise click.UsageError(f"the window before {other} overlaps the later one")
    before = replace(selection, window=last.window, end=end)
    return counted(before, before.last()), later


def _table(text: str) -> dict[str, int] | None:
    """Return `text` as a table of counts, None if it names a window."""
    if text == "before" or re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        return parse_counts(text)
    except (OSError, ValueError) as error:
        raise click.BadParameter(
            f"{error}; a day is written 2024-04-20", param_hint="--compare"
        ) from None


def _seconds(day: str) -> int:
    try:
        return moment(day)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--compare") from None


def show_change(earlier: Counted, later: Counted, level: float, form: str | None) -> None:
    """Write what changed, as a table, CSV or JSON."""
    found = compare_windows(
        earlier.counts, later.counts, (earlier.unattributed, later.unattributed), level
    )
    if form == "json":
        result = {
            "earlier": {**earlier.facts, "blocks": found.blocks[0]},
            "later": {**later.facts, "blocks": found.blocks[1]},
            "level": level,
            "hhi": _change_json(found.hhi),
            "same_shares_p": plain(found.same),
            "shares": [
                {
                    "pool": move.entity,
                    "earlier_blocks": move.earlier,
                    "later_blocks": move.later,
                    **_change_json(move.change),
                }
                for move in found.shares
            ],
            "left_out": left_out.as_json(),
        }
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    elif form == "csv":
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(("figure", "difference", "low", "high", "probability_up"))
        rows.writerow(("hhi", *_cells(found.hhi)))
        rows.writerows((f"share:{move.entity}", *_cells(move.change)) for move in found.shares)
    else:
        _print(found, earlier, later, level)


def _cells(change: Change) -> tuple[float | None, ...]:
    figures = (change.difference, *change.interval)
    return (*map(plain, figures), plain(change.probability_up))


def _change_json(change: Change) -> dict[str, Any]:
    names = ("difference", "low", "high", "probability_up")
    return dict(zip(names, _cells(change), strict=True))


def _print(found: Comparison, earlier: Counted, later: Counted, level: float) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for title, side, blocks in (
        ("earlier", earlier, found.blocks[0]),
        ("later", later, found.blocks[1]),
    ):
        about = ", ".join(f"{name} {value}" for name, value in side.facts.items())
        console.print(Text(f"{title}: {blocks} blocks, {about}"))
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
