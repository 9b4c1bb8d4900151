"""Whatever a node's port answers: only source errors leave, in one line each."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import BadReply, SourceError
from monitor.sources.base import Want
from monitor.sources.bitcoind import BitcoindSource
from tests.support.node import CORE_31, RegtestNode
from tests.support.node.checks import assert_clear


@pytest.fixture(scope="module")
def running_node() -> Iterator[RegtestNode]:
    with RegtestNode(CORE_31, blocks=5) as node:
        yield node


@pytest.fixture
def node(running_node: RegtestNode) -> Iterator[RegtestNode]:
    yield running_node
    running_node.faults.garbage = None


@pytest.fixture
async def source(node: RegtestNode) -> AsyncIterator[BitcoindSource]:
    source = BitcoindSource(node.url, cookie=node.cookie, timeout=5)
    await source.open()
    yield source
    await source.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{}",
        b'{"result": 1}',
        b'{"result": null, "error": null, "id": 1}',
        b'{"result": null, "error": "no", "id": 1}',
        b'{"result": null, "error": 5, "id": 1}',
        b'{"result": null, "error": {"code": "x"}, "id": 1}',
        b'{"result": null, "error": {"code": true, "message": null}, "id": 1}',
        b'{"result": {"chain": 1}, "error": null, "id": 1}',
        b'{"result": {"chain": "main", "blocks": 1e400}, "error": null, "id": 1}',
        b'{"result": 1e999999999, "error": null, "id": 1}',
        b'{"result": ' + b"9" * 5000 + b', "error": null, "id": 1}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"result": "' + b"a" * 100,
    ],
)
async def test_nonsense_is_a_bad_reply(
    node: RegtestNode, source: BitcoindSource, reply: bytes
) -> None:
    node.faults.garbage = reply
    for attempt in (source.tip(), source.headers(0, 3), source.blocks([node.tip], Want.PROVED)):
        with pytest.raises(BadReply) as caught:
            await attempt
        assert_clear(caught.value, node)
        assert len(str(caught.value)) < 400
    node.faults.garbage = None
    assert await source.tip() == node.tip


@pytest.mark.parametrize("want", list(Want))
async def test_endless_replies_are_cut_off(
    node: RegtestNode, source: BitcoindSource, want: Want
) -> None:
    node.faults.garbage = bytes((16 << 20) + 1)
    for attempt in (source.tip(), source.blocks([node.tip], want)):
        with pytest.raises(BadReply) as caught:
            await attempt
        assert_clear(caught.value, node, "larger than")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,
)
replies = (
    st.binary(max_size=200)
    | json_values.map(json.dumps).map(str.encode)
    | json_values.map(lambda value: json.dumps({"result": value, "error": None, "id": 1}).encode())
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(reply=replies)
def test_whatever_comes_only_source_errors_leave(node: RegtestNode, reply: bytes) -> None:
    async def ask() -> None:
        source = BitcoindSource(node.url, cookie=node.cookie, zmq="off")
        await source.open()
        node.faults.garbage = reply
        for attempt in (
            source.tip(),
            source.headers(0, 3),
            source.blocks([node.tip], Want.PROVED),
            source.wait_for_tip_change(0.01),
        ):
            with contextlib.suppress(SourceError):
                await attempt
        await source.close()

    try:
        asyncio.run(ask())
    finally:
        node.faults.garbage = None


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    ],
)
async def test_something_else_on_the_port(answer: bytes, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:secret")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        source = BitcoindSource(
            f"http://127.0.0.1:{server.getsockname()[1]}", cookie=cookie, timeout=3
        )
        with pytest.raises(SourceError) as caught:
            await source.open()
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)
        await source.close()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
