"""``poolscope risk``: what the largest miner could do, with the share's own uncertainty."""

from __future__ import annotations

from collections.abc import Mapping

import click

from analyzers.intervals import Interval
from analyzers.summary import HALF, THIRD
from monitor.answers import convert
from monitor.answers.base import CountEstimate
from monitor.answers.windows import DoubleSpend, Holding, Risks, SelfishMining
from monitor.commands import leftout as left_out
from monitor.commands.options import NumberRange, counts_option, json_option, selection_options
from monitor.commands.output import write_json
from monitor.queries.risk import Attack, Attacker, Ends, attack, attacker
from monitor.queries.selection import Selection
from monitor.words import ends


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
@json_option
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
    who = None
    if share is not None:
        found = attack(share, Interval(share, share), risk)
    else:
        who = attacker(selection, counts, entity)
        found = attack(who.share.share, who.share.interval, risk)
    answer = _answer(who, found)
    if as_json:
        write_json(answer)
    else:
        _print(answer)


def _answer(who: Attacker | None, found: Attack) -> Risks:
    return Risks(
        pool=who and who.share.entity,
        share=convert.estimate(found.share),
        holding=who and _holding(who),
        risk=found.risk,
        confirmations=_ends(found.confirmations),
        confirmations_whitepaper=_ends(found.confirmations_whitepaper),
        double_spend=[
            DoubleSpend(confirmations=wait, probability=convert.estimate(chance))
            for wait, chance in found.double_spend.items()
        ],
        selfish_mining=[
            SelfishMining(gamma=gamma, threshold=pays_above, revenue=convert.estimate(revenue))
            for gamma, (pays_above, revenue) in found.selfish.items()
        ],
        left_out=convert.left_out(left_out.said()),
    )


def _ends(found: Ends) -> CountEstimate:
    return CountEstimate(value=found.value, low=found.low, high=found.high)


def _holding(who: Attacker) -> Holding:
    half, third = (who.summary.any_above_bounds(threshold) for threshold in (HALF, THIRD))
    return Holding(
        source=who.found.source,
        window=None if who.found.window is None else str(who.found.window),
        lens=who.found.lens,
        blocks=who.share.blocks,
        of_blocks=who.summary.blocks,
        unknown=who.summary.unattributed,
        above_quarter=who.share.above_quarter,
        above_quarter_most=who.share.above_quarter_most,
        above_third=who.share.above_third,
        above_third_most=who.share.above_third_most,
        above_half=who.share.above_half,
        above_half_most=who.share.above_half_most,
        any_above_third=third.low,
        any_above_third_most=third.high,
        any_above_half=half.low,
        any_above_half_most=half.high,
        nakamoto_half=convert.nakamoto(who.summary, lambda reading: reading.nakamoto_half),
    )


def _print(found: Risks) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    share = found.share
    known = share.low != share.high
    span = f" ({_percent(share.low)} to {_percent(share.high)})" if known else ""
    console.print(
        Text(f"{found.pool or 'the share given'}: {_percent(share.value)}{span} of the hash rate")
    )
    if held := found.holding:
        quarter, third, half = (
            ends(*pair)
            for pair in (
                (held.above_quarter, held.above_quarter_most),
                (held.above_third, held.above_third_most),
                (held.above_half, held.above_half_most),
            )
        )
        console.print(
            f"{held.blocks} of {held.of_blocks} blocks; P(over 1/4) {quarter}, "
            f"P(over 1/3) {third}, P(over 1/2) {half}"
        )
        if held.unknown:
            console.print(f"{held.unknown} blocks are unknown: the high ends count them as its own")
    heads = ("", "at the share", *(("low end", "high end") if known else ()))
    parts = ("value", "low", "high")[: len(heads) - 1]

    def grid_of(title: str) -> Table:
        grid = Table(title, *heads[1:], box=None, pad_edge=False, header_style="bold")
        for column in grid.columns[1:]:
            column.justify = "right"
        return grid

    grid = grid_of("double spend after")
    for row in found.double_spend:
        unit = "confirmation" if row.confirmations == 1 else "confirmations"
        grid.add_row(
            f"{row.confirmations} {unit}",
            *(_chance(getattr(row.probability, end)) for end in parts),
        )
    console.print(grid)
    grid = grid_of(f"confirmations for a risk below {found.risk:g}")
    for waits, title in (
        (found.confirmations, "exact"),
        (found.confirmations_whitepaper, "whitepaper"),
    ):
        shown = (getattr(waits, end) for end in parts)
        grid.add_row(title, *("never" if wait is None else str(wait) for wait in shown))
    console.print(grid)
    grid = grid_of("selfish mining earns")
    for earned in found.selfish_mining:
        grid.add_row(
            f"gamma {earned.gamma:g} (pays above {_percent(earned.threshold)})",
            *(_percent(getattr(earned.revenue, end)) for end in parts),
        )
    console.print(grid)


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1%}"


def _chance(chance: float | None) -> str:
    """Return a probability in percent, small ones with two digits."""
    if chance is None:
        return "-"
    return f"{chance:.1%}" if chance >= 0.01 else f"{100 * chance:.2g}%"
