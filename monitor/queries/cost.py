"""What a bitcoin costs to mine and what hashes earn, from inputs, the store's terms and a price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from analyzers import energy, tables
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
    Cost,
    Effect,
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
from monitor.config import Settings
from monitor.errors import PoolscopeError, StoreEmpty
from monitor.queries.reading import reading_store
from monitor.queries.telling import Tell, warn
from monitor.terms import terms_at_tip, with_terms

REGIONS: Final = ("country", "US average", "US industrial", "miners")
"""Series of the tariff table that regions are taken from."""


class Earned(NamedTuple):
    """What hashes earn at a price, in US dollars."""

    per_ph_day: float
    break_even_per_kwh: float
    per_mwh: float


@dataclass(frozen=True, slots=True)
class Whole:
    """What CBECI's method says of the whole network if all pay `tariff` (USD per kWh).

    Power is in watts, and None where no machine earns enough. Energy a year is in TWh, energy
    per bitcoin in kWh; its cost in US dollars is at `paid` (USD per kWh).
    """

    tariff: float
    machines: tuple[str, ...]
    paid: float
    power: energy.Power | None
    twh_per_year: energy.Power | None
    kwh_per_btc: energy.Power | None
    usd_per_btc: energy.Power | None


@dataclass(frozen=True, slots=True)
class FleetFound:
    """US dollars per bitcoin by part, over draws, and by what each input does alone.

    `break_even` is the energy of machines (J/TH) at which it equals the price; None without
    a price, NaN where no energy does.
    """

    cost: Cost
    drawn: Simulated
    break_even: float | None
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """A tariff of a region (`row`), and US dollars per bitcoin at it over draws."""

    row: tables.Row
    drawn: Simulated


@dataclass(frozen=True, slots=True)
class CostFound:
    """Everything that is found about the cost of a bitcoin.

    `kwh_per_btc` is energy, `hash_rate` in H/s, `power` in watts, `hashprice` in BTC a day for
    a PH/s. `earned` and `whole` are None without a price, `fleet` without a tariff: then there
    are `regions` instead.
    """

    inputs: tuple[Input, ...]
    kwh_per_btc: float
    hash_rate: float
    power: float
    hashprice: float
    earned: Earned | None
    whole: Whole | None
    fleet: FleetFound | None
    regions: tuple[Region, ...]


def with_store(assumptions: Assumptions, settings: Settings, tell: Tell = warn) -> Assumptions:
    """Return `assumptions` with difficulty, subsidy and fees of the store's tip.

    Raises
    ------
    StoreError
        If there is no store, no block in it, or it cannot be used.
    PoolscopeError
        If its chain is not mainnet, where a cost would mean something.
    """
    with reading_store(settings, tell) as store:
        if store.network != "mainnet":
            raise PoolscopeError(
                f"the store follows {store.network}, whose coins cost nothing: give --difficulty, "
                "or --network mainnet"
            )
        known = terms_at_tip(store)
        synthetic = store.synthetic
    if known is None:
        raise StoreEmpty
    chain = "the store" + (f" ({synthetic} chain)" if synthetic else "")
    return with_terms(assumptions, known, chain)


def cost_of(assumptions: Assumptions, price: float | None = None, seed: int = 0) -> CostFound:
    """Return what a bitcoin costs, and at a `price` (US dollars) what hashes earn.

    The same `seed` gives the same draws.

    Raises
    ------
    EconomicsError
        If an input is not possible.
    """
    has_tariff = assumptions.has("tariff")
    tariff = assumptions.input("tariff") if has_tariff else Input("tariff", 0, 0, 0, "", "", "")
    known = costed(assumptions, tariff)
    machines = known.fleet
    joules = energy_per_btc(known.terms, machines.joules_per_terahash, machines.pue)
    power = known.terms.hash_rate / 1e12 * machines.joules_per_terahash * machines.pue
    return CostFound(
        inputs=tuple(item for item in known.inputs if has_tariff or item.name != "tariff"),
        kwh_per_btc=joules / JOULES_PER_KWH,
        hash_rate=known.terms.hash_rate,
        power=power,
        hashprice=hashprice(known.terms) * PETA * DAY,
        earned=None if price is None else _earned(known, price),
        whole=None if price is None else _whole(known, price, tariff.value if has_tariff else None),
        fleet=_fleet(known, price, seed) if has_tariff else None,
        regions=() if has_tariff else _regions(assumptions, price, seed),
    )


def _earned(known: Costed, price: float) -> Earned:
    fleet = known.fleet
    earned = hashprice_usd(known.terms, price)
    kept = earned * (1 - fleet.pool_fee)
    return Earned(
        earned,
        break_even_tariff(kept, fleet.joules_per_terahash, fleet.pue),
        revenue_per_mwh(earned, fleet.joules_per_terahash),
    )


def _whole(known: Costed, price: float, tariff: float | None) -> Whole:
    """Return what CBECI's method says; what a bitcoin costs is at `tariff`, its own if None."""
    made = next(item for item in known.inputs if item.name == "difficulty").date
    day = tables.Period.parse(made).last if made != UNDATED else datetime.now(UTC).date()
    running = energy.profitable(energy.machines(), hashprice(known.terms) * price, day=day)
    names = tuple(machine.name for machine in running)
    paid = energy.CBECI_TARIFF if tariff is None else tariff
    if not running:
        return Whole(energy.CBECI_TARIFF, names, paid, None, None, None, None)
    power = energy.network_power(running, known.terms.hash_rate)
    years = (energy.annual_energy(watts) / energy.JOULES_PER_TWH for watts in power)
    each = [watts * known.terms.spacing / known.terms.reward / JOULES_PER_KWH for watts in power]
    return Whole(
        energy.CBECI_TARIFF,
        names,
        paid,
        power,
        energy.Power(*years),
        energy.Power(*each),
        energy.Power(*(kwh * paid for kwh in each)),
    )


def _drawn(known: Costed, price: float | None, seed: int) -> Simulated:
    return simulate_cost(
        known.terms, known.fleet, known.spreads, threshold=price or float("inf"), seed=seed
    )


def _fleet(known: Costed, price: float | None, seed: int) -> FleetFound:
    return FleetFound(
        cost_per_btc(known.terms, known.fleet),
        _drawn(known, price, seed),
        efficiency_for_cost(known.terms, known.fleet, price) if price else None,
        tuple(
            effect._replace(name=INPUT_OF[effect.name])
            for effect in sensitivity(known.terms, known.fleet, known.spreads)
        ),
    )


def _regions(assumptions: Assumptions, price: float | None, seed: int) -> tuple[Region, ...]:
    found = [
        Region(row, _drawn(costed(assumptions, tariff_of(row)), price, seed))
        for row in tables.load("tariffs")
        if row.series in REGIONS
    ]
    return tuple(sorted(found, key=lambda region: region.drawn.median))
