"""One node's two interfaces behind one limit of requests in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from monitor.errors import SourceError, SourceRefused, SourceUnavailable
from monitor.secrets import remember
from monitor.sources.bitcoind_errors import MethodRefused
from monitor.sources.bitcoind_rest import RestClient, RestReply
from monitor.sources.bitcoind_rpc import KEY_ADVICE, Login, RpcClient
from monitor.urls import parse

REQUESTS_IN_FLIGHT: Final = 8
"""Requests at a time; the node's work queue is 16 deep and has other users too."""
OPTIONAL_TIMEOUT: Final = 5.0
"""Seconds for an answer that something waits for and that it can do without."""

_WHITELIST: Final = (
    "allow it in this user's rpcwhitelist on the node; 'poolscope node --whitelist' prints the line"
)


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
        self.closed = False
        self._slots = asyncio.Semaphore(REQUESTS_IN_FLIGHT)
        self._timeout = timeout

    @property
    def logins(self) -> int:
        """How often the credentials were new; a node writes another cookie at each start."""
        return self._rpc.logins

    @property
    def optional_timeout(self) -> float:
        """Seconds that an answer may take which something waits for and can do without."""
        return min(self._timeout, OPTIONAL_TIMEOUT)

    async def call(self, method: str, *params: Any) -> Any:
        """Return the result of an RPC method that is needed; raises `SourceError`."""
        async with self._slots:
            self._check_open()
            try:
                return await self._rpc.call(method, *params)
            except MethodRefused as refused:
                raise SourceRefused(await self._explain(refused)) from None

    async def aside(self, method: str, *params: Any, timeout: float | None = None) -> Any:
        """Return the result of an RPC method that is optional or late on purpose.

        It takes nothing that the needed calls wait for.
        """
        self._check_open()
        return await self._rpc.call(method, *params, timeout=timeout, aside=True)

    async def get(self, path: str, limit: int, timeout: float | None = None) -> RestReply:
        """Return the reply to a REST request; raises `SourceError`."""
        async with self._slots:
            self._check_open()
            return await self._rest.get(path, limit, timeout)

    async def _explain(self, refused: MethodRefused) -> str:
        """Tell a method that is not allowed from a login or an address that is not.

        A node refuses both with a bare 403. But an address that it does not allow can ask it
        for nothing at all, not even for a path that it does not have.
        """
        if not self._rpc.served and self._rpc.keyed:
            return f"{refused}: {KEY_ADVICE}"
        if not refused.by_node:
            return f"{refused} by a server before the node: allow it there"
        if not self._rpc.served:
            try:
                await self._rest.get("/rest/", limit=1 << 16, timeout=self.optional_timeout)
            except SourceRefused:
                return f"{refused}, as is everything: allow this address on the node (rpcallowip)"
            except SourceError:
                return f"{refused}: allow this address on the node (rpcallowip), or {_WHITELIST}"
        return f"{refused}: {_WHITELIST}"

    def _check_open(self) -> None:
        if self.closed:
            raise SourceUnavailable("the source is closed")

    async def close(self) -> None:
        """Give up what is under way and close the connections."""
        self.closed = True
        await self._rest.close()
        await self._rpc.close()
