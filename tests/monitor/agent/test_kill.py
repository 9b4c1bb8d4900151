"""kill -9 at random moments, while blocks and reorgs arrive: nothing lost, nothing twice."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.store.sql import open_store
from tests.support.lanes import often
from tests.support.node import CORE_31, RegtestNode


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(CORE_31, blocks=300) as node:
        yield node


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def nursery(node: RegtestNode, store: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.support.nursery", node.url, str(node.cookie)]
    with subprocess.Popen(
        [*command, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def tell(nursery: subprocess.Popen[str], line: str) -> None:
    assert nursery.stdin is not None
    nursery.stdin.write(line + "\n")
    nursery.stdin.flush()


def hear(nursery: subprocess.Popen[str]) -> str:
    assert nursery.stdout is not None
    return nursery.stdout.readline().strip()


def catch_up(nursery: subprocess.Popen[str]) -> None:
    tell(nursery, "finish")
    hear(nursery)
    assert hear(nursery) == "gone"


@pytest.mark.slow
@pytest.mark.parametrize("times", often(40, 200))
def test_kill_9_again_and_again(
    times: int, node: RegtestNode, nursery: subprocess.Popen[str], store: Path
) -> None:
    chance = random.Random(7)
    done = threading.Event()

    def blocks_arrive() -> None:
        while not done.wait(chance.uniform(0.01, 0.1)):
            if chance.random() < 0.25:
                node.reorg(chance.choice([1, 1, 2, 3, 7]))
            else:
                node.mine(chance.randint(1, 4))

    miner = threading.Thread(target=blocks_arrive)
    miner.start()
    try:
        for _ in range(times):
            tell(nursery, "follow")
            child = int(hear(nursery))
            time.sleep(chance.uniform(0, 0.2))
            os.kill(child, signal.SIGKILL)
            assert hear(nursery) == "gone"
    finally:
        done.set()
        miner.join()
    catch_up(nursery)
    node.reorg(3)  # what a busy machine kills before it stores a block sees no reorg
    catch_up(nursery)

    result = open_store(store, "regtest", read_only=True)
    assert result.tip() == node.tip
    stored = list(result.blocks(0, 1 << 30))
    assert [block.ref.height for block in stored] == list(range(node.tip.height + 1))
    for parent, child_block in pairwise(stored):
        assert child_block.header[4:36] == parent.ref.hash
    stale = {block.ref.hash for block in result.stale_blocks()}
    assert stale
    assert not stale & {block.ref.hash for block in stored}
