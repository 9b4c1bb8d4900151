"""``poolscope cost``: what a bitcoin costs to mine, and what hashes earn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from analyzers.assumptions import (
    INPUT_OF,
    UNDATED,
    Assumptions,
    Costed,
    Input,
    costed,
    tariff_of,
)
from analyzers.economics import (
    DAY,
    JOULES_PER_KWH,
    PETA,
    Simulated,
    break_even_tariff,
    cost_per_btc,
    efficiency_for_cost,
    energy_per_btc,
    hashprice,
    hashprice_usd,
    revenue_per_mwh,
    sensitivity,
    simulate_cost,
)
from monitor.commands.fleet import fleet_options, show_inputs, with_store
from monitor.commands.options import NumberRange, seed_option, setting_option, settings_options
from monitor.config import Settings
from monitor.errors import SourceError, StoreError
from monitor.watch.price import Price, find_price
from monitor.words import number, plain

REGIONS: Final = ("country", "US average", "US industrial", "miners")
"""Series of the tariff table that the table of regions shows."""


@click.command("cost")
@fleet_options
@click.option("--price", type=NumberRange(min=0, min_open=True), help="USD per BTC.")
@click.option(
    "--no-store", is_flag=True, help="Take difficulty and fees of April 2026 that ship instead."
)
@seed_option
@settings_options
@setting_option("--offline", setting="offline", value=True, help="Ask no price source.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
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
        result = _result(assumptions, _price(settings, price), seed)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        _print(result)


def _assumptions(settings: Settings, given: Mapping[str, float], *, no_store: bool) -> Assumptions:
    """Return the inputs: the user's before the store's before the tables'."""
    assumptions = Assumptions()
    if not no_store and "difficulty" not in given:
        try:
            assumptions = with_store(assumptions, settings)
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


def _result(assumptions: Assumptions, known_price: Price | None, seed: int) -> dict[str, Any]:
    price = known_price.usd_per_btc if known_price else None
    known_tariff = assumptions.has("tariff")
    tariff = assumptions.input("tariff") if known_tariff else Input("tariff", 0, 0, 0, "", "", "")
    known = costed(assumptions, tariff)
    energy = energy_per_btc(known.terms, known.fleet.joules_per_terahash, known.fleet.pue)
    result: dict[str, Any] = {
        "inputs": [
            item._asdict() for item in known.inputs if item.name != "tariff" or known_tariff
        ],
        "energy_per_btc_kwh": energy / JOULES_PER_KWH,
        "network_hash_rate": known.terms.hash_rate,
        "network_power_watts": known.terms.hash_rate
        / 1e12
        * known.fleet.joules_per_terahash
        * known.fleet.pue,
        "hashprice_btc_per_ph_day": hashprice(known.terms) * PETA * DAY,
    }
    if price is not None and known_price is not None:
        result["price"] = known_price._asdict()
        result["earnings"] = _earnings(known, price)
        result["cbeci"] = _cbeci(known, price, tariff.value if known_tariff else None)
    if known_tariff:
        result["cost"] = _cost(known, price, seed)
    else:
        result["regions"] = _regions(assumptions, price, seed)
    return result


def _earnings(known: Costed, price: float) -> dict[str, float]:
    fleet = known.fleet
    earned = hashprice_usd(known.terms, price)
    kept = earned * (1 - fleet.pool_fee)
    return {
        "hashprice_usd_per_ph_day": earned,
        "break_even_tariff_usd_per_kwh": break_even_tariff(
            kept, fleet.joules_per_terahash, fleet.pue
        ),
        "revenue_usd_per_mwh": revenue_per_mwh(earned, fleet.joules_per_terahash),
    }


def _cbeci(known: Costed, price: float, tariff: float | None) -> dict[str, Any]:
    """Return what CBECI's method says of the network: who runs at its own default tariff.

    What the network's bitcoin costs is at `tariff`, the default one if None.
    """
    from analyzers import energy, tables

    made = next(item for item in known.inputs if item.name == "difficulty").date
    day = tables.Period.parse(made).last if made != UNDATED else datetime.now(UTC).date()
    earned = hashprice(known.terms) * price
    running = energy.profitable(energy.machines(), earned, day=day)
    power = energy.network_power(running, known.terms.hash_rate) if running else None
    paid = energy.CBECI_TARIFF if tariff is None else tariff
    years = [energy.annual_energy(watts) / energy.JOULES_PER_TWH for watts in power or ()]
    each = [
        watts * known.terms.spacing / known.terms.reward / JOULES_PER_KWH for watts in power or ()
    ]
    ends = energy.Power._fields
    return {
        "tariff_usd_per_kwh": energy.CBECI_TARIFF,
        "machines": [machine.name for machine in running],
        "power_watts": power._asdict() if power else None,
        "twh_per_year": dict(zip(ends, years, strict=True)) if power else None,
        "kwh_per_btc": dict(zip(ends, each, strict=True)) if power else None,
        "usd_per_btc": {end: kwh * paid for end, kwh in zip(ends, each, strict=True)}
        if power
        else None,
        "paid_usd_per_kwh": paid,
    }


