"""A source has a tip of its own: one that lacks what is stored is said, left, and not ready."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from monitor.agent import turns
from monitor.errors import SourceUnavailable
from monitor.store.base import Step
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis
from tests.support.ingesting import Agent, ScriptedSource, impatient, running

TALL = 400


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    monkeypatch.setattr(turns, "BEHIND_AFTER", 0.2)
    monkeypatch.setattr(turns, "BEHIND_BY_ONE_AFTER", 0.4)


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), TALL)


@pytest.fixture
def store(tmp_path: Path, chain: list[Mined]) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "store.sqlite", "regtest")) as store:
        store.apply(Step([block.stored() for block in (genesis(), *chain)]))
        yield store


def node(chain: Sequence[Mined], name: str = "node", *, public: bool = False) -> ScriptedSource:
    return ScriptedSource(name, chain, public=public)


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in log.records if r.levelno == logging.WARNING]


async def until_lag(agent: Agent, blocks: int, name: str = "node") -> None:
    await agent.until(lambda: agent.metric("source_lag_blocks", source=name) == blocks)


BEHIND: dict[str, tuple[Callable[[list[Mined]], list[Mined]], int]] = {
    "rolled back by ten": (lambda chain: chain[:-10], 10),
    "rolled back by one": (lambda chain: chain[:-1], 1),
    "reindexing": (lambda _chain: [], TALL),
    "downloading, far below": (lambda chain: chain[:30], TALL - 30),
    "a minority chain that is shorter": (
        lambda chain: [*chain[:-10], *extend(chain[-11], 5, tag=b"/minority/")],
        10,
    ),
}
"""What a node may show while more is stored, and how many of the stored blocks it lacks."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", BEHIND)
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_source_that_lacks_stored_blocks_is_said_once_and_the_agent_is_not_ready(
    store: SqlStore,
    chain: list[Mined],
    kind: str,
    restarted: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "monitor")
    shown, lag = BEHIND[kind]
    source = node(shown(chain) if restarted else chain)
    async with running(store, source) as agent:
        if not restarted:
            await agent.until_at(chain)
            await until_lag(agent, 0)
            source.chain = [genesis(), *shown(chain)]
            source.changed.set()
        await until_lag(agent, lag)
        height = source.chain[-1].height
        await agent.until(lambda: f"node is at {height}, " in (agent.ingest.behind or ""))
        assert agent.metric("source_tip_height", source="node") == height
        assert agent.metric("source_up", source="node") == 1
        assert agent.metric("source_failures_total", source="node") == 0
        (state,) = agent.ingest.states()
        assert (state.tip, state.lag, state.leads) == (source.chain[-1].ref, lag, True)
        looks = source.looks
        await agent.until(lambda: source.looks > looks + 5)
        (said,) = warnings(caplog)
        assert said == agent.ingest.behind
        # It comes back, with the next block.
        more = extend(chain[-1], 1)
        source.chain = [genesis(), *chain, *more]
        source.changed.set()
        await agent.until_at(more)
        await until_lag(agent, 0)
    assert caplog.records[-1].getMessage() == "node has all stored blocks again"
    assert store.counts().reorgs == 0


@pytest.mark.slow
async def test_what_is_said_of_a_shorter_chain_and_of_another_one(
    store: SqlStore, chain: list[Mined]
) -> None:
    async with running(store, node(chain[:-10])) as agent:
        await agent.until(lambda: "is at" in (agent.ingest.behind or ""))
        assert agent.ingest.behind == (
            f"node is at {TALL - 10}, 10 below what is stored; is it reindexing, or was a block "
            "invalidated?"
        )
    other = [*chain[:-10], *extend(chain[-11], 9, tag=b"/minority/")]
    async with running(store, node(other)) as agent:
        await agent.until(lambda: "less work" in (agent.ingest.behind or ""))
        assert "lacks the last 10 of the stored blocks" in (agent.ingest.behind or "")


@pytest.mark.slow
async def test_a_rival_with_as_much_work_is_no_lag(store: SqlStore, chain: list[Mined]) -> None:
    source = node([*chain[:-1], *extend(chain[-2], 1, tag=b"/rival/")])
    async with running(store, source) as agent:
        await agent.until(lambda: source.looks > 8)
        assert agent.metric("source_lag_blocks", source="node") == 0
        assert agent.ingest.behind is None


