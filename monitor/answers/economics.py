"""What ``cost`` says: energy and cost of a bitcoin, and what hashes earn."""

from __future__ import annotations

from monitor.answers.base import Answer, CommandAnswer, Estimate, Exact, Figure
from monitor.answers.claims import ClaimInput


class Price(Answer):
    """The price of bitcoin."""

    usd_per_btc: Exact
    """US dollars for a bitcoin."""
    source: str
    """Whose word it is."""
    date: str
    """The day that it is of, as its source says it; empty where it says none."""


class Earnings(Answer):
    """What hashes earn at the price."""

    hashprice_usd_per_ph_day: Figure
    """US dollars a day for a petahash a second, before the pool's fee."""
    break_even_tariff_usd_per_kwh: Figure
    """Tariff, US dollars a kWh, at which electricity takes all that is earned."""
    revenue_usd_per_mwh: Figure
    """US dollars earned for a MWh at the machines."""


class NetworkEnergy(Answer):
    """What CBECI's method says of the whole network; the ends are its bounds, no intervals."""

    tariff_usd_per_kwh: float
    """The tariff, US dollars a kWh, that its method takes all miners to pay."""
    machines: list[str]
    """Machines that earn more than they cost at that tariff."""
    power_watts: Estimate | None
    """Power of the network in watts; null where no machine earns enough."""
    twh_per_year: Estimate | None
    """Energy of the network, TWh a year; null where no machine earns enough."""
    kwh_per_btc: Estimate | None
    """The same for a bitcoin, in kWh; null where no machine earns enough."""
    usd_per_btc: Estimate | None
    """Electricity for a bitcoin at `paid_usd_per_kwh`, US dollars; null as above."""
    paid_usd_per_kwh: float
    """The tariff of `usd_per_btc`, US dollars a kWh: the one given, else that of the method."""


class CostSwing(Answer):
    """What a bitcoin costs at the ends of one input if nothing else changes."""

    name: str
    """The input that changes, as in `inputs`."""
    input: Estimate
    """What it is and may be, in the unit of the input."""
    usd_per_btc: Estimate
    """US dollars for a bitcoin with it as it is, and at its ends."""


class FleetCost(Answer):
    """What a bitcoin costs with these machines at this tariff."""

    usd_per_btc: Exact
    """US dollars for a bitcoin, at the inputs as they are."""
    drawn_usd_per_btc: Estimate
    """Median of draws over what is uncertain, with the interval of 95 % of the draws."""
    parts_usd_per_btc: dict[str, Figure]
    """What it is made of, US dollars for a bitcoin: electricity, running, capital, and pool, by
    which the others grow as the pool keeps its fee."""
    probability_above_price: Figure
    """Part of the draws, 0..1, that cost more than the price; null without a price."""
    break_even_joules_per_terahash: Figure
    """Energy of machines, joules a terahash, at which a bitcoin costs its price; null without."""
    sensitivity: list[CostSwing]
    """How far each uncertain input alone moves the cost."""


class RegionCost(Answer):
    """What a bitcoin costs with the same machines at the tariff of a region."""

    region: str
    """Its name."""
    kind: str
    """Series of the tariff table that it is of, such as country."""
    usd_per_kwh: float
    """The tariff, US dollars a kWh."""
    date: str
    """The day or month that the tariff is of."""
    source: str
    """Who says so."""
    drawn_usd_per_btc: Estimate
    """Median of draws over what is uncertain, with the interval of 95 % of the draws."""
    probability_above_price: Figure
    """Part of the draws, 0..1, that cost more than the price; null without a price."""


class Costs(CommandAnswer):
    """Energy and cost of a bitcoin, hashprice, and what hashes earn."""

    inputs: list[ClaimInput]
    """What goes into it, and who says so."""
    kwh_per_btc: Exact
    """Energy for a bitcoin with these machines, kWh."""
    hashes_per_second: Figure
    """The network's hash rate at the difficulty, hashes per second (H/s)."""
    power_watts: Figure
    """Power of the network if all had these machines, watts."""
    hashprice_btc_per_ph_day: Figure
    """Bitcoin a day for a petahash a second."""
    price: Price | None
    """The price; null where none is known."""
    earnings: Earnings | None
    """What hashes earn; null without a price."""
    network: NetworkEnergy | None
    """What CBECI's method says of the whole network; null without a price."""
    cost: FleetCost | None
    """What a bitcoin costs; null without a tariff."""
    regions: list[RegionCost]
    """The cost by region, the cheapest first; empty where a tariff is given."""
