"""What dashboards read: a Prometheus and a PostgreSQL, both of the same thirty days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy.engine import make_url

from hashing.header import BlockRef
from monitor.store.sql import open_store
from tests.support import grafana
from tests.support.asked import FromPostgres, FromPrometheus, Source, Span, drawable
from tests.support.history import Past
from tests.support.postgres import new_database, postgres
from tests.support.prometheus import Prometheus, prometheus_of

HOUR, DAY = 3600, 86_400
SINCE: Final = {"now-24h": DAY, "now-7d": 7 * DAY, "now-30d": 30 * DAY}
Scrapes = Sequence[tuple[int, int]]
"""How often Prometheus scraped: from so many seconds ago on, each so many seconds."""


@dataclass(frozen=True, slots=True)
class World:
    """Both data sources, `now` of their past, and when the registry changed in it."""

    server: Prometheus
    connection: psycopg.Connection[tuple[Any, ...]]
    scrapes: Scrapes
    now: int
    registry_changed: int
    tip: BlockRef

    def asked(self, name: str) -> dict[str, Any]:
        """Return a dashboard with its answers, as one who opens it first gets them."""
        board = grafana.load(grafana.ROOT / "grafana" / f"{name}.json")
        back = SINCE[board["time"]["from"]]
        interval = next(gap for ago, gap in reversed(self.scrapes) if back <= ago)
        span = Span(self.now - back, self.now)
        source: Source = (
            FromPostgres(self.connection, span)
            if name == "store"
            else FromPrometheus(self.server, span, interval)
        )
        return drawable(board, source, span)


@contextmanager
def world(directory: Path, programs: Path, scrapes: Scrapes) -> Iterator[World]:
    """Tell the past to an agent's code, and run what it is told to; `programs` are PostgreSQL's."""
    with postgres(programs) as socket:
        url = new_database(socket)
        store = open_store(url, "mainnet", synthetic="sample")
        past = Past(store)
        now = past.last + 400
        changed = now - 3 * DAY - 2 * HOUR
        ends = [ago for ago, _ in scrapes[1:]] + [-1]
        times = [
            now - ago
            for (start, gap), end in zip(scrapes, ends, strict=True)
            for ago in range(start, end, -gap)
        ]
        pages = past.pages(times, changed)
        with (
            prometheus_of(directory, pages, times[0], now, scrapes[0][1]) as server,
            psycopg.connect(
                host=str(socket), user="postgres", dbname=make_url(url).database, autocommit=True
            ) as connection,
        ):
            tip = store.tip()
            assert tip is not None
            store.close()
            # The store's own clock is today's.
            connection.execute(
                "UPDATE reorg SET at = block.time FROM block"
                " WHERE height = fork_height + 1 AND NOT stale"
            )
            connection.execute("UPDATE former_attribution SET replaced_at = %s", (changed,))
            yield World(server, connection, scrapes, now, changed, tip)