async def test_a_moment_behind_is_said_to_nobody(
    store: SqlStore,
    chain: list[Mined],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "BEHIND_AFTER", 3600.0)
    source = node(chain)
    async with running(store, source) as agent:
        await agent.until_at(chain)
        source.chain = [genesis(), *chain[:-2]]
        source.changed.set()
        await until_lag(agent, 2)
        assert agent.ingest.behind is None
        source.chain = [genesis(), *chain]
        source.changed.set()
        await until_lag(agent, 0)
    assert warnings(caplog) == []


@pytest.mark.slow
async def test_servers_of_an_api_that_differ_by_a_block_are_given_longer(
    store: SqlStore, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "BEHIND_BY_ONE_AFTER", 3600.0)
    api = node(chain[:-1], "api", public=True)
    async with running(store, api) as agent:
        await until_lag(agent, 1, "api")
        looks = api.looks
        await agent.until(lambda: api.looks > looks + 8)
        assert agent.ingest.behind is None
        api.chain = [genesis(), *chain[:-2]]
        await agent.until(lambda: "2 below what is stored" in (agent.ingest.behind or ""))


@pytest.mark.slow
@pytest.mark.parametrize("kind", BEHIND)
async def test_a_leader_that_falls_behind_is_left_until_it_has_caught_up(
    store: SqlStore, chain: list[Mined], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor")
    shown, lag = BEHIND[kind]
    first, second = node(chain, "first"), node(chain, "second")
    async with running(store, first, second) as agent:
        await agent.until(lambda: agent.metric("source_leads", source="first") == 1)
        first.chain = [genesis(), *shown(chain)]
        first.changed.set()
        await agent.until(lambda: agent.metric("source_leads", source="second") == 1)
        assert agent.metric("source_leads", source="first") == 0
        await agent.until(lambda: bool(warnings(caplog)))
        assert agent.ingest.behind is None  # the other one has what is stored
        more = extend(chain[-1], 2)
        second.grow(more)
        await agent.until_at(more)
        await until_lag(agent, lag + 2, "first")
        first.chain = [genesis(), *chain, *more]
        await agent.until(lambda: agent.metric("source_leads", source="first") == 1)
    assert len(warnings(caplog)) == 1


@pytest.mark.slow
async def test_a_tip_that_is_stuck_is_left_for_one_that_moves(
    store: SqlStore, chain: list[Mined]
) -> None:
    stuck, moving = node(chain, "stuck"), node(chain, "moving")
    async with running(store, stuck, moving) as agent:
        await agent.until(lambda: agent.metric("source_leads", source="stuck") == 1)
        more = extend(chain[-1], 3)
        for block in more:
            moving.grow([block])
            await agent.until_at([block])
        await agent.until(lambda: agent.metric("source_leads", source="moving") == 1)
        await until_lag(agent, 3, "stuck")
        assert agent.ingest.behind is None


@pytest.mark.slow
async def test_without_a_source_that_has_what_is_stored_it_is_not_ready(
    store: SqlStore, chain: list[Mined]
) -> None:
    behind, level = node(chain[:-5], "behind"), node(chain, "level")
    async with running(store, behind, level) as agent:
        await agent.until(lambda: agent.metric("source_leads", source="level") == 1)
        assert agent.ingest.behind is None
        level.fail(SourceUnavailable("level: connection refused"))
        await agent.until(lambda: "behind is at" in (agent.ingest.behind or ""))
        level.fail(None)
        await agent.until(lambda: agent.ingest.behind is None)


@pytest.mark.slow
async def test_an_open_that_hangs_holds_up_nobody(store: SqlStore, chain: list[Mined]) -> None:
    class Hanging(ScriptedSource):
        async def open(self) -> None:
            await self.changed.wait()

    hanging, other = Hanging("hanging", chain, public=False), node(chain, "other")
    async with running(store, hanging, other) as agent:
        await agent.until(lambda: agent.metric("source_leads", source="other") == 1)
        for _ in range(3):
            (block,) = extend(other.chain[-1], 1)
            other.grow([block])
            await agent.until_at([block])
        hanging.grow(other.chain[len(hanging.chain) :])
        await agent.until(lambda: agent.metric("source_leads", source="hanging") == 1)
