"""Metrics of what mining costs and pays, as far as the chain alone moves it.

Values are in base units: bitcoin, hashes, joules, dollars. What a series is for (a tariff,
a kind of machine) is a label in the trade's unit, as it is set. Nothing here needs a price
of bitcoin; where one is known it is a metric of its own, and queries put the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily

from analyzers.economics import JOULES_PER_KWH, SATOSHI, energy_per_btc, hashprice
from monitor.config import EconomicsSettings
from monitor.terms import TipTerms

_MACHINES: Final = ("joules_per_terahash",)


def economics_metrics(
    known: TipTerms | None, settings: EconomicsSettings
) -> Iterator[GaugeMetricFamily]:
    """Yield what the terms at the tip cost and pay; nothing while there is no block."""
    if known is None:
        return
    terms = known.terms
    subsidy = terms.subsidy / SATOSHI
    for name, text, value in (
        ("block_subsidy_bitcoins", "Subsidy of a block at the tip.", subsidy),
        (
            "block_fees_bitcoins",
            "Mean fees of a block, by the last coinbases.",
            subsidy * terms.fee_ratio if known.fee_blocks else None,
        ),
        (
            "block_fees_blocks",
            "Blocks whose coinbases that mean is of, 144 at most.",
            known.fee_blocks,
        ),
        (
            "hashprice_bitcoins_per_hash",
            "Bitcoin that a hash earns on average: the reward over the hashes behind a block.",
            hashprice(terms),
        ),
        ("assumed_pue_ratio", "Setting economics.pue: metered power over machines'.", settings.pue),
    ):
        if value is not None:
            metric = _gauge(name, text)
            metric.add_metric((), value)
            yield metric
    energy = _gauge(
        "energy_per_bitcoin_joules",
        "Energy behind a bitcoin at the meter, in machines of this efficiency.",
        _MACHINES,
    )
    cost = _gauge(
        "electricity_per_bitcoin_dollars",
        "Electricity behind a bitcoin at a tariff: below this price it takes more than it earns.",
        (*_MACHINES, "dollars_per_kilowatthour"),
    )
    for efficiency in dict.fromkeys(settings.efficiencies):
        joules = energy_per_btc(terms, efficiency, settings.pue)
        energy.add_metric((_label(efficiency),), joules)
        for tariff in dict.fromkeys(settings.tariffs):
            cost.add_metric((_label(efficiency), _label(tariff)), joules / JOULES_PER_KWH * tariff)
    yield from (energy, cost)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"poolscope_{name}", text, labels=labels)


def _label(value: float) -> str:
    return f"{value:g}"
