"""From a source to the store: what the agent makes of the sample, a rehearsal and an API."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from analyzers.attribution import attribute
from analyzers.model import Attribution, Label
from analyzers.registry import load_registry
from hashing.header import BlockHeader, BlockRef
from hashing.params import NETWORKS, REGTEST
from hashing.wire import CoinbaseTx
from monitor.agent.follower import Follower
from monitor.agent.ingest import Ingest
from monitor.metrics.exporter import AgentMetrics
from monitor.sources.base import BlockSource
from monitor.sources.blkfiles import BlkFilesSource
from monitor.sources.esplora import EsploraSource
from monitor.sources.rehearsal import RehearsalSource
from monitor.sources.sample import FIRST_PERIOD, SampleSource
from monitor.store.sql import SqlStore, open_store
from tests.support import blkfiles
from tests.support.esplora import EsploraServer, Flavour, ServedChain, mine_on
from tests.support.esplora.chain import regtest_genesis
from tests.support.patience import PATIENCE

REGISTRY = load_registry()


def by_registry(coinbase: CoinbaseTx | None, height: int, label: Label | None) -> Attribution:
    return attribute(coinbase, REGISTRY, height=height, label=label)


class Agent:
    """The path from a source to the store, and no more of the agent."""

    def __init__(
        self, source: BlockSource, store: SqlStore, executor: ThreadPoolExecutor, catch_up: int
    ) -> None:
        tip, first = store.tip(), store.first_height()
        self.store = store
        self.executor = executor
        self.metrics = AgentMetrics()
        self.ingest = Ingest(
            [source],
            store=store,
            follower=Follower(
                NETWORKS[store.network],
                by_registry,
                catch_up,
                None if tip is None or first is None else (first, tip),
                time.time,
            ),
            metrics=self.metrics,
            executor=executor,
            on_step=lambda _step, _left: None,
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the store must come to hold; the store has a thread of its own."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while not await loop.run_in_executor(self.executor, condition):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def refused(self, reason: str) -> float:
        name = "poolscope_blocks_refused_total"
        return self.metrics.registry.get_sample_value(name, {"reason": reason}) or 0


@asynccontextmanager
async def following(
    source: BlockSource, path: Path, network: str, synthetic: str = "", catch_up: int = 2016
) -> AsyncIterator[Agent]:
    store = open_store(path, network, synthetic=synthetic)
    with ThreadPoolExecutor(1) as executor:
        agent = Agent(source, store, executor, catch_up)
        running = asyncio.create_task(agent.ingest.run())
        try:
            yield agent
        finally:
            running.cancel()
            await asyncio.wait({running})
            await source.close()
    store.close()


def reached(store: SqlStore, height: int) -> bool:
    tip = store.tip()
    return tip is not None and tip.height >= height


def active(store: SqlStore) -> list[BlockRef]:
    return [block.ref for block in store.blocks(0, 1 << 31)]


@pytest.mark.slow
async def test_the_sample_fills_every_window_and_moves_on(tmp_path: Path) -> None:
    source = SampleSource(100.0, 829_900)
    async with following(source, tmp_path / "s", "mainnet", "sample") as agent:
        store = agent.store
        await agent.until(partial(reached, store, 830_010))
        assert store.first_height() == 829_900 - 2015
        proved = store.block(830_000)
        labelled = store.block(829_999)
        assert proved is not None
        assert labelled is not None
        assert (proved.proof, proved.attribution.rule) == ("coinbase", "tag+payout")
        assert (labelled.proof, labelled.attribution.rule) == ("header", "label")
        await agent.until(lambda: bool(store.stale_blocks()))
        stale = store.stale_blocks()[-1]
        assert (stale.ref.height, stale.attribution.pool) == (829_613, "antpool")


async def test_more_than_the_sample_has_is_all_of_it(tmp_path: Path) -> None:
    source = SampleSource(1.0, backlog=300)
    async with following(source, tmp_path / "s", "mainnet", "sample", catch_up=5000) as agent:
        await agent.until(lambda: agent.ingest.behind is None)
        assert agent.store.first_height() == FIRST_PERIOD


@pytest.mark.slow
async def test_a_rehearsal_is_followed_through_its_reorgs_and_restarts(tmp_path: Path) -> None:
    def source(resume: BlockRef | None) -> RehearsalSource:
        return RehearsalSource(
            3,
            60.0,
            backlog=100,
            fork_probability=0.2,
            fork_depth=3,
            resume_height=resume and resume.height,
            resume_hash=resume and resume.hash,
        )

    tip: BlockRef | None = None
    for _ in range(3):
        async with following(source(tip), tmp_path / "r", "regtest", "rehearsal") as agent:
            before = agent.store.tip()
            assert before == tip
            target = 160 if before is None else before.height + 60
            await agent.until(partial(reached, agent.store, target))
            assert agent.refused("link") == agent.refused("mismatch") == 0
            blocks = list(agent.store.blocks(0, 1 << 31))
            assert agent.store.counts().reorgs > 0
            assert agent.store.counts().stale > 0
        with closing(
            open_store(tmp_path / "r", "regtest", synthetic="rehearsal", read_only=True)
        ) as kept:
            tip = kept.tip()  # blocks may have come until the agent stopped
        assert [block.ref.height for block in blocks] == list(range(len(blocks)))
        for parent, child in pairwise(blocks):
            assert BlockHeader.parse(child.header).prev_hash == parent.ref.hash


@pytest.mark.slow
@pytest.mark.parametrize("flavour", list(Flavour))
async def test_an_api_is_followed_through_a_reorg(tmp_path: Path, flavour: Flavour) -> None:
    genesis = regtest_genesis()
    chain = ServedChain(REGTEST, [genesis, *mine_on(genesis, 50, transactions=80)])
    async with EsploraServer(chain, flavour) as server:
        source = EsploraSource(server.url, "regtest", poll_interval=0.02, pace=0.0)
        async with following(source, tmp_path / "e", "regtest") as agent:
            store = agent.store
            await agent.until(lambda: store.tip() == chain.tip.ref)
            rivals = mine_on(chain.active[-4], 5, seed=2, transactions=80, tag=b"/LUXOR/")
            chain.extend(rivals)
            await agent.until(lambda: store.tip() == rivals[-1].ref)
            assert active(store) == [block.ref for block in chain.active]
            assert [block.ref.height for block in store.stale_blocks()] == [48, 49, 50]
            tip = store.block(rivals[-1].ref.hash)
            assert tip is not None
            assert (tip.proof, tip.attribution.pool) == ("coinbase", "luxor")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lie", "reason"),
    [("coinbase", "coinbase"), ("branch", "coinbase"), ("count", "wire"), ("header", "pow")],
)
async def test_an_api_that_lies_is_refused_until_it_tells_the_truth(
    tmp_path: Path, lie: str, reason: str
) -> None:
    genesis = regtest_genesis()
    chain = ServedChain(REGTEST, [genesis, *mine_on(genesis, 20, transactions=80)])
    async with EsploraServer(chain, Flavour.MEMPOOL) as server:
        source = EsploraSource(server.url, "regtest", poll_interval=0.02, pace=0.0)
        async with following(source, tmp_path / "e", "regtest") as agent:
            store, before = agent.store, chain.tip.ref
            await agent.until(lambda: store.tip() == before)
            (honest,) = mine_on(chain.tip, 1, transactions=80)
            (other,) = mine_on(chain.tip, 1, transactions=80, seed=8, tag=b"/AntPool/")
            forged = {
                "coinbase": dataclasses.replace(honest, coinbase_tx=other.coinbase_tx),
                "branch": dataclasses.replace(honest, branch=other.branch),
                "count": dataclasses.replace(honest, tx_count=1000),
                "header": dataclasses.replace(other, header=without_work(other.header)),
            }[lie]
            chain.extend([forged])
            await agent.until(lambda: agent.refused(reason) > 0)
            assert store.tip() == before
            chain.extend(mine_on(chain.active[-2], 2, transactions=80, seed=9))
            await agent.until(lambda: store.tip() == chain.tip.ref)


def without_work(header: bytes) -> bytes:
    weak = BlockHeader.parse(header)
    while weak.hash[-1] < 0x80:
        weak = dataclasses.replace(weak, nonce=weak.nonce + 1)
    return weak.serialize()


@pytest.mark.slow
async def test_a_snapshots_chain_is_followed_while_the_node_fills_the_gap(tmp_path: Path) -> None:
    """The one below it becomes part of the same chain, and the store stays as it is."""
    records = blkfiles.records(120)
    blkfiles.write(tmp_path, 0, b"".join(records[:20]))
    blkfiles.write(tmp_path, 2, b"".join(records[60:80]))
    blkfiles.write(tmp_path, 3, b"".join(records[80:90]))
    source = BlkFilesSource(tmp_path, "regtest")
    async with following(source, tmp_path / "s", "regtest") as agent:
        store = agent.store
        await agent.until(partial(reached, store, 89))
        assert store.first_height() == 60
        assert [left.count for left in source.left_out] == [20]
        for known in range(20, 60, 8):  # in a file after the newest one, as the node does
            blkfiles.write(tmp_path, 4, b"".join(records[20 : known + 8]))
            blkfiles.write(tmp_path, 3, b"".join(records[80 : 91 + known // 2]))
            await agent.until(partial(reached, store, 90 + known // 2))
        await agent.until(lambda: source.left_out == ())
        assert source.capabilities.first_height == 0
        assert store.counts().reorgs == 0
        assert [ref.height for ref in active(store)] == list(range(60, store.counts().blocks + 60))


@pytest.mark.slow
async def test_a_short_store_above_a_gap_is_followed_after_a_restart(tmp_path: Path) -> None:
    """The headers below it, which some rules look at, are nowhere to be had."""
    records = blkfiles.records(120)
    blkfiles.write(tmp_path, 0, b"".join(records[:20]))
    for number, (low, high) in enumerate([(60, 80), (80, 90), (90, 100)], start=1):
        blkfiles.write(tmp_path, number, b"".join(records[low:high]))
        source = BlkFilesSource(tmp_path, "regtest")
        async with following(source, tmp_path / "s", "regtest") as agent:
            await agent.until(partial(reached, agent.store, high - 1))
            assert agent.store.first_height() == 60
