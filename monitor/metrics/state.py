"""Metrics of the chain's state: what follows from a snapshot, and from nothing else."""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Iterator
from typing import Final, get_args

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from analyzers.attribution import RULES
from analyzers.columns import ProofLevel
from analyzers.figures import MEASURES, Measure, figure_of
from analyzers.figures import Metric as MeasureMetric
from analyzers.intervals import share_interval
from analyzers.summary import Summary
from monitor import __version__
from monitor.snapshot import Snapshot

MAX_POOLS: Final = 60
"""Most pools that get series of their own in a window; the rest is ``other``."""

OTHER: Final = "other"
UNKNOWN: Final = "unknown"


def state_metrics(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield every metric that follows from the chain's state."""
    yield from _about(snapshot)
    yield from _chain(snapshot)
    yield from _pools(snapshot)
    yield from _concentration(snapshot)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"poolscope_{name}", text, labels=labels)


def _single(name: str, text: str, value: float | None) -> Iterator[Metric]:
    """Yield a gauge without labels, or nothing while its value is not known."""
    if value is not None:
        metric = _gauge(name, text)
        metric.add_metric((), value)
        yield metric


def _about(snapshot: Snapshot) -> Iterator[Metric]:
    for name, text, values in (
        ("build", "The running program.", {"version": __version__}),
        (
            "registry",
            "The pool registry that attributes blocks.",
            {"hash": snapshot.registry_version[:16], "pools": str(snapshot.registry_pools)},
        ),
        (
            "network",
            "The chain that is followed; synthetic names why it is not the live one.",
            {"network": snapshot.network, "synthetic": snapshot.synthetic},
        ),
    ):
        yield InfoMetricFamily(f"poolscope_{name}", text, value=values)
    yield from _single(
        "other_registry_blocks",
        "Stored blocks, stale ones among them, that a registry of another version attributed.",
        snapshot.other_registry,
    )
    if date := snapshot.registry_date:
        midnight = datetime.datetime.combine(date, datetime.time(), datetime.UTC)
        yield from _single(
            "registry_updated_timestamp_seconds",
            "Day of the oldest list that the registry follows: it knows of new pools up to then.",
            midnight.timestamp(),
        )


def _chain(snapshot: Snapshot) -> Iterator[Metric]:
    yield from _single(
        "tip_height", "Height of the stored tip.", snapshot.tip.height if snapshot.tip else None
    )
    yield from _single("tip_timestamp_seconds", "Time in the header of the tip.", snapshot.tip_time)
    yield from _single("difficulty", "Difficulty of the tip.", snapshot.difficulty)
    yield from _single("reorgs", "Reorgs seen since the store began.", snapshot.reorgs)
    yield from _single(
        "reorg_depth_max_blocks",
        "Blocks that the deepest reorg since the store began replaced.",
        snapshot.deepest_reorg,
    )
    yield from _single("stale_blocks", "Stale blocks in the store.", snapshot.stale_blocks)
    yield from _single(
        "header_only_blocks",
        "Blocks in the store of which no source had more than the header: who mined is unknown.",
        snapshot.header_only,
    )
    yield from _single(
        "conflicting_blocks",
        "Blocks of the largest window whose evidence names more than one pool.",
        snapshot.conflicts,
    )
    yield from _single(
        "empty_blocks",
        "Blocks of the largest window with no transaction but the coinbase.",
        snapshot.empty_blocks,
    )
    proved = _gauge(
        "proved_blocks", "Blocks of the largest window by how far they are proved.", ("proof",)
    )
    for level in get_args(ProofLevel):
        proved.add_metric((level,), snapshot.proved.get(level, 0))
    yield proved
    ruled = _gauge(
        "attributed_blocks",
        "Blocks of the largest window by the rule that decided whose they are.",
        ("rule",),
    )
    for rule in RULES:
        ruled.add_metric((rule,), snapshot.rules.get(rule, 0))
    yield ruled
    rate = _gauge(
        "network_hashes_per_second",
        "Network hash rate over a window, by the work and time of its blocks.",
        ("window",),
    )
    low = _gauge(
        "network_hashes_per_second_lower", "Lower 95 % bound of the network hash rate.", ("window",)
    )
    high = _gauge(
        "network_hashes_per_second_upper", "Upper 95 % bound of the network hash rate.", ("window",)
    )
    for view in snapshot.hashrates:
        for metric, value in zip(
            (rate, low, high), (view.rate.value, *view.rate.interval), strict=True
        ):
            metric.add_metric((str(view.window),), value)
    yield from (rate, low, high)
    if epoch := snapshot.epoch:
        factor = epoch.forecast.factor
        for name, text, value in (
            ("epoch_blocks", "Blocks found in the running difficulty epoch.", epoch.blocks),
            (
                "epoch_start_timestamp_seconds",
                "Time in the header of the epoch's first block.",
                epoch.start_time,
            ),
            ("epoch_change_ratio", "Expected new difficulty over old.", factor.value),
            (
                "epoch_change_lower_ratio",
                "Lower 95 % bound of the expected change.",
                factor.interval.low,
            ),
            (
                "epoch_change_upper_ratio",
                "Upper 95 % bound of the expected change.",
                factor.interval.high,
            ),
            (
                "epoch_retarget_timestamp_seconds",
                "Expected time of the next retarget.",
                epoch.retarget_time.value,
            ),
        ):
            yield from _single(name, text, value)


