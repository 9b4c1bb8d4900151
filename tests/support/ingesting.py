"""Sources that do what a test tells them to, and the agent's path from them to the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from analyzers.leftout import LeftOut
from analyzers.model import Attribution, Label
from hashing.header import BlockRef
from hashing.params import REGTEST
from hashing.wire import CoinbaseTx
from monitor import trouble
from monitor.agent import ingest, staletips, turns
from monitor.agent.follower import Follower
from monitor.agent.ingest import Ingest
from monitor.errors import NotKept, SourceError
from monitor.metrics.exporter import AgentMetrics
from monitor.sources.base import BlockSource, Capabilities, SourceBlock, Want
from monitor.store.base import Step
from monitor.store.sql import SqlStore
from tests.support.blocks import Mined, genesis
from tests.support.patience import PATIENCE


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an agent do within tenths of a second what it does within minutes."""
    monkeypatch.setattr(ingest, "HINT_TIMEOUT", 0.05)
    monkeypatch.setattr(ingest, "LOOK_AROUND", 0.1)
    monkeypatch.setattr(ingest, "FIRST_LOOK", 0.02)
    monkeypatch.setattr(ingest, "SLOW", 0.2)
    monkeypatch.setattr(staletips, "EVERY", 0.05)
    monkeypatch.setattr(turns, "LEAVE_AFTER", 0.05)
    monkeypatch.setattr(trouble, "RETRY_FIRST", 0.01)
    monkeypatch.setattr(trouble, "RETRY_LAST", 0.1)


class ScriptedSource:
    """A source as its test tells it to be: a chain, a lie or a failure."""

    network = "regtest"
    left_out: Sequence[LeftOut] = ()

    def __init__(self, name: str, chain: Sequence[Mined], *, public: bool = True) -> None:
        self.name = name
        self.capabilities = Capabilities(batch=5, public=public)
        self.chain = [genesis(), *chain]
        self.failure: SourceError | None = None
        self.gone: range = range(0)
        self.tamper: Callable[[SourceBlock], SourceBlock] = lambda block: block
        self.asked: list[tuple[int, Want]] = []
        self.looks = 0
        self.changed = asyncio.Event()

    def grow(self, blocks: Sequence[Mined]) -> None:
        self.chain += blocks
        self.changed.set()

    def fail(self, failure: SourceError | None) -> None:
        self.failure = failure
        self.changed.set()

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def open(self) -> None:
        self._answer()

    async def close(self) -> None:
        pass

    async def tip(self) -> BlockRef:
        self.looks += 1
        self._answer()
        return self.chain[-1].ref

    async def stale_tips(self) -> Sequence[BlockRef]:
        raise AssertionError("asked for what it does not promise")

    async def headers(self, start: int, count: int) -> list[bytes]:
        self._answer()
        return [block.raw[:80] for block in self.chain[start : start + count]]

    async def blocks(self, wanted: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        self._answer()
        self.asked += [(ref.height, want) for ref in wanted]
        if any(ref.height in self.gone for ref in wanted):
            raise NotKept(f"{self.name}: pruned")
        return [self.tamper(self.chain[ref.height].offered()) for ref in wanted]

    async def wait_for_tip_change(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self.changed.wait()
        except TimeoutError:
            return
        self.changed.clear()
        self._answer()


class Agent:
    """The path from sources to the store, and no more of the agent."""

    def __init__(self, sources: Sequence[BlockSource], store: SqlStore, **options: Any) -> None:
        tip, first = store.tip(), store.first_height()
        self.store = store
        self.steps: list[tuple[int, int]] = []
        self.executor = ThreadPoolExecutor(1)
        self.metrics = AgentMetrics()
        self.ingest = Ingest(
            sources,
            store=store,
            follower=Follower(
                REGTEST,
                attribute,
                1000,
                None if tip is None or first is None else (first, tip),
                lambda: 1000.0,
            ),
            metrics=self.metrics,
            executor=self.executor,
            on_step=self._stored,
            **options,
        )

    def _stored(self, step: Step, left: int) -> None:
        self.steps.append((len(step.append), left))

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"poolscope_{name}", labels) or 0

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - a test may poll
                await asyncio.sleep(0.005)

    async def until_at(self, chain: Sequence[Mined]) -> None:
        """Wait until the end of `chain` is stored and the agent is ready."""
        await self.until_stored(chain[-1].ref)

    async def until_stored(self, tip: BlockRef) -> None:
        """Wait until `tip` is the stored tip and the agent is ready."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while (  # noqa: ASYNC110 - a test may poll
                self.ingest.behind is not None
                or await loop.run_in_executor(self.executor, self.store.tip) != tip
            ):
                await asyncio.sleep(0.005)


def attribute(_coinbase: CoinbaseTx | None, _height: int, _label: Label | None) -> Attribution:
    return Attribution("antpool", "tag", (), (), "registry")


@asynccontextmanager
async def running(store: SqlStore, *sources: BlockSource, **options: Any) -> AsyncIterator[Agent]:
    """Run an agent on `sources`; `options` are those of `Ingest`."""
    agent = Agent(sources, store, **options)
    task = asyncio.create_task(agent.ingest.run())
    try:
        yield agent
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)
        agent.executor.shutdown()
    assert task.cancelled()
