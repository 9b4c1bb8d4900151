"""Stale tips are nice to have: whatever is wrong with them, the chain is followed all the same."""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analyzers.leftout import Kind
from hashing.header import BlockRef
from monitor.agent import ingest, staletips
from monitor.agent.staletips import NO_BLOCK, NO_LINK, NO_PROOF, TOO_MANY
from monitor.errors import BadReply, NotFound, SourceError, SourceRefused, SourceUnavailable
from monitor.sources.base import Capabilities, SourceBlock, Want
from monitor.sources.bitcoind import BitcoindSource
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs
from tests.support.callfault import CallFault
from tests.support.ingesting import Agent, ScriptedSource, running
from tests.support.node import RegtestNode
from tests.support.patience import PATIENCE

TROUBLES: dict[str, SourceError | None] = {
    "refused": SourceRefused("node: HTTP 403 for getchaintips"),
    "unknown": BadReply("node: error -32601: Method not found"),
    "nonsense": BadReply("node: getchaintips: no list"),
    "busy": SourceUnavailable("node: HTTP 503", retry_after=3600.0),
    "gone": NotFound("node: no such path"),
    "silent": None,
}
"""What a source may say when it is asked for what is optional; None is nothing, for ever."""


class Telling(ScriptedSource):
    """A node that tells stale tips, or does not."""

    def __init__(self, chain: Sequence[Mined], branches: Sequence[Mined] = ()) -> None:
        super().__init__("node", chain, public=False)
        self.capabilities = Capabilities(batch=5, stale_tips=True)
        self.beside = {block.ref: block for block in branches}
        self.told: Sequence[BlockRef] = [block.ref for block in branches]
        self.optional = 0
        self.stale_trouble: Callable[[], Awaitable[Any]] | None = None
        self.block_trouble: dict[BlockRef, Callable[[], Awaitable[Any]]] = {}
        self.lie: Callable[[SourceBlock], SourceBlock] = lambda block: block

    async def stale_tips(self) -> Sequence[BlockRef]:
        self.optional += 1
        if self.stale_trouble is not None:
            await self.stale_trouble()
        return self.told

    async def blocks(self, wanted: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        (first, *more) = wanted
        if more or self.chain[first.height : first.height + 1] == [] or first not in self.told:
            known = [ref for ref in wanted if ref not in self.beside]
            if len(known) == len(wanted):
                return await super().blocks(wanted, want)
        if first in self.block_trouble:
            await self.block_trouble[first]()
        return [self.lie(self.beside[first].offered())]


def saying(trouble: SourceError | None) -> Callable[[], Awaitable[Any]]:
    async def say() -> None:
        if trouble is None:
            await asyncio.sleep(3600)
        else:
            raise trouble

    return say


async def fails() -> None:
    raise ValueError("a fault of ours")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staletips, "BUDGET", 0.05)
    monkeypatch.setattr(ingest, "HINT_TIMEOUT", 0.1)
    for name in ("EVERY", "EVERY_PUBLIC", "EVERY_SYNTHETIC", "BACK_OFF"):
        monkeypatch.setattr(staletips, name, 0.02)


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 12)


@pytest.fixture(scope="module")
def side(chain: list[Mined]) -> list[Mined]:
    """A branch of two blocks that lost."""
    return extend(chain[5], 2, tag=b"/side/")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "store.sqlite", "regtest")) as store:
        yield store


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "monitor")
    return caplog


async def until_stale(agent: Agent, count: int) -> None:
    def stored() -> int:
        return len(agent.store.stale_blocks())

    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        while await loop.run_in_executor(agent.executor, stored) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def grows(agent: Agent, source: Telling) -> None:
    """Hold the agent to following blocks that come one by one."""
    for _ in range(3):
        (block,) = extend(source.chain[-1], 1)
        source.grow([block])
        await agent.until_at([block])
    assert agent.metric("source_up", source="node") == 1
    assert agent.metric("source_failures_total", source="node") == 0


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_the_chain_is_followed_whatever_becomes_of_its_stale_tips(
    store: SqlStore,
    chain: list[Mined],
    side: list[Mined],
    trouble: SourceError | None,
    log: pytest.LogCaptureFixture,
) -> None:
    source = Telling(chain, side)
    source.told = [side[-1].ref]
    source.stale_trouble = saying(trouble)
    async with running(store, source) as agent:
        await agent.until_at(chain)
        await agent.until(lambda: source.optional >= 3)
        await grows(agent, source)
        source.stale_trouble = None
        await until_stale(agent, 2)
    assert [block.ref for block in store.stale_blocks()] == refs(side)
    name = "monitor.agent.staletips"
    said = [record.getMessage() for record in log.records if record.name == name]
    begins, ends = said
    assert str(trouble or "no answer within") in begins
    assert ends == "node tells its stale tips again"


