"""``poolscope trend``: whether concentration rises, and when shares changed."""

from __future__ import annotations

import click

from monitor.answers import convert
from monitor.answers.of_windows import change_points, period_trend
from monitor.answers.windows import Trends
from monitor.commands import leftout as left_out
from monitor.commands.options import NumberRange, selection_options
from monitor.commands.output import write_json
from monitor.commands.table import write_csv
from monitor.queries.dates import moment_of
from monitor.queries.selection import Selection
from monitor.queries.trend import Found, trends
from monitor.words import number


@click.command("trend")
@selection_options
@click.option(
    "--measure",
    default="hhi",
    show_default=True,
    help="hhi, effective_number, cr1 (share of the largest), or the name of a pool for its share.",
)
@click.option(
    "--alpha",
    type=NumberRange(0.0001, 0.5),
    default=0.05,
    show_default=True,
    help="False-positive rate.",
)
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.option("--csv", "form", flag_value="csv", help="Write CSV: the trends, one row each.")
def command(selection: Selection, measure: str, alpha: float, form: str | None) -> None:
    """Test whether concentration rises or falls, whole and by era, and find its changes.

    The slope is judged against wander and the known noise of sampling, on windows that do not
    overlap; a direction is given only where longer windows show it, too. Change points are found
    on the counts of all pools at once, by likelihood: they say that shares before and after
    differ. Where shares wander there are many.

    \b
    Examples:
      poolscope trend --history
      poolscope trend --history --window 30d --from 2022-01-01
      poolscope trend --history --measure foundryusa --json
    """
    found = trends(selection, measure, alpha)
    answer = _answer(found, selection)
    if form == "json":
        write_json(answer)
    elif form == "csv":
        write_csv(answer.trends)
    else:
        _print(answer, found.title)


def _answer(found: Found, selection: Selection) -> Trends:
    return Trends(
        source=selection.source,
        window=str(found.window),
        lens=selection.lens,
        measure=found.measure,
        pool=found.pool,
        unit=found.unit,
        alpha=found.alpha,
        trends=[
            period_trend(part.name, part.windows, part.trend, found.alpha) for part in found.parts
        ],
        share_changes=change_points(found.changes),
        left_out=convert.left_out(left_out.said()),
    )


def _print(found: Trends, title: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(
        Text(f"source {found.source}, window {found.window}, lens {found.lens}, measure {title}")
    )
    interval = f"{100 * (1 - found.alpha):g}% interval"
    heads = ("era", "windows", "direction", "p", "slope a year", interval, "lag-1 r")
    grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
    grid.columns[5].no_wrap = True
    for row in found.trends:
        slope = row.slope_per_year
        grid.add_row(
            row.era,
            str(row.windows),
            row.direction,
            _number(row.p),
            _slope(slope.value),
            "" if slope.low is None else f"{_slope(slope.low)} to {_slope(slope.high)}",
            _number(row.autocorrelation),
        )
    console.print(grid)
    console.print()
    changes = found.share_changes
    if not changes.changes:
        console.print("no change of shares found")
        return
    grid = Table("shares changed", "gain", "who", box=None, pad_edge=False, header_style="bold")
    for change in changes.changes:
        shifts = list(change.shifts.items())[:3]
        who = ", ".join(f"{name} {100 * (shift or 0):+.1f}" for name, shift in shifts)
        grid.add_row(moment_of(change.start_time)[:10], f"{change.gain:.0f}", Text(f"{who} points"))
    console.print(grid)
    console.print(
        f"gain is log-likelihood over a penalty of {changes.penalty:.1f}; shares vary "
        f"{changes.dispersion:.1f} times as much from window to window as sampling alone"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else number(value)


def _slope(value: float | None) -> str:
    """Return a change a year; that of a ratio may be small, and its digits are asked for."""
    return "-" if value is None else f"{value:.3g}"
