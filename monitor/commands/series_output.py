"""A row for each window, as table, CSV or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from analyzers.concentration import centralisation_index
from analyzers.ignorance import UNKNOWN_LIMIT, Readings
from analyzers.series import readings_of, series
from analyzers.windows import CountTable, Window
from monitor.answers import Reading, convert
from monitor.answers.of_windows import series_rows
from monitor.answers.windows import WindowRow, WindowSeries
from monitor.commands import leftout as left_out
from monitor.commands.output import write_json
from monitor.commands.table import write_csv
from monitor.queries.dates import moment_of
from monitor.queries.selection import DAY, Selection
from monitor.words import number

INDEX_TOPS: Final = (2, 3, 4, 5, 6)
"""Group sizes of 0xB10C's mining centralisation index, of days."""
SHOWN_INDEX: Final = f"cr{INDEX_TOPS[-1]}_30d"
"""The one that the table for people shows."""


def show_series(
    table: CountTable,
    selection: Selection,
    windows: tuple[Window, Window | None],
    level: float,
    form: str | None,
) -> None:
    """Write the figures of each window of `table`; 0xB10C's index too where these are days.

    `windows` are the length of each, and how often one begins where they overlap.
    """
    window, step = windows
    more: dict[str, Readings[list[float]]] = {}
    if window.seconds == DAY:
        days = readings_of(table).each(_days)
        more = {
            f"cr{top}_30d": days.each(partial(centralisation_index, top=top)) for top in INDEX_TOPS
        }
    found = WindowSeries(
        source=selection.source,
        window=str(window),
        step=None if step is None else str(step),
        lens=selection.lens,
        level=level,
        windows=series_rows(series(table, level), more),
        left_out=convert.left_out(left_out.said()),
    )
    if form == "json":
        write_json(found)
    elif form == "csv":
        write_csv(found.windows)
    else:
        _print(found)


def _print(found: WindowSeries) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    facts = f"source {found.source}, window {found.window}, lens {found.lens}"
    console.print(Text(facts + (f", step {found.step}" if found.step else "")))
    heads = ("start", "blocks", "unknown", "HHI", f"{found.level:.0%} interval", "Nakamoto")
    grid = Table(*heads, "largest", box=None, pad_edge=False, header_style="bold")
    grid.columns[4].no_wrap = True
    daily = any(SHOWN_INDEX in row.figures for row in found.windows)
    if daily:
        grid.add_column(f"CR{INDEX_TOPS[-1]}, 30 days", justify="right")
    for row in found.windows:
        grid.add_row(*_cells(row, daily=daily))
    console.print(grid)
    if withheld := sum(row.withheld is not None for row in found.windows):
        console.print(
            f"{withheld} windows have no single figures: more than {float(UNKNOWN_LIMIT):.0%} of "
            "their blocks are unknown"
        )


def _cells(row: WindowRow, *, daily: bool) -> Iterator[str]:
    hhi = row.figures["hhi"]
    yield moment_of(row.start_time)[:10]
    yield str(row.blocks)
    yield str(row.unknown)
    yield _number(hhi.value)
    yield f"{_number(hhi.low)} to {_number(hhi.high)}"
    yield _ends(row.figures["nakamoto_half"], _number)
    yield _ends(row.figures["cr1"], _percent)
    if daily:
        yield _ends(row.figures[SHOWN_INDEX], _percent)


def _ends(found: Reading, show: Callable[[float | None], str]) -> str:
    """Return a figure as what it lies between, whoever found the unknown blocks."""
    return " to ".join(dict.fromkeys((show(found.least), show(found.most))))


def _days(table: CountTable) -> list[list[int]]:
    """Return the blocks of each miner on each day, those of nobody known of one each."""
    rows = zip(table.rows(), table.unattributed.tolist(), strict=True)
    return [[*row.values(), *[1] * own] for row, own in rows]


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else number(value)
