"""What the handlers read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from analyzers.registry import Registry
from analyzers.registry.lenses import TAG_LENS, Lens
from hashing.params import NETWORKS, NetworkParams
from monitor.agent.turns import SourceState
from monitor.metrics.exporter import AgentMetrics, Exporter
from monitor.snapshot import Board
from monitor.store.base import BlockStore
from monitor.watch.supervise import Health


@dataclass(frozen=True, slots=True)
class WebContext:
    """What the handlers read. `ready` returns what is still missing, or an empty list.

    `store` is a read connection of its own, used by one thread at a time; without it the
    answers that need more than the snapshot say so. `metrics` tells about sources,
    `registry` the names of pools, `sources` and `watchers` how those are.
    """

    board: Board
    exporter: Exporter
    ready: Callable[[], list[str]]
    store: BlockStore | None = None
    metrics: AgentMetrics | None = None
    registry: Registry | None = None
    sources: Callable[[], Sequence[SourceState]] = tuple
    watchers: Callable[[], Sequence[Health]] = tuple
    lenses: Mapping[str, Lens] = field(default_factory=lambda: {TAG_LENS.name: TAG_LENS})

    @property
    def params(self) -> NetworkParams:
        """The parameters of the network that is shown."""
        return NETWORKS[self.board.snapshot.network]

    def name_of(self, slug: str) -> str:
        """Return the name of a pool."""
        return slug if self.registry is None else self.registry.name_of(slug)

    def entity_name_of(self, lens: str, entity: str) -> str:
        """Return the name of an entity under a lens."""
        if self.registry is None or lens not in self.lenses:
            return entity
        return self.lenses[lens].name_of(entity, self.registry)


CONTEXT: Final = web.AppKey("context", WebContext)
