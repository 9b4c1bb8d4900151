"""A row for each window, as table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Final

import click

from analyzers.concentration import centralisation_index
from analyzers.series import series
from analyzers.windows import CountTable
from monitor.answers.series import rows_of
from monitor.commands import leftout as left_out
from monitor.words import number, plain

INDEX_TOPS: Final = (2, 3, 4, 5, 6)
"""Group sizes of 0xB10C's mining centralisation index, of days."""


def show_series(
    table: CountTable, facts: Mapping[str, str], level: float, form: str | None, *, daily: bool
) -> None:
    """Write the figures of each window of `table`; 0xB10C's index too where these are `daily`."""
    rows = list(rows_of(series(table, level)))
    if daily:
        counts = [[*row.values(), *[1] * own] for row, own in _days(table)]
        for top in INDEX_TOPS:
            index = centralisation_index(counts, top)
            for row, value in zip(rows, index, strict=True):
                row[f"cr{top}_30d"] = plain(value)
    if form == "json":
        result = {**facts, "level": level, "windows": rows, "left_out": left_out.as_json()}
        click.echo(json.dumps(result, indent=2))
        return
    if form == "csv":
        out = csv.DictWriter(sys.stdout, rows[0], lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(", ".join(f"{name} {value}" for name, value in facts.items())))
    names = ("start", "blocks", "entities", "HHI", f"{level:.0%} interval", "Nakamoto", "largest")
    grid = Table(*names, box=None, pad_edge=False, header_style="bold")
    grid.columns[4].no_wrap = True
    if daily:
        grid.add_column(f"CR{INDEX_TOPS[-1]}, 30 days", justify="right")
    for row in rows:
        low, high = (_points(row[name]) for name in ("hhi_low", "hhi_high"))
        grid.add_row(
            row["start"][:10],
            str(row["blocks"]),
            str(row["entities"]),
            _points(row["hhi"]),
            f"{low} to {high}",
            str(row["nakamoto"] or "-"),
            *(
                _percent(row[name])
                for name in ("largest", f"cr{INDEX_TOPS[-1]}_30d")
                if name in row
            ),
        )
    console.print(grid)


def _days(table: CountTable) -> Iterator[tuple[dict[str, int], int]]:
    """Return the blocks of each day, and how many of them nobody known found."""
    return zip(table.rows(), table.unattributed.tolist(), strict=True)


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1%}"


def _points(ratio: float | None) -> str:
    return "-" if ratio is None else number(ratio * 10_000)