async def test_late_stale_tips_delay_no_block(
    store: SqlStore, chain: list[Mined], side: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staletips, "BUDGET", 3600.0)
    source = Telling(chain, side)
    source.stale_trouble = saying(None)  # within its budget all the time
    async with running(store, source) as agent:
        await agent.until_at(chain)
        await agent.until(lambda: source.optional == 1)
        await grows(agent, source)
        assert source.optional == 1


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
async def test_a_stale_block_that_cannot_be_had_is_left_out_and_said_once(
    store: SqlStore,
    chain: list[Mined],
    side: list[Mined],
    trouble: SourceError | None,
    log: pytest.LogCaptureFixture,
) -> None:
    lost = extend(chain[7], 1, tag=b"/lost/")[0]
    source = Telling(chain, [*side, lost])
    source.told = [side[-1].ref, lost.ref]
    source.block_trouble[lost.ref] = saying(trouble)
    async with running(store, source) as agent:
        await agent.until_at(chain)
        await until_stale(agent, 2)
        await agent.until(lambda: source.optional >= 3)
        await grows(agent, source)
        assert agent.metric("source_left_out", source="node", kind="tip") == 1
        (left,) = agent.ingest.states()[0].left_out
        assert (left.kind, left.why, left.count) == (Kind.TIP, NO_BLOCK, 1)
        assert left.examples[0].startswith("9 ")
    assert [block.ref for block in store.stale_blocks()] == refs(side)
    assert [NO_BLOCK in record.getMessage() for record in log.records].count(True) == 1


async def test_what_could_not_be_had_is_asked_for_again_much_later(
    store: SqlStore, chain: list[Mined], side: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staletips, "TRY_AGAIN", 0.1)
    source = Telling(chain, side)
    source.told = [side[-1].ref]
    source.block_trouble[side[-1].ref] = saying(BadReply("node: error -1: not found on disk"))
    async with running(store, source) as agent:
        await agent.until(lambda: agent.metric("source_left_out", source="node", kind="tip") == 1)
        del source.block_trouble[side[-1].ref]
        await until_stale(agent, 2)
        await agent.until(lambda: agent.metric("source_left_out", source="node", kind="tip") == 0)


async def test_a_branch_that_does_not_prove_itself_is_refused_and_the_source_stays(
    store: SqlStore, chain: list[Mined], side: list[Mined]
) -> None:
    source = Telling(chain, side)
    source.told = [side[-1].ref]
    source.lie = lambda block: dataclasses.replace(block, coinbase_tx=chain[0].coinbase_tx)
    async with running(store, source) as agent:
        await agent.until(lambda: source.optional >= 3)
        await grows(agent, source)
        assert agent.metric("blocks_refused_total", reason="wire") == 1
        assert agent.ingest.states()[0].left_out[0].why == NO_PROOF
    assert store.stale_blocks() == []


async def test_tips_that_do_not_link_and_too_many_are_counted(
    store: SqlStore, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staletips, "MOST", 3)
    below = [BlockRef(0, bytes([number]) * 32) for number in range(5)]
    source = Telling(chain)
    source.told = below
    async with running(store, source) as agent:
        await agent.until(lambda: source.optional >= 2)
        found = {left.why: left.count for left in agent.ingest.states()[0].left_out}
        assert found == {NO_LINK: 3, TOO_MANY: 2}
        assert agent.metric("source_left_out", source="node", kind="tip") == 5


async def test_a_fault_of_ours_in_what_is_optional_is_logged_and_no_more(
    store: SqlStore, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    source = Telling(chain)
    source.stale_trouble = fails
    async with running(store, source) as agent:
        await agent.until(lambda: source.optional >= 2)
        await grows(agent, source)
    assert "a fault of ours" in caplog.text


async def test_a_branch_that_wins_while_it_is_fetched_is_not_stored_as_stale(
    store: SqlStore, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staletips, "BUDGET", 3600.0)
    rival = extend(chain[-2], 3, tag=b"/rival/")
    source = Telling(chain, rival)
    source.told = [rival[0].ref]
    fetching, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        fetching.set()
        await go_on.wait()

    source.block_trouble[rival[0].ref] = slowly
    async with running(store, source) as agent:
        await fetching.wait()
        source.chain = [*source.chain[:-1], *rival]
        source.beside = {}
        source.changed.set()
        await agent.until_at(rival)
        source.beside = {block.ref: block for block in rival}
        go_on.set()
        await agent.until(lambda: source.optional >= 3)
    assert [block.ref for block in store.blocks(11, 99)] == refs([chain[-2], *rival])
    assert [block.ref for block in store.stale_blocks()] == [chain[-1].ref]


class Counting(BitcoindSource):
    """A node that counts the questions for its stale tips."""

    asked = 0

    async def stale_tips(self) -> Sequence[BlockRef]:
        self.asked += 1
        return await super().stale_tips()


@pytest.mark.slow
async def test_a_real_node_that_walks_its_index_for_long_is_followed(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staletips, "BUDGET", 3600.0)
    with RegtestNode(blocks=20) as node:
        node.faults.calls["getchaintips"] = CallFault(delay=40.0)
        source = Counting(node.url, cookie=node.cookie, network="regtest", poll_interval=0.05)
        async with running(store, source) as agent:
            await agent.until(lambda: agent.ingest.behind is None and source.asked > 0)
            for _ in range(3):
                node.mine()
                await agent.until_stored(node.tip)
            assert agent.metric("source_failures_total", source="bitcoind") == 0
            assert agent.metric("source_up", source="bitcoind") == 1
            assert source.asked == 1
        await source.close()
