"""Block hints over ZMQ: offers, gaps, and messages that no node sends."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import AsyncIterator, Iterator

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.sources.zmq import (
    BlockHints,
    Hearing,
    Publication,
    Topic,
    is_this_machine,
    local_publication,
    topic_at,
)
from monitor.urls import is_loopback

HASH = bytes(range(32))


class FakePublisher:
    """Sends whatever a test wants, on a real socket."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"

    async def subscribed(self) -> None:
        await asyncio.to_thread(self._socket.recv)

    def send(self, topic: bytes, body: bytes, number: int) -> None:
        self._socket.send_multipart([topic, body, struct.pack("<I", number)])

    def send_raw(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@pytest.fixture
def publisher() -> Iterator[FakePublisher]:
    publisher = FakePublisher()
    yield publisher
    publisher.close()


@pytest.fixture
async def hints(publisher: FakePublisher) -> AsyncIterator[BlockHints]:
    hints = BlockHints(Publication(publisher.address, "hashblock"))
    hints.start()
    await publisher.subscribed()
    yield hints
    await hints.close()
    await hints.close()


async def test_a_block_is_a_hint_once(publisher: FakePublisher, hints: BlockHints) -> None:
    publisher.send(b"hashblock", HASH, 7)
    assert await hints.wait(5)
    assert not await hints.wait(0.01)
    assert hints.gaps == 0


async def test_a_hint_before_the_wait_is_kept(publisher: FakePublisher, hints: BlockHints) -> None:
    publisher.send(b"hashblock", HASH, 0)
    await asyncio.sleep(0.1)
    assert await hints.wait(0)


async def test_a_gap_is_counted(publisher: FakePublisher, hints: BlockHints) -> None:
    for number in (4, 5, 8, 0xFFFFFFFF, 0):
        publisher.send(b"hashblock", HASH, number)
        assert await hints.wait(5)
    assert hints.gaps == 2  # 8 after 5, the last number after 8; 0 follows the last


async def test_mempool_messages_are_no_hint_but_their_gap_is(publisher: FakePublisher) -> None:
    hints = BlockHints(Publication(publisher.address, "sequence"))
    hints.start()
    await publisher.subscribed()
    publisher.send(b"sequence", HASH + b"A" + bytes(8), 1)
    publisher.send(b"sequence", HASH + b"R" + bytes(8), 2)
    assert not await hints.wait(0.1)
    publisher.send(b"sequence", HASH + b"D", 3)
    assert await hints.wait(5)
    publisher.send(b"sequence", HASH + b"A" + bytes(8), 9)
    assert await hints.wait(5)
    assert hints.gaps == 1
    await hints.close()


async def test_nonsense_is_ignored(publisher: FakePublisher, hints: BlockHints) -> None:
    publisher.send_raw(b"hashblock")
    publisher.send_raw(b"hashblock", HASH)
    publisher.send_raw(b"hashblock", HASH, b"123")
    publisher.send_raw(b"hashblock", HASH, bytes(4), b"")
    publisher.send_raw(b"hashblockade", HASH, bytes(4))
    assert not await hints.wait(0.1)
    publisher.send(b"hashblock", HASH, 1)
    assert await hints.wait(5)


async def test_an_address_that_is_none() -> None:
    hints = BlockHints(Publication("nonsense", "hashblock"))
    with pytest.raises(ConfigError, match="nonsense"):
        hints.start()


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ([], None),
        (
            [("pubsequence", "tcp://127.0.0.1:1"), ("pubhashblock", "tcp://127.0.0.1:2")],
            Publication("tcp://127.0.0.1:2", "hashblock"),
        ),
        ([("pubsequence", "tcp://[::1]:1")], Publication("tcp://[::1]:1", "sequence")),
        ([("pubrawblock", "tcp://127.0.0.1:1")], Publication("tcp://127.0.0.1:1", "rawblock")),
        ([("pubhashtx", "tcp://127.0.0.1:1"), ("pubrawtx", "tcp://127.0.0.1:1")], None),
        ([("pubhashblock", "tcp://0.0.0.0:3")], Publication("tcp://127.0.0.1:3", "hashblock")),
        ([("pubhashblock", "tcp://*:3")], Publication("tcp://127.0.0.1:3", "hashblock")),
        ([("pubhashblock", "tcp://[::]:3")], Publication("tcp://[::1]:3", "hashblock")),
        ([("pubhashblock", "tcp://10.1.2.3:3")], None),
        ([("pubhashblock", "tcp://127.0.0.1.evil.example:3")], None),
        ([("pubhashblock", "ipc:///run/b.sock")], Publication("ipc:///run/b.sock", "hashblock")),
        (
            [("pubhashblock", "tcp://10.1.2.3:3"), ("pubsequence", "tcp://localhost:4")],
            Publication("tcp://localhost:4", "sequence"),
        ),
    ],
)
def test_only_offers_that_stay_on_this_machine_are_taken(
    offers: list[tuple[str, str]], expected: Publication | None
) -> None:
    assert local_publication(offers) == expected


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from(["pubhashblock", "pubsequence"]), st.text())))
def test_whatever_the_node_offers_is_looked_at_safely(offers: list[tuple[str, str]]) -> None:
    found = local_publication(offers)
    assert (
        found is None
        or found.address.startswith("ipc:")
        or is_loopback(found.address.split("//")[1].rpartition(":")[0].strip("[]"))
    )


