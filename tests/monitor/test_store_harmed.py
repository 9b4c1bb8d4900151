"""What may become of the store under a running agent: it says so, is not ready, and goes on.

One agent and one node live through all of it; each harm leaves them well for the next.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzers.registry import load_registry
from hashing.header import hash_to_hex
from monitor.errors import StoreError
from monitor.relabel import registry_of, relabel
from monitor.store.sql import open_store
from tests.support.agent import Agent, until
from tests.support.node import CORE_31, RegtestNode
from tests.support.patience import PATIENCE
from tests.support.registries import without_slug

pytestmark = pytest.mark.slow

OWN = load_registry().version


@dataclass(frozen=True)
class World:
    """A node, the agent that follows it, its store, and an older copy of that."""

    node: RegtestNode
    agent: Agent
    path: Path
    backup: Path
    other: Path

    def until_not_ready(self, why: str) -> None:
        """Wait until the agent says that it is not ready, and why."""
        until(lambda: why in self.agent.ask("/-/ready"), self.agent)
        assert self.agent.figures()["ready"] == 0

    def put_back(self) -> None:
        """Restore the older copy, as a new file."""
        copy = self.path.with_name("copy")
        shutil.copyfile(self.backup, copy)
        copy.replace(self.path)

    def sql(self, *statements: str) -> None:
        """Change the store as somebody does by hand."""
        with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as raw, raw:
            for statement in statements:
                raw.execute(statement)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("agent")
    path = home / "folder" / "store.sqlite"
    with (
        RegtestNode(CORE_31, blocks=40, user="alice", password="secret") as node,
        Agent(node, f"sqlite:///{path}", home) as agent,
    ):
        until(agent.shows(ready=1, tip_height=40), agent)
        backup = home / "backup.sqlite"
        with closing(sqlite3.connect(path)) as raw, closing(sqlite3.connect(backup)) as copy:
            raw.backup(copy)
        node.mine(3)
        node.reorg(1)
        until(agent.shows(ready=1, tip_height=node.tip.height), agent)
        yield World(node, agent, path, backup, without_slug("foundryusa", home))
        assert agent.stop() == 0
        assert "Traceback" not in agent.said
        assert "exception" not in agent.said


def gone_and_back(world: World) -> None:
    away = world.path.with_name("away")
    world.path.rename(away)
    world.until_not_ready("its file is gone")
    world.node.mine(1)
    assert not world.path.exists(), "no agent makes a new store while it runs"
    away.rename(world.path)


def folder_gone_and_back(world: World) -> None:
    folder = world.path.parent
    away = folder.with_name("elsewhere")
    folder.rename(away)
    world.until_not_ready("its file is gone")
    away.rename(folder)


def deleted_and_restored(world: World) -> None:
    world.path.unlink()
    world.until_not_ready("its file is gone")
    world.put_back()


def all_files_deleted_and_restored(world: World) -> None:
    for file in world.path.parent.iterdir():
        file.unlink()
    world.until_not_ready("its file is gone")
    world.put_back()


def replaced(world: World) -> None:
    world.put_back()


def overwritten(world: World) -> None:
    shutil.copyfile(world.backup, world.path)


def emptied_and_restored(world: World) -> None:
    os.truncate(world.path, 0)
    world.until_not_ready("store.sqlite")
    world.put_back()


def damaged_and_restored(world: World) -> None:
    with world.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (world.path.stat().st_size - 4096))
    world.until_not_ready("damaged")
    world.put_back()


def no_database_and_restored(world: World) -> None:
    world.path.with_name("copy").write_bytes(b"surely no database" * 1000)
    world.path.with_name("copy").replace(world.path)
    world.until_not_ready("no SQLite database")
    world.put_back()


def another_chain_and_restored(world: World) -> None:
    other = world.path.with_name("other")
    open_store(other, "signet").close()
    other.replace(world.path)
    world.until_not_ready("holds signet, not regtest")
    world.put_back()


def older_schema(world: World) -> None:
    copy = world.path.with_name("copy")
    shutil.copyfile(world.backup, copy)
    with closing(sqlite3.connect(copy)) as raw, raw:
        for name in ("registry_id", "header_only"):
            raw.execute(f"DROP INDEX ix_block_{name}")
        raw.execute("UPDATE alembic_version SET version_num = '0002'")
    copy.replace(world.path)


def newer_schema_and_restored(world: World) -> None:
    world.sql("UPDATE alembic_version SET version_num = '9999'", "DELETE FROM reorg")
    world.sql("DELETE FROM block WHERE height > 30")
    world.until_not_ready("newer poolscope")
    world.put_back()


def newest_deleted(world: World) -> None:
    world.sql("DELETE FROM block WHERE height > 30")


def oldest_deleted(world: World) -> None:
    world.sql("DELETE FROM block WHERE height < 5")


def all_deleted(world: World) -> None:
    world.sql("DELETE FROM block")


def hole_and_restored(world: World) -> None:
    world.sql("DELETE FROM block WHERE height = 20")
    world.until_not_ready("1 blocks are missing")
    world.put_back()


def tables_dropped_and_restored(world: World) -> None:
    world.sql("PRAGMA foreign_keys=OFF", "DROP TABLE block")
    world.until_not_ready("store.sqlite")
    world.put_back()


def old_blocks_of_another_registry(world: World) -> None:
    world.sql(
        "INSERT INTO registry (name) VALUES ('another')",
        "UPDATE block SET registry_id = (SELECT id FROM registry WHERE name = 'another') "
        "WHERE height < 10",
    )


def attributed_anew_without_asking(world: World) -> None:
    with closing(open_store(world.path, "regtest")) as store:
        assert sum(len(part.moved) for part in relabel(store, registry_of(world.other)))


def lock_deleted(world: World) -> None:
    world.path.with_name("store.sqlite.lock").unlink()
    until(lambda: world.path.with_name("store.sqlite.lock").exists(), world.agent)


def log_deleted(world: World) -> None:
    world.path.with_name("store.sqlite-wal").unlink()


def held_by_another(world: World) -> None:
    with closing(sqlite3.connect(world.path)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        world.node.mine(1)
        world.until_not_ready("another process holds it")
        raw.rollback()


HARMS: tuple[Callable[[World], None], ...] = (
    gone_and_back,
    folder_gone_and_back,
    deleted_and_restored,
    all_files_deleted_and_restored,
    replaced,
    overwritten,
    emptied_and_restored,
    damaged_and_restored,
    no_database_and_restored,
    another_chain_and_restored,
    older_schema,
    newer_schema_and_restored,
    newest_deleted,
    oldest_deleted,
    all_deleted,
    hole_and_restored,
    tables_dropped_and_restored,
    old_blocks_of_another_registry,
    attributed_anew_without_asking,
    lock_deleted,
    log_deleted,
    held_by_another,
)


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_the_agent_goes_on(world: World, harm: Callable[[World], None]) -> None:
    before = len(world.agent.said)
    harm(world)
    world.node.mine(2)
    until(lambda: whole(world), world.agent)
    tip = world.node.tip
    shown = world.agent.shows(ready=1, writer=1, tip_height=tip.height, other_registry_blocks=0)
    until(shown, world.agent)
    assert hash_to_hex(tip.hash) in world.agent.ask("/api/v1/blocks?limit=1")
    assert hash_to_hex(tip.hash) in world.agent.ask(f"/api/v1/blocks/{tip.height}")
    said = world.agent.said[before:]
    assert "Traceback" not in said
    assert len(said.splitlines()) < 12, "each thing is said once"


def whole(world: World) -> bool:
    """Say whether the file that is there holds the node's chain, all of it under one registry."""
    try:
        with closing(open_store(world.path, "regtest", read_only=True)) as store:
            tip, first = store.tip(), store.first_height()
            if tip != world.node.tip or first is None:
                return False
            heights = [block.ref.height for block in store.blocks(0, tip.height + 1)]
            return heights == list(range(first, tip.height + 1)) and store.registries() == {OWN}
    except StoreError:
        return False


