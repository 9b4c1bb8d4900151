"""Strangers who open connections without end take nothing from the agent."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Iterator

import pytest

from monitor.config import WebSettings
from monitor.web import connections
from monitor.web.connections import MOST, RESERVE, room
from monitor.web.server import WebServer
from tests.support.webagent import WebAgent


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """The limits of open files, put back behind the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_process_gets_the_files_that_it_may_have(limits: tuple[int, int]) -> None:
    _, hard = limits
    if hard != resource.RLIM_INFINITY and hard < MOST + RESERVE:
        pytest.skip("this process may not open as many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    assert room() == MOST
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (MOST + RESERVE, hard)
    assert room() == MOST


def test_where_it_may_not_the_agent_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))
    assert room() == 1024 - RESERVE
    assert asked == [(1024, 1024)]


async def test_beyond_the_most_connections_are_closed_and_it_is_said_once(
    agent: WebAgent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("monitor.web.server.room", lambda: 2)
    async with WebServer(agent.context(), WebSettings(port=0)) as server:
        port = int(server.url.rstrip("/").rpartition(":")[2])

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("127.0.0.1", port)

        async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
            writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            return await asyncio.wait_for(reader.readline(), 30)

        kept = [await connect(), await connect()]
        for reader, writer in kept:
            assert await said(reader, writer) == b"HTTP/1.1 200 OK\r\n"
        for _ in range(3):
            reader, writer = await connect()
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()
        assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
            (logging.WARNING, "2 connections are open; no more are taken")
        ]
        assert caplog.records[0].name == connections.__name__
        kept[0][1].write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await asyncio.wait_for(kept[0][0].read(), 30)
        kept[0][1].close()
        reader, writer = await connect()
        assert await said(reader, writer) == b"HTTP/1.1 200 OK\r\n"
        for _, open_one in (*kept[1:], (reader, writer)):
            open_one.close()
