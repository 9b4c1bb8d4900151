"""What the handlers read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from analyzers.registry import Registry
from analyzers.windows import EntityOf, by_tag
from monitor.exporter import AgentMetrics, Exporter
from monitor.snapshot import Board
from monitor.store.base import BlockStore


@dataclass(frozen=True, slots=True)
class WebContext:
    """What the handlers read. `ready` returns what is still missing, or an empty list.

    `store` is a read connection of its own, used by one thread at a time; without it the
    answers that need more than the snapshot say so. `metrics` tells about sources and the
    local hash rate, `registry` the names of pools.
    """

    board: Board
    exporter: Exporter
    ready: Callable[[], list[str]]
    store: BlockStore | None = None
    metrics: AgentMetrics | None = None
    registry: Registry | None = None
    lenses: Mapping[str, EntityOf] = field(default_factory=lambda: {"tag": by_tag})

    def name_of(self, slug: str) -> str:
        """Return the name of a pool, or of another entity of a lens."""
        return slug if self.registry is None else self.registry.name_of(slug)


CONTEXT: Final = web.AppKey("context", WebContext)
