"""Sources over the test server, and replies that it may give instead of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from aiohttp import web

from hashing.chain import ChainEntry
from hashing.header import BlockHeader
from hashing.params import REGTEST
from monitor.sources.base import SourceBlock
from monitor.sources.esplora import EsploraSource
from tests.support.esplora.chain import ServedBlock, ServedChain, mine_on, regtest_genesis
from tests.support.esplora.server import EsploraServer, Fault

POLL = 0.02


@cache
def regtest_blocks(length: int, transactions: int) -> tuple[ServedBlock, ...]:
    genesis = regtest_genesis()
    return (genesis, *mine_on(genesis, length, transactions=transactions))


def regtest_chain(length: int = 40, transactions: int = 100) -> ServedChain:
    return ServedChain(REGTEST, list(regtest_blocks(length, transactions)))


def source_of(server: EsploraServer, network: str | None = None, **options: Any) -> EsploraSource:
    return EsploraSource(server.url, network, **{"poll_interval": POLL, "pace": 0.0} | options)


@asynccontextmanager
async def opened(
    server: EsploraServer, network: str | None = None, **options: Any
) -> AsyncIterator[EsploraSource]:
    source = source_of(server, network, **options)
    await source.open()
    try:
        yield source
    finally:
        await source.close()


def entry_of(block: SourceBlock) -> ChainEntry:
    header = BlockHeader.parse(block.header)
    return ChainEntry(block.ref.height, header.hash, header, 0, None)


async def web_page(_: web.Request) -> web.Response:
    return web.Response(text="<html>Please log in</html>", content_type="text/html")


def canned(**options: Any) -> Fault:
    async def fault(_: web.Request) -> web.Response:
        return web.Response(**options)

    return fault
