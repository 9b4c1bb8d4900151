"""Prometheus metrics: the chain's state from the snapshot, and the agent's own counters.

The state is rendered once a snapshot, not once a scrape. Chain-derived totals can fall on
a reorg, so they are gauges; what the agent itself did are counters. No hash, height or
coinbase text ever becomes a label; pools are slugs of the registry.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from analyzers.attribution import RULES
from analyzers.intervals import share_interval
from analyzers.summary import Nakamoto, Summary
from monitor import __version__
from monitor.config import EconomicsSettings
from monitor.economics_metrics import economics_metrics
from monitor.proof import REASONS
from monitor.snapshot import Board, Snapshot
from monitor.store.base import ProofLevel

MAX_POOLS: Final = 60
"""Most pools that get series of their own in a window; the rest is ``other``."""

OTHER: Final = "other"
UNKNOWN: Final = "unknown"

DEPTHS: Final = {1: "1", 2: "2", 3: "3-5", 6: "6+"}
"""Least depth of a reorg, and the label value from there on."""

_FORMATS: Final = 2
"""Formats that are rendered ahead: Prometheus asks for one, a browser or curl for another."""

Encode: TypeAlias = Callable[[Collector], bytes]

_EOF: Final = b"# EOF\n"
_THRESHOLD_NAMES: Final = {
    Fraction(1, 2): "half",
    Fraction(1, 3): "third",
    Fraction(1, 4): "quarter",
}


def threshold_name(threshold: Fraction) -> str:
    """Return the label value of a threshold of interest: half, third or quarter."""
    return _THRESHOLD_NAMES[threshold]


class AgentMetrics:
    """What the agent itself did: counters and timings on a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"poolscope_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"poolscope_{name}", text, labels, registry=self.registry)

        self.blocks = counter("blocks_stored", "Blocks stored, stale ones among them.")
        self.refused = counter("blocks_refused", "Blocks refused, by the reason why.", "reason")
        self.requests = counter("source_requests", "Requests to a source.", "source")
        self.failures = counter("source_failures", "Requests to a source that failed.", "source")
        self.source_up = gauge("source_up", "1 if the source answered last, else 0.", "source")
        self.last_success = gauge(
            "source_last_success_timestamp_seconds",
            "When the source last answered.",
            "source",
        )
        self.reorgs = counter(
            "reorgs_seen", "Reorgs that this agent saw happen, by depth in blocks.", "depth"
        )
        self.reorg_time = gauge(
            "reorg_last_seen_timestamp_seconds",
            "When this agent last saw a reorg happen; 0 if it has seen none.",
        )
        for depth in DEPTHS.values():
            self.reorgs.labels(depth)
        for reason in REASONS:
            self.refused.labels(reason)
        self.processing = Histogram(
            "poolscope_step_processing_seconds",
            "Time from the first request for new blocks to the published metrics.",
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
        )
        self.ready = gauge("ready", "1 when caught up with the source and the store is writable.")
        self.writer = gauge(
            "writer", "1 if this agent writes to the store, 0 if it follows one that does."
        )
        self.local_rate = gauge(
            "local_hashes_per_second",
            "SHA-256d rate of this machine, one thread, last measured; 0 until it is.",
        )
        self.local_rate_spread = gauge(
            "local_hashes_per_second_spread",
            "Highest minus lowest repetition of the measurement of the local rate.",
        )

        self.price = gauge(
            "bitcoin_price_dollars", "Price of a bitcoin, as this source says.", "source"
        )
        self.price_time = gauge(
            "bitcoin_price_timestamp_seconds", "When that source last said it.", "source"
        )

    def saw_reorg(self, depth: int) -> None:
        """Count a reorg of `depth` blocks, and note the time."""
        self.reorgs.labels(DEPTHS[max(least for least in DEPTHS if least <= depth)]).inc()
        self.reorg_time.set_to_current_time()


