"""``poolscope compare --against``: whether two series move apart, and what keeps that open."""

from __future__ import annotations

import click

from analyzers.compare import Movement, Point, divergence
from monitor.answers import of_markets
from monitor.commands.output import write_json
from monitor.words import number


def show_divergence(
    names: tuple[str, str], first: list[Point], second: list[Point], *, as_json: bool
) -> None:
    """Print whether the concentration of two series moves apart."""
    found = divergence(first, second)
    answer = of_markets.divergence(names, found)
    if as_json:
        write_json(answer)
        return
    for name, move in zip(names, (found.first, found.second), strict=True):
        click.echo(f"{name}: {_told(move)}")
    click.echo(f"they move apart: {answer.verdict}")
    for text in answer.cannot_show:
        click.echo(f"  {text}")
    click.echo(
        "Both trends would have to be found, each at 5 %. HHI of different things has one "
        "formula and not one meaning."
    )


def _told(move: Movement) -> str:
    if move.first is None or move.last is None:
        return "no date with a full list"
    ends = [
        f"{' to '.join(dict.fromkeys(number(end) for end in point.value))} in {point.year:.1f}"
        for point in dict.fromkeys((move.first, move.last))
    ]
    p = f", p {move.p:.3g}" if move.direction != "unknown" else ""
    return f"HHI {' and '.join(ends)}; {move.points} dates, trend {move.direction}{p}"
