"""``poolscope claims``: the founding claims, judged by numbers that anybody can change."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from analyzers.assumptions import Assumptions
from analyzers.claims import CLAIMS, Finding, evaluate
from monitor.answers import convert
from monitor.answers.claims import ClaimList
from monitor.answers.of_claims import claim
from monitor.commands import leftout as left_out
from monitor.commands.fleet import fleet_options, show_inputs
from monitor.commands.options import selection_options
from monitor.commands.output import write_json
from monitor.queries.cost import with_store
from monitor.queries.selection import Selection
from monitor.report.claims import (
    CASE_HEADS,
    SWING_HEADS,
    as_html,
    case_row,
    found_in_words,
    quantity,
    swing_row,
)

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS: Final = {"holds": "green", "does not hold": "red", "cannot be said": "yellow"}


@click.command("claims")
@click.option(
    "--claim",
    "only",
    multiple=True,
    type=click.Choice(list(CLAIMS)),
    help="Judge only this one, and show everything behind it.",
)
@click.option("--full", is_flag=True, help="Show inputs, cases, sources and limits of all.")
@fleet_options
@click.option("--series", default="", help="Series of country shares, such as 'Hashrate Index'.")
@click.option("--market", default="", help="AI market, such as 'cloud infrastructure'.")
@click.option(
    "--from-store",
    is_flag=True,
    help="Take pools, difficulty and fees from the store, not from what ships.",
)
@selection_options
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.option("--html", "form", flag_value="html", help="Write an HTML page.")
def command(
    selection: Selection,
    *,
    only: tuple[str, ...],
    given: Mapping[str, float],
    series: str,
    market: str,
    form: str | None,
    full: bool,
    from_store: bool,
) -> None:
    """Judge what is said of mining and AI: holds, does not hold, or cannot be said.

    Each verdict stands on inputs with sources and dates. Change one (--tariff,
    --efficiency, --series, --lens, --from ...) and see whether it moves; an input that you
    give is taken as known. Without --from-store the answer is the same for everybody: it
    comes from the history and the tables that ship.

    \b
    Examples:
      poolscope claims
      poolscope claims --claim cost-united-states --tariff 0.05 --efficiency 17.5
      poolscope claims --claim geography --series 'CBECI map'
      poolscope claims --claim control --from 2024-04-20 --lens template
      poolscope claims --html > claims.html
    """
    if from_store and selection.history:
        raise click.UsageError("--from-store and --history exclude each other")
    selection = dataclasses.replace(selection, history=not from_store)
    try:
        assumptions = Assumptions(series=series, market=market)
        if from_store:
            assumptions = with_store(assumptions, selection.settings, selection.tell)
        table, _ = selection.table()
        findings = evaluate(
            table,
            selection.source,
            assumptions.given(given),
            only,
            kind=selection.kind,
            today=datetime.now(UTC).date(),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if form == "json":
        write_json(
            ClaimList(claims=list(map(claim, findings)), left_out=convert.left_out(left_out.said()))
        )
    elif form == "html":
        click.echo(_page(findings))
    else:
        _print(findings, full=full or bool(only))


def _page(findings: Sequence[Finding]) -> str:
    from importlib.resources import files

    style = (files("monitor.report") / "style.css").read_text("utf-8")
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Claims</title><style>{style}</style></head>\n<body><h1>Claims, judged</h1>"
        f"<p class='note'>Made {made} by poolscope. Change an input with 'poolscope claims' "
        f"and make it anew.</p>{as_html(findings)}</body></html>"
    )


def _print(findings: Sequence[Finding], *, full: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for place, found in enumerate(findings):
        if place:
            console.print()
        console.print(Text(found.claim, style="bold"))
        facts = Table.grid(padding=(0, 1, 0, 2))
        verdict = Text(found.verdict, style=f"bold {_COLOURS[found.verdict]}")
        if found.as_of:
            verdict.append(f" ({found.as_of})", style="not bold default")
        facts.add_row("", verdict)
        for name, text in (
            ("claimed", quantity(found.claimed)),
            ("found", found_in_words(found)),
            ("because", found.because),
            ("turns", found.turns),
            ("said by", found.said_by),
        ):
            facts.add_row(name, Text(text))
        console.print(facts)
        if full:
            console.print()
            _print_details(console, found)
    if not full:
        console.print()
        console.print(Text("inputs, sources and limits: --full, or --claim with one of"))
        console.print(Text("  " + ", ".join(found.slug for found in findings)))


def _print_details(console: Console, found: Finding) -> None:
    from rich.table import Table
    from rich.text import Text

    if found.inputs:
        show_inputs(console, found.inputs)
    for heads, rows in (
        (SWING_HEADS, [swing_row(swing) for swing in found.swings]),
        (CASE_HEADS, [case_row(case) for case in found.cases]),
    ):
        if rows:
            grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
            for column in grid.columns:
                column.overflow = "fold"
            for row in rows:
                grid.add_row(*map(Text, row))
            console.print(grid)
            console.print()
    for title, texts in (("sources", found.sources), ("cannot show", found.unsaid)):
        for text in texts:
            console.print(Text(f"{title}: {text}", style="dim"))
