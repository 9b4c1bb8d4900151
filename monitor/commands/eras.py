"""``poolscope eras``: concentration by era of hardware and by subsidy."""

from __future__ import annotations

from typing import Final

import click

from analyzers.eras import DIVISIONS, Division, by_division
from monitor.answers import Estimate, convert
from monitor.answers.of_windows import divisions as answers_of
from monitor.answers.windows import Eras
from monitor.commands import leftout as left_out
from monitor.commands.options import json_option, selection_options
from monitor.commands.output import write_json
from monitor.queries.selection import Selection

_TITLES: Final[dict[str, str]] = {
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
@json_option
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
    found = Eras(
        source=selection.source,
        window=str(window),
        lens=selection.lens,
        divisions=answers_of({name: by_division(table, name) for name in divisions or DIVISIONS}),
        left_out=convert.left_out(left_out.said()),
    )
    if as_json:
        write_json(found)
    else:
        _print(found)


def _print(found: Eras) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(f"source {found.source}, window {found.window}, lens {found.lens}"))
    for name, division in found.divisions.items():
        console.print()
        console.print(Text(_TITLES[name], style="bold"))
        heads = ("era", "windows", "HHI", "95% interval", "nobody known", "bounds", "trend")
        grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for era in division.eras:
            grid.add_row(
                era.era,
                str(era.windows),
                _number(era.hhi.value),
                _span(era.hhi),
                "-" if era.unknown_ratio is None else f"{era.unknown_ratio:.1%}",
                _span(era.hhi_bounds),
                era.direction,
            )
        console.print(grid)
        for step in division.steps:
            difference = step.difference.value
            console.print(
                Text(
                    f"{step.earlier} to {step.later}: HHI "
                    f"{'-' if difference is None else f'{difference:+.4f}'} by sampling "
                    f"{_span(step.difference)}, with anybody unknown "
                    f"{_span(step.difference_bounds)}"
                )
            )
        if len(division.eras) < 2:
            console.print("one era compares with nothing: a longer chain is needed")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _span(found: Estimate) -> str:
    low, high = _number(found.low), _number(found.high)
    return low if low == high else f"{low} to {high}"
