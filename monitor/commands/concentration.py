"""``poolscope concentration``: how concentrated mining is, and how sure that is."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from analyzers.summary import Summary, summarize
from monitor.commands.figures import Figure, figures_json, figures_of, number, plain, span
from monitor.commands.inputs import Selection, parse_counts, parsed_by, selection_options

DRAWS: Final = 20_000
"""Posterior draws of one window on the command line, where a few milliseconds do not matter."""

DRIFT: Final = 0.01
"""P-value below which the halves of a window are said to differ."""


@click.command("concentration")
@click.option(
    "--counts",
    callback=parsed_by(parse_counts),
    metavar="FILE|A,B,C",
    help="Measure this table instead: numbers, or a CSV of entity,count (- for stdin).",
)
@selection_options
@click.option("--each", is_flag=True, help="One row for each window instead of the last one.")
@click.option(
    "--level",
    type=click.FloatRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="Probability content of the intervals.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Same seed, same simulated probabilities.",
)
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.option("--csv", "form", flag_value="csv", help="Write CSV.")
def command(
    selection: Selection,
    counts: Mapping[str, int] | None,
    *,
    each: bool,
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
      poolscope concentration --counts 43,25,20,15,9,7,4
      poolscope concentration --counts pools.csv --json
    """  # noqa: D301 - click wants the character itself
    if counts is not None:
        if each:
            raise click.UsageError("--each needs windows; --counts is only one")
        facts = {"source": "counts given"}
        _show(summarize(counts, level=level, draws=DRAWS, seed=seed), facts, form)
        return
    if each:
        from monitor.commands.series_output import show_series

        table, window = selection.table()
        facts = {"source": selection.source, "window": str(window), "lens": selection.lens}
        show_series(table, facts, level, form)
        return
    last = selection.last()
    start = datetime.fromtimestamp(last.start_time, UTC)
    facts = {
        "source": selection.source,
        "window": str(last.window),
        "lens": selection.lens,
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "first_height": str(last.first_height),
    }
    summary = summarize(
        last.counts, unattributed=last.unattributed, level=level, draws=DRAWS, seed=seed
    )
    _show(summary, facts, form, last.homogeneity)


def _show(
    summary: Summary,
    facts: Mapping[str, str],
    form: str | None,
    homogeneity: float = math.nan,
) -> None:
    figures = figures_of(summary)
    if not math.isnan(homogeneity):
        note = "shares moved inside the window: intervals are too narrow"
        figures.append(
            Figure(
                "homogeneity_p",
                "P-value, halves have the same shares",
                homogeneity,
                note=note if homogeneity < DRIFT else "",
            )
        )
    if form == "json":
        click.echo(json.dumps(_as_json(summary, facts, figures), indent=2, ensure_ascii=False))
    elif form == "csv":
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(("figure", "value", "low", "high"))
        rows.writerows(
            (figure.name, figure.value, figure.interval.low, figure.interval.high)
            for figure in figures
        )
        rows.writerows(
            (f"share:{share.entity}", share.share, share.interval.low, share.interval.high)
            for share in summary.shares
        )
    else:
        _print_tables(summary, facts, figures)


def _as_json(summary: Summary, facts: Mapping[str, str], figures: list[Figure]) -> dict[str, Any]:
    return {
        **facts,
        "blocks": summary.blocks,
        "entities": summary.entities,
        "unattributed": summary.unattributed,
        "level": summary.level,
        "prior": "Jeffreys (0.5 for each entity seen)",
        "figures": figures_json(figures),
        "nakamoto_half_posterior": summary.nakamoto_half.posterior,
        "nakamoto_third_posterior": summary.nakamoto_third.posterior,
        "shares": [
            {
                name: plain(value) if isinstance(value, float) else value
                for name, value in dataclasses.asdict(share).items()
            }
            for share in summary.shares
        ],
    }


def _print_tables(summary: Summary, facts: Mapping[str, str], figures: list[Figure]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(", ".join(f"{name} {value}" for name, value in facts.items())))
    console.print(
        f"{summary.blocks} blocks, {summary.entities} entities, "
        f"{summary.unattributed} unattributed blocks"
    )
    head = f"{summary.level:.0%} interval"
    grid = Table("figure", "value", head, "", box=None, pad_edge=False, header_style="bold")
    grid.columns[1].justify = "right"
    for figure in figures:
        grid.add_row(figure.title, number(figure.value), span(figure.interval), figure.note)
    console.print(grid)
    grid = Table(
        "entity",
        "blocks",
        "share",
        head,
        "P(over 1/3)",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for column in grid.columns[1:3]:
        column.justify = "right"
    for share in summary.shares:
        grid.add_row(
            Text(share.entity),
            str(share.blocks),
            f"{share.share:.1%}",
            f"{share.interval.low:.1%} to {share.interval.high:.1%}",
            number(share.above_third),
        )
    console.print()
    console.print(grid)
