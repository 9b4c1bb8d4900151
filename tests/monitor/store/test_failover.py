"""Two agents on one PostgreSQL: one writes, one follows, and takes over when it is killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.store.sql import open_store
from tests.support.node import CORE_31, RegtestNode
from tests.support.postgres import new_database

PATIENCE = 60.0
"""Seconds until a condition that must come true is given up."""


class Agent:
    """A `poolscope run` process and what it serves."""

    def __init__(self, node: RegtestNode, store: str, home: Path) -> None:
        environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "monitor", "run", "--no-hashrate", "--port", "0"),
                *("--network", "regtest", "--source", "bitcoind", "--store", store),
                *("--bitcoind", node.url.replace("://", "://alice:secret@")),
            ],
            env=environment | {"HOME": str(home)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: list[str] = []
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self._lines.extend(self.process.stderr)

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()
        self._listener.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def figures(self) -> dict[str, float]:
        """The metrics without labels; none while it does not serve."""
        served = re.search(r"serving (http://\S+)", self.said)
        if served is None:
            return {}
        with urllib.request.urlopen(f"{served[1].rstrip('/')}/metrics", timeout=PATIENCE) as reply:
            lines = reply.read().decode().splitlines()
        return {
            name.removeprefix("poolscope_"): float(value)
            for name, _, value in (line.partition(" ") for line in lines)
            if name.startswith("poolscope_") and "{" not in name
        }

    def shows(self, **wanted: float) -> Callable[[], bool]:
        """Return a question: are these the metrics now?"""
        return lambda: wanted.items() <= self.figures().items()


def until(true: Callable[[], bool], *agents: Agent) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, [(agent.said, agent.figures()) for agent in agents]
        time.sleep(0.05)


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(CORE_31, blocks=40, user="alice", password="secret") as node:
        yield node


@pytest.mark.postgres
@pytest.mark.slow
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
