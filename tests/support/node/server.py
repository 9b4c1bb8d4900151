"""The HTTP front of the test node: gates and headers as Bitcoin Core has them."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Final

from aiohttp import web

from tests.support.node.rest import NO_STORE, Rest
from tests.support.node.rpc import Rpc, encode

if TYPE_CHECKING:
    from tests.support.node.node import RegtestNode

WORK_QUEUE: Final = 16
"""Requests that the node takes at once, as deep as Core's default ``-rpcworkqueue``."""
_PLAIN: Final = "text/html; charset=ISO-8859-1"
"""What Core's HTTP server calls every body that it does not name otherwise."""
_WRONG_PASSWORD_DELAY: Final = 0.25
_PAGE: Final = b"<!DOCTYPE html><html><body><h1>Please log in to the network</h1></body></html>"


class Server:
    """Routes requests to RPC and REST, after the node's faults had their say."""

    def __init__(self, node: RegtestNode) -> None:
        self._node = node
        self._rpc = Rpc(node)
        self._rest = Rest(node)
        self._in_flight = 0
        self._transports: weakref.WeakSet[object] = weakref.WeakSet()

    def application(self) -> web.Application:
        """Return the application to run."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        application.on_response_prepare.append(_hide_aiohttp)
        return application

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        node = self._node
        if request.transport not in self._transports:
            self._transports.add(request.transport)
            node.connections += 1
        node.requests.append(f"{request.method} {request.path_qs}")
        if node.faults.html:
            return self._response(200, _PAGE, "text/html")
        if node.faults.garbage is not None:
            return self._response(200, node.faults.garbage, "application/json")
        if node.faults.queue_full or self._in_flight >= WORK_QUEUE:
            return self._refuse(503, b"Work queue depth exceeded")
        self._in_flight += 1
        try:
            if node.faults.delay:
                await asyncio.sleep(node.faults.delay)
            if request.path == "/":
                return await self._handle_rpc(request)
            return self._handle_rest(request)
        finally:
            self._in_flight -= 1

    async def _handle_rpc(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return self._response(405, b"JSONRPC server handles only POST requests", _PLAIN)
        if not self._node.is_authorized(request.headers.get("Authorization", "")):
            await asyncio.sleep(_WRONG_PASSWORD_DELAY)
            response = self._response(401, b"", _PLAIN)
            response.headers["WWW-Authenticate"] = 'Basic realm="jsonrpc"'
            return response
        reply = await self._rpc.answer(await request.read())
        if reply.body is None:
            return self._response(reply.status, b"", "")
        return self._response(reply.status, encode(reply.body), "application/json")

    def _handle_rest(self, request: web.Request) -> web.StreamResponse:
        reply = None
        if self._node.rest and request.method == "GET":
            reply = self._rest.answer(request.path, request.query)
        if reply is None:
            return self._refuse(404, b"")
        return self._response(
            reply.status, reply.body, reply.content_type, cache_control=reply.cache_control
        )

    def _refuse(self, status: int, body: bytes) -> web.Response:
        return self._response(status, body, _PLAIN, cache_control=NO_STORE)

    def _response(
        self, status: int, body: bytes, content_type: str, *, cache_control: str = ""
    ) -> web.Response:
        headers = {}
        if cache_control and self._node.flavour.cache_control:
            headers["Cache-Control"] = cache_control
        if content_type:
            headers["Content-Type"] = content_type
        return web.Response(status=status, body=body, headers=headers)


async def _hide_aiohttp(request: web.Request, response: web.StreamResponse) -> None:
    del response.headers["Server"]
