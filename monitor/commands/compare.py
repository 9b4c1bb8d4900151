"""``poolscope compare``: any market's shares under the measures of mining pools."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import click

from analyzers import geography
from analyzers.compare import Movement, Shares, movement
from analyzers.figures import figures_of
from analyzers.sharefile import Given, read_shares
from monitor.answers import of_markets
from monitor.answers.markets import Market, MarketSize, MarketSizes, SeriesNames
from monitor.commands.divergence import show_divergence
from monitor.commands.options import json_option
from monitor.commands.output import write_json
from monitor.queries.markets import (
    measured,
    points_named,
    points_of,
    share_series,
    shipped,
    size_series,
    sizes_of,
    summaries,
)
from monitor.queries.tables import text_of
from monitor.words import ends, number


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
@json_option
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
        names = [*share_series(), *size_series()]
        if as_json:
            write_json(SeriesNames(series=names))
        else:
            click.echo("\n".join(names))
        return
    if (file is None) == (not series):
        raise click.UsageError("give either a FILE or --series (see --list)")
    try:
        if series in size_series() and not against:
            _show_sizes(series, as_json=as_json)
            return
        given = shipped(series) if file is None else read_shares(text_of(file), file)
        if against:
            ours, theirs = points_of(given), points_named(against)
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


def _show_sizes(series: str, *, as_json: bool) -> None:
    """Print figures that are no shares of firms, and their growth a year."""
    found = sizes_of(series)
    if as_json:
        sizes = [
            MarketSize(
                date=str(row.period),
                subject=row.entity,
                value=row.number,
                unit=row.unit,
                source=row.source,
                note=row.note,
            )
            for row in found.rows
        ]
        write_json(MarketSizes(series=series, sizes=sizes, growth_per_year=found.growth))
        return
    for row in found.rows:
        note = f" ({row.note})" if row.note else ""
        click.echo(f"{row.period!s:16} {row.entity}: {row.value} {row.unit}{note}")
        click.echo(f"{'':16} source: {row.source}")
    if found.growth is not None:
        click.echo(
            f"{found.times:.2f} times as much in {found.years:.0f} years, {found.growth:.2%} a year"
        )
    click.echo("none of this is a share of a firm: it says nothing about concentration")


def _show_shares(dated: Sequence[Shares], *, as_json: bool) -> None:
    rows = [(shares, measured(shares)) for shares in dated]
    move = movement(points_of(Given(tuple(dated), ()))) if len(dated) > 1 else None
    if as_json:
        write_json(
            Market(
                tables=[of_markets.listed(*row) for row in rows],
                movement=move and of_markets.moved(move),
            )
        )
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
            _bounds(number(end) for end in found.hhi),
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


def _show_counts(given: Given, *, as_json: bool) -> None:
    rows = summaries(given)
    if as_json:
        write_json(Market(tables=[of_markets.counted(*row) for row in rows], movement=None))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    heads = ("date", "counted", "entities", "HHI", "95% interval", "Nakamoto", "largest")
    grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for date, summary in rows:
        found = {figure.name: figure for figure in figures_of(summary)}
        hhi, nakamoto = found["hhi"], found["nakamoto_half"]
        largest = summary.shares[0].bounds if summary.shares else None
        grid.add_row(
            date or "-",
            str(summary.blocks),
            str(summary.entities),
            number(hhi.value),
            " to ".join(map(number, hhi.interval)),
            ends(nakamoto.bounds.low, nakamoto.bounds.high),
            _bounds(map(_percent, (largest.low, largest.high))) if largest else "-",
        )
    console.print(grid)
    console.print("intervals take what is counted as a sample; 'poolscope concentration' has more")
