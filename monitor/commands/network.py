"""``poolscope network``: hash rate, luck, streaks, stale and empty blocks, with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from monitor.answers import convert
from monitor.commands import leftout as left_out
from monitor.commands.options import (
    from_option,
    json_option,
    lens_option,
    level_option,
    settings_options,
    to_option,
    window_option,
)
from monitor.commands.output import write_json
from monitor.words import number

if TYPE_CHECKING:
    from analyzers.network import Estimate
    from analyzers.observed import Claim
    from analyzers.windows import Window
    from monitor.config import Settings
    from monitor.queries.stretch import NetworkView, StretchAsked


def _claims(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> Any:
    from monitor.queries.stretch import parse_claim

    try:
        return dict(map(parse_claim, given))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("network")
@window_option()
@from_option
@to_option
@lens_option
@click.option(
    "--claim",
    "claims",
    multiple=True,
    callback=_claims,
    metavar="POOL=SHARE|RATE",
    help="What is claimed of a pool from outside, to judge its luck: antpool=18%, f2pool=90EH.",
)
@level_option
@json_option
@settings_options
def command(
    settings: Settings,
    window: Window,
    start: int | None,
    end: int | None,
    *,
    lens: str,
    claims: dict[str, Claim],
    level: float,
    as_json: bool,
) -> None:
    """Show what the stored blocks say about the network, every figure with its interval.

    Hash rate of the network and of each pool from work and median time past; the forecast of
    the next retarget; the longest run of blocks of each pool, with the probability to see one
    as long; empty blocks; stale blocks, which are those that the source heard of; and when
    blocks were first seen. Luck needs a claim from outside: a share or a hash rate taken from
    the same blocks would make it 1.

    \b
    Examples:
      poolscope network
      poolscope network --window 144 --lens template
      poolscope network --window 30d --claim foundryusa=270EH --claim ocean=1.5%
      poolscope network --json
    """
    from monitor.answers.of_network import network_seen
    from monitor.queries.stretch import StretchAsked, network_view

    asked = StretchAsked(window, start, end, lens, level)
    view = network_view(settings, asked, claims, left_out.hear)
    if as_json:
        write_json(network_seen(view, asked, convert.left_out(left_out.said())))
    else:
        _print(view, asked)


def _hashes(estimate: Estimate) -> str:
    """Return a hash rate with its interval, in one unit that fits."""
    if not math.isfinite(estimate.value):
        return "-"
    from monitor.queries.stretch import UNITS

    fits = [name for name, size in UNITS.items() if estimate.value >= size]
    unit = fits[-1] if fits else ""
    value, low, high = (
        number(figure / UNITS[unit]) for figure in (estimate.value, *estimate.interval)
    )
    return f"{value} {unit}H/s ({low} to {high})"


def _part(estimate: Estimate, digits: int = 1) -> str:
    """Return a ratio with its interval in percent."""
    if not math.isfinite(estimate.value):
        return "-"
    value, low, high = (f"{x:.{digits}%}" for x in (estimate.value, *estimate.interval))
    return f"{value} ({low} to {high})"


def _print(found: NetworkView, asked: StretchAsked) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stretch, view = found.stretch, found.seen
    console = Console(highlight=False)
    ends = (stretch.blocks[0].height, stretch.blocks[-1].height)
    mark = f" of the {stretch.synthetic.upper()}" if stretch.synthetic else ""
    console.print(
        f"{view.blocks} blocks{mark}, heights {ends[0]} to {ends[1]}, by {asked.lens}; "
        f"in brackets {asked.level:.0%} intervals"
    )
    empty = "not known"
    if view.empty.of_blocks:
        part = _part(view.empty.share, 2)
        empty = f"{view.empty.found} of {view.empty.of_blocks}, {part}"
    facts = [
        ("hash rate", _hashes(view.rate)),
        ("difficulty", f"{stretch.difficulty:.5g}"),
        ("stale blocks seen", f"{view.stale_blocks}, {_part(view.stale, 3)} of blocks, at least"),
        ("empty blocks", empty),
    ]
    if stretch.forecast:
        factor = stretch.forecast.factor
        low, high = (100 * (end - 1) for end in factor.interval)
        facts.insert(
            2,
            (
                "next retarget",
                f"{100 * (factor.value - 1):+.1f} % ({low:+.1f} to {high:+.1f}), "
                f"in {stretch.forecast.blocks_left} blocks",
            ),
        )
    if view.any_run:
        name, run = view.any_run
        facts.append(
            (
                "longest run",
                f"{run.length} by {name} from {run.height}; "
                f"P(some run as long) {number(run.probability)}",
            )
        )
    if view.delays.blocks:
        d = view.delays
        facts.append(
            ("first seen", f"{d.median:+.0f} s after header time ({d.p10:+.0f} to {d.p90:+.0f})")
        )
    for name, luck in found.luck.items():
        ratio = "{} ({} to {})".format(*map(number, (luck.ratio.value, *luck.ratio.interval)))
        chances = f"P(so few) {number(luck.at_most)}, P(so many) {number(luck.at_least)}"
        facts.append((f"luck of {name}", f"{ratio}; {chances}"))
    grid = Table(box=None, pad_edge=False, show_header=False)
    for title, text in facts:
        grid.add_row(title, Text(text))
    console.print(grid)
    heads = ["pool", "blocks", "share", "hash rate", "run", "P(run)"]
    heads += ["empty"] * bool(view.empty.of_blocks) + ["seen after"] * bool(view.delays.blocks)
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for place, head in enumerate(heads):
        numeric = head not in {"pool", "hash rate"}
        grid.add_column(
            head,
            justify="right" if numeric else "left",
            no_wrap=numeric,
            min_width=10 if place == 0 else None,
        )
    for entity in view.entities:
        row = [
            str(entity.blocks),
            f"{entity.share.value:.1%}",
            _hashes(entity.rate),
            str(entity.run.length),
            number(entity.run.probability),
        ]
        if view.empty.of_blocks:
            row.append(str(entity.empty.found) if entity.empty.of_blocks else "-")
        if view.delays.blocks:
            delay = entity.delays
            row.append(f"{delay.median:+.0f} s" if delay.blocks else "-")
        grid.add_row(Text(entity.entity), *row)
    console.print()
    console.print(grid)
