"""The REST client against servers that are no node."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from monitor.errors import BadReply, SourceError, SourceRefused, SourceUnavailable
from monitor.sources.bitcoind_rest import RestClient, RestReply


@contextlib.asynccontextmanager
async def client_of(response: web.Response) -> AsyncIterator[RestClient]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return response

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    client = RestClient(f"http://127.0.0.1:{runner.addresses[0][1]}", timeout=5)
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), BadReply),
        (web.Response(status=401), SourceRefused),
        (web.Response(status=403), SourceRefused),
        (web.Response(status=500), BadReply),
        (web.Response(status=503, text="busy\r\n"), SourceUnavailable),
        (web.Response(text="<html>", content_type="text/html"), BadReply),
        (web.Response(body=bytes(101)), BadReply),
    ],
)
async def test_other_answers(response: web.Response, error: type[SourceError]) -> None:
    async with client_of(response) as client:
        with pytest.raises(error) as caught:
            await client.get("/rest/x.bin", 100)
        assert "\n" not in str(caught.value)


async def test_a_body_up_to_the_limit() -> None:
    async with client_of(web.Response(body=bytes(100))) as client:
        assert await client.get("/rest/x.bin", 100) == RestReply(200, bytes(100))


async def test_nobody_there() -> None:
    client = RestClient("http://127.0.0.1:1", timeout=5)
    with pytest.raises(SourceUnavailable):
        await client.get("/rest/x.bin", 100)
    await client.close()


@pytest.mark.parametrize(
    ("reply", "exists"),
    [
        (RestReply(200, b""), True),
        (RestReply(400, b""), True),
        (RestReply(404, b"not found"), True),
        (RestReply(404, b""), False),
    ],
)
def test_endpoint_exists(reply: RestReply, exists: bool) -> None:
    assert reply.endpoint_exists is exists
