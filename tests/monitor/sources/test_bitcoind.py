"""The bitcoind source against the test node, in every shape a node comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from monitor.sources.bitcoind import BitcoindSource
from tests.monitor.sources.contract import SourceContract, World
from tests.support.node import CORE_28, CORE_30, CORE_31, CORE_MASTER, RegtestNode


def source_of(node: RegtestNode, **settings: object) -> BitcoindSource:
    return BitcoindSource(node.url, cookie=node.cookie, **settings)  # type: ignore[arg-type]


def world_of(node: RegtestNode, **settings: object) -> World:
    async def advance() -> None:
        node.mine()

    async def grow_stale() -> None:
        node.fork()

    return World(lambda: source_of(node, **settings), advance=advance, grow_stale=grow_stale)


class TestCore31(SourceContract):
    """Parts of blocks over REST, hints over ZMQ."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_31, blocks=60) as node:
            yield world_of(node)


class TestCoreMaster(SourceContract):
    """The node's newest replies; long polls."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_MASTER, blocks=60, zmq_topics=()) as node:
            yield world_of(node)


class TestCore30(SourceContract):
    """Whole blocks over REST; hints over the sequence topic."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_30, blocks=60, zmq_topics=("sequence",)) as node:
            yield world_of(node)


class TestCore28WithoutRest(SourceContract):
    """RPC only; long polls that do not know the tip."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_28, blocks=60, rest=False, zmq_topics=()) as node:
            yield world_of(node)


class TestRestOff(SourceContract):
    """The user wants RPC only."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(CORE_31, blocks=60) as node:
            yield world_of(node, rest="off", zmq="off")
