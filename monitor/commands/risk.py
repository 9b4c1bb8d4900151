"""``poolscope risk``: what the largest miner could do, with the share's own uncertainty."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import click

from analyzers.intervals import Interval
from analyzers.security import (
    confirmations_needed,
    double_spend,
    selfish_revenue,
    selfish_threshold,
)
from analyzers.summary import HALF, THIRD, summarize
from monitor.commands import leftout as left_out
from monitor.commands.inputs import Selection, counts_option, given, selection_options
from monitor.commands.options import NumberRange
from monitor.words import number, plain

WAITS: Final = (1, 2, 3, 6, 12, 24, 48, 100)
"""Confirmations that the table shows."""

GAMMAS: Final = (0.0, 0.5, 1.0)
"""Parts of the honest hash rate that follow the attacker in a tie."""


@click.command("risk")
@click.option("--share", type=NumberRange(0, 1), help="A share (0..1) instead of blocks.")
@counts_option("The table to take the largest of")
@click.option("--entity", multiple=True, help="This one (or these together) for the largest.")
@selection_options
@click.option(
    "--risk",
    type=NumberRange(0, 1, min_open=True),
    default=0.001,
    show_default=True,
    help="Accepted probability of a successful double spend.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(
    selection: Selection,
    share: float | None,
    counts: Mapping[str, int] | None,
    entity: tuple[str, ...],
    *,
    risk: float,
    as_json: bool,
) -> None:
    """Show attack figures for the largest miner: double spends, confirmations, selfish mining.

    Each figure is given at the share and at both ends of its interval, as a share known
    from few blocks means little. They assume that all of that hash rate attacks.

    \b
    Examples:
      poolscope risk --share 0.3
      poolscope risk --history --window 7d
      poolscope risk --counts 43,25,20,15,9,7 --risk 0.01
      poolscope risk --history --entity antpool --entity poolin --json
    """
    if share is not None:
        who, interval = "the share given", Interval(share, share)
        facts: dict[str, Any] = {}
    else:
        who, share, interval, facts = _attacker(selection, counts, entity)
    result = {"attacker": who, **facts, **_figures(share, interval, risk)}
    result["left_out"] = left_out.as_json()
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print(result, share, interval)


def _attacker(
    selection: Selection, counts: Mapping[str, int] | None, names: tuple[str, ...]
) -> tuple[str, float, Interval, dict[str, Any]]:
    """Return the name, share and interval of whom to look at, and what is known of them."""
    table: Mapping[str, int]
    facts: dict[str, Any]
    if counts is None:
        last = selection.last("7d", "1008")
        table, unattributed = last.counts, last.unattributed
        facts = {"source": selection.source, "window": str(last.window), "lens": selection.lens}
    else:
        table, unattributed, facts = given(counts)
    summary = summarize(table, unattributed=unattributed)
    if not summary.shares:
        raise click.UsageError("no block is attributed to anybody, so there is no largest miner")
    chosen = selection.entities(names, summary, "--entity")
    found = summary.group(chosen) if names else summary.shares[0]
    known: dict[str, Any] = {
        **facts,
        "blocks": found.blocks,
        "of_blocks": summary.blocks,
        "above_quarter": found.above_quarter,
        "above_third": found.above_third,
        "above_half": found.above_half,
        "any_above_third": summary.any_above[THIRD],
        "any_above_half": summary.any_above[HALF],
        "nakamoto_half": summary.nakamoto_half.observed,
        "nakamoto_half_posterior": summary.nakamoto_half.posterior,
    }
    return found.entity, found.share, found.interval, known


def _figures(share: float, interval: Interval, risk: float) -> dict[str, Any]:
    points = {"point": share, "low": interval.low, "high": interval.high}
    return {
        "share": points,
        "risk": risk,
        "confirmations": {name: confirmations_needed(q, risk) for name, q in points.items()},
        "confirmations_whitepaper": {
            name: confirmations_needed(q, risk, "nakamoto") for name, q in points.items()
        },
        "double_spend": {
            str(wait): {name: double_spend(q, wait) for name, q in points.items()} for wait in WAITS
        },
        "selfish_mining": {
            str(gamma): {
                "threshold": selfish_threshold(gamma),
                **{name: selfish_revenue(q, gamma) for name, q in points.items()},
            }
            for gamma in GAMMAS
        },
    }


def _print(result: Mapping[str, Any], share: float, interval: Interval) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    known = interval.low < interval.high
    span = f" ({interval.low:.1%} to {interval.high:.1%})" if known else ""
    console.print(Text(f"{result['attacker']}: {share:.1%}{span} of the hash rate"))
    if "blocks" in result:
        console.print(
            f"{result['blocks']} of {result['of_blocks']} blocks; P(over 1/4) "
            f"{number(result['above_quarter'])}, P(over 1/3) {number(result['above_third'])}, "
            f"P(over 1/2) {number(result['above_half'])}"
        )
    heads = ("", "at the share", *(("low end", "high end") if known else ()))
    names = ("point", "low", "high")[: len(heads) - 1]

    def grid_of(title: str) -> Table:
        grid = Table(title, *heads[1:], box=None, pad_edge=False, header_style="bold")
        for column in grid.columns[1:]:
            column.justify = "right"
        return grid

    grid = grid_of("double spend after")
    for wait, chances in result["double_spend"].items():
        unit = "confirmation" if wait == "1" else "confirmations"
        grid.add_row(f"{wait} {unit}", *(_chance(chances[name]) for name in names))
    console.print(grid)
    grid = grid_of(f"confirmations for a risk below {result['risk']:g}")
    for key, title in (("confirmations", "exact"), ("confirmations_whitepaper", "whitepaper")):
        waits = (result[key][name] for name in names)
        grid.add_row(title, *("never" if wait is None else str(wait) for wait in waits))
    console.print(grid)
    grid = grid_of("selfish mining earns")
    for gamma, earned in result["selfish_mining"].items():
        grid.add_row(
            f"gamma {float(gamma):g} (pays above {earned['threshold']:.1%})",
            *(f"{earned[name]:.1%}" for name in names),
        )
    console.print(grid)


def _chance(chance: float) -> str:
    """Return a probability in percent, small ones with two digits."""
    if plain(chance) is None:
        return "-"
    return f"{chance:.1%}" if chance >= 0.01 else f"{100 * chance:.2g}%"
