"""Forks children that ingest from a node until they are killed.

``python -m tests.support.nursery URL COOKIE STORE``: each line on stdin starts a child, whose
process id is printed; a child leads a life of its own, so that ``kill -9`` hits it in the
midst of anything. Forking saves the second that importing takes. ``finish`` as a line runs
until the tip is stored, then ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from analyzers.attribution import attribute
from analyzers.model import Attribution, Label
from analyzers.registry import load_registry
from hashing.params import REGTEST
from hashing.wire import CoinbaseTx
from monitor.agent.follower import Follower
from monitor.agent.ingest import Ingest
from monitor.metrics.exporter import AgentMetrics
from monitor.sources.bitcoind import BitcoindSource
from monitor.store.sql import open_store

REGISTRY = load_registry()


def _attribute(coinbase: CoinbaseTx | None, height: int, label: Label | None) -> Attribution:
    return attribute(coinbase, REGISTRY, height=height, label=label)


async def ingest(url: str, cookie: Path, path: Path, *, finish: bool) -> None:
    """Follow the node into the store; with `finish`, until it has caught up."""
    store = open_store(path, "regtest")
    tip, first = store.tip(), store.first_height()
    stored = None if tip is None or first is None else (first, tip)
    source = BitcoindSource(url, cookie=cookie, network="regtest")
    with ThreadPoolExecutor(1) as executor:
        worker = Ingest(
            [source],
            store=store,
            follower=Follower(REGTEST, _attribute, 10_000, stored, time.time),
            metrics=AgentMetrics(),
            executor=executor,
            on_step=lambda _step, _left: None,
        )
        running = asyncio.create_task(worker.run())
        while not (finish and worker.behind is None):  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait({running})
    await source.close()
    store.close()


def main() -> None:
    """Fork a child for each line of stdin."""
    url, cookie, path = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(ingest(url, cookie, path, finish=line.strip() == "finish"))
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
