"""How the agent is: sources and their health, the local hash rate, readiness."""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge

from monitor import __version__
from monitor.exporter import AgentMetrics
from monitor.web import answers
from monitor.web.context import WebContext


def status(context: WebContext) -> answers.Status:
    """Return how the agent is now."""
    snapshot, missing = context.board.snapshot, context.ready()
    return answers.Status(
        version=__version__,
        network=snapshot.network,
        synthetic=snapshot.synthetic,
        ready=not missing,
        missing=missing,
        now=time.time(),
        sources=sources(context.metrics),
        local_rate=_local_rate(context.metrics),
        registry_version=snapshot.registry_version,
        registry_pools=snapshot.registry_pools,
        other_registry_blocks=snapshot.other_registry,
    )


def sources(metrics: AgentMetrics | None) -> list[answers.Source]:
    """Return the sources that were asked so far, by name."""
    if metrics is None:
        return []
    requests, failures = _by_source(metrics.requests), _by_source(metrics.failures)
    up, last = _by_source(metrics.source_up), _by_source(metrics.last_success)
    return [
        answers.Source(
            name=name,
            up=bool(up[name]) if name in up else None,
            requests=int(asked),
            failures=int(failures.get(name, 0)),
            last_success=last.get(name),
        )
        for name, asked in sorted(requests.items())
    ]


def _by_source(metric: Counter | Gauge) -> dict[str, float]:
    """Return the values of a metric by its label ``source``."""
    return {
        sample.labels["source"]: sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def _local_rate(metrics: AgentMetrics | None) -> answers.LocalRate | None:
    if metrics is None:
        return None
    rate, spread = (
        next(iter(gauge.collect())).samples[0].value
        for gauge in (metrics.local_rate, metrics.local_rate_spread)
    )
    return answers.LocalRate(hashes_per_second=rate, spread=spread) if rate else None
