"""``poolscope trend``: whether concentration rises, and when shares changed."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import click

from analyzers.changepoints import ChangePoints, change_points
from analyzers.trend import (
    Figure,
    Trend,
    by_era,
    effective_figure,
    hhi_figure,
    largest_figure,
    share_figure,
    window_trend,
)
from analyzers.windows import CountTable
from monitor.commands import leftout as left_out
from monitor.commands.inputs import Selection, selection_options
from monitor.commands.options import NumberRange
from monitor.commands.userfiles import entity_named, slug_finder
from monitor.words import number, plain

MEASURES: Final[dict[str, tuple[str, float, Figure]]] = {
    "hhi": ("HHI, points", 10_000, hhi_figure),
    "effective": ("Effective number", 1, effective_figure),
    "largest": ("Share of the largest", 1, largest_figure),
}


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    windows: int
    trend: Trend


@click.command("trend")
@selection_options
@click.option(
    "--measure",
    default="hhi",
    show_default=True,
    help="hhi, effective, largest, or the name of an entity for its share.",
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
    table, window = selection.table()
    title, unit, figure = _measure(measure, table, selection)
    eras = [("all", table), *((era.name, part) for era, part in by_era(table))]
    parts = [_Part(name, len(part), window_trend(part, figure, 1 - alpha)) for name, part in eras]
    changes = change_points(table, alpha=alpha)
    facts = {
        "source": selection.source,
        "window": str(window),
        "lens": selection.lens,
        "measure": title,
    }
    if form == "json":
        result: dict[str, Any] = {**facts, "alpha": alpha}
        result["trends"] = [_row(part, unit, alpha) for part in parts]
        result["change_points"] = _changes(changes)
        result["left_out"] = left_out.as_json()
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    elif form == "csv":
        rows = [_row(part, unit, alpha) for part in parts]
        out = csv.DictWriter(sys.stdout, rows[0], lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    else:
        _print(facts, [_row(part, unit, alpha) for part in parts], changes, alpha)


def _measure(given: str, table: CountTable, selection: Selection) -> tuple[str, float, Figure]:
    if given in MEASURES:
        return MEASURES[given]
    name = entity_named(given, table.entities, slug_finder(table.entities, selection.registry))
    if name is None:
        some = ", ".join(table.entities[:5])
        raise click.BadParameter(
            f"{given!r} is neither {', '.join(MEASURES)} nor an entity such as {some}",
            param_hint="--measure",
        )
    column = table.entities.index(name)
    return f"Share of {name}", 1, lambda part: share_figure(part.counts[:, column], part.blocks)


def _row(part: _Part, unit: float, alpha: float) -> dict[str, Any]:
    found = part.trend
    low, high = found.slope.interval
    return {
        "era": part.name,
        "windows": part.windows,
        "direction": found.direction(alpha),
        "p": plain(found.p),
        "p_without_prewhitening": plain(found.p_naive),
        "slope_per_year": plain(found.slope.value * unit),
        "slope_low": plain(low * unit),
        "slope_high": plain(high * unit),
        "autocorrelation": plain(found.autocorrelation),
    }


def _day(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


def _changes(found: ChangePoints) -> dict[str, Any]:
    return {
        "penalty": plain(found.penalty),
        "dispersion": plain(found.dispersion),
        "changes": [
            {
                "start": _day(change.start_time),
                "gain": change.gain,
                "shifts": dict(change.shifts),
            }
            for change in found.changes
        ],
    }


def _print(
    facts: dict[str, str], rows: list[dict[str, Any]], changes: ChangePoints, alpha: float
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(", ".join(f"{name} {value}" for name, value in facts.items())))
    interval = f"{100 * (1 - alpha):g}% interval"
    heads = ("era", "windows", "direction", "p", "slope a year", interval, "lag-1 r")
    grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
    grid.columns[5].no_wrap = True
    for row in rows:
        slope, low, high, p, r = (
            "-" if row[name] is None else number(row[name])
            for name in ("slope_per_year", "slope_low", "slope_high", "p", "autocorrelation")
        )
        span = "" if row["slope_low"] is None else f"{low} to {high}"
        grid.add_row(row["era"], str(row["windows"]), row["direction"], p, slope, span, r)
    console.print(grid)
    console.print()
    if not changes.changes:
        console.print("no change of shares found")
        return
    grid = Table("shares changed", "gain", "who", box=None, pad_edge=False, header_style="bold")
    for change in changes.changes:
        who = ", ".join(f"{name} {100 * shift:+.1f}" for name, shift in change.shifts[:3])
        grid.add_row(_day(change.start_time), f"{change.gain:.0f}", Text(f"{who} points"))
    console.print(grid)
    console.print(
        f"gain is log-likelihood over a penalty of {changes.penalty:.1f}; shares vary "
        f"{changes.dispersion:.1f} times as much from window to window as sampling alone"
    )
