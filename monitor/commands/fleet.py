"""Options that set what a cost is computed from, and its inputs as people read them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from analyzers.assumptions import Input
from monitor.commands.options import NumberRange

if TYPE_CHECKING:
    from rich.console import Console

_OPTIONS: Final = (
    ("--tariff", "tariff", "Price of electricity, USD per kWh."),
    ("--efficiency", "efficiency", "Energy of the machines, joules per terahash."),
    ("--pue", "pue", "Power at the meter over power of the machines, 1 or more."),
    ("--opex", "opex", "Other running cost over that of electricity, such as 0.23."),
    ("--capital", "capital", "Price of machines, USD per TH/s."),
    ("--life", "life", "Days that machines last (1460 if --capital is given)."),
    ("--pool-fee", "pool_fee", "Part of the reward that the pool keeps, such as 0.02."),
    ("--fees", "fees", "Transaction fees over subsidy, such as 0.0055."),
    ("--difficulty", "difficulty", "Difficulty, such as 138.97e12."),
    ("--subsidy", "subsidy", "Block subsidy in BTC."),
)


MOST_NAMED: Final = 3
"""Inputs of one source that are named; more are counted."""


def fleet_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options of a miner and of the chain; pass it a mapping ``given``.

    ``given`` has the values that the user set, by the names of `analyzers.assumptions`.
    """

    @functools.wraps(command)
    def wrapper(**options: Any) -> None:
        values = {name: options.pop(name) for _, name, _ in _OPTIONS}
        given = {name: value for name, value in values.items() if value is not None}
        command(given=given, **options)

    decorated: Callable[..., None] = wrapper
    for flag, name, text in reversed(_OPTIONS):
        decorated = click.option(flag, name, type=NumberRange(min=0), help=text)(decorated)
    return decorated


def show_inputs(console: Console, inputs: Sequence[Input]) -> None:
    """Print inputs with what they may be, then who says so."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        "input", "value", "may be", "unit", "as of", box=None, pad_edge=False, header_style="bold"
    )
    for item in inputs:
        span = f"{item.low:.6g} to {item.high:.6g}" if item.low < item.high else ""
        grid.add_row(item.name, f"{item.value:.6g}", span, item.unit, item.date)
    console.print(grid)
    console.print()
    named: dict[str, list[str]] = {}
    for item in inputs:
        named.setdefault(item.source, []).append(item.name)
    for source, names in named.items():
        told = "; ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} of these"
        console.print(Text(f"{told}: {source}", style="dim"))
    console.print()
