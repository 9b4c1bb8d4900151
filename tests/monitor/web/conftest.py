from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from monitor.web.server import build_app
from tests.support.webagent import WebAgent, mixed

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[WebAgent]:
    with WebAgent(tmp_path) as agent:
        agent.mine(mixed(200))
        yield agent


@pytest.fixture
def young(tmp_path: Path) -> Iterator[WebAgent]:
    """An agent without a block."""
    with WebAgent(tmp_path) as agent:
        yield agent


@pytest.fixture
async def client(agent: WebAgent) -> AsyncIterator[Client]:
    async with TestClient(TestServer(build_app(agent.context()))) as client:
        yield client
