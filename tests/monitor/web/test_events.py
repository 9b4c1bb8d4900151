"""Server-sent events over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientResponse

from monitor.config import WebSettings
from monitor.web import events
from monitor.web.overview import overview
from monitor.web.server import WebServer
from tests.monitor.web.conftest import Client
from tests.support.webagent import WebAgent


async def read(response: ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """Yield (event, data) of a stream."""
    event = ""
    async for line in response.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, json.loads(value)


async def next_overview(stream: AsyncIterator[tuple[str, Any]]) -> Any:
    async for event, data in stream:
        if event == "overview":
            return data
    raise AssertionError("the stream ended")


async def test_status_comes_first_then_the_state_then_each_block(
    client: Client, agent: WebAgent
) -> None:
    async with client.get("/api/v1/events") as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        stream = read(response)
        event, status = await anext(stream)
        assert (event, status["network"]) == ("status", "regtest")
        assert (await next_overview(stream))["tip"]["height"] == 200
        for height in (201, 202):
            agent.mine([b"/ViaBTC/"])
            seen = await next_overview(stream)
            assert seen["tip"]["height"] == height
            assert seen["blocks"][0]["pool"] == "viabtc"


@pytest.mark.slow
async def test_the_status_comes_again_while_no_block_does(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BEAT", 0.05)
    async with client.get("/api/v1/events") as response:
        stream = read(response)
        kinds = [(await anext(stream))[0] for _ in range(5)]
    assert kinds == ["status", "overview", "status", "status", "status"]


@pytest.mark.slow
async def test_each_state_is_put_into_words_once(
    client: Client, agent: WebAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0

    def counted(context: Any) -> Any:
        nonlocal made
        made += 1
        return overview(context)

    monkeypatch.setattr(events, "overview", counted)
    responses = [await client.get("/api/v1/events") for _ in range(20)]
    streams = [read(response) for response in responses]
    for _ in range(3):
        await asyncio.gather(*map(next_overview, streams))
        agent.mine([b"x"])
    await asyncio.gather(*map(next_overview, streams))
    assert made == 4
    for response in responses:
        response.close()


@pytest.mark.slow
async def test_a_slow_reader_skips_to_the_latest(agent: WebAgent) -> None:
    async with WebServer(agent.context(), WebSettings(port=0)) as server:
        host, port = server.url.removeprefix("http://").rstrip("/").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"event: overview")
        snapshot = agent.board.snapshot
        assert snapshot.tip is not None
        for height in range(201, 801):  # some 8 MB of states: more than the sockets hold
            tip = snapshot.tip._replace(height=height)
            agent.board.publish(replace(snapshot, tip=tip))
            await asyncio.sleep(0)
        heights: list[int] = []
        text = b""
        while not heights or heights[-1] != 800:
            text += await asyncio.wait_for(reader.read(1 << 20), 20)
            *lines, text = text.split(b"\n")
            heights += [
                json.loads(line[6:])["tip"]["height"]
                for line in lines
                if line.startswith(b'data: {"made_at"') and line.endswith(b"}")
            ]
        assert heights == sorted(heights)
        assert len(heights) < 500
        writer.close()


async def test_too_many_readers_are_sent_elsewhere(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_READERS", 1)
    async with client.get("/api/v1/events") as first:
        await anext(read(first))
        async with client.get("/api/v1/events") as second:
            assert second.status == 503
            assert "/api/v1/overview" in (await second.json())["error"]["message"]


async def test_the_server_stops_at_once_with_readers_on_it(agent: WebAgent) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        server = WebServer(agent.context(), WebSettings(port=0))
        await server.__aenter__()
        response = await session.get(f"{server.url}api/v1/events")
        await anext(read(response))
        await asyncio.wait_for(server.__aexit__(), 2)
        response.close()
