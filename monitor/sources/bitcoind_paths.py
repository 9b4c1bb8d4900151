"""The REST paths of a node: each is used as long as it gives what it should.

Whatever REST gives, RPC gives too, only slower. So no failure of a path stops anything: it is
said once, and RPC is asked instead.
"""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Iterable
from typing import Final

from hashing.header import HEADER_SIZE, hash_to_hex, sha256d
from hashing.wire import MAX_BLOCK_SIZE
from monitor.errors import BadReply, NotFound, SourceError, SourceUnavailable
from monitor.reply import printable
from monitor.sources.bitcoind_client import NodeClient
from monitor.sources.bitcoind_errors import Busy, NoAnswer
from monitor.sources.bitcoind_optional import OptionalCalls
from monitor.sources.gather import gather

_BUSY: Final = 60.0
_LATE: Final = 600.0
"""Seconds for which a path is not asked after it was busy, and after it did not answer."""


class Path(enum.Enum):
    """A REST path that poolscope asks: its name, its format."""

    HEADERS = ("headers", "bin")
    PART = ("blockpart", "bin")
    """Bitcoin Core 31.0 and later."""
    DETAILS = ("block/notxdetails", "json")
    BLOCK = ("block", "bin")

    def of(self, block: bytes, query: str = "") -> str:
        """Return the path and query that ask it for one block."""
        name, form = self.value
        return f"/rest/{name}/{hash_to_hex(block)}.{form}{query}"


_INSTEAD: Final = {
    Path.HEADERS: "headers come one by one over RPC",
    Path.PART: "whole blocks are fetched",
    Path.DETAILS: "whole blocks are fetched",
    Path.BLOCK: "blocks come as hex over RPC",
}


class Unfit(Exception):
    """A path did not give what it should; it is not to be used for now."""


class RestPaths:
    """What one run of a node offers over REST."""

    def __init__(self, client: NodeClient, optional: OptionalCalls) -> None:
        self._client = client
        self._optional = optional
        self._closed_until = dict.fromkeys(Path, math.inf)

    @property
    def text(self) -> str:
        """What there is, in words."""
        if self.offers(Path.PART):
            return "parts of blocks"
        return "whole blocks" if self.offers(Path.BLOCK) else "off"

    def offers(self, *paths: Path) -> bool:
        """Tell whether all `paths` can be asked now."""
        return all(time.monotonic() >= self._closed_until[path] for path in paths)

    async def find(self, tip: bytes) -> None:
        """Ask for the node's own tip, and take what answers as a node does."""
        part, headers = await gather(
            [
                self._shows(Path.PART, tip, f"?offset=0&size={HEADER_SIZE}", MAX_BLOCK_SIZE),
                self._shows(Path.HEADERS, tip, "?count=1", HEADER_SIZE),
            ]
        )
        if part:
            self._open([Path.PART])
        if headers:
            self._open([Path.HEADERS])
        if part or headers:  # the others are too large to be tried for nothing
            self._open([Path.DETAILS, Path.BLOCK])

    def _open(self, paths: Iterable[Path]) -> None:
        self._closed_until.update(dict.fromkeys(paths, -math.inf))

    async def _shows(self, path: Path, tip: bytes, query: str, limit: int) -> bool:
        request = path.of(tip, query)
        timeout = self._client.optional_timeout
        try:
            reply = await self._client.get(request, limit, timeout)
        except SourceError as error:
            if self._client.closed:
                raise
            self._optional.missed(path.name, error, _INSTEAD[path])
            return False
        if reply.status == 200 and sha256d(reply.body[:HEADER_SIZE]) == tip:
            self._optional.works(path.name)
            return True
        # Of a block of its own that it does not have, a node speaks too.
        return reply.status != 200 and hash_to_hex(tip).encode() in reply.body

    async def get(self, path: Path, block: bytes, query: str, limit: int) -> bytes | None:
        """Return what `path` gives for a block; None where the node refuses the query.

        Raises
        ------
        Unfit
            If something else than a node's answer came; the path is closed for a while.
        NotFound
            If the node says that it has no such block.
        SourceUnavailable
            If there is no connection.
        """
        request = path.of(block, query)
        try:
            reply = await self._client.get(request, limit)
        except SourceError as error:
            if isinstance(error, SourceUnavailable) and not isinstance(error, Busy | NoAnswer):
                raise
            raise self.close(path, error) from None
        if reply.status == 200:
            self._optional.works(path.name)
            return reply.body
        said = printable(reply.body.decode("utf-8", "replace"))
        if hash_to_hex(block) not in said:
            text = f"GET {request}: HTTP {reply.status} ({said or 'no text'})"
            raise self.close(path, BadReply(text))
        if reply.status == 400:
            return None
        raise NotFound(said)

    def close(self, path: Path, error: SourceError) -> Unfit:
        """Do without `path` because of `error`, for as long as that may last."""
        seconds = math.inf
        if isinstance(error, SourceUnavailable):
            seconds = _BUSY if isinstance(error, Busy) else _LATE
        self._closed_until[path] = time.monotonic() + seconds
        self._optional.missed(path.name, error, _INSTEAD[path])
        return Unfit()