@pytest.mark.parametrize(
    ("offers", "topic"),
    [
        ([("pubsequence", "tcp://0.0.0.0:7"), ("pubhashblock", "tcp://0.0.0.0:7")], "hashblock"),
        ([("pubsequence", "tcp://0.0.0.0:7"), ("pubhashblock", "tcp://0.0.0.0:8")], "sequence"),
        ([("pubrawblock", "tcp://*:7"), ("pubhashblock", "tcp://*:77")], "rawblock"),
        ([("pubrawtx", "tcp://0.0.0.0:7")], "any"),
        ([("pubhashblock", "tcp://0.0.0.0:9")], "any"),  # another port inside a container
        ([], "any"),
    ],
)
def test_the_topic_is_that_of_the_named_port(offers: list[tuple[str, str]], topic: Topic) -> None:
    assert topic_at(offers, "tcp://node.example:7") == topic


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        (socket.gethostname(), True),
        ("192.0.2.1", False),  # RFC 5737: nobody's
        ("host.invalid", False),
        ("", False),
        (None, False),
        ("a" * 300, False),
    ],
)
async def test_is_this_machine(host: str | None, expected: bool) -> None:
    assert await is_this_machine(host) is expected


class TestHearing:
    """Seconds of one clock; listening begins at 0."""

    def test_relied_on_from_the_first_hint(self) -> None:
        hearing = Hearing(0.0)
        assert not hearing.is_reliable(-math.inf)
        assert not hearing.is_reliable(-3.0)  # from the run before
        assert hearing.is_reliable(5.0)

    @pytest.mark.parametrize("hint", [20.5, 30.0, 33.0])
    def test_a_hint_before_the_look_or_shortly_after_will_do(self, hint: float) -> None:
        hearing = Hearing(0.0)
        hearing.still(20.0)
        hearing.moved(30.0)
        assert hearing.due_in(30.0) == 5.0
        assert not hearing.missed(hint if hint < 31 else 5.0, 31.0)
        assert not hearing.missed(hint, 36.0)
        assert hearing.due_in(36.0) == math.inf
        assert hearing.is_reliable(hint)

    def test_a_block_without_a_hint_is_missed_once(self) -> None:
        hearing = Hearing(0.0)
        hearing.still(20.0)
        hearing.moved(30.0)
        assert not hearing.missed(10.0, 34.0)
        assert hearing.missed(10.0, 35.0)
        assert not hearing.missed(10.0, 36.0)
        assert not hearing.is_reliable(10.0)
        assert hearing.is_reliable(40.0)

    def test_what_comes_before_the_subscription_has_arrived_is_no_sign(self) -> None:
        hearing = Hearing(0.0)
        hearing.moved(1.0)
        hearing.still(1.0)
        hearing.moved(1.5)
        assert not hearing.missed(-math.inf, 100.0)


@pytest.mark.parametrize("topic", ["hashblock", "sequence", "rawblock"])
async def test_any_topic_will_do_where_none_is_known(publisher: FakePublisher, topic: str) -> None:
    hints = BlockHints(Publication(publisher.address, "any"))
    hints.start()
    for _ in range(3):
        await publisher.subscribed()
    body = bytes(2_000_000) if topic == "rawblock" else HASH + b"C"
    publisher.send(topic.encode(), body, 0)
    assert await hints.wait(10)
    await hints.close()


async def test_an_address_of_ip_version_6() -> None:
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket_6:
        socket_6.setsockopt(zmq.LINGER, 0)
        socket_6.setsockopt(zmq.IPV6, 1)
        port = socket_6.bind_to_random_port("tcp://[::1]")
        hints = BlockHints(Publication(f"tcp://[::1]:{port}", "hashblock"))
        hints.start()
        await asyncio.to_thread(socket_6.recv)
        socket_6.send_multipart([b"hashblock", HASH, bytes(4)])
        assert await hints.wait(10)
        await hints.close()
