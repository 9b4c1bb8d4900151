"""``poolscope compare``: any market's shares under the measures of mining pools."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import click

from analyzers import geography, tables
from analyzers.claims.markets import markets
from analyzers.compare import (
    Measures,
    Movement,
    Point,
    Shares,
    from_rows,
    growth,
    measure,
    measure_part,
    movement,
)
from analyzers.concentration import POINTS
from analyzers.sharefile import Given, read_shares
from analyzers.summary import Summary, summarize
from monitor.commands.divergence import POOLS, points_of, points_of_pools, show_divergence
from monitor.queries.selection import given as table_of
from monitor.queries.tables import text_of
from monitor.words import number, plain


@click.command("compare")
@click.argument("file", required=False)
@click.option("--series", default="", help="A series that ships; --list names them.")
@click.option(
    "--against",
    default="",
    metavar="SERIES|FILE",
    help="Test whether both move apart; pools is the history of mining pools that ships.",
)
@click.option("--list", "listed", is_flag=True, help="Name the series that ship.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(file: str | None, series: str, against: str, *, listed: bool, as_json: bool) -> None:
    """Measure shares of any market: HHI, effective number, Nakamoto, the largest three.

    FILE is a CSV of entity,share or date,entity,share (- for stdin): percentages, ratios,
    or counts. Shares that do not add up to the whole give bounds, for all that the rest may
    be as long as the largest are listed. Counts give intervals. With dates you also see
    what moved; all rows are taken as one series. Sizes of markets give growth, and nothing
    about concentration.

    \b
    Examples:
      poolscope compare --list
      poolscope compare --series 'cloud infrastructure'
      poolscope compare --series 'Hashrate Index' --json
      poolscope compare --series 'edge AI'
      poolscope compare clouds.csv
      poolscope compare clouds.csv --against pools
    """
    if listed:
        names = _names()
        click.echo(json.dumps(names, indent=2) if as_json else "\n".join(names))
        return
    if (file is None) == (not series):
        raise click.UsageError("give either a FILE or --series (see --list)")
    try:
        if series in _sizes() and not against:
            _show_sizes(series, as_json=as_json)
            return
        given = _shipped(series) if file is None else read_shares(text_of(file), file)
        if against:
            ours, theirs = points_of(given), _other(against)
            show_divergence((file or series, against), ours, theirs, as_json=as_json)
            return
    except OSError as error:
        raise click.UsageError(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if given.counts:
        _show_counts(given, as_json=as_json)
    else:
        _show_shares(given.shares, as_json=as_json)


def _names() -> list[str]:
    return [*markets(), *geography.series_names(), *_sizes()]


def _sizes() -> list[str]:
    return list(dict.fromkeys(row.series for row in tables.load("sizes")))


def _other(against: str) -> list[Point]:
    """Return the points of a series that ships, of the pools, or of a file."""
    if against == POOLS:
        return points_of_pools()
    if against in (*markets(), *geography.series_names()):
        return points_of(_shipped(against))
    return points_of(read_shares(text_of(against), against))


def _show_sizes(series: str, *, as_json: bool) -> None:
    """Print figures that are no shares of firms, and their growth a year."""
    rows = sorted(
        (row for row in tables.load("sizes") if row.series == series), key=lambda row: row.period
    )
    first, last = rows[0], rows[-1]
    years = last.period.year - first.period.year
    grows = years > 0 and first.unit != "%"
    rate = growth(first.number, last.number, years) if grows else None
    if as_json:
        values = [
            {"date": str(row.period), "entity": row.entity, "value": float(row.value)}
            | {"unit": row.unit, "source": row.source, "note": row.note}
            for row in rows
        ]
        result = {"series": series, "figures": values, "growth_per_year": rate}
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    for row in rows:
        note = f" ({row.note})" if row.note else ""
        click.echo(f"{row.period!s:16} {row.entity}: {row.value} {row.unit}{note}")
        click.echo(f"{'':16} source: {row.source}")
    if rate is not None:
        times = last.number / first.number
        click.echo(f"{times:.2f} times as much in {years:.0f} years, {rate:.2%} a year")
    click.echo("none of this is a share of a firm: it says nothing about concentration")


def _shipped(series: str) -> Given:
    """Return the shares of a series that ships."""
    rows = [
        row
        for name in ("markets", "countries")
        for row in tables.load(name)
        if row.series == series
    ]
    if not rows:
        known = [*markets(), *geography.series_names()]
        raise ValueError(f"no series {series[:40]!r} of shares; there are {', '.join(known)}")
    return Given(tuple(shares for shares in from_rows(rows) if shares.covered), ())


def _show_shares(dated: Sequence[Shares], *, as_json: bool) -> None:
    rows = [
        (shares, measure_part(shares) if geography.lacks(shares) else measure(shares))
        for shares in dated
    ]
    move = movement(points_of(Given(tuple(dated), ()))) if len(dated) > 1 else None
    if as_json:
        result = {
            "tables": [_shares_json(*row) for row in rows],
            "movement": None if move is None else _movement_json(move),
        }
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    heads = ("date", "listed", "of whole", "HHI", "effective", "Nakamoto", "largest", "three")
    grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for shares, found in rows:
        grid.add_row(
            str(shares.period or "-"),
            str(found.listed),
            f"{found.covered:.1%}",
            _bounds(number(end * POINTS) for end in found.hhi),
            _bounds(number(end) for end in found.effective_number),
            _bounds("-" if end is None else str(end) for end in found.nakamoto),
            _bounds([_percent(found.largest)]),
            _bounds(_percent(end) for end in found.top3),
        )
    console.print(grid)
    if move is not None:
        console.print(Text(_told(move)))
    sources = dict.fromkeys(source for shares in dated for source in shares.sources)
    for source in sources:
        console.print(Text(f"source: {source}", style="dim"))
    for shares in dated:
        if why := geography.lacks(shares):
            console.print(Text(f"no upper bound in {shares.period}: {why}", style="dim"))
    if limit := geography.LIMITS.get(dated[0].series):
        console.print(Text(f"limits: {limit}", style="dim"))


def _bounds(ends: Iterable[str]) -> str:
    """Return the ends of a figure as text: one if they are the same."""
    return " to ".join(dict.fromkeys(ends))


def _percent(ratio: float) -> str:
    return "-" if math.isnan(ratio) else f"{ratio:.1%}"


def _told(move: Movement) -> str:
    told = {
        "rose": "HHI rose from the first full list to the last, beyond what the rest may be",
        "fell": "HHI fell from the first full list to the last, beyond what the rest may be",
        "within its bounds": "from the first full list to the last HHI may have moved either way",
        "unknown": "too few dates with full lists to compare",
    }[move.change]
    tests = {"unknown": "too few dates for a trend test", "none": "the trend test finds none"}
    return f"{told}; {tests.get(move.direction, f'the trend is {move.direction}')}"


def _shares_json(shares: Shares, found: Measures) -> dict[str, Any]:
    return {
        "series": shares.series,
        "date": str(shares.period) if shares.period else None,
        "listed": found.listed,
        "covered": found.covered,
        "hhi": list(map(plain, found.hhi)),
        "effective_number": list(map(plain, found.effective_number)),
        "nakamoto_half": list(found.nakamoto),
        "largest": plain(found.largest),
        "largest_three": list(map(plain, found.top3)),
        "shares": {name: float(share) for name, share in shares.parts},
        "sources": list(shares.sources),
    }


def _movement_json(move: Movement) -> dict[str, Any]:
    return {
        "points": move.points,
        "change": move.change,
        "direction": move.direction,
        "p": plain(move.p),
    }


def _show_counts(given: Given, *, as_json: bool) -> None:
    rows = []
    for period, counts in given.counts:
        found = table_of(counts)
        rows.append((str(period or "-"), summarize(found.counts, unattributed=found.unattributed)))
    if as_json:
        values = [_summary_json(date, summary) for date, summary in rows]
        click.echo(json.dumps({"tables": values}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    heads = ("date", "counted", "entities", "HHI", "95% interval", "Nakamoto", "largest")
    grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for date, summary in rows:
        grid.add_row(
            date,
            str(summary.blocks),
            str(summary.entities),
            number(summary.hhi * POINTS),
            " to ".join(number(end * POINTS) for end in summary.hhi_interval),
            str(summary.nakamoto_half.observed or "-"),
            f"{summary.shares[0].share:.1%}" if summary.shares else "-",
        )
    console.print(grid)
    console.print("intervals take what is counted as a sample; 'poolscope concentration' has more")


def _summary_json(date: str, summary: Summary) -> dict[str, Any]:
    return {
        "date": None if date == "-" else date,
        "counted": summary.blocks,
        "entities": summary.entities,
        "hhi": plain(summary.hhi),
        "hhi_interval": list(map(plain, summary.hhi_interval)),
        "nakamoto_half": summary.nakamoto_half.observed,
        "largest": summary.shares[0].share if summary.shares else None,
    }
