"""From what was found of the cost of a bitcoin to the answer about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from analyzers.assumptions import Input
from analyzers.economics import Simulated
from analyzers.energy import Power
from analyzers.intervals import Interval
from monitor.answers import Estimate, LeftOut
from monitor.answers import economics as shapes
from monitor.answers.claims import ClaimInput
from monitor.answers.convert import spread

if TYPE_CHECKING:
    from monitor.queries.cost import CostFound, FleetFound, Region, Whole


def costs(found: CostFound, price: shapes.Price | None, left_out: list[LeftOut]) -> shapes.Costs:
    """Return energy and cost of a bitcoin, at a `price` also what hashes earn."""
    earned = found.earned
    return shapes.Costs(
        inputs=inputs(found.inputs),
        kwh_per_btc=found.kwh_per_btc,
        hashes_per_second=found.hash_rate,
        power_watts=found.power,
        hashprice_btc_per_ph_day=found.hashprice,
        price=price,
        earnings=earned
        and shapes.Earnings(
            hashprice_usd_per_ph_day=earned.per_ph_day,
            break_even_tariff_usd_per_kwh=earned.break_even_per_kwh,
            revenue_usd_per_mwh=earned.per_mwh,
        ),
        network=found.whole and _network(found.whole),
        cost=found.fleet and _fleet(found.fleet, found.inputs, priced=price is not None),
        regions=[_region(region, priced=price is not None) for region in found.regions],
        left_out=left_out,
    )


def inputs(found: Iterable[Input]) -> list[ClaimInput]:
    """Return inputs with what they may be, and who says so."""
    return [ClaimInput(**item._asdict()) for item in found]


def _bounds(found: Power | None) -> Estimate | None:
    return found and spread(found.guess, Interval(found.lower, found.upper))


def _network(found: Whole) -> shapes.NetworkEnergy:
    return shapes.NetworkEnergy(
        tariff_usd_per_kwh=found.tariff,
        machines=list(found.machines),
        power_watts=_bounds(found.power),
        twh_per_year=_bounds(found.twh_per_year),
        kwh_per_btc=_bounds(found.kwh_per_btc),
        usd_per_btc=_bounds(found.usd_per_btc),
        paid_usd_per_kwh=found.paid,
    )


def _drawn(found: Simulated) -> Estimate:
    return spread(found.median, found.interval)


def _fleet(found: FleetFound, inputs: Iterable[Input], *, priced: bool) -> shapes.FleetCost:
    known = {item.name: item.value for item in inputs}
    return shapes.FleetCost(
        usd_per_btc=found.cost.total,
        drawn_usd_per_btc=_drawn(found.drawn),
        parts_usd_per_btc=found.cost._asdict(),
        probability_above_price=found.drawn.probability_above if priced else None,
        break_even_joules_per_terahash=found.break_even,
        sensitivity=[
            shapes.CostSwing(
                name=effect.name,
                input=spread(known[effect.name], Interval(effect.low, effect.high)),
                usd_per_btc=spread(found.cost.total, Interval(effect.at_low, effect.at_high)),
            )
            for effect in found.effects
        ],
    )


def _region(found: Region, *, priced: bool) -> shapes.RegionCost:
    return shapes.RegionCost(
        region=found.row.entity,
        kind=found.row.series,
        usd_per_kwh=found.row.number,
        date=str(found.row.period),
        source=found.row.source,
        drawn_usd_per_btc=_drawn(found.drawn),
        probability_above_price=found.drawn.probability_above if priced else None,
    )
