"""Backfilling from sources that are busy now and then."""

from __future__ import annotations

from aiohttp import web

from hashing.header import hash_to_hex
from monitor.backfill.ask import _patiently
from tests.support.esplora import EsploraServer, Flavour
from tests.support.esplora.following import opened, regtest_chain


def coinbases(server: EsploraServer) -> tuple[bytes, bytes]:
    """Return the txids of the first and the last coinbase that are asked for."""
    first, last = server.chain.active[1].coinbase_txid, server.chain.active[-2].coinbase_txid
    assert first is not None
    assert last is not None
    return first, last


async def test_what_came_before_a_source_was_busy_is_not_asked_again() -> None:
    async with EsploraServer(regtest_chain(30), Flavour.ESPLORA) as server:
        refs = [block.ref for block in server.chain.active[1:-1]]
        first, last = (f"/api/tx/{hash_to_hex(txid)}/hex" for txid in coinbases(server))
        busy: list[str] = []

        async def fault(request: web.Request) -> web.Response | None:
            if request.path != last or busy:
                return None
            busy.append(request.path)
            return web.Response(status=503)

        server.fault = fault
        async with opened(server) as source:
            blocks = await _patiently([source], refs, prove=False)
        assert [block.ref for block in blocks] == refs
        assert (server.requests.count(first), server.requests.count(last)) == (1, 2)