def _pools(snapshot: Snapshot) -> Iterator[Metric]:
    labels = ("pool", "window", "lens")
    blocks = _gauge("pool_blocks", "Blocks of a pool in a window, under a lens.", labels)
    share = _gauge(
        "pool_share_ratio", "A pool's share of the window's blocks, as observed.", labels
    )
    low = _gauge(
        "pool_share_lower_ratio", "Lower 95 % bound of a pool's share of the work.", labels
    )
    high = _gauge(
        "pool_share_upper_ratio", "Upper 95 % bound of a pool's share of the work.", labels
    )
    size = _gauge(
        "window_blocks",
        "Blocks in a window, fewer than its name says while the chain is short.",
        ("window", "lens"),
    )
    by_rows = _gauge(
        "lens_row_blocks",
        "Blocks of the window that a row of the lens applies to; 0: it says nothing of them.",
        ("window", "lens", "kind"),
    )
    for view in snapshot.windows:
        window, lens, summary = str(view.window), view.lens, view.summary
        size.add_metric((window, lens), summary.blocks)
        if view.sight.lens is not None and view.sight.lens.rows:
            kind = view.sight.kind.value
            by_rows.add_metric((window, lens, kind), sum(view.sight.by_rows.values()))
        if not view.sight.applies:
            continue
        for entry in summary.shares[:MAX_POOLS]:
            key = (entry.entity, window, lens)
            blocks.add_metric(key, entry.blocks)
            share.add_metric(key, entry.share)
            low.add_metric(key, entry.interval.low)
            high.add_metric(key, entry.interval.high)
        for name, count, more in _rest(summary):
            key = (name, window, lens)
            blocks.add_metric(key, count)
            if summary.blocks:
                share.add_metric(key, count / summary.blocks)
                low.add_metric(key, _interval(count, summary.blocks, summary.level).low)
                high.add_metric(key, _interval(count + more, summary.blocks, summary.level).high)
    yield from (blocks, share, low, high, size, by_rows)


_interval: Final = functools.lru_cache(256)(share_interval)
"""From block to block, and under most lenses, these counts are the same."""


def _rest(summary: Summary) -> Iterator[tuple[str, int, int]]:
    """Yield name and blocks of what has no series of its own, and how many more may be its own."""
    yield OTHER, sum(entry.blocks for entry in summary.shares[MAX_POOLS:]), summary.unattributed
    yield UNKNOWN, summary.unattributed, 0


def _concentration(snapshot: Snapshot) -> Iterator[Metric]:
    labels = ("window", "lens")
    entities = _gauge("entities", "Entities with a block in the window.", labels)
    withheld = _gauge(
        "figures_withheld",
        "1 if more than a tenth of the window's blocks are unknown, so that measures of it have no "
        "single value and their metrics no sample; else 0.",
        labels,
    )
    families: dict[str, GaugeMetricFamily] = {}
    at_most = _gauge(
        "nakamoto_at_most_probability_reading_ratio",
        "Probability that as many entities, or fewer, hold more than the threshold of the work, "
        f"{_IF}.",
        (*labels, "threshold", "entities", "unknown"),
    )
    for view in snapshot.windows:
        if not view.sight.applies:
            continue
        key, summary = (str(view.window), view.lens), view.summary
        entities.add_metric(key, summary.entities)
        withheld.add_metric(key, bool(summary.withheld))
        for measure in MEASURES:
            if measure.metric is not None:
                _measure(families, measure, measure.metric, key, summary)
        for unknown, reading in zip(READINGS, summary.readings, strict=True):
            for name, figure in (
                ("half", reading.nakamoto_half),
                ("third", reading.nakamoto_third),
            ):
                for size in range(1, 6) if figure.posterior else ():
                    at_most.add_metric((*key, name, str(size), unknown), figure.at_most(size))
    yield from (*families.values(), entities, withheld, at_most)


READINGS: Final = ("alone", "as_one", "of_largest")
"""Values of the label ``unknown``: how unknown blocks are read."""
_IF: Final = (
    "if each unknown block is of a miner of its own (alone), all are of one more (as_one), or all "
    "of the largest (of_largest)"
)


def _measure(
    families: dict[str, GaugeMetricFamily],
    measure: Measure,
    metric: MeasureMetric,
    key: tuple[str, str],
    summary: Summary,
) -> None:
    """Add a measure of one window to its gauge, the ends of its interval and readings to theirs."""
    labels, values = ("window", "lens", *metric.labels), (*key, *metric.labels.values())
    text = metric.text or measure.help
    figure = figure_of(measure, summary)
    found = [(metric.name, text, figure.value)]
    if measure.has_interval:
        found += [
            (
                metric.part("lower"),
                f"Lower 95 % bound of the {measure.short}, whoever found unknown blocks.",
                figure.interval.low,
            ),
            (
                metric.part("upper"),
                f"Upper 95 % bound of the {measure.short}, whoever found unknown blocks.",
                figure.interval.high,
            ),
        ]
    for name, words, value in found:
        if name not in families:
            families[name] = _gauge(name, words, labels)
        if not math.isnan(value):
            families[name].add_metric(values, value)
    name = metric.part("reading")
    if name not in families:
        families[name] = _gauge(name, f"{text.removesuffix('.')}, {_IF}.", (*labels, "unknown"))
    for unknown, reading in zip(READINGS, figure.readings, strict=True):
        if not math.isnan(reading):
            families[name].add_metric((*values, unknown), reading)
