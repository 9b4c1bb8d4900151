"""How the agent is: sources and their health, the local hash rate, readiness."""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge

from monitor import __version__, answers
from monitor.answers import convert
from monitor.snapshot import Snapshot
from monitor.watch.base import LocalRate
from monitor.watch.localrate import LocalRateWatcher
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
        sources=sources(context),
        watchers=[
            answers.Watcher(name=health.name, up=health.up, trouble=health.trouble)
            for health in context.watchers()
        ],
        local_rate=_local_rate(snapshot),
        registry_version=snapshot.registry_version,
        registry_pools=snapshot.registry_pools,
        registry_as_of=snapshot.registry_date.isoformat() if snapshot.registry_date else None,
        other_registry_blocks=snapshot.other_registry,
    )


def sources(context: WebContext) -> list[answers.Source]:
    """Return how the sources are, the preferred one first."""
    metrics = context.metrics
    if metrics is None:
        return []
    requests, failures = _by_source(metrics.requests), _by_source(metrics.failures)
    up, last = _by_source(metrics.source_up), _by_source(metrics.last_success)
    states = {state.name: state for state in context.sources()}
    # An agent that does not write any more has asked sources that it has none of now.
    names = [*states, *sorted(requests.keys() - states.keys())]
    return [
        answers.Source(
            name=name,
            up=bool(up[name]) if name in up else None,
            requests=int(requests.get(name, 0)),
            failures=int(failures.get(name, 0)),
            last_success=last.get(name),
            leads=state is not None and state.leads,
            tip_height=state.tip.height if state and state.tip else None,
            lag_blocks=state.lag if state else None,
            trouble=state.trouble if state else "",
            left_out=convert.left_out(state.left_out if state else ()),
        )
        for name in names
        for state in (states.get(name),)
    ]


def _by_source(metric: Counter | Gauge) -> dict[str, float]:
    """Return the values of a metric by its label ``source``."""
    return {
        sample.labels["source"]: sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def _local_rate(snapshot: Snapshot) -> answers.LocalRate | None:
    rate = snapshot.watched.get(LocalRateWatcher.name)
    if not isinstance(rate, LocalRate):
        return None
    return answers.LocalRate(
        hashes_per_second=rate.median,
        spread=rate.highest - rate.lowest,
        kernel=rate.kernel,
    )
