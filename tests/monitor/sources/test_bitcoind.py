"""The bitcoind source against the test node, in every shape a node comes in."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from hashing.wire import TxOut, parse_coinbase
from monitor.sources.base import Want
from monitor.sources.bitcoind import BitcoindSource
from tests.monitor.sources.contract import SourceContract, World
from tests.support.node import CORE_28, CORE_30, CORE_31, CORE_MASTER, Flavour, RegtestNode


def source_of(node: RegtestNode, **settings: object) -> BitcoindSource:
    return BitcoindSource(node.url, cookie=node.cookie, **settings)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def opened(node: RegtestNode, **settings: object) -> AsyncIterator[BitcoindSource]:
    source = source_of(node, **settings)
    await source.open()
    try:
        yield source
    finally:
        await source.close()


def world_of(node: RegtestNode, **settings: object) -> World:
    async def advance() -> None:
        node.mine()

    async def grow_stale() -> None:
        node.fork()

    return World(lambda: source_of(node, **settings), advance=advance, grow_stale=grow_stale)


class TestCore31(SourceContract):
    """Parts of blocks over REST, hints over ZMQ."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_31, blocks=45) as node:
            yield world_of(node)


class TestCoreMaster(SourceContract):
    """The node's newest replies; long polls."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_MASTER, blocks=45, zmq_topics=()) as node:
            yield world_of(node)


class TestCore30(SourceContract):
    """Whole blocks over REST; hints over the sequence topic."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_30, blocks=45, zmq_topics=("sequence",)) as node:
            yield world_of(node)


class TestCore28WithoutRest(SourceContract):
    """RPC only; long polls that do not know the tip."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_28, blocks=45, rest=False, zmq_topics=()) as node:
            yield world_of(node)


class TestRestOff(SourceContract):
    """The user wants RPC only."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_31, blocks=45) as node:
            yield world_of(node, rest="off", zmq="off")


@pytest.mark.slow
@pytest.mark.parametrize("want", list(Want))
@pytest.mark.parametrize("outputs", [1, 50, 800])
@pytest.mark.parametrize("flavour", [CORE_28, CORE_30, CORE_31])
async def test_coinbase_of_any_size(flavour: Flavour, outputs: int, want: Want) -> None:
    with RegtestNode(flavour, blocks=2) as node:
        payouts = [TxOut(0, b"\x00\x14" + i.to_bytes(20)) for i in range(outputs)]
        (ref,) = node.mine(outputs=payouts)
        async with opened(node) as source:
            (block,) = await source.blocks([ref], want)
            assert block.coinbase_tx is not None
            assert parse_coinbase(block.coinbase_tx).outputs[:outputs] == tuple(payouts)


@pytest.mark.slow
@pytest.mark.parametrize("rest", [True, False])
@pytest.mark.parametrize("flavour", [CORE_28, CORE_30, CORE_31])
async def test_all_transactions_prove_the_coinbase(flavour: Flavour, rest: bool) -> None:
    with RegtestNode(flavour, rest=rest, blocks=101) as node:
        (ref,) = node.mine(transactions=2500)
        async with opened(node) as source:
            (block,) = await source.blocks([ref], Want.PROVED)
            assert block.txids == node.chain.content(node.chain.tip).txids
            assert block.tx_count == 2501
            assert block.size == len(node.chain.raw(node.chain.tip))


@pytest.mark.slow
@pytest.mark.parametrize("rest", [True, False])
async def test_more_headers_than_one_request_gives(rest: bool) -> None:
    with RegtestNode(blocks=2101, rest=rest) as node:
        async with opened(node) as source:
            start = 50 if rest else 2000
            headers = await source.headers(start, 2052)
            assert len(headers) == 2102 - start
            assert headers[-1] == node.chain.tip.header.serialize()


async def test_a_stale_tip_is_seen_at_the_next_look() -> None:
    with RegtestNode(blocks=5) as node:
        async with opened(node) as source:
            assert await source.stale_tips() == []
            (ref,) = node.fork(1, 1)
            assert await source.stale_tips() == [ref]


async def test_a_branch_that_wins_is_no_longer_stale() -> None:
    with RegtestNode(blocks=5) as node:
        node.fork(1, 1)
        async with opened(node) as source:
            before = await source.tip()
            (stale,) = await source.stale_tips()
            (raw,) = node.build(1, on=stale)
            node.submit(raw)
            assert (await source.tip()).height == 6
            assert await source.stale_tips() == [before]


async def test_the_node_names_the_network() -> None:
    with RegtestNode(blocks=1) as node:
        source = source_of(node, network="regtest")
        assert source.network == "regtest"
        await source.open()
        assert source.network == "regtest"
        assert source.capabilities.push
        await source.close()
