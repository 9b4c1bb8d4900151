"""The shell around the follower: several sources, failures, and what is said of them."""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from analyzers.leftout import LeftOut
from analyzers.model import Attribution, Label
from hashing.params import REGTEST
from hashing.wire import CoinbaseTx
from monitor import ingest, trouble
from monitor.errors import SourceError, SourceUnavailable
from monitor.exporter import AgentMetrics
from monitor.follower import Follower
from monitor.ingest import Ingest
from monitor.sources.base import BlockRef, Capabilities, SourceBlock, Want
from monitor.store.base import Step
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs

PATIENCE = 20.0


class ScriptedSource:
    """A source as its test tells it to be: a chain, a lie or a failure."""

    network = "regtest"
    left_out: Sequence[LeftOut] = ()

    def __init__(self, name: str, chain: Sequence[Mined], *, public: bool = True) -> None:
        self.name = name
        self.capabilities = Capabilities(batch=5, public=public)
        self.chain = [genesis(), *chain]
        self.failure: SourceError | None = None
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
    def __init__(self, sources: Sequence[ScriptedSource], store: SqlStore) -> None:
        self.store = store
        self.steps: list[tuple[int, int]] = []
        self.executor = ThreadPoolExecutor(1)
        self.metrics = AgentMetrics()
        self.ingest = Ingest(
            sources,
            store=store,
            follower=Follower(REGTEST, attribute, 1000, None, lambda: 1000.0),
            metrics=self.metrics,
            executor=self.executor,
            on_step=self._stored,
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
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while (  # noqa: ASYNC110 - a test may poll
                self.ingest.behind is not None
                or await loop.run_in_executor(self.executor, self.store.tip) != chain[-1].ref
            ):
                await asyncio.sleep(0.005)


def attribute(_coinbase: CoinbaseTx | None, _height: int, _label: Label | None) -> Attribution:
    return Attribution("antpool", "tag", (), (), "registry")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "HINT_TIMEOUT", 0.1)
    monkeypatch.setattr(trouble, "RETRY_FIRST", 0.01)
    monkeypatch.setattr(trouble, "RETRY_LAST", 0.1)


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "store.sqlite", "regtest")) as store:
        yield store


@asynccontextmanager
async def running(store: SqlStore, *sources: ScriptedSource) -> AsyncIterator[Agent]:
    agent = Agent(sources, store)
    task = asyncio.create_task(agent.ingest.run())
    try:
        yield agent
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE)
        agent.executor.shutdown()
    assert task.cancelled()


async def test_it_tells_of_each_step_and_counts(store: SqlStore, chain: list[Mined]) -> None:
    async with running(store, ScriptedSource("a", chain)) as agent:
        await agent.until_at(chain)
        assert agent.steps == [(5, 8), (5, 3), (3, 0)]
        assert agent.metric("blocks_stored_total") == 13
        assert agent.metric("source_up", source="a") == 1
        assert agent.metric("source_failures_total", source="a") == 0
        assert agent.metric("source_requests_total", source="a") >= 6
        assert agent.metric("step_processing_seconds_count") == 1


async def test_another_source_takes_over_without_a_gap_and_hands_back(
    store: SqlStore, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor.ingest")
    first, second = ScriptedSource("first", chain[:6]), ScriptedSource("second", chain)
    async with running(store, first, second) as agent:
        await agent.until_at(chain[:6])
        assert second.looks == 0
        first.fail(SourceUnavailable("first: connection refused"))
        await agent.until_at(chain)
        assert agent.metric("source_up", source="first") == 0
        first.grow(chain[6:])
        first.fail(None)
        await agent.until(lambda: agent.metric("source_up", source="first") == 1)
        more = extend(chain[-1], 2)
        first.grow(more)
        await agent.until_at(more)
    assert [block.ref for block in store.blocks(1, 99)] == refs([*chain, *more])
    assert store.counts().reorgs == 0
    said = [record.getMessage() for record in caplog.records]
    assert said == ["first: connection refused", "first answers again"]


async def test_a_lasting_failure_is_said_once_and_retried_ever_later(
    store: SqlStore, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource("a", chain)
    source.fail(SourceUnavailable("a: connection refused"))
    async with running(store, source) as agent:
        await asyncio.sleep(0.5)
        failures = agent.metric("source_failures_total", source="a")
        assert 3 <= failures <= 9  # after 10, 20, 40, 80, 100, 100 ... milliseconds
        assert agent.ingest.behind == "a: connection refused"
    assert [record.getMessage() for record in caplog.records] == ["a: connection refused"]


async def test_a_source_that_asks_to_wait_is_left_alone(
    store: SqlStore, chain: list[Mined]
) -> None:
    source = ScriptedSource("a", chain)
    source.fail(SourceUnavailable("a: rate limit", retry_after=0.4))
    async with running(store, source) as agent:
        await agent.until(lambda: agent.ingest.behind == "a: rate limit")
        asked = agent.metric("source_requests_total", source="a")
        await asyncio.sleep(0.2)
        assert agent.metric("source_requests_total", source="a") == asked
        source.fail(None)
        await agent.until_at(chain)


async def test_a_poisoned_block_comes_from_the_next_source(
    store: SqlStore, chain: list[Mined]
) -> None:
    liar, honest = ScriptedSource("liar", chain), ScriptedSource("honest", chain)
    liar.tamper = lambda block: dataclasses.replace(block, txids=None)
    async with running(store, liar, honest) as agent:
        await agent.until_at(chain)
        assert agent.metric("blocks_refused_total", reason="unproved") == 1
    assert {block.source for block in store.blocks(1, 99)} == {"honest"}


async def test_a_poisoned_block_from_the_only_source_does_not_spin(
    store: SqlStore, chain: list[Mined]
) -> None:
    source = ScriptedSource("liar", chain)
    source.tamper = lambda block: dataclasses.replace(block, txids=None)
    async with running(store, source) as agent:
        await asyncio.sleep(0.5)
        assert 3 <= agent.metric("blocks_refused_total", reason="unproved") <= 9
        assert "without Merkle branch" in (agent.ingest.behind or "")
        source.tamper = lambda block: block
        await agent.until_at(chain)


async def test_a_source_that_is_stuck_does_not_hold_it_back(
    store: SqlStore, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "LOOK_AROUND", 0.2)
    stuck, moving = ScriptedSource("stuck", chain[:6]), ScriptedSource("moving", chain)
    async with running(store, stuck, moving) as agent:
        await agent.until_at(chain)
        assert agent.metric("source_up", source="stuck") == 1


async def test_a_full_disk_is_said_and_heals(
    store: SqlStore, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor.ingest")
    long = [*chain, *extend(chain[-1], 300)]
    with store._database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 4}")
    async with running(store, ScriptedSource("a", long)) as agent:
        await agent.until(lambda: "disk is full" in (agent.ingest.behind or ""))
        assert agent.metric("source_up", source="a") == 1

        def make_room() -> None:
            with store._database.writing() as connection:
                connection.exec_driver_sql("PRAGMA max_page_count=1000000")

        await asyncio.get_running_loop().run_in_executor(agent.executor, make_room)
        await agent.until_at(long)
    assert [block.ref for block in store.blocks(1, 999)] == refs(long)
    first, last = (record.getMessage() for record in caplog.records)
    assert "make room" in first
    assert last == "the store can be written again"


async def test_strangers_must_prove_and_ones_own_node_only_at_the_tip(
    store: SqlStore, chain: list[Mined], tmp_path: Path
) -> None:
    stranger, own = ScriptedSource("a", chain), ScriptedSource("b", chain, public=False)
    async with running(store, stranger) as agent:
        await agent.until_at(chain)
    with closing(open_store(tmp_path / "own.sqlite", "regtest")) as other:
        async with running(other, own) as agent:
            await agent.until_at(chain)
    assert {want for _, want in stranger.asked} == {Want.PROVED}
    assert own.asked[0] == (0, Want.COINBASE)
    assert own.asked[-1] == (12, Want.PROVED)
