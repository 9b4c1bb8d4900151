"""The REST interface of a bitcoind node: bulk bytes without login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import aiohttp
from yarl import URL

from monitor.errors import BadReply, SourceRefused, SourceUnavailable
from monitor.http import read_body
from monitor.reply import is_page, printable
from monitor.sources.bitcoind_errors import Busy, NoAnswer
from monitor.urls import WALLET, parse

_ANSWERS: Final = {200, 400, 404}
_LOST: Final = (500, b"I/O error reading")
"""What Bitcoin Core says of a block whose file it cannot read: status, start of the body."""
_NOT_NOW: Final = {429, 502, 503, 504}
_CONNECT_WITHIN: Final = 5.0
_SILENCE: Final = 10.0
"""Seconds without a byte after which a reply counts as lost: what REST gives, RPC gives too."""


class RestReply(NamedTuple):
    """What the node answered: HTTP status and body.

    200, 400 or 404; 500 only of a block whose file the node cannot read.
    """

    status: int
    body: bytes

    @property
    def endpoint_exists(self) -> bool:
        """False where the node has no such path at all: then it says nothing but 404."""
        return self.status != 404 or bool(self.body)


class RestClient:
    """Asks one node's REST interface, below the path of `url` and with its query."""

    def __init__(
        self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None
    ) -> None:
        parts = parse(url)
        # RPC for a wallet has a path of its own; REST has none for it
        base = "" if parts.path.startswith(WALLET) else parts.path.rstrip("/")
        self._url = parts.origin + base
        self._query = parts.query
        self._timeout = timeout
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", **(headers or {})},
        )

    async def get(self, path: str, limit: int, timeout: float | None = None) -> RestReply:
        """Return the reply to ``GET path``; one of more than `limit` bytes is refused.

        `timeout` takes the place of the client's own, in seconds.

        Raises
        ------
        SourceUnavailable
            If the node is down, warming up or too busy.
        SourceRefused, BadReply
            If something else than a node answers.
        """
        timeout = timeout or self._timeout
        limits = aiohttp.ClientTimeout(
            total=timeout,
            connect=min(timeout, _CONNECT_WITHIN),
            sock_read=min(timeout, _SILENCE),
        )
        try:
            async with self._session.get(
                self._at(path), allow_redirects=False, timeout=limits
            ) as response:
                body = await read_body(response, limit)
                status, kind = response.status, response.content_type
        except TimeoutError:
            raise NoAnswer(f"GET {path}", timeout) from None
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise SourceUnavailable(f"the connection failed ({printable(error, 100)})") from None
        except aiohttp.ClientError as error:
            raise BadReply(f"GET {path}: {printable(error, 100)}") from None
        if body is None:
            raise BadReply(f"the reply is larger than the {limit} bytes it may have")
        if status in _NOT_NOW:
            text = printable(body.decode("utf-8", "replace")) if status == 503 else f"HTTP {status}"
            raise Busy(f"GET {path}: the node cannot answer now ({text})")
        if status in {401, 403}:
            raise SourceRefused(f'GET {path} is refused (HTTP {status}); set rest = "off"')
        if status == _LOST[0] and body.startswith(_LOST[1]):
            return RestReply(status, body)
        if status not in _ANSWERS or (status == 200 and is_page(kind, body)):
            raise BadReply(
                f"GET {path}: HTTP {status}, {printable(kind, 40)}: something else than a "
                "bitcoind answers there"
            )
        return RestReply(status, body)

    def _at(self, path: str) -> URL:
        query = f"{'&' if '?' in path else '?'}{self._query}" if self._query else ""
        return URL(self._url + path + query, encoded=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
