"""kill -9 while blocks are attributed anew: whatever was reached, the next one finishes it."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from analyzers.registry import Registry, load_registry
from monitor.app import _relabel_if_changed
from monitor.cli import cli
from monitor.relabel import registry_of
from monitor.store.sql import SqlStore, open_store
from tests.support import longchain
from tests.support.registries import without_slug

BLOCKS, BATCH = 600, 50
FORMER = "a former registry"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our registry, where AntPool has another slug."""
    return without_slug("antpool", tmp_path_factory.mktemp("registry"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store whose tip has a low number, as after `run` and then `backfill`."""
    rows = list(longchain.rows(BLOCKS))
    with closing(open_store(tmp_path / "store.sqlite", "mainnet")) as store:
        store.append(rows[500:])
        store.append(rows[:500])
    return tmp_path / "store.sqlite"


@contextmanager
def reading(path: Path) -> Iterator[SqlStore]:
    with closing(open_store(path, "mainnet", read_only=True)) as store:
        yield store


class Nursery:
    """Starts children that attribute anew, and kills them."""

    def __init__(self, path: Path, file: Path) -> None:
        words = [sys.executable, "-m", "tests.support.relabeller", str(path), str(file), str(BATCH)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def child(self, batches: int) -> None:
        """Let a child live until so many batches are done, then kill it at once."""
        assert self._process.stdin is not None
        print(file=self._process.stdin, flush=True)
        number = int(self._hear())
        for _ in range(batches):
            assert self._hear().startswith("batch")
        os.kill(number, signal.SIGKILL)
        while self._hear() != "gone":
            pass


@pytest.mark.slow
@pytest.mark.parametrize("batches", range(BLOCKS // BATCH))
def test_the_next_start_finishes_what_was_killed_at_any_batch(
    path: Path, file: Path, batches: int, caplog: pytest.LogCaptureFixture
) -> None:
    registry = registry_of(file)
    with Nursery(path, file) as nursery:
        nursery.child(batches)
    with closing(open_store(path, "mainnet")) as store:
        done = store.by_registry().get(registry.version, 0)
        assert done >= batches * BATCH
        assert done % BATCH == 0, "a batch is there wholly or not at all"
        with caplog.at_level(logging.INFO, "monitor.app"):
            _relabel_if_changed(store, registry)
        finished(store, registry)
    if done < BLOCKS:
        assert f"anew {BLOCKS - done} of {BLOCKS} stored blocks" in caplog.text
    else:
        assert not caplog.records


@pytest.mark.slow
def test_the_same_command_goes_on_where_it_was_killed(path: Path, file: Path) -> None:
    chance, registry, reached = random.Random(7), registry_of(file), 0
    with Nursery(path, file) as nursery:
        for _ in range(12):
            nursery.child(reached // BATCH + chance.randrange(2))
            with reading(path) as store:
                now = store.by_registry().get(registry.version, 0)
            assert now >= reached
            reached = now
    words = ["relabel", "--registry", str(file), "--network", "mainnet"]
    result = CliRunner().invoke(cli, [*words, "--store", f"sqlite:///{path}"])
    assert result.exit_code == 0, result.output
    assert f"of {BLOCKS} blocks changed their pool under registry" in result.stderr
    assert "the setting 'registry' names another one" in result.stderr
    with reading(path) as store:
        finished(store, registry)


def finished(store: SqlStore, registry: Registry) -> None:
    """All blocks are under one registry, each with the pool that it gives it."""
    assert store.by_registry() == {registry.version: BLOCKS}
    rows = store.judged(0, 2 * BLOCKS)
    assert "antpool" not in {row.verdict.pool for row in rows}
    assert sum(row.verdict.pool == "antpoolx" for row in rows) > 10


@pytest.mark.slow
def test_nothing_is_asked_twice(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    registry = load_registry()
    with closing(open_store(path, "mainnet")) as store:
        with caplog.at_level(logging.INFO, "monitor.app"):
            _relabel_if_changed(store, registry)
            assert FORMER[:16] in caplog.text
            caplog.clear()
            _relabel_if_changed(store, registry)
        assert not caplog.records
