"""Many readers at once cost the agent no block."""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import time
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.config import WebSettings
from monitor.web.server import WebServer
from tests.support.webagent import WebAgent

READERS = 500
REQUESTS_A_SECOND = 200
BLOCKS = 20
SPACING = 0.4
PATHS = ("overview", "tip", "blocks?limit=10", "blocks/150", "concentration", "status")


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * READERS if hard == resource.RLIM_INFINITY else min(hard, 4 * READERS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def listen(address: tuple[str, int], last: int) -> list[int]:
    """Read the event stream until block `last`; return the heights seen."""
    reader, writer = await asyncio.open_connection(*address, limit=1 << 20)
    writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
    heights: list[int] = []
    while not heights or heights[-1] < last:
        line = await reader.readline()
        assert line, "the stream ended"
        if line.startswith(b'data: {"made_at"'):
            # Only the start is read: the client shares the processor with the agent.
            heights.append(int(line.split(b'"height":', 1)[1].split(b",", 1)[0]))
    writer.close()
    return heights


async def ask(address: tuple[str, int], path: str, count: int) -> list[float]:
    """Ask `count` times on one connection, evenly; return how long each answer took."""
    reader, writer = await asyncio.open_connection(*address, limit=1 << 20)
    took = []
    begin = time.perf_counter()
    for turn in range(count):
        await asyncio.sleep(max(0, begin + turn * BLOCKS * SPACING / count - time.perf_counter()))
        start = time.perf_counter()
        writer.write(f"GET /api/v1/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        size = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        json.loads(await reader.readexactly(size))
        took.append(time.perf_counter() - start)
    writer.close()
    return took


@pytest.mark.slow
async def test_readers_and_requests_cost_no_block(
    agent: WebAgent, many_files: None, record_property: Any
) -> None:
    first = agent.chain[-1].height
    async with WebServer(agent.context(), WebSettings(port=0)) as server:
        host, port = server.url.removeprefix("http://").rstrip("/").split(":")
        address = (host, int(port))
        streams = [asyncio.create_task(listen(address, first + BLOCKS)) for _ in range(READERS)]
        await asyncio.sleep(3)
        seconds = BLOCKS * SPACING
        each = int(seconds * REQUESTS_A_SECOND) // len(PATHS)
        asking = [asyncio.create_task(ask(address, path, each)) for path in PATHS]
        late = []
        begin = time.perf_counter()
        for turn in range(BLOCKS):
            await asyncio.sleep(max(0, begin + turn * SPACING - time.perf_counter()))
            late.append(time.perf_counter() - begin - turn * SPACING)
            agent.mine([b"/ViaBTC/"])
        seen = await asyncio.wait_for(asyncio.gather(*streams), 60)
        took = sorted(itertools.chain.from_iterable(await asyncio.gather(*asking)))
    snapshot = agent.board.snapshot
    assert snapshot.tip is not None
    assert snapshot.tip.height == first + BLOCKS
    wanted = set(range(first + 1, first + BLOCKS + 1))
    complete = sum(wanted <= set(heights) for heights in seen)
    figures = {
        "readers that saw every block": complete,
        "block late at most, s": max(late),
        "requests": len(took),
        "median answer, s": took[len(took) // 2],
        "99 % of answers within, s": took[len(took) * 99 // 100],
    }
    record_property("load", figures)
    print(figures)
    assert all(heights == sorted(heights) and heights[-1] == first + BLOCKS for heights in seen)
