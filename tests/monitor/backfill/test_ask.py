"""Backfilling from sources that are busy now and then."""

from __future__ import annotations

from aiohttp import web

from monitor.backfill.ask import _patiently
from tests.support.esplora import EsploraServer, Flavour
from tests.support.esplora.following import opened, regtest_chain


async def test_what_came_before_a_source_was_busy_is_not_asked_again() -> None:
    async with EsploraServer(regtest_chain(30), Flavour.ESPLORA) as server:
        refs = [block.ref for block in server.chain.active[1:-1]]
        last = f"/api/block/{refs[-1].hash[::-1].hex()}/txid/0"
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
        first = f"/api/block/{refs[0].hash[::-1].hex()}/txid/0"
        assert (server.requests.count(first), server.requests.count(last)) == (1, 2)
