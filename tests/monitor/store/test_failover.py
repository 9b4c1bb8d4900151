"""Two agents on one PostgreSQL: one writes, one follows, and takes over when it is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from analyzers.registry import load_registry
from monitor.cli import cli
from monitor.errors import StoreError
from monitor.relabel import registry_of
from monitor.store.sql import open_store
from tests.support.agent import Agent, until
from tests.support.node import CORE_31, RegtestNode
from tests.support.postgres import new_database
from tests.support.registries import without_slug

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(CORE_31, blocks=40, user="alice", password="secret") as node:
        yield node


def test_the_follower_takes_over_without_gap_or_duplicate(
    node: RegtestNode, postgres_socket: Path, tmp_path: Path
) -> None:
    url = new_database(postgres_socket)
    with ExitStack() as stack:

        def start() -> Agent:
            return stack.enter_context(Agent(node, url, tmp_path))

        first = start()
        until(first.shows(writer=1, ready=1, tip_height=40), first)
        second = start()
        until(second.shows(writer=0, ready=1, tip_height=40), first, second)

        node.mine(3)
        until(second.shows(writer=0, tip_height=43), first, second)
        node.reorg(2)
        until(second.shows(writer=0, tip_height=node.tip.height, reorgs=1), first, second)
        assert first.figures()["writer"] == 1

        first.kill()
        node.mine(4)
        node.reorg(1)
        until(second.shows(writer=1, ready=1, tip_height=node.tip.height), second)

        third = start()
        until(third.shows(writer=0, ready=1, tip_height=node.tip.height), second, third)
        node.mine(1)
        until(third.shows(writer=0, tip_height=node.tip.height), second, third)

    with closing(open_store(url, "regtest", read_only=True)) as store:
        assert store.tip() == node.tip
        blocks = list(store.blocks(0, node.tip.height + 99))
        assert [block.ref.height for block in blocks] == list(range(node.tip.height + 1))
        assert all(child.header[4:36] == parent.ref.hash for parent, child in pairwise(blocks))
        stale = store.stale_blocks()
        hashes = [block.ref.hash for block in (*blocks, *stale)]
        assert len(set(hashes)) == len(hashes) == store.counts().blocks
        assert len(stale) == 3


def test_each_writer_brings_all_blocks_under_its_registry(
    node: RegtestNode, postgres_socket: Path, tmp_path: Path
) -> None:
    """Agents of different registries on one store: each says so once, nothing stays mixed."""
    url, mine = new_database(postgres_socket), without_slug("foundryusa", tmp_path)
    first_version, second_version = load_registry().version, registry_of(mine).version
    with ExitStack() as stack:
        first = stack.enter_context(Agent(node, url, tmp_path))
        until(first.shows(writer=1, ready=1, tip_height=40), first)
        second = stack.enter_context(Agent(node, url, tmp_path, "--registry", str(mine)))
        until(second.shows(writer=0, ready=1, tip_height=40, other_registry_blocks=41), second)
        node.mine(2)
        until(second.shows(writer=0, tip_height=42, other_registry_blocks=43), first, second)
        assert second.said.count("by another registry") == 1
        assert first_version[:16] in second.said
        assert first.figures()["other_registry_blocks"] == 0

        first.kill()
        until(second.shows(writer=1, ready=1, other_registry_blocks=0), second)
        assert second.said.count("attributing anew 43 of 43 stored blocks") == 1
        with closing(open_store(url, "regtest", read_only=True)) as store:
            assert store.registries() == {second_version}
        node.mine(1)
        third = stack.enter_context(Agent(node, url, tmp_path))
        until(third.shows(writer=0, ready=1, tip_height=43, other_registry_blocks=44), third)
        assert second.said.count("attributing anew") == 1, "who follows changes nothing"


def test_what_happens_to_the_database_is_noticed(
    node: RegtestNode, postgres_socket: Path, tmp_path: Path
) -> None:
    url = new_database(postgres_socket)
    own = load_registry().version

    def sql(*statements: bytes) -> None:
        with psycopg.connect(url, autocommit=True) as operator:
            for statement in statements:
                operator.execute(statement)

    def is_whole_again() -> None:
        node.mine(1)
        tip = node.tip.height
        until(agent.shows(ready=1, writer=1, tip_height=tip, other_registry_blocks=0), agent)
        with closing(open_store(url, "regtest", read_only=True)) as store:
            assert store.tip() == node.tip
            assert [b.ref.height for b in store.blocks(0, 999)] == list(range(tip + 1))
            assert store.registries() == {own}

    with Agent(node, url, tmp_path) as agent:
        until(agent.shows(writer=1, ready=1, tip_height=40), agent)

        sql(b"DELETE FROM block WHERE height > 30")  # as an older backup that was restored
        is_whole_again()

        sql(
            b"INSERT INTO registry (name) VALUES ('another')",
            b"UPDATE block SET registry_id = (SELECT id FROM registry WHERE name = 'another') "
            b"WHERE height < 10",
        )
        is_whole_again()

        sql(
            b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            b"WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
        is_whole_again()

        sql(b"ALTER SCHEMA public RENAME TO away", b"CREATE SCHEMA public")
        until(lambda: agent.ask("/-/ready").startswith("not ready"), agent)
        sql(b"DROP SCHEMA public", b"ALTER SCHEMA away RENAME TO public")
        is_whole_again()
        assert "Traceback" not in agent.said
        assert agent.stop() == 0


def test_a_command_does_not_write_beside_an_agent(
    node: RegtestNode, postgres_socket: Path, tmp_path: Path
) -> None:
    url, mine = new_database(postgres_socket), without_slug("foundryusa", tmp_path)
    with Agent(node, url, tmp_path) as agent:
        until(agent.shows(writer=1, ready=1, tip_height=40), agent)
        words = ["relabel", "--network", "regtest", "--store", url, "--registry", str(mine)]
        done = CliRunner().invoke(cli, words)
        assert isinstance(done.exception, StoreError)
        assert "another agent writes to it (session " in str(done.exception)
        assert f"poolscope {agent.process.pid} on " in str(done.exception)
        assert "set 'registry' in its settings" in str(done.exception)
        assert agent.stop() == 0
    assert CliRunner().invoke(cli, words).exit_code == 0
    with closing(open_store(url, "regtest", read_only=True)) as store:
        assert store.registries() == {registry_of(mine).version}
