"""How new blocks of a node are noticed: by ZMQ where it is heard, else by the long poll."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hashing.header import hash_to_hex
from monitor.sources.bitcoind import BitcoindSource
from tests.support.node import CORE_28, FORBIDDEN, UNKNOWN, CallFault, Failure, RegtestNode

NEVER = 3600.0
"""Seconds of a look at the tip that a test shows not to be needed."""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a hint be missed soon."""
    monkeypatch.setattr("monitor.sources.zmq._SETTLES", 0.0)
    monkeypatch.setattr("monitor.sources.zmq._GRACE", 0.2)


@contextlib.asynccontextmanager
async def opened(node: RegtestNode, **settings: Any) -> AsyncIterator[BitcoindSource]:
    source = BitcoindSource(node.url, cookie=node.cookie, **settings)
    await source.open()
    try:
        yield source
    finally:
        await source.close()


async def sees_the_next_block(source: BitcoindSource, node: RegtestNode) -> None:
    """Mine while the source waits; what wakes it must not be its own look at the tip."""
    await source.tip()
    waiter = asyncio.create_task(source.wait_for_tip_change(NEVER))
    await asyncio.sleep(0.1)
    node.mine()
    await asyncio.wait_for(waiter, 30)
    assert await source.tip() == node.tip


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if r.levelno == logging.WARNING]


@pytest.fixture
def slow_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no look at the tip find what no hint told of."""
    monkeypatch.setattr("monitor.sources.bitcoind_tip.PUSH_CHECK", NEVER)


@pytest.mark.usefixtures("slow_look")
@pytest.mark.parametrize("zmq", ["auto", "named"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("topics", [("hashblock",), ("sequence",), ("rawblock", "rawtx")])
async def test_zmq_is_heard(
    topics: tuple[str, ...], host: str, zmq: str, caplog: pytest.LogCaptureFixture
) -> None:
    with RegtestNode(blocks=5, zmq_topics=topics, zmq_host=host) as node:
        # Nothing but ZMQ can tell: there is no long poll, and no look in time.
        node.faults.calls["waitfornewblock"] = CallFault(error=UNKNOWN)
        address = node.zmq_address if zmq == "named" else "auto"
        async with opened(node, zmq=address, poll_interval=NEVER) as source:
            heard = False
            await source.tip()
            waiter = asyncio.create_task(source.wait_for_tip_change(NEVER))
            while not heard:  # until the subscription has arrived
                node.mine()
                heard = bool((await asyncio.wait([waiter], timeout=0.2))[0])
            for _ in range(3):
                await sees_the_next_block(source, node)
            assert warnings(caplog) == []


@pytest.mark.usefixtures("slow_look", "soon")
@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://192.0.2.1:28332", "tcp://node.invalid:1"],
)
async def test_a_mute_address_is_as_quick_as_the_long_poll_and_is_said_once(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with RegtestNode(blocks=5) as node:
        async with opened(node, zmq=address) as source:
            while not warnings(caplog):
                await sees_the_next_block(source, node)
            for _ in range(3):
                await sees_the_next_block(source, node)
                await asyncio.sleep(0.3)
        (said,) = warnings(caplog)
        assert address in said
        for word in ("firewall", "IP version", 'bitcoind.zmq = "off"'):
            assert word in said


@pytest.mark.usefixtures("slow_look", "soon")
async def test_a_publication_of_transactions_only_is_mute(caplog: pytest.LogCaptureFixture) -> None:
    with RegtestNode(blocks=5, zmq_topics=("hashtx", "rawtx")) as node:
        async with opened(node, zmq=node.zmq_address) as source:
            while not warnings(caplog):
                await sees_the_next_block(source, node)
        assert node.zmq_address in warnings(caplog)[0]


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
async def test_zmq_that_goes_mute_gives_way_to_the_long_poll_until_it_is_heard_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("monitor.sources.bitcoind_tip.PUSH_CHECK", 0.3)
    with RegtestNode(blocks=5) as node:
        async with opened(node) as source:

            async def block_by_block_until(said: str) -> None:
                while said not in caplog.text:
                    await sees_the_next_block(source, node)
                    # The next look at the tip would be taken for the hint that is owed.
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(source.wait_for_tip_change(0.5), 5)

            await until_no_poll(source, node)
            node.faults.drop_zmq = 1 << 30
            await block_by_block_until("said nothing of it")
            node.faults.drop_zmq = 0
            await block_by_block_until("ZMQ tells of new blocks")


async def until_no_poll(source: BitcoindSource, node: RegtestNode) -> None:
    """Mine until ZMQ is relied on: then a block is noticed without a long poll."""
    while True:
        node.calls.clear()
        await sees_the_next_block(source, node)
        if "waitfornewblock" not in node.calls:
            return


@pytest.mark.slow
@pytest.mark.usefixtures("soon")
async def test_a_node_that_downloads_the_chain_publishes_nothing_and_is_not_blamed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RegtestNode(blocks=5) as node:
        node.faults.drop_zmq = 1 << 30
        node.faults.calls["getblockchaininfo"] = CallFault(reply={"initialblockdownload": True})
        async with opened(node) as source:
            for _ in range(4):
                await sees_the_next_block(source, node)
                await source.wait_for_tip_change(0.3)
        assert all("still downloading" in said for said in warnings(caplog))


@pytest.mark.usefixtures("slow_look")
@pytest.mark.parametrize(
    "fault",
    [
        FORBIDDEN,
        CallFault(error=UNKNOWN),
        CallFault(error=Failure(-1, "Command unimplemented", 200)),
        CallFault(delay=NEVER),
        CallFault(reply={"hash": 7}),
        CallFault(status=503),
        CallFault(status=502),
    ],
    ids=["forbidden", "unknown", "unimplemented", "late", "wrong", "busy", "bad gateway"],
)
async def test_without_zmq_and_long_poll_the_tip_is_looked_at(
    fault: CallFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.sources.bitcoind_client.OPTIONAL_TIMEOUT", 0.2)
    with RegtestNode(blocks=5, zmq_topics=()) as node:
        node.faults.calls["waitfornewblock"] = fault
        async with opened(node, poll_interval=0.05) as source:
            for _ in range(3):
                await sees_the_next_block(source, node)


@pytest.mark.usefixtures("slow_look")
async def test_an_old_node_of_unknown_version_is_polled_without_the_tip() -> None:
    with RegtestNode(CORE_28, blocks=5, zmq_topics=()) as node:
        node.faults.calls["getnetworkinfo"] = FORBIDDEN
        async with opened(node, poll_interval=NEVER) as source:
            for _ in range(2):
                await sees_the_next_block(source, node)


@pytest.mark.usefixtures("slow_look")
async def test_a_long_poll_that_answers_at_once_does_not_flood_the_node() -> None:
    with RegtestNode(blocks=5, zmq_topics=()) as node:
        node.faults.calls["waitfornewblock"] = CallFault(
            reply={"hash": hash_to_hex(node.tip.hash), "height": 5}
        )
        async with opened(node, poll_interval=0.2) as source:
            await source.tip()
            node.requests.clear()
            await source.wait_for_tip_change(1.0)
        assert len(node.requests) < 20
