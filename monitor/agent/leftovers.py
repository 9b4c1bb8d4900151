"""What the sources hold and the agent does not use: a metric, and a line for each new reason."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from analyzers.leftout import Kind, LeftOut
from monitor.metrics.exporter import AgentMetrics

log = logging.getLogger(__name__)


class Leftovers:
    """Keeps the metric at what was noted last; says each reason of a source once."""

    def __init__(self, metrics: AgentMetrics) -> None:
        self._metrics = metrics
        self._said: set[tuple[str, Kind, str]] = set()

    def note(self, source: str, found: Iterable[LeftOut]) -> None:
        """Take note of all that a source leaves out now."""
        counts = Counter({kind: 0 for name, kind, _ in self._said if name == source})
        for left in found:
            counts[left.kind] += left.count
            reason = (source, left.kind, left.why)
            if reason not in self._said:
                self._said.add(reason)
                # Every node knows of stale tips that are older than the store.
                level = logging.INFO if left.kind is Kind.TIP else logging.WARNING
                log.log(level, "%s: %s", source, left)
        for kind, count in counts.items():
            self._metrics.left_out.labels(source, kind.value).set(count)
