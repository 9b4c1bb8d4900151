"""From a new block to its proved coinbase in hand, and catching up, against plain RPC."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from bitcoinrpc.authproxy import AuthServiceProxy

from hashing.header import hash_to_hex
from hashing.wire import parse_block
from monitor.sources.base import Want
from monitor.sources.bitcoind import BitcoindSource
from tests.support.node import RegtestNode

BLOCKS = 60
TRANSACTIONS = 3000
ROUNDS = 40


@pytest.fixture(scope="module")
def node() -> Iterator[RegtestNode]:
    node = RegtestNode(blocks=101, zmq_topics=("hashblock",), user="u", password="p")
    with node:
        yield node


async def new_blocks(node: RegtestNode, transactions: int) -> tuple[list[float], list[float]]:
    """Return seconds from submission to hint, and from hint to proved block."""
    source = BitcoindSource(node.url, user="u", password="p")
    await source.open()
    await source.tip()
    hints, fetches = [], []
    for _ in range(ROUNDS):
        (raw,) = node._miner.build(node.chain.tip, 1, transactions=transactions)
        waiter = asyncio.create_task(source.wait_for_tip_change(30))
        await asyncio.sleep(0.02)
        start = time.perf_counter()
        await asyncio.to_thread(node.submit, raw)
        await waiter
        hinted = time.perf_counter()
        best = await source.tip()
        await source.headers(best.height, 1)
        await source.blocks([best], Want.PROVED)
        hints.append(hinted - start)
        fetches.append(time.perf_counter() - hinted)
    await source.close()
    return hints, fetches


@pytest.mark.parametrize("transactions", [0, TRANSACTIONS])
def test_new_block(benchmark: Any, node: RegtestNode, transactions: int) -> None:
    hints, fetches = benchmark.pedantic(
        lambda: asyncio.run(new_blocks(node, transactions)), rounds=1
    )
    benchmark.extra_info["submit_to_hint_median_ms"] = 1000 * statistics.median(hints)
    benchmark.extra_info["hint_to_proved_block_median_ms"] = 1000 * statistics.median(fetches)
    benchmark.extra_info["hint_to_proved_block_max_ms"] = 1000 * max(fetches)


def test_catch_up(benchmark: Any, node: RegtestNode) -> None:
    refs = node.mine(BLOCKS, transactions=TRANSACTIONS)

    async def by_source() -> float:
        source = BitcoindSource(node.url, user="u", password="p")
        await source.open()
        start = time.perf_counter()
        await source.blocks(refs, Want.PROVED)
        took = time.perf_counter() - start
        await source.close()
        return took

    def by_plain_rpc() -> float:
        proxy = AuthServiceProxy(node.url.replace("//", "//u:p@") + "/")
        start = time.perf_counter()
        for ref in refs:
            parse_block(bytes.fromhex(proxy.getblock(hash_to_hex(ref.hash), 0)))
        took = time.perf_counter() - start
        proxy._AuthServiceProxy__conn.close()
        return took

    took = benchmark.pedantic(lambda: asyncio.run(by_source()), rounds=3)
    benchmark.extra_info["blocks_per_second"] = len(refs) / took
    benchmark.extra_info["times_plain_rpc"] = by_plain_rpc() / took