def _cost(known: Costed, price: float | None, seed: int) -> dict[str, Any]:
    parts = cost_per_btc(known.terms, known.fleet)
    found = simulate_cost(
        known.terms, known.fleet, known.spreads, threshold=price or float("inf"), seed=seed
    )
    return {
        "usd_per_btc": parts.total,
        "parts": parts._asdict(),
        **_simulated(found, price),
        "break_even_joules_per_terahash": plain(
            efficiency_for_cost(known.terms, known.fleet, price)
        )
        if price
        else None,
        "sensitivity": [
            effect._asdict() | {"name": INPUT_OF[effect.name]}
            for effect in sensitivity(known.terms, known.fleet, known.spreads)
        ],
    }


def _simulated(found: Simulated, price: float | None) -> dict[str, Any]:
    return {
        "median": found.median,
        "interval": list(found.interval),
        "probability_above_price": found.probability_above if price else None,
    }


def _regions(assumptions: Assumptions, price: float | None, seed: int) -> list[dict[str, Any]]:
    from analyzers import tables

    rows = []
    for row in tables.load("tariffs"):
        if row.series not in REGIONS:
            continue
        known = costed(assumptions, tariff_of(row))
        found = simulate_cost(
            known.terms, known.fleet, known.spreads, threshold=price or float("inf"), seed=seed
        )
        rows.append(
            {
                "region": row.entity,
                "kind": row.series,
                "usd_per_kwh": row.number,
                "date": str(row.period),
                "source": row.source,
                **_simulated(found, price),
            }
        )
    return sorted(rows, key=lambda item: item["median"])


def _print(result: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)

    def grid_of(*heads: str, right: int = 1) -> Table:
        grid = Table(*heads, box=None, pad_edge=False, header_style="bold")
        for column in grid.columns[1 : 1 + right]:
            column.justify = "right"
        return grid

    show_inputs(console, [Input(**item) for item in result["inputs"]])
    for line in _lines(result):
        console.print(Text(line))
    if "cost" in result:
        grid = grid_of("if only this changes", "from", "to", "USD/BTC from", "to", right=4)
        for item in result["cost"]["sensitivity"]:
            ends = (f"{item['low']:.5g}", f"{item['high']:.5g}")
            costs = (f"{item['at_low']:,.0f}", f"{item['at_high']:,.0f}")
            grid.add_row(item["name"], *ends, *costs)
        if grid.row_count:
            console.print()
            console.print(grid)
        return
    console.print()
    grid = grid_of("region", "USD/kWh", "USD/BTC", "95% interval", "as of", right=2)
    for item in result["regions"]:
        low, high = item["interval"]
        grid.add_row(
            Text(item["region"]),
            f"{item['usd_per_kwh']:.4f}",
            f"{item['median']:,.0f}",
            f"{low:,.0f} to {high:,.0f}",
            item["date"],
        )
    console.print(grid)
    console.print("regions are average tariffs with the same machines; sources with --json")


def _lines(result: Mapping[str, Any]) -> list[str]:
    lines = []
    if price := result.get("price"):
        dated = "" if price["date"] == UNDATED else f" on {price['date']}"
        lines.append(f"price     {price['usd_per_btc']:,.0f} USD per BTC, {price['source']}{dated}")
    lines += [
        f"energy    {result['energy_per_btc_kwh']:,.0f} kWh per BTC",
        f"network   {result['network_hash_rate'] / 1e18:,.1f} EH/s, "
        f"{result['network_power_watts'] / 1e9:,.1f} GW with these machines",
        f"hashprice {result['hashprice_btc_per_ph_day']:.8f} BTC/PH/day",
    ]
    if earned := result.get("earnings"):
        lines.append(
            f"earnings  {earned['hashprice_usd_per_ph_day']:.2f} USD/PH/day, "
            f"{earned['revenue_usd_per_mwh']:.1f} USD/MWh; electricity takes all at "
            f"{earned['break_even_tariff_usd_per_kwh']:.4f} USD/kWh"
        )
    if "cbeci" in result:
        lines += _cbeci_lines(result["cbeci"])
    if cost := result.get("cost"):
        low, high = cost["interval"]
        parts = ", ".join(f"{name} {value:,.0f}" for name, value in cost["parts"].items() if value)
        lines.append(f"cost      {cost['usd_per_btc']:,.0f} USD per BTC ({parts})")
        if low < high:
            lines.append(
                f"          {low:,.0f} to {high:,.0f} in 95 % of draws over what is uncertain"
            )
        if cost["probability_above_price"] is not None:
            lines.append(f"          above the price in {cost['probability_above_price']:.0%}")
        if limit := cost["break_even_joules_per_terahash"]:
            lines.append(f"          equal to the price with {number(limit)} J/TH")
    return lines


def _cbeci_lines(found: Mapping[str, Any]) -> list[str]:
    at = f"at {found['tariff_usd_per_kwh']} USD/kWh"
    if not found["machines"]:
        return [
            f"CBECI     no machine of the table pays {at}: its method keeps the last set that did"
        ]
    years, each, cost = found["twh_per_year"], found["kwh_per_btc"], found["usd_per_btc"]
    return [
        f"CBECI     {years['lower']:.0f} to {years['upper']:.0f} TWh a year, best guess "
        f"{years['guess']:.0f}, by its method {at} from {', '.join(found['machines'])}",
        f"          {each['lower']:,.0f} to {each['upper']:,.0f} kWh per BTC of the whole network, "
        f"best guess {each['guess']:,.0f}: {cost['guess']:,.0f} USD of electricity at "
        f"{found['paid_usd_per_kwh']:.4g} USD/kWh",
    ]
