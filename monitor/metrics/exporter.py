"""Prometheus metrics: the chain's state from the snapshot, and the agent's own counters.

The state is rendered once a snapshot, not once a scrape. Chain-derived totals can fall on
a reorg, so they are gauges; what the agent itself did are counters. No hash, height or
coinbase text ever becomes a label; pools are slugs of the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from monitor.config import EconomicsSettings
from monitor.errors import REASONS
from monitor.metrics.economics import economics_metrics
from monitor.metrics.state import state_metrics
from monitor.metrics.watched import watched_metrics
from monitor.snapshot import Board, Snapshot

DEPTHS: Final = {1: "1", 2: "2", 3: "3-5", 6: "6+"}
"""Least depth of a reorg, and the label value from there on."""

_FORMATS: Final = 2
"""Formats that are rendered ahead: Prometheus asks for one, a browser or curl for another."""

Encode: TypeAlias = Callable[[Collector], bytes]

_EOF: Final = b"# EOF\n"


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
        self.leads = gauge("source_leads", "1 for the source that is followed, else 0.", "source")
        self.tip_height = gauge(
            "source_tip_height", "Height of the tip that the source told last.", "source"
        )
        self.lag = gauge(
            "source_lag_blocks", "Stored blocks that the source's own chain lacks.", "source"
        )
        self.left_out = gauge(
            "source_left_out",
            "Things that the source holds and the agent does not use, by what they are.",
            "source",
            "kind",
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
        self.watcher_up = gauge(
            "watcher_up", "1 if the watcher observed something last, 0 if it failed.", "watcher"
        )
        self.watcher_failures = counter(
            "watcher_failures", "Times that the watcher failed and was begun anew.", "watcher"
        )

    def forget_source(self, name: str) -> None:
        """Export nothing any more of what is known only while the source is followed."""
        for gauge in (self.leads, self.tip_height, self.lag):
            with suppress(KeyError):
                gauge.remove(name)

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
            watched = watched_metrics(snapshot.watched)
            body = encode(_Collected([*state, *costs, *watched]))
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
