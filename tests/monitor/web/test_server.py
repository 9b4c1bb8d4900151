"""The server as strangers meet it: what is no request costs a line in nobody's log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.config import WebSettings
from monitor.web.server import SECURITY_HEADERS, WebServer, protocol_log
from tests.monitor.web.conftest import Client
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/metrics", 200),
        ("GET", "/-/ready", 200),
        ("GET", "/api/v1/tip", 200),
        ("HEAD", "/api/v1/events", 200),
        ("GET", "/api/v1/tip?x=1", 400),
        ("GET", "/nothing", 404),
        ("POST", "/metrics", 405),
        ("OPTIONS", "/api/v1/tip", 405),
    ],
)
async def test_every_answer_carries_the_headers_of_all(
    client: Client, method: str, path: str, status: int
) -> None:
    async with client.request(method, path) as response:
        assert response.status == status
        assert response.headers.items() >= SECURITY_HEADERS.items()
        assert response.headers["Cache-Control"] in ("no-cache", "no-store")
        assert ("ETag" in response.headers) == (response.headers["Cache-Control"] == "no-cache")


async def test_what_the_library_refuses_by_itself_carries_them_too(server: WebServer) -> None:
    refused = await sent(
        server, b"GET / HTTP/1.1\r\nHost: x\r\nExpect: x\r\nConnection: close\r\n\r\n"
    )
    assert refused.startswith(b"HTTP/1.1 417")
    assert b"Server: poolscope" in refused


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/tip", "/api/v1/blocks/-1"])
async def test_what_is_not_below_api_is_said_in_json(client: Client, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 404
        assert (await response.json())["error"]["status"] == 404


async def test_the_head_of_the_events_ends(server: WebServer) -> None:
    """What came behind it was taken for the answer to the next request."""
    said = await sent(
        server,
        b"HEAD /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n"
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    first, _, rest = said.partition(b"\r\n\r\n")
    assert b"text/event-stream" in first
    assert rest.startswith(b"HTTP/1.1 200")
    assert rest.endswith(b"healthy\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br", False),
        ("xgzipper", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/overview", "/metrics"])
async def test_only_who_unpacks_gets_packed(
    client: Client, path: str, accepted: str, packed: bool
) -> None:
    async with client.get(
        path, headers={"Accept-Encoding": accepted}, auto_decompress=False
    ) as response:
        assert (response.headers.get("Content-Encoding") == "gzip") == packed
        assert (await response.read()).startswith(b"\x1f\x8b") == packed


@pytest.mark.slow
async def test_whoever_never_finishes_asking_is_let_go(
    agent: WebAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.web.server.IDLE", 0.1)
    async with WebServer(agent.context(), WebSettings(port=0)) as server:
        assert await sent(server, b"") == b""
        assert await sent(server, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") == b""