class Exporter:
    """Renders ``/metrics``: the state once a snapshot, the agent's counters at each scrape."""

    def __init__(
        self, board: Board, agent: AgentMetrics, economics: EconomicsSettings | None = None
    ) -> None:
        self._economics = economics or EconomicsSettings()
        self._board = board
        self._agent = agent
        self._rendered: dict[str, _Rendered] = {}

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return body and content type for a scrape with this Accept header."""
        encode, content_type = choose_encoder(accept)
        live = encode(self._agent.registry)
        return self._state(encode, content_type).removesuffix(_EOF) + live, content_type

    def refresh(self) -> None:
        """Render the latest snapshot for the formats last asked for, ahead of the next scrape."""
        for content_type, kept in list(self._rendered.items()):
            self._state(kept.encode, content_type)

    def _state(self, encode: Encode, content_type: str) -> bytes:
        snapshot = self._board.snapshot
        kept = self._rendered.get(content_type)
        if kept is None or kept.snapshot is not snapshot:
            state = state_metrics(snapshot)
            costs = economics_metrics(snapshot.terms, self._economics)
            body = encode(_Collected([*state, *costs]))
            kept = _Rendered(encode, snapshot, body)
            # Accept headers come from outside: keep the few formats that are really in use.
            rest = {k: v for k, v in self._rendered.items() if k != content_type}
            self._rendered = {content_type: kept} | dict(list(rest.items())[: _FORMATS - 1])
        return kept.body


@dataclass(frozen=True, slots=True)
class _Rendered:
    encode: Encode
    snapshot: Snapshot
    body: bytes


class _Collected(Collector):
    """Metrics that are already there, in the shape that the encoders take."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


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
    if date := snapshot.registry_date:
        midnight = datetime.datetime.combine(date, datetime.time(), datetime.UTC)
        yield from _single(
            "registry_updated_timestamp_seconds",
            "Day on which the registry's rows were last held against their sources.",
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


_interval: Final = functools.lru_cache(256)(share_interval)
"""From block to block, and under most lenses, these counts are the same."""


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
    for view in snapshot.windows:
        window, lens, summary = str(view.window), view.lens, view.summary
        size.add_metric((window, lens), summary.blocks)
        for entry in summary.shares[:MAX_POOLS]:
            key = (entry.entity, window, lens)
            blocks.add_metric(key, entry.blocks)
            share.add_metric(key, entry.share)
            low.add_metric(key, entry.interval.low)
            high.add_metric(key, entry.interval.high)
        rest = sum(entry.blocks for entry in summary.shares[MAX_POOLS:])
        for name, count in ((OTHER, rest), (UNKNOWN, summary.unattributed)):
            key = (name, window, lens)
            blocks.add_metric(key, count)
            if summary.blocks:
                ends = _interval(count, summary.blocks, summary.level)
                share.add_metric(key, count / summary.blocks)
                low.add_metric(key, ends.low)
                high.add_metric(key, ends.high)
    yield from (blocks, share, low, high, size)


_MEASURES: Final[tuple[tuple[str, str, Callable[[Summary], float]], ...]] = (
    ("hhi_ratio", "Herfindahl-Hirschman index, unbiased.", lambda s: s.hhi),
    ("hhi_lower_ratio", "Lower 95 % bound of the HHI.", lambda s: s.hhi_interval.low),
    ("hhi_upper_ratio", "Upper 95 % bound of the HHI.", lambda s: s.hhi_interval.high),
    ("effective_entities", "Effective number of entities, 1/HHI.", lambda s: s.effective_number),
    (
        "effective_entities_lower",
        "Lower 95 % bound of the effective number.",
        lambda s: s.effective_number_interval.low,
    ),
    (
        "effective_entities_upper",
        "Upper 95 % bound of the effective number.",
        lambda s: s.effective_number_interval.high,
    ),
    ("entities", "Entities with a block in the window.", lambda s: s.entities),
)


def _concentration(snapshot: Snapshot) -> Iterator[Metric]:
    labels = ("window", "lens")
    for name, text, measure in _MEASURES:
        metric = _gauge(name, text, labels)
        for view in snapshot.windows:
            metric.add_metric((str(view.window), view.lens), measure(view.summary))
        yield metric
    nakamoto = _gauge(
        "nakamoto_entities",
        "Fewest entities that found more than the threshold of the window's blocks.",
        (*labels, "threshold"),
    )
    at_most = _gauge(
        "nakamoto_at_most_probability_ratio",
        "Probability that as many entities, or fewer, hold more than the threshold of the work.",
        (*labels, "threshold", "entities"),
    )
    above = _gauge(
        "any_above_probability_ratio",
        "Probability that some entity holds more than the threshold of the work.",
        (*labels, "threshold"),
    )
    for view in snapshot.windows:
        key = (str(view.window), view.lens)
        for figure in (view.summary.nakamoto_half, view.summary.nakamoto_third):
            _nakamoto(nakamoto, at_most, key, figure)
        for threshold, probability in view.summary.any_above.items():
            above.add_metric((*key, threshold_name(threshold)), probability)
    yield from (nakamoto, at_most, above)


def _nakamoto(
    observed: GaugeMetricFamily, at_most: GaugeMetricFamily, key: tuple[str, str], figure: Nakamoto
) -> None:
    name = threshold_name(figure.threshold)
    if figure.observed is None:
        return
    observed.add_metric((*key, name), figure.observed)
    for size in range(1, 6):
        at_most.add_metric((*key, name, str(size)), figure.at_most(size))
