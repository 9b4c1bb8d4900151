"""What can go wrong with a node: one clear line each, and recovery where there is one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from hashing.header import BlockRef, sha256d
from hashing.wire import parse_coinbase
from monitor.errors import (
    BadReply,
    NotFound,
    NotKept,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from monitor.sources.base import Want
from monitor.sources.bitcoind import BitcoindSource
from tests.support.node import CORE_28, CORE_30, CORE_31, UNKNOWN, CallFault, RegtestNode
from tests.support.node.checks import assert_clear
from tests.support.patience import PATIENCE

FLAVOURS = [pytest.param(f, id=f.subversion) for f in (CORE_28, CORE_30, CORE_31)]


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(CORE_31, blocks=20) as node:
        yield node


@pytest.fixture
async def source(node: RegtestNode) -> AsyncIterator[BitcoindSource]:
    source = BitcoindSource(node.url, cookie=node.cookie, timeout=5)
    await source.open()
    yield source
    await source.close()


async def test_node_down_then_up() -> None:
    node = RegtestNode(blocks=5)
    node.start()
    source = BitcoindSource(node.url, cookie=node.cookie)
    node.stop()
    with pytest.raises(SourceUnavailable):
        await source.open()
    node.start()
    await source.open()
    assert await source.tip() == node.tip
    await source.close()
    node.close()


async def test_node_restarts_under_us(node: RegtestNode, source: BitcoindSource) -> None:
    await source.tip()
    node.restart()
    node.mine(2)
    # Connections broke and the cookie is another: neither is an error for the caller.
    assert await source.tip() == node.tip
    ref = node.tip
    assert (await source.blocks([ref], Want.PROVED))[0].ref == ref


async def test_node_stops_while_we_wait_and_comes_back(
    node: RegtestNode, source: BitcoindSource
) -> None:
    before = await source.tip()
    node.stop()
    with pytest.raises(SourceUnavailable) as caught:
        await source.tip()
    assert_clear(caught.value, node)
    node.start()
    node.mine()
    await asyncio.wait_for(source.wait_for_tip_change(30), 5)
    assert await source.tip() == node.tip != before


async def test_hints_come_again_after_a_restart(
    node: RegtestNode, source: BitcoindSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.sources.bitcoind_tip.PUSH_CHECK", 1.0)
    node.restart()
    await source.tip()
    took = 60.0
    async with asyncio.timeout(PATIENCE):
        while took > 0.5:  # until ZMQ has connected again
            waiter = asyncio.create_task(source.wait_for_tip_change(30))
            await asyncio.sleep(0.1)
            start = time.monotonic()
            node.mine()
            await waiter
            took = time.monotonic() - start
            await source.tip()


async def test_upgrade_is_noticed(node: RegtestNode) -> None:
    node.flavour = CORE_30
    source = BitcoindSource(node.url, cookie=node.cookie)
    await source.open()
    await source.blocks([node.tip], Want.COINBASE)
    assert "blockpart" not in "".join(node.requests[-1:])
    node.flavour = CORE_31
    node.restart()
    await source.blocks([node.tip], Want.COINBASE)
    await source.tip()
    await source.blocks([node.tip], Want.COINBASE)
    assert "blockpart" in "".join(node.requests[-2:])
    await source.close()


@pytest.mark.slow
async def test_rest_switched_off_is_noticed_and_rpc_takes_its_place(
    node: RegtestNode, source: BitcoindSource, caplog: pytest.LogCaptureFixture
) -> None:
    node.rest = False
    for _ in range(3):
        (block,) = await source.blocks([node.tip], Want.PROVED)
        assert sha256d(block.header) == node.tip.hash
        assert len(await source.headers(0, 21)) == 21
    said = [record.message for record in caplog.records if "going on" in record.message]
    assert len(said) == 3  # parts, blocks, headers: once each
    node.rest = True
    node.restart()
    node.requests.clear()
    await source.tip()
    await source.blocks([node.tip], Want.COINBASE)
    assert any(request.startswith("GET /rest/blockpart") for request in node.requests)


async def test_warming_up(node: RegtestNode) -> None:
    node.faults.warming_up = "Loading block index…"
    source = BitcoindSource(node.url, cookie=node.cookie)
    with pytest.raises(SourceUnavailable) as caught:
        await source.open()
    assert_clear(caught.value, node, "warming up", "Loading block index…")
    node.faults.warming_up = ""
    await source.open()
    await source.close()


async def test_warming_up_over_rest(node: RegtestNode, source: BitcoindSource) -> None:
    node.faults.warming_up = "Verifying blocks…"
    with pytest.raises(SourceUnavailable) as caught:
        await source.blocks([node.tip], Want.COINBASE)
    assert_clear(caught.value, node, "Verifying blocks…")
    node.faults.warming_up = ""
    assert await source.blocks([node.tip], Want.COINBASE)


@pytest.mark.parametrize("want", list(Want))
async def test_work_queue_full(node: RegtestNode, source: BitcoindSource, want: Want) -> None:
    node.faults.queue_full = True
    for attempt in (source.tip(), source.blocks([node.tip], want), source.headers(1, 5)):
        with pytest.raises(SourceUnavailable) as caught:
            await attempt
        assert_clear(caught.value, node, "Work queue depth exceeded")
    node.faults.queue_full = False
    assert await source.tip() == node.tip


@pytest.mark.slow
async def test_we_never_fill_the_work_queue(node: RegtestNode, source: BitcoindSource) -> None:
    node.faults.delay = 0.01
    refs = [BlockRef(h, node.chain.at(h).ref.hash) for h in range(20)] * 5
    waiter = asyncio.create_task(source.wait_for_tip_change(30))
    coinbases, proved, headers = await asyncio.gather(
        source.blocks(refs, Want.COINBASE), source.blocks(refs, Want.PROVED), source.headers(0, 20)
    )
    assert len(coinbases) == len(proved) == 100
    assert len(headers) == 20
    waiter.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("rest", [True, False])
@pytest.mark.parametrize("why", ["pruned", "download", "disk"])
async def test_a_block_of_which_only_the_header_is_kept(
    flavour: object, rest: bool, why: str
) -> None:
    with RegtestNode(flavour, rest=rest, blocks=20) as node:  # type: ignore[arg-type]
        if why == "pruned":
            node.faults.pruned_below = 10
        elif why == "download":
            node.faults.awaited_below = 10
        else:
            node.faults.bad_blocks = {node.chain.at(height).ref.hash for height in range(10)}
        source = BitcoindSource(node.url, cookie=node.cookie)
        await source.open()
        assert source.capabilities.bodies_from == (10 if why == "pruned" else 0)
        for want in Want:
            with pytest.raises(NotKept) as caught:
                await source.blocks([node.chain.at(15).ref, node.chain.at(5).ref], want)
            assert_clear(caught.value, node, "height 5", "--source esplora")
        assert await source.blocks([node.chain.at(15).ref], Want.PROVED)
        assert len(await source.headers(0, 21)) == 21
        await source.close()


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("rest", [True, False])
async def test_a_block_beside_the_chain_is_not_there(flavour: object, rest: bool) -> None:
    with RegtestNode(flavour, rest=rest, blocks=20) as node:  # type: ignore[arg-type]
        source = BitcoindSource(node.url, cookie=node.cookie)
        await source.open()
        (raw,) = node.build(1, on=node.chain.at(18).ref)
        bare = node.chain.submit_header(raw[:80])
        for ref in (bare, BlockRef(5, bytes(32))):
            with pytest.raises(NotFound) as caught:
                await source.blocks([ref], Want.COINBASE)
            assert type(caught.value) is NotFound
        await source.close()


@pytest.mark.parametrize("told", [-1, "10", 10.5, None, [10], 1 << 40])
async def test_a_pruned_height_without_sense_is_none(node: RegtestNode, told: object) -> None:
    node.faults.calls["getblockchaininfo"] = CallFault(reply={"pruned": True, "pruneheight": told})
    source = BitcoindSource(node.url, cookie=node.cookie)
    await source.open()
    assert source.capabilities.bodies_from == 0
    assert await source.blocks([node.chain.at(5).ref], Want.COINBASE)
    await source.close()


async def test_html_instead_of_json(node: RegtestNode, source: BitcoindSource) -> None:
    node.faults.html = True
    for attempt in (source.tip(), source.blocks([node.tip], Want.PROVED), source.headers(0, 9)):
        with pytest.raises(BadReply) as caught:
            await attempt
        assert_clear(caught.value, node)
        assert "<" not in str(caught.value)
    node.faults.html = False
    assert await source.tip() == node.tip


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("rest", [True, False])
async def test_truncated_block(flavour: object, rest: bool) -> None:
    with RegtestNode(flavour, rest=rest, blocks=20) as node:  # type: ignore[arg-type]
        source = BitcoindSource(node.url, cookie=node.cookie)
        await source.open()
        node.faults.truncate_blocks = True
        for want in Want:
            with pytest.raises(BadReply) as caught:
                await source.blocks([node.tip], want)
            assert_clear(caught.value, node, "truncated")
        node.faults.truncate_blocks = False
        assert await source.blocks([node.tip], Want.PROVED)
        await source.close()


@pytest.mark.parametrize("want", list(Want))
async def test_forged_bytes_are_handed_over_for_the_proof_to_refuse(
    node: RegtestNode, source: BitcoindSource, want: Want
) -> None:
    (honest,) = await source.blocks([node.tip], want)
    assert honest.coinbase_tx is not None
    node.faults.forge = "coinbase"
    (forged,) = await source.blocks([node.tip], want)
    assert forged.coinbase_tx is not None
    assert parse_coinbase(forged.coinbase_tx).txid != parse_coinbase(honest.coinbase_tx).txid
    node.faults.forge = "header"
    (forged,) = await source.blocks([node.tip], want)
    assert sha256d(forged.header) != node.tip.hash
    (header,) = await source.headers(node.tip.height, 1)
    assert sha256d(header) != node.tip.hash


async def test_wrong_network(node: RegtestNode) -> None:
    source = BitcoindSource(node.url, cookie=node.cookie, network="mainnet")
    with pytest.raises(SourceRefused) as caught:
        await source.open()
    assert_clear(caught.value, node, "serves regtest, not mainnet", 'network = "regtest"')
    await source.close()


async def test_a_chain_that_is_not_bitcoin_s(node: RegtestNode) -> None:
    node.faults.chain_name = "doge\n\x1b[31m"
    source = BitcoindSource(node.url, cookie=node.cookie)
    with pytest.raises(SourceRefused) as caught:
        await source.open()
    assert_clear(caught.value, node, "doge")
    assert "\x1b" not in str(caught.value)
    await source.close()


async def test_another_network_after_a_restart(node: RegtestNode) -> None:
    source = BitcoindSource(node.url, cookie=node.cookie, network="regtest")
    await source.open()
    node.faults.chain_name = "main"
    node.restart()
    with contextlib.suppress(SourceError):
        await source.tip()
    with pytest.raises(SourceRefused, match="serves mainnet, not regtest"):
        await source.tip()
    await source.close()


@pytest.mark.slow
async def test_a_node_that_hangs(node: RegtestNode) -> None:
    source = BitcoindSource(node.url, cookie=node.cookie, timeout=0.3)
    await source.open()
    node.faults.delay = 2
    start = time.monotonic()
    for attempt in (source.tip(), source.blocks([node.tip], Want.COINBASE)):
        with pytest.raises(SourceUnavailable) as caught:
            await attempt
        assert_clear(caught.value, node, "no answer")
    assert time.monotonic() - start < 4
    await source.close()


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_close_is_quick_while_waiting(flavour: object) -> None:
    with RegtestNode(flavour, zmq_topics=(), blocks=3) as node:  # type: ignore[arg-type]
        source = BitcoindSource(node.url, cookie=node.cookie)
        await source.open()
        await source.tip()
        waiter = asyncio.create_task(source.wait_for_tip_change(60))
        await asyncio.sleep(0.1)
        start = time.monotonic()
        await source.close()
        assert time.monotonic() - start < 1
        with pytest.raises(SourceUnavailable):
            await waiter


async def test_close_amid_many_requests(node: RegtestNode) -> None:
    source = BitcoindSource(node.url, cookie=node.cookie)
    await source.open()
    node.faults.delay = 0.05
    refs = [node.chain.at(height).ref for height in range(20)] * 3
    requests = [
        asyncio.create_task(source.blocks(refs, Want.PROVED)),
        asyncio.create_task(source.headers(0, 20)),
        asyncio.create_task(source.tip()),
    ]
    await asyncio.sleep(0.08)
    await source.close()
    for request in requests:
        with contextlib.suppress(SourceUnavailable):
            await request


async def test_connections_are_kept(node: RegtestNode, source: BitcoindSource) -> None:
    for _ in range(30):
        await source.tip()
    # One for each thread of the RPC pool and one over REST, at most.
    assert node.connections <= 6


async def test_closed_source_says_so(node: RegtestNode) -> None:
    source = BitcoindSource(node.url, cookie=node.cookie)
    with pytest.raises(SourceUnavailable, match="closed"):
        await source.tip()


async def test_lost_zmq_message_is_made_good(
    node: RegtestNode, source: BitcoindSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.sources.bitcoind_tip.PUSH_CHECK", 0.2)
    await source.tip()
    node.faults.drop_zmq = 5  # all messages of one block
    waiter = asyncio.create_task(source.wait_for_tip_change(30))
    await asyncio.sleep(0.05)
    node.mine()
    await asyncio.wait_for(waiter, 5)
    assert await source.tip() == node.tip


async def test_node_without_long_poll_is_polled(
    node: RegtestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.zmq_topics = ()
    unknown = CallFault(error=UNKNOWN)
    node.faults.calls = {"waitfornewblock": unknown, "getzmqnotifications": unknown}
    source = BitcoindSource(node.url, cookie=node.cookie, poll_interval=0.05)
    await source.open()
    await source.tip()
    waiter = asyncio.create_task(source.wait_for_tip_change(30))
    await asyncio.sleep(0.1)
    node.mine()
    await asyncio.wait_for(waiter, 5)
    await source.close()