def poolscope(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    store = ("--network", "regtest", "--store", f"sqlite:///{world.path}")
    command = [sys.executable, "-m", "monitor", *words, *store]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["relabel", "backfill"])
def test_commands_that_change_the_store_do_not_run_beside_the_agent(
    world: World, command: str
) -> None:
    height = world.agent.figures()["tip_height"]
    more = {
        "relabel": ["--registry", str(world.other)],
        "backfill": ["--bitcoind", world.node.url.replace("://", "://alice:secret@")],
    }
    done = poolscope(world, command, *more[command])
    assert done.returncode == 1
    assert done.stdout == ""
    said = done.stderr.splitlines()[-1]
    assert f"another agent writes to it (process {world.agent.process.pid}); " in said
    assert "stop" in said
    assert "Traceback" not in done.stderr
    before = world.agent.said
    world.node.mine(1)
    until(world.agent.shows(ready=1, tip_height=height + 1, other_registry_blocks=0), world.agent)
    assert "changed" not in world.agent.said[len(before) :]


def test_what_would_change_is_shown_beside_the_agent(world: World) -> None:
    done = poolscope(world, "relabel", "--dry-run", "--registry", str(world.other))
    assert done.returncode == 0, done.stderr
    assert "would change their pool" in done.stderr
    assert "foundryusax" in done.stdout


@contextmanager
def restarted(world: World, home: Path, *more: str) -> Iterator[Agent]:
    with Agent(world.node, f"sqlite:///{home / 'store.sqlite'}", home, *more) as agent:
        until(agent.shows(ready=1, tip_height=world.node.tip.height), agent)
        yield agent


def test_the_next_start_brings_all_under_the_agents_registry(world: World, tmp_path: Path) -> None:
    """Whoever attributed them last, and however far that got."""
    path = tmp_path / "store.sqlite"
    shutil.copyfile(world.backup, path)
    with closing(open_store(path, "regtest")) as store:
        list(relabel(store, registry_of(world.other)))
        blocks = store.counts().blocks
    with restarted(world, tmp_path) as agent:
        assert f"attributing anew {blocks} of {blocks} stored blocks" in agent.said
        assert agent.figures()["other_registry_blocks"] == 0
        assert "foundryusax" not in agent.ask("/metrics")
    with closing(open_store(path, "regtest")) as store:
        assert store.registries() == {OWN}
        store.judge([(b, b.verdict._replace(registry="x")) for b in store.judged(0, 7)])
    with restarted(world, tmp_path, "--registry", str(world.other)) as agent:
        blocks = agent_blocks(path)
        assert f"attributing anew {blocks} of {blocks} stored blocks" in agent.said
        assert 'pool="foundryusax"' in agent.ask("/metrics")
        assert 'pool="foundryusa"' not in agent.ask("/metrics")


def agent_blocks(path: Path) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        with closing(open_store(path, "regtest", read_only=True)) as store:
            known = store.by_registry()
        if len(known) == 1:
            return sum(known.values())
        assert time.monotonic() < deadline
