"""The HTTP front of the test node: gates and headers as Bitcoin Core has them."""

from __future__ import annotations

import asyncio
import json
import weakref
from typing import TYPE_CHECKING, Any, Final

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
        if node.faults.address_denied:
            return self._refuse(403, b"")
        if not request.path.startswith(node.faults.prefix):
            return self._response(404, b"404 page not found\n", "text/plain; charset=utf-8")
        path = request.path.removeprefix(node.faults.prefix) or "/"
        self._in_flight += 1
        try:
            if node.faults.delay:
                await node.pause(node.faults.delay)
            if path == "/":
                response = await self._handle_rpc(request)
            else:
                response = await self._handle_rest(request, path)
        finally:
            self._in_flight -= 1
        if node.faults.content_type is not None:
            response.headers["Content-Type"] = node.faults.content_type
        return response

    async def _handle_rpc(self, request: web.Request) -> web.StreamResponse:
        faults = self._node.faults
        if request.method != "POST":
            return self._response(405, b"JSONRPC server handles only POST requests", _PLAIN)
        if not (
            faults.no_login or self._node.is_authorized(request.headers.get("Authorization", ""))
        ):
            await asyncio.sleep(_WRONG_PASSWORD_DELAY)
            response = self._response(401, b"", _PLAIN)
            response.headers["WWW-Authenticate"] = 'Basic realm="jsonrpc"'
            return response
        body = await request.read()
        methods = methods_in(body)
        self._node.calls += methods
        wrong = [faults.of_method(method) for method in methods]
        if delay := max((fault.delay for fault in wrong), default=0):
            await self._node.pause(delay)
        for fault in wrong:
            if fault.status:
                return self._response(fault.status, fault.text.encode(), _PLAIN)
            if isinstance(fault.reply, bytes):
                return self._response(200, fault.reply, "application/json")
        reply = await self._rpc.answer(body)
        if reply.body is None:
            return self._response(reply.status, b"", "")
        content = encode(as_jsonrpc_2(reply.body) if faults.jsonrpc_2 else reply.body)
        return self._response(reply.status, content, "application/json")

    async def _handle_rest(self, request: web.Request, path: str) -> web.StreamResponse:
        fault = self._node.faults.of_rest(path)
        if fault.delay:
            await self._node.pause(fault.delay)
        if fault.status:
            return self._refuse(fault.status, fault.text.encode())
        reply = None
        if self._node.rest and request.method == "GET":
            reply = self._rest.answer(path, request.query)
        if reply is None:
            return self._refuse(404, b"")
        body = fault.on_reply(reply.body)
        return self._response(
            reply.status,
            body if isinstance(body, bytes) else encode(body),
            reply.content_type,
            cache_control=reply.cache_control,
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


def methods_in(body: bytes) -> list[str]:
    """Return the methods that the body of a POST calls."""
    try:
        request = json.loads(body)
    except ValueError:
        return []
    calls = request if isinstance(request, list) else [request]
    return [str(call["method"]) for call in calls if isinstance(call, dict) and "method" in call]


def as_jsonrpc_2(body: Any) -> Any:
    """Return a 1.x reply without the member that is null."""
    if isinstance(body, list):
        return [as_jsonrpc_2(reply) for reply in body]
    idle = "error" if body.get("error") is None else "result"
    return {"jsonrpc": "2.0"} | {name: value for name, value in body.items() if name != idle}


async def _hide_aiohttp(request: web.Request, response: web.StreamResponse) -> None:
    del response.headers["Server"]
    if response.headers.get("Content-Type") == "":
        del response.headers["Content-Type"]
