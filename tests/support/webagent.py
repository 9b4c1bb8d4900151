"""A small agent for tests of the web: a mined chain in a real store, with a live board."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from analyzers.attribution import attribute
from analyzers.registry import load_registry
from analyzers.registry.lenses import TAG_LENS, Lens
from hashing.params import REGTEST, NetworkParams
from hashing.wire import parse_coinbase
from monitor.analysis import KEPT, Analysis, Origin, Totals
from monitor.metrics.exporter import AgentMetrics, Exporter
from monitor.snapshot import Board
from monitor.store.base import Step, StoredBlock
from monitor.store.sql import open_store
from monitor.web.server import WebContext
from tests.support.blocks import Mined, extend, genesis

TAGS = (
    (b"/Foundry USA Pool #dropgold/", 31),
    (b"Mined by AntPool", 24),
    (b"/ViaBTC/", 16),
    (b"/F2Pool/", 12),
    (b"/LUXOR/", 8),
    (b"/SBICrypto.com Pool/", 5),
    (b"nobody known", 4),
)
"""Coinbase texts with how often each comes in a hundred blocks."""

HOSTILE = b'<img src=x onerror=alert(1)><script>document.title="owned"</script>'
"""A coinbase text that must never become markup."""


def mixed(count: int) -> list[bytes]:
    """Return `count` coinbase texts in the proportions of `TAGS`, always the same."""
    hundred = [tag for tag, times in TAGS for _ in range(times)]
    return [hundred[(37 * place) % 100] for place in range(count)]


class WebAgent:
    """Mines on request, stores, and publishes snapshots as the agent does."""

    def __init__(
        self,
        directory: Path,
        *,
        params: NetworkParams = REGTEST,
        lenses: Mapping[str, Lens] | None = None,
    ) -> None:
        self.lenses = lenses or {TAG_LENS.name: TAG_LENS}
        path = directory / "store.sqlite"
        self.registry = load_registry()
        self.store = open_store(path, "regtest", synthetic="rehearsal")
        self.reading = open_store(path, "regtest", synthetic="rehearsal", read_only=True)
        origin = Origin(params, "rehearsal", self.registry.version, len(self.registry), self.lenses)
        self.analysis = Analysis(origin, self._last)
        self.analysis.load()
        self.metrics = AgentMetrics()
        self.board = Board(self.analysis.snapshot(Totals(), time.time()))
        self.missing: list[str] = []
        self.chain: list[Mined] = [genesis()]

    def __enter__(self) -> WebAgent:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        self.reading.close()
        self.store.close()

    def _last(self) -> Iterator[StoredBlock]:
        tip = self.store.tip()
        return self.store.blocks(tip.height - KEPT + 1, tip.height + 1) if tip else iter(())

    def context(self) -> WebContext:
        """Return what the web server reads."""
        return WebContext(
            self.board,
            Exporter(self.board, self.metrics),
            lambda: self.missing,
            store=self.reading,
            metrics=self.metrics,
            registry=self.registry,
            lenses=self.lenses,
        )

    def mine(self, tags: Iterable[bytes]) -> list[Mined]:
        """Add one block for each coinbase text, in one step, and publish."""
        mined: list[Mined] = []
        for tag in tags:
            mined += extend((self.chain + mined)[-1], 1, tag=tag)
        self.chain += mined
        self._publish(Step([self._stored(block) for block in mined]))
        return mined

    def reorg(self, depth: int, tags: Sequence[bytes]) -> None:
        """Replace the last `depth` blocks by one for each of `tags`."""
        del self.chain[-depth:]
        fork = self.chain[-1]
        branch: list[Mined] = []
        for tag in tags:
            branch += extend((branch or [fork])[-1], 1, tag=tag, spacing=601)
        self.chain += branch
        self._publish(Step([self._stored(block) for block in branch], rollback_to=fork.height))

    def _stored(self, block: Mined) -> StoredBlock:
        coinbase = parse_coinbase(block.coinbase_tx)
        return replace(
            block.stored(), attribution=attribute(coinbase, self.registry, height=block.height)
        )

    def _publish(self, step: Step) -> None:
        self.store.apply(step)
        self.analysis.apply(step)
        counts = self.store.counts()
        totals = Totals(counts.reorgs, counts.deepest_reorg, counts.stale, counts.header_only)
        self.board.publish(self.analysis.snapshot(totals, time.time()))
