"""Metrics of what watchers observed, by the kind of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric

from monitor.watch.base import BitcoinPrice, LocalRate, Part

Kind = TypeVar("Kind")


def _only(kind: type[Kind], parts: Iterable[Part]) -> Kind | None:
    return next((part for part in parts if isinstance(part, kind)), None)


def watched_metrics(parts: Mapping[str, Part]) -> Iterator[Metric]:
    """Yield the metrics of all parts; a metric has no sample until there is a value: 0 is one."""
    rate = _only(LocalRate, parts.values())
    yield GaugeMetricFamily(
        "poolscope_local_hashes_per_second",
        "SHA-256d rate of this machine, one thread, last measured.",
        value=rate.median if rate else None,
    )
    yield GaugeMetricFamily(
        "poolscope_local_hashes_per_second_spread",
        "Highest minus lowest repetition of the measurement of the local rate.",
        value=rate.highest - rate.lowest if rate else None,
    )
    price = _only(BitcoinPrice, parts.values())
    dollars = GaugeMetricFamily(
        "poolscope_bitcoin_price_dollars",
        "Price of a bitcoin, as this source says.",
        labels=("source",),
    )
    when = GaugeMetricFamily(
        "poolscope_bitcoin_price_timestamp_seconds",
        "When that source last said it.",
        labels=("source",),
    )
    if price:
        dollars.add_metric((price.source,), price.usd_per_btc)
        if price.time is not None:
            when.add_metric((price.source,), price.time)
    yield dollars
    yield when
