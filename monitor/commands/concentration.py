"""``poolscope concentration``: how concentrated mining is, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import click

from analyzers.figures import NO_READINGS, Figure, Unit, figures_of, nakamoto_figure
from analyzers.nakamoto import nakamoto_at
from analyzers.summary import HALF, THIRD, Share, Summary
from analyzers.windows import Window
from analyzers.withheld import share_without_control, summed_up
from monitor.answers import WindowFigures, convert
from monitor.answers.figures import FigureRow
from monitor.commands import leftout as left_out
from monitor.commands.options import (
    counts_option,
    level_option,
    parsed_by,
    seed_option,
    selection_options,
    window_of,
)
from monitor.commands.output import write_json
from monitor.commands.sides import in_words, of_lens
from monitor.commands.table import write_csv
from monitor.queries.selection import Counted, Selection, counted, given
from monitor.words import ends, number, span

if TYPE_CHECKING:
    from rich.table import Table

DRAWS: Final = 20_000
"""Posterior draws of one window on the command line, where a few milliseconds do not matter."""

DRIFT: Final = 0.01
"""P-value below which the halves of a window are said to differ."""

BEFORE: Final = "before"
"""What ``--compare`` alone means: the window before."""


def _thresholds(
    _ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]
) -> tuple[Fraction, ...]:
    try:
        shares = tuple(Fraction(text.strip()) for text in given)
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter("a threshold is a share such as 0.66 or 2/3") from None
    if not all(0 <= share < 1 for share in shares):
        raise click.BadParameter("a threshold is a share from 0 to below 1")
    return shares


@click.command("concentration")
@counts_option("Measure this table instead")
@selection_options
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    callback=_thresholds,
    metavar="SHARE",
    help="The Nakamoto coefficient (tau index) at this share too: 0.66 or 2/3.",
)
@click.option(
    "--ties", is_flag=True, help="Let a tie reach a threshold, as consensus-decentralization does."
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="A,B,C",
    help="The joint share of these entities, with its interval; may be repeated.",
)
@click.option(
    "--compare",
    is_flag=False,
    flag_value=BEFORE,
    metavar="[DAY|FILE|A,B,C]",
    help="What changed since the window before, the one that ends at a day, or another table.",
)
@click.option("--each", is_flag=True, help="One row for each window instead of the last one.")
@click.option(
    "--step",
    callback=parsed_by(window_of),
    help="With --each: begin a window every so often (144, 1d), so that windows overlap.",
)
@level_option
@seed_option
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.option("--csv", "form", flag_value="csv", help="Write CSV.")
def command(
    selection: Selection,
    counts: Mapping[str, int] | None,
    thresholds: tuple[Fraction, ...],
    *,
    ties: bool,
    groups: tuple[str, ...],
    compare: str | None,
    each: bool,
    step: Window | None,
    level: float,
    seed: int,
    form: str | None,
) -> None:
    """Measure how concentrated mining is, every figure with its interval.

    Without --counts it looks at the last window of the store, or of the history that ships
    (--history). A small window is a small sample: the interval says what it can show, and
    the figures that such a sample bends are marked.

    \b
    Examples:
      poolscope concentration --history --window 30d
      poolscope concentration --history --each --window 7d --csv > weeks.csv
      poolscope concentration --history --each --window 30d --step 1d --csv
      poolscope concentration --history --compare --group antpool,poolin,btccom
      poolscope concentration --counts 43,25,20,15,9,7,4 --threshold 2/3
      poolscope concentration --counts pools.csv --json
    """
    if step is not None and not each:
        raise click.UsageError("--step is for the windows of --each")
    if (each or compare is not None) and (thresholds or ties or groups):
        raise click.UsageError(
            "--threshold, --ties and --group are for one window: not with --each or --compare"
        )
    asked = _Asked(thresholds, ties, groups, level, seed)
    if compare is not None:
        if each:
            raise click.UsageError("--compare is for one window, --each for all: give one of them")
        from monitor.commands.window_change import show_change, two_windows

        show_change(*two_windows(selection, counts, compare), level, form)
    elif counts is not None:
        if each:
            raise click.UsageError("--each needs windows; --counts is only one")
        _show(selection, given(counts), asked, form)
    elif each:
        from monitor.commands.series_output import show_series

        table, window = selection.table() if step is None else selection.rolling(step)
        show_series(table, selection, (window, step), level, form)
    else:
        last = selection.last()
        _show(selection, counted(selection, last), asked, form, last.homogeneity)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What beside the usual figures is wanted, and how."""

    thresholds: tuple[Fraction, ...]
    ties: bool
    groups: tuple[str, ...]
    level: float
    seed: int


