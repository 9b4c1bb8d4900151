"""kill -9 at random moments of a backfill: in the end every byte is as if undisturbed."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from monitor.store.sql import open_store
from tests.support.gaps import store_with_gaps
from tests.support.lanes import often
from tests.support.node import RegtestNode
from tests.support.sparse import write_sparse

BLOCKS = 1500
"""Of each kind of target."""
PROGRAM = (sys.executable, "-m", "tests.support.backfiller")


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sparse")
    write_sparse(folder, BLOCKS)
    return folder


class Backfiller:
    """A process that forks backfills."""

    def __init__(self, process: subprocess.Popen[str], blocks: Path) -> None:
        self._process = process
        self._usual = ["--blocks-dir", str(blocks), "--range", "40", "--workers", "1"]

    def start(self, *arguments: str) -> int:
        return self.start_anew(*self._usual, *arguments)

    def start_anew(self, *arguments: str) -> int:
        """Start a backfill of other blocks than the usual ones."""
        assert self._process.stdin
        words = ["--network", "regtest", *arguments]
        print(json.dumps(words), file=self._process.stdin, flush=True)
        return int(self._hear())

    def end(self) -> tuple[int, float]:
        """Wait; return exit code and seconds of CPU."""
        code, seconds = self._hear().split()
        return int(code), float(seconds)

    def _hear(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


@pytest.fixture(scope="module")
def backfiller(blocks: Path) -> Iterator[Backfiller]:
    with subprocess.Popen(
        PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Backfiller(process, blocks)
        assert process.stdin
        process.stdin.close()


def whole(path: Path) -> bytes:
    return path.read_bytes()


def rows(path: Path) -> bytes:
    """All that the store says, without when it was made."""
    with closing(sqlite3.connect(path)) as store:
        lines = [line for line in store.iterdump() if "'created'" not in line]
    return "\n".join(lines).encode()


TARGETS = {"file": ("--out", "all.parquet", whole), "store": ("--data-dir", "regtest.sqlite", rows)}


@pytest.mark.slow
@pytest.mark.parametrize("times", often(5, 50))
@pytest.mark.parametrize("kind", TARGETS)
def test_killed_again_and_again(
    kind: str, times: int, backfiller: Backfiller, tmp_path: Path
) -> None:
    option, name, content = TARGETS[kind]
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    for folder in (calm, killed):
        folder.mkdir()

    def target(folder: Path) -> str:
        return str(folder if option == "--data-dir" else folder / name)

    backfiller.start(option, target(calm))
    code, used = backfiller.end()
    assert code == 0

    chance = random.Random(7)
    kills = 0
    for _ in range(4 * times):
        child = backfiller.start(option, target(killed))
        kill_after(child, chance.uniform(0, used), chance.uniform(0, 0.01))
        code, _ = backfiller.end()
        kills += code == -signal.SIGKILL
        if kills == times:
            break
        if code == 0:  # it was quicker than we: once more from the beginning
            for left in killed.iterdir():
                left.unlink()
    assert kills == times
    backfiller.start(option, target(killed))
    assert backfiller.end()[0] == 0
    assert content(killed / name) == content(calm / name)
    assert not list(killed.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("times", often(5, 50))
def test_killed_again_and_again_while_it_fills_what_is_missing(
    times: int, backfiller: Backfiller, tmp_path: Path
) -> None:
    calm, killed = tmp_path / "calm.sqlite", tmp_path / "killed.sqlite"
    with RegtestNode(datadir=tmp_path / "node", blocks=200) as node:
        store_with_gaps(calm, node, range(10, 190))
        shutil.copyfile(calm, killed)
        folder = node.chain.directory / "blocks"

    def start(store: Path) -> int:
        words = ("--missing", "--range", "2", "--blocks-dir", str(folder))
        return backfiller.start_anew(*words, "--store", f"sqlite:///{store}")

    start(calm)
    code, used = backfiller.end()
    assert code == 0
    chance = random.Random(11)
    began = killed.read_bytes()
    kills = amid = 0
    while kills < times or not amid:
        child = start(killed)
        kill_after(child, chance.uniform(0, used), chance.uniform(0, 0.01))
        code, _ = backfiller.end()
        kills += code == -signal.SIGKILL
        with closing(open_store(killed, "regtest", read_only=True)) as store:
            left = [block.height for block in store.header_only(0, 1000)]
        assert left == list(range(190 - len(left), 190))
        amid += 0 < len(left) < 180
        if not left:
            for suffix in ("-wal", "-shm"):
                killed.with_name(killed.name + suffix).unlink(missing_ok=True)
            killed.write_bytes(began)
    start(killed)
    assert backfiller.end()[0] == 0
    assert rows(killed) == rows(calm)


def kill_after(child: int, cpu: float, more: float) -> None:
    """Send SIGKILL once a process has used `cpu` seconds, and `more` on the clock.

    Seconds of CPU, because a busy machine tells nothing by its clock.
    """
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        process = psutil.Process(child)
        while sum(process.cpu_times()[:2]) < cpu and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.002)
        time.sleep(more)
        process.kill()
