"""``poolscope cost``: what a bitcoin costs to mine, and what hashes earn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from analyzers.assumptions import UNDATED, Assumptions
from monitor.answers import Estimate, convert, economics
from monitor.answers.of_economics import costs
from monitor.commands import leftout as left_out
from monitor.commands.fleet import fleet_options, show_inputs
from monitor.commands.options import (
    NumberRange,
    json_option,
    seed_option,
    setting_option,
    settings_options,
)
from monitor.commands.output import write_json
from monitor.config import Settings
from monitor.errors import SourceError, StoreError
from monitor.queries.cost import CostFound, cost_of, with_store
from monitor.watch.price import Price, find_price
from monitor.words import number

if TYPE_CHECKING:
    from rich.table import Table


@click.command("cost")
@fleet_options
@click.option("--price", type=NumberRange(min=0, min_open=True), help="USD per BTC.")
@click.option(
    "--no-store", is_flag=True, help="Take difficulty and fees of April 2026 that ship instead."
)
@seed_option
@settings_options
@setting_option("--offline", setting="offline", value=True, help="Ask no price source.")
@json_option
def command(
    settings: Settings,
    given: Mapping[str, float],
    price: float | None,
    *,
    no_store: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Compute energy and cost per bitcoin, hashprice and break-even tariff.

    Difficulty, subsidy and fees come from the store where there is one. What you do not
    give is taken from sourced tables, as uncertain as it is: the interval shows it. The
    price comes from you, or from what is set (economics.price_url, economics.price_usd);
    without one there is nothing about earnings in dollars. Without --tariff you get the
    cost at the tariffs of many regions.

    \b
    Examples:
      poolscope cost
      poolscope cost --tariff 0.09 --efficiency 20
      poolscope cost --tariff 0.05 --efficiency 17.5 --pool-fee 0.02 --capital 15 --price 90000
      poolscope cost --difficulty 148.26e12 --fees 0.0055 --price 91132 --json
    """
    try:
        assumptions = _assumptions(settings, given, no_store=no_store)
        known = _price(settings, price)
        found = cost_of(assumptions, known and known.usd_per_btc, seed)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    paid = known and economics.Price(**known._asdict())
    answer = costs(found, paid, convert.left_out(left_out.said()))
    if as_json:
        write_json(answer)
    else:
        _print(answer, found)


def _assumptions(settings: Settings, given: Mapping[str, float], *, no_store: bool) -> Assumptions:
    """Return the inputs: the user's before the store's before the tables'."""
    assumptions = Assumptions()
    if not no_store and "difficulty" not in given:
        try:
            assumptions = with_store(assumptions, settings, left_out.hear)
        except StoreError as error:
            click.echo(f"poolscope: {error}; using the table that ships", err=True)
    return assumptions.given(given)


def _price(settings: Settings, given: float | None) -> Price | None:
    """Return the price; a source that gives none costs no more than the figures about it."""
    import asyncio

    try:
        return asyncio.run(find_price(settings, given))
    except SourceError as error:
        click.echo(f"poolscope: {error}; going on without a price", err=True)
        return None


def _print(answer: economics.Costs, found: CostFound) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    show_inputs(console, found.inputs)
    for line in _lines(answer):
        console.print(Text(line))
    if answer.cost:
        grid = _grid("if only this changes", "from", "to", "USD/BTC from", "to", right=4)
        for item in answer.cost.sensitivity:
            ends = (f"{item.input.low:.5g}", f"{item.input.high:.5g}")
            costs_at = (f"{item.usd_per_btc.low:,.0f}", f"{item.usd_per_btc.high:,.0f}")
            grid.add_row(item.name, *ends, *costs_at)
        if grid.row_count:
            console.print()
            console.print(grid)
        return
    console.print()
    grid = _grid("region", "USD/kWh", "USD/BTC", "95% interval", "as of", right=2)
    for region in answer.regions:
        drawn = region.drawn_usd_per_btc
        grid.add_row(
            Text(region.region),
            f"{region.usd_per_kwh:.4f}",
            f"{drawn.value:,.0f}",
            f"{drawn.low:,.0f} to {drawn.high:,.0f}",
            region.date,
        )
    console.print(grid)
    console.print("regions are average tariffs with the same machines; sources with --json")


def _grid(*heads: str, right: int) -> Table:
    from rich.table import Table

    grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for column in grid.columns[1 : 1 + right]:
        column.justify = "right"
    return grid


def _lines(found: economics.Costs) -> Iterator[str]:
    if price := found.price:
        dated = "" if price.date == UNDATED else f" on {price.date}"
        yield f"price     {price.usd_per_btc:,.0f} USD per BTC, {price.source}{dated}"
    yield f"energy    {found.kwh_per_btc:,.0f} kWh per BTC"
    yield (
        f"network   {_over(found.hashes_per_second, 1e18):,.1f} EH/s, "
        f"{_over(found.power_watts, 1e9):,.1f} GW with these machines"
    )
    yield f"hashprice {found.hashprice_btc_per_ph_day:.8f} BTC/PH/day"
    if earned := found.earnings:
        yield (
            f"earnings  {earned.hashprice_usd_per_ph_day:.2f} USD/PH/day, "
            f"{earned.revenue_usd_per_mwh:.1f} USD/MWh; electricity takes all at "
            f"{earned.break_even_tariff_usd_per_kwh:.4f} USD/kWh"
        )
    if found.network:
        yield from _network_lines(found.network)
    if found.cost:
        yield from _cost_lines(found.cost)


def _over(value: float | None, unit: float) -> float:
    return float("nan") if value is None else value / unit


def _cost_lines(cost: economics.FleetCost) -> Iterator[str]:
    parts = ", ".join(
        f"{name} {value:,.0f}" for name, value in cost.parts_usd_per_btc.items() if value
    )
    yield f"cost      {cost.usd_per_btc:,.0f} USD per BTC ({parts})"
    drawn = cost.drawn_usd_per_btc
    if drawn.low != drawn.high:
        yield (
            f"          {drawn.low:,.0f} to {drawn.high:,.0f} in 95 % of draws over what is "
            "uncertain"
        )
    if cost.probability_above_price is not None:
        yield f"          above the price in {cost.probability_above_price:.0%}"
    if limit := cost.break_even_joules_per_terahash:
        yield f"          equal to the price with {number(limit)} J/TH"


def _network_lines(found: economics.NetworkEnergy) -> Iterator[str]:
    at = f"at {found.tariff_usd_per_kwh} USD/kWh"
    years, each, cost = found.twh_per_year, found.kwh_per_btc, found.usd_per_btc
    if not years or not each or not cost:
        yield f"CBECI     no machine of the table pays {at}: its method keeps the last set that did"
        return
    yield (
        f"CBECI     {_ends(years)} TWh a year, best guess {years.value:.0f}, by its method {at} "
        f"from {', '.join(found.machines)}"
    )
    yield (
        f"          {_ends(each)} kWh per BTC of the whole network, best guess {each.value:,.0f}: "
        f"{cost.value:,.0f} USD of electricity at {found.paid_usd_per_kwh:.4g} USD/kWh"
    )


def _ends(found: Estimate) -> str:
    return f"{found.low:,.0f} to {found.high:,.0f}"
