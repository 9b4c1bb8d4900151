"""Agents that share a PostgreSQL: who writes, who follows, and what a lost connection changes."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from hashing.header import BlockRef
from monitor.agent import election
from monitor.agent.election import Election
from monitor.errors import ConfigError, StoreError
from monitor.store.base import Step
from monitor.store.lease import WRITER, advisory
from monitor.store.sql import open_store
from tests.support.blocks import Mined, extend, genesis
from tests.support.patience import PATIENCE
from tests.support.postgres import new_database

pytestmark = pytest.mark.postgres


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(election, "POLL", 0.02)
    monkeypatch.setattr(election, "CHECK", 0.02)
    monkeypatch.setattr("monitor.trouble.RETRY_FIRST", 0.02)
    monkeypatch.setattr("monitor.trouble.RETRY_LAST", 0.1)


@pytest.fixture
def shared(postgres_socket: Path) -> str:
    return new_database(postgres_socket)


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 3)


class Agent:
    """Stores what it is given while it writes, shows the store's tip while it follows."""

    def __init__(self, url: str, executor: ThreadPoolExecutor) -> None:
        self.store = open_store(url, "regtest")
        self.executor = executor
        self.election = Election(self.store, executor, self)
        self.to_write: asyncio.Queue[Mined] = asyncio.Queue()
        self.shown: BlockRef | None = None

    async def write(self) -> None:
        while True:
            step = Step([(await self.to_write.get()).stored()])
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self.executor, self.store.apply, step)

    async def catch_up(self) -> None:
        self.shown = self.store.tip()


@asynccontextmanager
async def agents(url: str, count: int) -> AsyncIterator[list[Agent]]:
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            executor = stack.enter_context(ThreadPoolExecutor(1))
            agent = Agent(url, executor)
            stack.enter_context(closing(agent.store))
            found.append(agent)
        running = [asyncio.create_task(agent.election.run()) for agent in found]
        yield found
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_the_others_show_what_one_writes(shared: str, chain: list[Mined]) -> None:
    async with agents(shared, 3) as found:
        await until(lambda: all(a.election.writes or not a.election.behind for a in found))
        (writer,) = (agent for agent in found if agent.election.writes)
        followers = [agent for agent in found if agent is not writer]
        for block in chain:
            writer.to_write.put_nowait(block)
            await until(lambda at=block.ref: all(a.shown == at for a in followers))  # type: ignore[misc]
        assert [agent.election.writes for agent in followers] == [False, False]


@pytest.fixture
def server(shared: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(
        shared.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    yield engine
    engine.dispose()


@pytest.mark.slow
async def test_a_writer_that_is_cut_off_stands_back(
    shared: str, server: sa.Engine, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    cut_off = (
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    )
    caplog.set_level(logging.INFO, "monitor.agent.election")
    async with agents(shared, 1) as (agent,):
        await until(lambda: agent.election.writes)
        assert not caplog.records, "a writer from the start has nothing to say"
        with server.connect() as rival, server.connect() as operator:
            lock = sa.select(sa.func.pg_advisory_lock(*advisory(WRITER)))
            waiting = asyncio.create_task(asyncio.to_thread(rival.execute, lock))
            await until(lambda: operator.exec_driver_sql(locks).scalar() == 1)
            operator.exec_driver_sql(cut_off)
            await waiting
            await until(lambda: not agent.election.writes)
            with closing(open_store(shared, "regtest")) as other:
                other.apply(Step([chain[0].stored()]))
            await until(lambda: agent.shown == chain[0].ref)
            assert not agent.election.writes
            rival.invalidate()
        await until(lambda: agent.election.writes)
        agent.to_write.put_nowait(chain[1])
        await until(lambda: agent.store.tip() == chain[1].ref)
    assert [record.getMessage() for record in caplog.records] == [
        "this agent is cut off from its store; another one may write now",
        "another agent writes to the store; this one follows it",
        "this agent writes to the store now",
    ]


def test_the_runbook_names_the_connection_that_holds_the_lock(server: sa.Engine) -> None:
    runbooks = Path(__file__).parents[3] / "docs" / "runbooks.md"
    (query,) = re.findall(r"`(select pid[^`]+)`", runbooks.read_text("utf-8"))
    with server.connect() as writer, server.connect() as operator:
        writer.execute(sa.select(sa.func.pg_try_advisory_lock(*advisory(WRITER))))
        own = writer.scalar(sa.select(sa.func.pg_backend_pid()))
        assert own in operator.exec_driver_sql(" ".join(query.split())).scalars().all()


@pytest.mark.slow
async def test_a_write_that_fails_is_tried_again(
    shared: str, chain: list[Mined], caplog: pytest.LogCaptureFixture
) -> None:
    async with agents(shared, 1) as (agent,):
        agent.to_write.put_nowait(chain[2])
        agent.to_write.put_nowait(chain[0])  # does not go before it
        agent.to_write.put_nowait(chain[1])
        await until(lambda: agent.store.first_height() == 2)
    assert "do not continue" in caplog.text


async def test_any_other_failure_ends_the_agent(shared: str) -> None:
    class Broken(Agent):
        async def write(self) -> None:
            raise ConfigError("this cannot be used")

    with ThreadPoolExecutor(1) as executor:
        agent = Broken(shared, executor)
        with closing(agent.store), pytest.raises(ConfigError, match="cannot be used"):
            await agent.election.run()


@pytest.mark.slow
async def test_a_store_that_is_away_is_waited_for(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with agents(shared, 2) as found:
        await until(lambda: all(a.election.writes or not a.election.behind for a in found))
        (follower,) = (agent for agent in found if not agent.election.writes)

        def gone() -> bool:
            raise StoreError("the server is gone")

        with monkeypatch.context() as away:
            away.setattr(follower.store, "lead", gone)
            await until(lambda: follower.election.behind == "the server is gone")
        await until(lambda: follower.election.behind is None)
