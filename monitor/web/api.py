"""The API over HTTP: parameters in, bodies out, kept as long as the snapshot lasts."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from monitor.snapshot import Snapshot
from monitor.web.bodies import JSON, Body, send
from monitor.web.context import WebContext
from monitor.web.endpoints import ENDPOINTS, PREFIX, Ask, Endpoint
from monitor.web.openapi import document
from monitor.web.queries import parse
from monitor.web.reader import Reader, Worker

MAX_KEPT: Final = 128
"""Bodies that are kept for the next who asks."""
MAX_KEPT_SIZE: Final = 256_000
"""Bytes above which a body is made anew each time."""
MAX_JUDGED: Final = 32
"""Claims under different inputs that may wait to be judged: some seconds of work."""


class Api:
    """Answers the endpoints. A body is made once a snapshot and URL."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._reader = Reader(context.store)
        # Judging takes a tenth of a second or more; reading must not wait for it.
        self._judge = Worker("judge", MAX_JUDGED)
        self._snapshot: Snapshot | None = None
        self._bodies: dict[str, Body] = {}
        self._document = Body(document(), JSON)

    def add_routes(self, app: web.Application) -> None:
        """Add every endpoint to `app`."""
        for endpoint in ENDPOINTS:
            app.router.add_get(_route(endpoint), self._handler(endpoint))
        app.router.add_get(f"{PREFIX}/openapi.json", self._openapi)
        app.on_cleanup.append(self._close)

    async def _close(self, _app: web.Application) -> None:
        self._reader.close()
        self._judge.close()

    async def _openapi(self, request: web.Request) -> web.Response:
        return send(request, self._document)

    def _handler(self, endpoint: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            return send(request, await self._body(endpoint, request))

        return handle

    async def _body(self, endpoint: Endpoint, request: web.Request) -> Body:
        query = parse(request, endpoint.query)
        bodies = self._kept()
        body = bodies.get(request.path_qs)
        if body is None:
            ask = Ask(self._context, self._reader, self._judge, request.match_info)
            body = Body.of(await endpoint.handler(ask, query))
            if not endpoint.live and len(body.raw) <= MAX_KEPT_SIZE and len(bodies) < MAX_KEPT:
                bodies[request.path_qs] = body
        return body

    def _kept(self) -> dict[str, Body]:
        """Return the bodies of the present snapshot."""
        if self._snapshot is not self._context.board.snapshot:
            self._snapshot = self._context.board.snapshot
            self._bodies = {}
        return self._bodies


def _route(endpoint: Endpoint) -> str:
    path = endpoint.path
    for name, (pattern, _) in endpoint.places.items():
        path = path.replace(f"{{{name}}}", f"{{{name}:{pattern}}}")
    return PREFIX + path