def _show(
    selection: Selection,
    found: Counted,
    asked: _Asked,
    form: str | None,
    homogeneity: float = math.nan,
) -> None:
    control = found.sight.kind.is_control
    summary = summed_up(
        found.counts,
        found.sight,
        unattributed=found.unattributed,
        level=asked.level,
        draws=DRAWS,
        seed=asked.seed,
    )
    figures = figures_of(summary, control=control)
    if asked.thresholds or asked.ties:
        figures = _with_thresholds(figures, summary, found, asked)
    if not math.isnan(homogeneity):
        note = "shares moved inside the window: intervals are too narrow"
        figures.append(
            Figure(
                "homogeneity_p",
                "P-value, halves have the same shares",
                Unit.PROBABILITY,
                homogeneity,
                note=note if homogeneity < DRIFT else "",
            )
        )
    groups = [summary.group(selection.entities(text.split(","), summary)) for text in asked.groups]
    if not control:
        groups = list(map(share_without_control, groups))
    if form == "json":
        write_json(_answer(summary, found, figures, groups))
    elif form == "csv":
        write_csv(
            [
                *(
                    FigureRow(figure=figure.name, **dict(convert.reading(figure)))
                    for figure in figures
                ),
                *(
                    _share_row(f"{kind}:{share.entity}", share)
                    for kind, shares in (("group", groups), ("share", summary.shares))
                    for share in shares
                ),
            ]
        )
    else:
        _print_tables(summary, found, figures, groups)


def _share_row(name: str, share: Share) -> FigureRow:
    found = convert.bounded(share.share, share.interval, share.bounds)
    return FigureRow(figure=name, **dict(found), alone=None, as_one=None)


def _with_thresholds(
    figures: list[Figure], summary: Summary, found: Counted, asked: _Asked
) -> list[Figure]:
    """Return `figures` with the Nakamoto coefficients asked for in place of the usual ones."""
    sizes = nakamoto_at(
        found.counts,
        (HALF, THIRD, *asked.thresholds),
        unattributed=found.unattributed,
        strict=not asked.ties,
        draws=DRAWS,
        seed=asked.seed,
    )
    names = ["nakamoto_half", "nakamoto_third", *(f"nakamoto_{t}" for t in asked.thresholds)]
    if not found.sight.kind.is_control:
        sizes = tuple(size.each(lambda reading: replace(reading, posterior={})) for size in sizes)
    new = {
        name: nakamoto_figure(name, size, summary) for name, size in zip(names, sizes, strict=True)
    }
    kept = [new.pop(figure.name, figure) for figure in figures]
    place = next(i for i, figure in enumerate(kept) if figure.name == "nakamoto_third") + 1
    return [*kept[:place], *new.values(), *kept[place:]]


def _answer(
    summary: Summary,
    found: Counted,
    figures: Sequence[Figure],
    groups: Sequence[Share],
) -> WindowFigures:
    return WindowFigures(
        source=found.source,
        window=None if found.window is None else str(found.window),
        lens=found.lens,
        start_time=found.start_time,
        first_height=found.first_height,
        **convert.measured(summary, figures, found.sight),
        level=summary.level,
        shares=[convert.share(entry, str, found.sight) for entry in summary.shares],
        groups=[convert.share(entry, str) for entry in groups],
        left_out=convert.left_out(left_out.said()),
    )


def _print_tables(
    summary: Summary, found: Counted, figures: list[Figure], groups: list[Share]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(in_words(found)))
    for line in of_lens(found.sight):
        console.print(Text(line))
    console.print(
        f"{summary.blocks} blocks, {summary.entities} entities, "
        f"{summary.unattributed} of nobody known"
    )
    if summary.withheld:
        console.print(summary.withheld)
    console.print(_figures_grid(summary, figures))
    if summary.unattributed:
        console.print(f"{_READINGS}\n")
        for figure in figures:
            if figure.note:
                console.print(f"{figure.title}: {figure.note}")
    control = found.sight.kind.is_control
    grid = Table(
        "pool",
        "blocks",
        "share",
        *(("with all unknown",) if summary.unattributed else ()),
        f"{summary.level:.0%} interval",
        *(("P(over 1/3)",) if control else ()),
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for column in grid.columns[1 : 4 if summary.unattributed else 3]:
        column.justify = "right"
    for entry in (*groups, *summary.shares):
        grid.add_row(
            Text(entry.entity),
            str(entry.blocks),
            f"{entry.share:.1%}",
            *((f"{entry.bounds.high:.1%}",) if summary.unattributed else ()),
            f"{entry.interval.low:.1%} to {entry.interval.high:.1%}",
            *((ends(entry.above_third, entry.above_third_most),) if control else ()),
        )
    console.print()
    console.print(grid)


_READINGS: Final = (
    "alone: each unknown block is of a miner of its own; one: all are of one further miner; "
    "largest's: all are of the largest. Whoever found them, a figure is not beyond the first and "
    "the last; but of those with ~ these are readings and no bounds."
)


def _figures_grid(summary: Summary, figures: list[Figure]) -> Table:
    """Return the figures as a table, under each reading where blocks are unknown."""
    from rich.table import Table

    head, unknown = f"{summary.level:.0%} interval", summary.unattributed > 0
    more = ("alone", "one", "largest's") if unknown else ("",)
    grid = Table("figure", "value", head, *more, box=None, pad_edge=False, header_style="bold")
    grid.columns[0].no_wrap = not unknown
    grid.columns[2].no_wrap = True
    for column in (grid.columns[1], *(grid.columns[3:] if unknown else ())):
        column.justify = "right"
        column.no_wrap = True
    for figure in figures:
        mark = "" if math.isfinite(figure.bounds.low) else "~"
        told = figure.readings is not NO_READINGS
        readings = [f"{mark}{number(reading)}" if told else "" for reading in figure.readings]
        grid.add_row(
            figure.title,
            number(figure.value),
            span(figure.interval),
            *(readings if unknown else (figure.note,)),
        )
    return grid
