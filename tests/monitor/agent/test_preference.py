"""The order of preference, for as long as the agent runs: who is asked, who leads, who is not."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from monitor.agent import ingest, roster
from monitor.agent.roster import NO_NODE, Standby
from monitor.errors import SourceError, SourceRefused, SourceStarting, SourceUnavailable
from monitor.sources.base import BlockSource
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis
from tests.support.ingesting import Agent, ScriptedSource, impatient, running

DOWN: dict[str, SourceError] = {
    "warming up": SourceStarting("node: the node is warming up (Loading block index…); waiting"),
    "refused": SourceUnavailable("node: connection refused"),
    "no such name": SourceUnavailable("node: no such host"),
    "login": SourceRefused("node: the node refuses the login (HTTP 401)"),
    "whitelist": SourceRefused("node: getbestblockhash is forbidden (HTTP 403)"),
    "network": SourceRefused("node: it serves testnet4, not regtest"),
}
"""What a node may say at the start, and long after it."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 12)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "store.sqlite", "regtest")) as store:
        yield store


def failing(chain: list[Mined], failure: SourceError, name: str = "node") -> ScriptedSource:
    source = ScriptedSource(name, chain, public=False)
    source.failure = failure
    return source


class Appearing:
    """What a look around this machine finds: nothing, until something is put there."""

    def __init__(self) -> None:
        self.there: list[BlockSource] = []
        self.looks = 0

    def __call__(self) -> Sequence[BlockSource]:
        self.looks += 1
        found, self.there = self.there, []
        return found


@pytest.mark.slow
@pytest.mark.parametrize("failure", DOWN.values(), ids=DOWN)
async def test_a_source_that_does_not_answer_yet_is_waited_for(
    store: SqlStore, chain: list[Mined], failure: SourceError
) -> None:
    node = failing(chain, failure)
    async with running(store, node) as agent:
        await agent.until(lambda: agent.metric("source_failures_total", source="node") >= 3)
        assert agent.ingest.behind == f"waiting for {failure}"
        (state,) = agent.ingest.states()
        assert (state.up, state.leads, state.trouble) == (False, False, str(failure))
        node.fail(None)
        await agent.until_at(chain)
        assert agent.ingest.states()[0].trouble == ""


@pytest.mark.parametrize("failure", DOWN.values(), ids=DOWN)
async def test_the_preferred_source_leads_as_soon_as_it_answers(
    store: SqlStore,
    chain: list[Mined],
    failure: SourceError,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "monitor")
    node, backup = failing(chain, failure), ScriptedSource("backup", chain)
    async with running(store, node, backup) as agent:
        await agent.until_at(chain)
        await agent.until(lambda: agent.metric("source_leads", source="backup") == 1)
        node.fail(None)
        await agent.until(lambda: agent.metric("source_leads", source="node") == 1)
        assert agent.metric("source_leads", source="backup") == 0
    said = [r.getMessage() for r in caplog.records if r.name == "monitor.agent.ingest"]
    assert said == ["following backup", "following node, no more backup"]


async def test_all_that_are_waited_for_are_named(store: SqlStore, chain: list[Mined]) -> None:
    node = failing(chain, DOWN["warming up"])
    other = failing(chain, SourceUnavailable("connection refused"), "other")
    async with running(store, node, other) as agent:
        await agent.until(lambda: "other: connection" in (agent.ingest.behind or ""))
        assert agent.ingest.behind == f"waiting for {node.failure}; other: connection refused"


@pytest.mark.slow
async def test_a_node_that_appears_leads_before_what_comes_after_it(
    store: SqlStore, chain: list[Mined]
) -> None:
    find, node = Appearing(), ScriptedSource("node", chain, public=False)
    api = ScriptedSource("api", chain)
    async with running(store, api, find=find, find_before=0) as agent:
        await agent.until(lambda: agent.metric("source_leads", source="api") == 1)
        await agent.until(lambda: find.looks > 1)
        find.there = [node]
        await agent.until(lambda: agent.metric("source_leads", source="node") == 1)
        more = extend(chain[-1], 1)
        node.grow(more)
        await agent.until_at(more)
        assert [state.name for state in agent.ingest.states()] == ["node", "api"]


