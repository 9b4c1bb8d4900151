"""``poolscope eras``: concentration by era of hardware and by subsidy."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import click

from analyzers.concentration import POINTS
from analyzers.eras import DIVISIONS, Division, EraChange, EraFigures, by_division, change
from analyzers.intervals import Interval
from monitor.commands import leftout as left_out
from monitor.commands.inputs import Selection, selection_options
from monitor.words import number, plain

_TITLES: dict[Division, str] = {
    "hardware": "by hardware, from the first product of a kind on",
    "subsidy": "by subsidy, from halving to halving",
}


@click.command("eras")
@selection_options
@click.option(
    "--by",
    "divisions",
    type=click.Choice(DIVISIONS),
    multiple=True,
    help="Only this division; both if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(selection: Selection, *, divisions: tuple[Division, ...], as_json: bool) -> None:
    """Measure concentration in each era, the trend within it, and the step to the next.

    HHI is the mean of windows that do not overlap. Its bounds leave room for whoever found
    the blocks that name nobody: at the low end each is a miner of its own, at the high end
    all are one. Early coinbases name nobody, so early eras stay open. That an era came
    before a change does not show that it made it.

    \b
    Examples:
      poolscope eras --history
      poolscope eras --by hardware --lens template
      poolscope eras --history --window 30d --json
    """
    table, window = selection.table()
    found = {name: by_division(table, name) for name in divisions or DIVISIONS}
    facts = {"source": selection.source, "window": str(window), "lens": selection.lens}
    if as_json:
        result: dict[str, Any] = {**facts, "unit": "HHI points"}
        result["divisions"] = {name: _values(eras) for name, eras in found.items()}
        result["left_out"] = left_out.as_json()
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print(facts, found)


def _steps(eras: Sequence[EraFigures]) -> list[EraChange]:
    return [change(first, second) for first, second in itertools.pairwise(eras)]


def _points(interval: Interval) -> list[float | None]:
    return [plain(end * POINTS) for end in interval]


def _values(eras: Sequence[EraFigures]) -> dict[str, Any]:
    return {
        "eras": [
            {
                "era": found.era.name,
                "source": found.era.source,
                "windows": found.windows,
                "blocks": found.blocks,
                "unattributed": plain(found.unattributed),
                "hhi": plain(found.hhi * POINTS),
                "interval": _points(found.interval),
                "bounds": _points(found.bounds),
                "direction": found.trend.direction(),
                "p": plain(found.trend.p),
                "slope_per_year": plain(found.trend.slope.value * POINTS),
            }
            for found in eras
        ],
        "steps": [
            {
                "from": step.earlier,
                "to": step.later,
                "difference": plain(step.difference * POINTS),
                "interval": _points(step.interval),
                "bounds": _points(step.bounds),
            }
            for step in _steps(eras)
        ],
    }


def _print(facts: dict[str, str], found: dict[Division, list[EraFigures]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(", ".join(f"{name} {value}" for name, value in facts.items())))
    for name, eras in found.items():
        console.print()
        console.print(Text(_TITLES[name], style="bold"))
        heads = ("era", "windows", "HHI", "95% interval", "nobody known", "bounds", "trend")
        grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for era in eras:
            grid.add_row(
                era.era.name,
                str(era.windows),
                number(era.hhi * POINTS),
                _span(era.interval),
                f"{era.unattributed:.1%}",
                _span(era.bounds),
                era.trend.direction(),
            )
        console.print(grid)
        for step in _steps(eras):
            console.print(
                Text(
                    f"{step.earlier} to {step.later}: {step.difference * POINTS:+.0f} points by "
                    f"sampling {_span(step.interval)}, with anybody unknown {_span(step.bounds)}"
                )
            )
        if len(eras) < 2:
            console.print("one era compares with nothing: a longer chain is needed")


def _span(interval: Interval) -> str:
    low, high = (number(end * POINTS) for end in interval)
    return low if low == high else f"{low} to {high}"
