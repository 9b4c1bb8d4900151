"""The server as strangers meet it: what is no request costs a line in nobody's log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.config import WebSettings
from monitor.web.server import WebServer, protocol_log
from tests.support.webagent import WebAgent


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[WebServer]:
    with WebAgent(tmp_path) as agent:
        async with WebServer(agent.context(), WebSettings(port=0)) as server:
            yield server


async def sent(server: WebServer, data: bytes) -> bytes:
    """Return what the server says to `data` before it hangs up."""
    port = int(server.url.rstrip("/").rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ],
    ids=["path", "header", "version", "length", "tls"],
)
async def test_what_is_no_request_is_refused_in_silence(
    server: WebServer, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert (await sent(server, data)).startswith(b"HTTP/1.0 400")
    assert caplog.records == []


def test_a_fault_of_ours_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise RuntimeError("a fault")
    except RuntimeError:
        protocol_log.exception("Unhandled exception")
    assert "a fault" in caplog.text
