"""Economics: what the chain pays, and what a bitcoin costs in energy and electricity."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Panels, Section, agent_variables, board, marks
from dashboards.panels import AGO, RATIO, chart, figures
from dashboards.queries import AGENT, Query, metric
from dashboards.tables import Column, listing

PH_DAYS: Final = "8.64e19"
"""Hashes of a PH/s in a day."""
KWH: Final = "3.6e6"
"""Joules in a kilowatt-hour."""
BITCOIN_PH_DAY: Final = "suffix:BTC/PH/day"
DOLLARS_PH_DAY: Final = "suffix:USD/PH/day"
DOLLARS_KWH: Final = "suffix:USD/kWh"
NO_FEES: Final = "No coinbase of the last blocks is known"
NO_PRICE: Final = "No price is set: see the settings of economics"

HASHPRICE: Final = metric("hashprice_bitcoins_per_hash")
ENERGY: Final = metric("energy_per_bitcoin_joules")
ELECTRICITY: Final = metric("electricity_per_bitcoin_dollars")
SUBSIDY, FEES = metric("block_subsidy_bitcoins"), metric("block_fees_bitcoins")
PRICE: Final = f"max by (job, instance) ({metric('bitcoin_price_dollars')})"
ONE: Final = "on (job, instance)"

MACHINE: Final = "{{joules_per_terahash}} J/TH"


def economics() -> Dashboard:
    """Return the dashboard of costs and earnings."""
    return board(
        "poolscope-economics",
        "Poolscope / Economics",
        "What the chain pays for hashes, and what the energy behind a bitcoin costs.",
        [
            Section("What the chain pays", _pays()),
            Section("Energy and electricity behind a bitcoin", _costs()),
            Section("In dollars, where a price is set", _dollars()),
        ],
        variables=agent_variables(),
        marks=marks(),
        since="now-30d",
    )


def _pays() -> Panels:
    return [
        figures(
            "Hashprice",
            "Bitcoin that a PH/s earns in a day on average: the reward of a block over the hashes "
            "behind it. It moves with difficulty, fees and halvings, and with nothing else.",
            [Query(f"{HASHPRICE} * {PH_DAYS}")],
            BITCOIN_PH_DAY,
            decimals=8,
            width=6,
        ),
        figures(
            "Fees over subsidy",
            "Mean fees of the last 144 blocks, by what their coinbases claim, over the subsidy.",
            [Query(f"{FEES} / {SUBSIDY}")],
            RATIO,
            decimals=2,
            width=6,
            empty=NO_FEES,
        ),
        figures(
            "Reward of a block",
            "Subsidy and mean fees; the subsidy alone where no coinbase is known.",
            [Query(f"{SUBSIDY} + ({FEES} or 0 * {SUBSIDY})")],
            "suffix:BTC",
            decimals=4,
            width=6,
        ),
        figures(
            "PUE that is assumed",
            "Power at the meter over power of the machines, as the settings say. No chain tells.",
            [Query(metric("assumed_pue_ratio"))],
            units.Short,
            decimals=2,
            width=6,
        ),
        chart(
            "Hashprice",
            "Steps are retargets; what moves between them are fees.",
            [Query(f"{HASHPRICE} * {PH_DAYS}", "hashprice")],
            BITCOIN_PH_DAY,
            decimals=5,
        ),
        chart(
            "Fees over subsidy",
            "Moving mean of 144 blocks: neighbouring points share nearly all of them.",
            [Query(f"{FEES} / {SUBSIDY}", "fees")],
            RATIO,
            lowest=0,
            empty=NO_FEES,
        ),
    ]


def _costs() -> Panels:
    rate = metric("network_hashes_per_second", AGENT, 'window="2016"')
    power = f"{ENERGY} * {ONE} group_left {HASHPRICE} * {ONE} group_left {rate}"
    return [
        listing(
            "Electricity behind a bitcoin",
            "At the tariffs and for the machines that are set. A miner whose price of bitcoin is "
            "below the figure pays more for electricity than it earns. Machines, staff and pool "
            "fee come on top: see 'poolscope cost'.",
            {
                "joules_per_terahash": "J/TH",
                "dollars_per_kilowatthour": "USD/kWh",
            },
            [
                Column(
                    "USD per BTC",
                    f"max by (joules_per_terahash, dollars_per_kilowatthour) ({ELECTRICITY})",
                    units.Dollars,
                    1,
                    gauge=True,
                    width=220,
                )
            ],
            sort="USD per BTC",
            width=9,
            height=11,
        ),
        chart(
            "Electricity behind a bitcoin",
            "Dollars per bitcoin at each tariff, by machine. Without pool fees, machines, staff.",
            [Query(ELECTRICITY, MACHINE + " at {{dollars_per_kilowatthour}} USD/kWh")],
            units.Dollars,
            width=15,
            height=11,
            decimals=1,
            ranked=True,
            lowest=0,
        ),
        chart(
            "Energy behind a bitcoin",
            "At the meter, by machine. It depends on difficulty, not on the size of the miner.",
            [Query(f"{ENERGY} / {KWH}", MACHINE)],
            units.KiloWattHour,
            lowest=0,
        ),
        chart(
            "Power of the network, if all machines were alike",
            "Hash rate of the last 2016 blocks times energy per hash. The network is a mix that "
            "nobody has counted: 'poolscope cost --price' gives CBECI's bounds.",
            [Query(power, MACHINE)],
            units.Watt,
            lowest=0,
        ),
    ]


def _dollars() -> Panels:
    price_time = metric("bitcoin_price_timestamp_seconds")
    return [
        figures(
            "Price",
            "A bitcoin in dollars, as the source or the figure in the settings says.",
            [Query(metric("bitcoin_price_dollars"), "{{source}}")],
            units.Dollars,
            decimals=1,
            width=6,
            empty=NO_PRICE,
        ),
        figures(
            "Asked last",
            "When the source last answered. Older than some intervals: it fails, see the log.",
            [Query(f"{price_time} * 1000", "{{source}}")],
            AGO,
            width=6,
            empty="No source is set",
        ),
        figures(
            "Hashprice in dollars",
            "Dollars that a PH/s earns in a day at that price.",
            [Query(f"{HASHPRICE} * {PH_DAYS} * {ONE} {PRICE}")],
            DOLLARS_PH_DAY,
            decimals=2,
            width=12,
            empty=NO_PRICE,
        ),
        chart(
            "Break-even tariff",
            "The tariff at which electricity takes all that a machine earns, PUE counted.",
            [Query(f"{KWH} * {PRICE} / {ONE} group_right {ENERGY}", MACHINE)],
            DOLLARS_KWH,
            lowest=0,
            empty=NO_PRICE,
        ),
        chart(
            "Part of the price that electricity takes",
            "Above one, mining burns money at this tariff.",
            [
                Query(
                    f"{ELECTRICITY} / {ONE} group_left {PRICE}",
                    MACHINE + " at {{dollars_per_kilowatthour}} USD/kWh",
                )
            ],
            RATIO,
            ranked=True,
            decimals=1,
            lowest=0,
            empty=NO_PRICE,
        ),
    ]
