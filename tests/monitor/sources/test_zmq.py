"""Block hints over ZMQ: offers, gaps, and messages that no node sends."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.sources.zmq import (
    BlockHints,
    Publication,
    is_loopback,
    local_publication,
    offered_topic,
)

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
    ("offers", "local", "expected"),
    [
        ([], True, None),
        (
            [("pubsequence", "tcp://127.0.0.1:1"), ("pubhashblock", "tcp://127.0.0.1:2")],
            True,
            Publication("tcp://127.0.0.1:2", "hashblock"),
        ),
        ([("pubsequence", "tcp://[::1]:1")], False, Publication("tcp://[::1]:1", "sequence")),
        ([("pubrawblock", "tcp://127.0.0.1:1")], True, None),
        (
            [("pubhashblock", "tcp://0.0.0.0:3")],
            True,
            Publication("tcp://127.0.0.1:3", "hashblock"),
        ),
        ([("pubhashblock", "tcp://*:3")], True, Publication("tcp://127.0.0.1:3", "hashblock")),
        ([("pubhashblock", "tcp://0.0.0.0:3")], False, None),
        ([("pubhashblock", "tcp://10.1.2.3:3")], True, None),
        ([("pubhashblock", "tcp://127.0.0.1.evil.example:3")], True, None),
        (
            [("pubhashblock", "ipc:///run/b.sock")],
            True,
            Publication("ipc:///run/b.sock", "hashblock"),
        ),
        ([("pubhashblock", "ipc:///run/b.sock")], False, None),
        (
            [("pubhashblock", "tcp://10.1.2.3:3"), ("pubsequence", "tcp://localhost:4")],
            True,
            Publication("tcp://localhost:4", "sequence"),
        ),
    ],
)
def test_only_offers_of_this_machine_are_taken(
    offers: list[tuple[str, str]], local: bool, expected: Publication | None
) -> None:
    assert local_publication(offers, node_is_local=local) == expected


@given(st.lists(st.tuples(st.sampled_from(["pubhashblock", "pubsequence"]), st.text())))
def test_whatever_the_node_offers_is_looked_at_safely(offers: list[tuple[str, str]]) -> None:
    found = local_publication(offers, node_is_local=False)
    assert found is None or is_loopback(found.address.split("//")[1].rpartition(":")[0].strip("[]"))


def test_offered_topic() -> None:
    assert offered_topic([("pubsequence", ""), ("pubhashblock", "")]) == "hashblock"
    assert offered_topic([("pubsequence", "")]) == "sequence"
    assert offered_topic([("pubrawtx", "")]) is None


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
        (None, False),
    ],
)
def test_is_loopback(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected
