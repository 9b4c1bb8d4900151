"""The shell around the follower: several sources, failures, and what is said of them."""

import asyncio
import dataclasses
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from monitor import trouble
from monitor.agent import ingest
from monitor.errors import SourceError, SourceRefused, SourceUnavailable
from monitor.sources.base import Want
from monitor.store.base import Step
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs
from tests.support.ingesting import ScriptedSource, running


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
    caplog.set_level(logging.INFO, "monitor")
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
    assert said == [
        "following first",
        "first: connection refused",
        "following second, no more first",
        "first answers again",
        "following first, no more second",
    ]


@pytest.mark.slow
async def test_a_lasting_failure_is_said_once_and_retried_ever_later(
    store: SqlStore, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    source = ScriptedSource("a", chain)
    source.fail(SourceUnavailable("a: connection refused"))
    async with running(store, source) as agent:
        await asyncio.sleep(0.5)
        failures = agent.metric("source_failures_total", source="a")
        assert 3 <= failures <= 9  # after 10, 20, 40, 80, 100, 100 ... milliseconds
        assert agent.ingest.behind == "waiting for a: connection refused"
    assert [record.getMessage() for record in caplog.records] == ["a: connection refused"]


@pytest.mark.slow
async def test_a_source_that_asks_to_wait_is_left_alone(
    store: SqlStore, chain: list[Mined]
) -> None:
    source = ScriptedSource("a", chain)
    source.fail(SourceUnavailable("a: rate limit", retry_after=0.4))
    async with running(store, source) as agent:
        await agent.until(lambda: agent.ingest.behind == "waiting for a: rate limit")
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


@pytest.mark.slow
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


@pytest.mark.slow
async def test_a_source_that_is_stuck_does_not_hold_it_back(
    store: SqlStore, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "LOOK_AROUND", 0.2)
    stuck, moving = ScriptedSource("stuck", chain[:6]), ScriptedSource("moving", chain)
    async with running(store, stuck, moving) as agent:
        await agent.until_at(chain)
        assert agent.metric("source_up", source="stuck") == 1


@pytest.mark.slow
async def test_a_full_disk_is_said_and_heals(
    store: SqlStore, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor")
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
    first, last, _ = (record.getMessage() for record in caplog.records)
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


@pytest.fixture
def left(store: SqlStore, chain: list[Mined]) -> SqlStore:
    """The store of an agent that was away after block 2."""
    store.apply(Step([genesis().stored(), *(block.stored() for block in chain[:2])]))
    return store


def pruned(chain: Sequence[Mined]) -> ScriptedSource:
    """A node of one's own that keeps the last blocks of `chain`."""
    source = ScriptedSource("node", chain, public=False)
    source.gone = range(10)
    return source


async def test_a_pruned_gap_comes_from_the_next_source(left: SqlStore, chain: list[Mined]) -> None:
    node, other = pruned(chain), ScriptedSource("other", chain)
    async with running(left, node, other) as agent:
        await agent.until_at(chain)
        assert agent.metric("source_failures_total", source="node") == 0
    assert left.counts().header_only == 0
    by = [block.source for block in left.blocks(3, 99)]
    assert by == ["other"] * 7 + ["node"] * 3
    assert {want for _, want in other.asked} == {Want.PROVED}


async def test_another_source_that_is_away_for_a_while_is_waited_for(
    left: SqlStore, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor")
    node, other = pruned(chain), ScriptedSource("other", chain)
    other.fail(SourceUnavailable("other: rate limit", retry_after=0.05))
    async with running(left, node, other) as agent:
        await agent.until(lambda: agent.metric("source_failures_total", source="other") >= 3)
        assert agent.metric("source_up", source="node") == 1
        other.fail(None)
        await agent.until_at(chain)
    assert left.counts().header_only == 0
    said = [record.getMessage() for record in caplog.records]
    assert said == ["other: rate limit", "other answers again", "following node"]


@pytest.mark.parametrize(
    "failure", [SourceUnavailable("other: down"), SourceRefused("other: wrong password")]
)
async def test_a_gap_that_nobody_fills_is_named_once(
    left: SqlStore,
    chain: list[Mined],
    failure: SourceError,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(ingest, "PATIENCE", 0.1)
    node, other = pruned(chain), ScriptedSource("other", chain)
    other.fail(failure)
    async with running(left, node, other) as agent:
        await agent.until_at(chain)
        more = extend(chain[-1], 1)
        node.grow(more)
        await agent.until_at(more)
    assert [block.height for block in left.header_only(0, 99)] == list(range(3, 10))
    warned = [record.getMessage() for record in caplog.records]
    assert warned[0] == str(failure)
    (gap,) = [text for text in warned if "--missing" in text]
    assert "7 blocks (3 to 9)" in gap


async def test_a_poisoned_block_in_the_gap_is_refused_and_left(
    left: SqlStore, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    node, liar = pruned(chain), ScriptedSource("liar", chain)
    liar.tamper = lambda block: dataclasses.replace(block, txids=None)
    async with running(left, node, liar) as agent:
        await agent.until_at(chain)
        assert agent.metric("blocks_refused_total", reason="unproved") == 1
        assert agent.metric("source_up", source="node") == 1
    assert left.counts().header_only == 7
    assert caplog.records[0].getMessage().startswith("liar: block 3 ")
