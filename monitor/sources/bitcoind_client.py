"""One node's two interfaces behind one limit of requests in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from monitor.errors import SourceUnavailable
from monitor.secrets import remember
from monitor.sources.bitcoind_rest import RestClient, RestReply
from monitor.sources.bitcoind_rpc import Login, RpcClient
from monitor.urls import parse

REQUESTS_IN_FLIGHT: Final = 8
"""Requests at a time; the node's work queue is 16 deep and has other users too."""


class NodeClient:
    """Asks one node, until `close`.

    Parameters
    ----------
    url:
        Address of RPC; REST is looked for below it.
    login:
        How to log in to RPC; REST has no login.
    headers:
        HTTP headers that go with each request.
    timeout:
        Seconds that one answer may take.
    """

    def __init__(
        self, url: str, login: Login, *, timeout: float, headers: Mapping[str, str] | None = None
    ) -> None:
        parts = parse(url)
        remember(*parts.secrets(), login.password, *(headers or {}).values())
        self._rpc = RpcClient(parts, login, timeout=timeout, headers=headers)
        self._rest = RestClient(url, timeout=timeout, headers=headers)
        self._closed = False
        self._slots = asyncio.Semaphore(REQUESTS_IN_FLIGHT)

    @property
    def logins(self) -> int:
        """How often the credentials were new; a node writes another cookie at each start."""
        return self._rpc.logins

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result of an RPC method; raises `SourceError`."""
        async with self._slots:
            self._check_open()
            return await self._rpc.call(method, *params)

    async def long_poll(self, method: str, milliseconds: int, *params: Any) -> Any:
        """Return the result of an RPC method that the node may answer late on purpose."""
        self._check_open()
        return await self._rpc.call(method, milliseconds, *params, wait=milliseconds / 1000)

    async def get(self, path: str, limit: int) -> RestReply:
        """Return the reply to a REST request; raises `SourceError`."""
        async with self._slots:
            self._check_open()
            return await self._rest.get(path, limit)

    def _check_open(self) -> None:
        if self._closed:
            raise SourceUnavailable("the source is closed")

    async def close(self) -> None:
        """Give up what is under way and close the connections."""
        self._closed = True
        await self._rest.close()
        await self._rpc.close()