@pytest.mark.slow
async def test_with_no_source_at_all_a_node_is_waited_for(
    store: SqlStore, chain: list[Mined]
) -> None:
    find = Appearing()
    async with running(store, find=find) as agent:
        await agent.until(lambda: find.looks > 2)
        assert agent.ingest.behind == f"waiting for {NO_NODE}"
        find.there = [ScriptedSource("node", chain, public=False)]
        await agent.until_at(chain)


@pytest.mark.slow
async def test_a_stranger_on_standby_is_not_asked_for_a_moment_without_the_node(
    store: SqlStore, chain: list[Mined]
) -> None:
    node, api = ScriptedSource("node", chain, public=False), ScriptedSource("api", chain)
    async with running(store, node, standby=[Standby(api, 3600.0)]) as agent:
        await agent.until_at(chain)
        node.fail(DOWN["refused"])
        await agent.until(lambda: agent.metric("source_failures_total", source="node") >= 5)
        node.fail(None)
        await agent.until(lambda: agent.metric("source_leads", source="node") == 1)
    assert api.looks == 0
    assert agent.metric("source_requests_total", source="api") == 0


@pytest.mark.slow
async def test_a_stranger_on_standby_is_not_asked_while_the_node_is_loading(
    store: SqlStore, chain: list[Mined]
) -> None:
    node, api = failing(chain, DOWN["warming up"]), ScriptedSource("api", chain)
    async with running(store, node, standby=[Standby(api, 3600.0)]) as agent:
        await agent.until(lambda: agent.metric("source_failures_total", source="node") >= 5)
        node.fail(None)
        await agent.until_at(chain)
    assert agent.metric("source_requests_total", source="api") == 0


async def test_a_source_on_standby_leads_while_no_other_answers_and_is_let_go_then(
    store: SqlStore, chain: list[Mined]
) -> None:
    closed = asyncio.Event()

    class Files(ScriptedSource):
        async def close(self) -> None:
            closed.set()

    node, files = failing(chain, DOWN["refused"]), Files("files", chain, public=False)
    async with running(store, node, standby=[Standby(files)]) as agent:
        await agent.until_at(chain)
        assert agent.metric("source_leads", source="files") == 1
        assert not closed.is_set()
        node.fail(None)
        await agent.until(lambda: agent.metric("source_leads", source="node") == 1)
        await asyncio.wait_for(closed.wait(), 20)
        looks = files.looks
        more = extend(chain[-1], 1)
        node.grow(more)
        await agent.until_at(more)
        assert files.looks == looks


async def test_a_gap_is_never_filled_by_a_stranger_on_standby(
    store: SqlStore, chain: list[Mined]
) -> None:
    node, api = ScriptedSource("node", chain, public=False), ScriptedSource("api", chain)
    files = ScriptedSource("files", chain, public=False)
    async with running(store, node, standby=[Standby(files), Standby(api, 300.0)]) as agent:
        await agent.until_at(chain)
        more = extend(chain[-1], 5)
        node.gone = range(14, 16)
        files.grow(more)
        node.grow(more)
        await agent.until_at(more)
    assert [b.height for b in store.header_only(13, 99)] == []
    assert {block.source for block in store.blocks(14, 16)} == {"files"}
    assert api.asked == []


async def test_a_source_that_is_slow_is_not_one_that_is_away(
    store: SqlStore, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "SLOW", 0.02)
    monkeypatch.setattr(roster, "LOOKING", 0.02)
    asked, go_on = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedSource):
        async def open(self) -> None:
            asked.set()
            await go_on.wait()

    node = Slow("node", chain, public=False)
    files = ScriptedSource("files", chain, public=False)
    async with running(store, node, standby=[Standby(files)]) as agent:
        await asked.wait()
        await asyncio.sleep(0.2)
        go_on.set()
        await agent.until_at(chain)
        assert agent.metric("source_leads", source="node") == 1
    assert files.looks == 0


async def test_an_agent_that_writes_no_more_says_nothing_of_tips(
    store: SqlStore, chain: list[Mined]
) -> None:
    async with running(store, ScriptedSource("node", chain)) as agent:
        await agent.until_at(chain)
        await agent.until(lambda: "source_lag_blocks{" in exported(agent))
    for name in ("leads", "tip_height", "lag_blocks"):
        assert f"source_{name}{{" not in exported(agent)


def exported(agent: Agent) -> str:
    return generate_latest(agent.metrics.registry).decode()
