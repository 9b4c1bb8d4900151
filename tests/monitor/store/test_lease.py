"""One writer at a time: who is it, who follows when it dies, what a cut-off one can do."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from monitor.errors import StoreError
from monitor.store.base import Step
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis
from tests.support.postgres import new_database


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 3)


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with closing(open_store(url, "regtest")) as store:
        yield store


@pytest.fixture
def shared(postgres_socket: Path) -> str:
    """Where a store for several agents can be."""
    return new_database(postgres_socket)


def cut_off(url: str) -> None:
    """End every other session of a PostgreSQL, as a restart or a lost network does."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"{others} AND datname = current_database()")
    engine.dispose()


def lead_soon(store: SqlStore) -> None:
    """Lead as soon as PostgreSQL has ended the session of who led before."""
    while not store.lead():
        time.sleep(0.01)


@pytest.mark.slow
def test_a_writer_stays_it_until_it_closes(store: SqlStore, url: str, chain: list[Mined]) -> None:
    assert not store.leads()
    assert store.lead()
    assert store.lead()
    assert store.leads()
    store.apply(Step([chain[0].stored()]))
    store.close()
    with closing(open_store(url, "regtest")) as other:
        lead_soon(other)
        other.apply(Step([chain[1].stored()]))
        assert other.tip() == chain[1].ref


@pytest.mark.slow
def test_a_command_may_write_while_an_agent_leads(
    store: SqlStore, url: str, chain: list[Mined]
) -> None:
    assert store.lead()
    with closing(open_store(url, "regtest")) as command:
        command.apply(Step([chain[0].stored()]))
    store.apply(Step([chain[1].stored()]))
    assert store.tip() == chain[1].ref


def test_a_second_agent_on_a_sqlite_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with (
        closing(open_store(path, "regtest")) as first,
        closing(open_store(path, "regtest")) as second,
    ):
        assert first.lead()
        with pytest.raises(StoreError, match=r"store\.sqlite: another agent writes to it; stop"):
            second.lead()
        first.close()
        assert second.lead()


@pytest.mark.slow
def test_the_system_frees_the_file_of_one_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    code = (
        "import sys, pathlib; from monitor.store.sql import open_store;"
        "print(open_store(pathlib.Path(sys.argv[1]), 'regtest').lead(), flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with closing(open_store(path, "regtest")) as store:
            with pytest.raises(StoreError, match="another agent"):
                store.lead()
            other.send_signal(signal.SIGKILL)
            other.wait()
            assert store.lead()


@pytest.mark.slow
@pytest.mark.postgres
def test_of_agents_on_one_postgresql_one_writes(shared: str, chain: list[Mined]) -> None:
    with (
        closing(open_store(shared, "regtest")) as first,
        closing(open_store(shared, "regtest")) as second,
    ):
        assert first.lead()
        assert not second.lead()
        assert not second.leads()
        first.apply(Step([chain[0].stored()]))
        assert second.tip() == chain[0].ref
        first.close()
        lead_soon(second)
        second.apply(Step([chain[1].stored()]))


@pytest.mark.slow
@pytest.mark.postgres
def test_a_writer_that_was_cut_off_cannot_write(shared: str, chain: list[Mined]) -> None:
    with (
        closing(open_store(shared, "regtest")) as first,
        closing(open_store(shared, "regtest")) as second,
    ):
        assert first.lead()
        first.apply(Step([chain[0].stored()]))
        cut_off(shared)
        lead_soon(second)
        for _ in range(2):
            with pytest.raises(StoreError):
                first.apply(Step([chain[1].stored()]))
        assert not first.leads()
        assert not first.lead()
        assert second.tip() == chain[0].ref
        second.apply(Step([chain[1].stored()]))
        second.close()
        lead_soon(first)
        first.apply(Step([chain[2].stored()]))
        assert first.tip() == chain[2].ref


@pytest.mark.postgres
def test_agents_may_set_a_store_up_at_the_same_moment(shared: str) -> None:
    together = Barrier(3)

    def start(_: int) -> SqlStore:
        together.wait()
        return open_store(shared, "regtest")

    with ExitStack() as stack, ThreadPoolExecutor(3) as threads:
        stores = [stack.enter_context(closing(store)) for store in threads.map(start, range(3))]
        assert {store.network for store in stores} == {"regtest"}


def test_every_change_makes_another_revision(store: SqlStore) -> None:
    chain, rival = extend(genesis(), 3), extend(genesis(), 4, tag=b"/ViaBTC/")
    steps = [
        Step([block.stored() for block in chain]),
        Step(stale=[rival[0].stored(stale=True)]),
        Step([block.stored() for block in rival], rollback_to=0),
        Step([chain[0].stored()], rollback_to=0),
    ]
    seen = [store.revision()]
    for step in steps:
        store.apply(step)
        seen.append(store.revision())
    (block,) = store.judged(0, 1)
    store.judge([(block, block.verdict._replace(pool="f2pool"))])
    seen.append(store.revision())
    assert len(set(seen)) == len(seen)
    assert store.revision() == seen[-1]
