"""Headers and blocks of a node by the cheapest way that it offers."""

from __future__ import annotations

import asyncio
import enum
from itertools import pairwise
from typing import Final

from hashing.errors import WireError
from hashing.header import HEADER_SIZE, BlockHeader, hash_to_hex, sha256d
from hashing.wire import MAX_BLOCK_SIZE, BlockPrefix, parse_block, read_block_prefix
from monitor.errors import BadReply, NotFound, NotKept, SourceUnavailable
from monitor.sources.base import BlockRef, SourceBlock, Want
from monitor.sources.bitcoind_client import NodeClient
from monitor.sources.bitcoind_rest import RestReply
from monitor.sources.gather import gather
from monitor.sources.reply import Fields, as_bytes, as_hash, parse_json, printable

_HEADERS_PER_REQUEST: Final = 2000
_PART_SIZES: Final = (1_000, 20_000)
"""Bytes to ask of a block's start, the next where the one before was not enough: most
coinbases end within the first, those with hundreds of outputs within the second."""
_TXIDS_LIMIT: Final = 16 << 20
_PROBE: Final = 4096
_SMALL: Final = 100_000
"""Bytes of a block that is parsed in the event loop; a larger one in a thread."""


class RestLevel(enum.Enum):
    """What the node's REST interface is good for."""

    NONE = "off"
    BLOCKS = "whole blocks"
    PARTS = "parts of blocks"
    """Bitcoin Core 31.0 and later."""


async def probe_rest(client: NodeClient, tip: bytes) -> RestLevel:
    """Return the REST level that the node shows for its own tip."""
    block = hash_to_hex(tip)
    part = await client.get(
        f"/rest/blockpart/{block}.bin?offset=0&size={HEADER_SIZE}", MAX_BLOCK_SIZE
    )
    if part.endpoint_exists:
        return RestLevel.PARTS
    headers = await client.get(f"/rest/headers/{block}.bin?count=1", HEADER_SIZE)
    return RestLevel.BLOCKS if headers.endpoint_exists else RestLevel.NONE


class BlockReader:
    """Reads headers and blocks of one run of a node."""

    def __init__(self, client: NodeClient, level: RestLevel) -> None:
        self._client = client
        self.level = level
        self._short = False

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return up to `count` headers of the active chain from height `start` on."""
        read = self._headers_by_rpc if self.level is RestLevel.NONE else self._headers_by_rest
        found = await read(start, count)
        if not _is_chain(found):
            # The chain was reorganised meanwhile. What does not link even now is for the
            # proof to judge.
            found = await read(start, count)
        return found

    async def _headers_by_rest(self, start: int, count: int) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < count:
            try:
                first = await self._client.call("getblockhash", start + len(found))
            except NotFound:
                break
            asked = min(count - len(found), _HEADERS_PER_REQUEST)
            first_hash = hash_to_hex(as_hash(first, "getblockhash"))
            path = f"/rest/headers/{first_hash}.bin?count={asked}"
            body = _body(await self._client.get(path, asked * HEADER_SIZE), path)
            if len(body) % HEADER_SIZE:
                raise BadReply(f"GET {path}: {len(body)} bytes are no whole number of headers")
            batch = [body[i : i + HEADER_SIZE] for i in range(0, len(body), HEADER_SIZE)]
            found += batch
            if len(batch) < asked:
                break
        return found

    async def _headers_by_rpc(self, start: int, count: int) -> list[bytes]:
        tip_height = await self._client.call("getblockcount")
        if type(tip_height) is not int:
            raise BadReply(f"getblockcount: {printable(tip_height, 40)!r} is no height")
        heights = range(start, min(start + count, tip_height + 1))

        async def read(height: int) -> bytes:
            block = as_hash(await self._client.call("getblockhash", height), "getblockhash")
            header = await self._client.call("getblockheader", hash_to_hex(block), False)
            raw = as_bytes(header, "getblockheader")
            if len(raw) != HEADER_SIZE:
                raise BadReply(f"getblockheader: {len(raw)} bytes are no header")
            return raw

        try:
            return await gather(read(height) for height in heights)
        except NotFound:
            raise SourceUnavailable("the chain became shorter while it was read") from None

    async def block(self, ref: BlockRef, want: Want) -> SourceBlock:
        """Return one block.

        Raises
        ------
        NotKept
            If it is in the node's active chain, but the node has no more than its header.
        NotFound
            If the node does not have it, or not any more.
        """
        try:
            if self.level is not RestLevel.PARTS:
                return await self._from_whole(ref, want)
            if want is Want.COINBASE:
                return await self._from_part(ref)
            return await self._proved_from_part(ref)
        except NotFound as error:
            kind = NotKept if await self._in_active_chain(ref) else NotFound
            raise kind(
                f"no block {hash_to_hex(ref.hash)} at height {ref.height}: {printable(error)}"
            ) from None
        except WireError as error:
            raise BadReply(
                f"the bytes of block {hash_to_hex(ref.hash)} are no block: {error}"
            ) from None

    async def _in_active_chain(self, ref: BlockRef) -> bool:
        """Say whether the node has a block in its active chain, its body or not."""
        try:
            reply = await self._client.call("getblockheader", hash_to_hex(ref.hash))
        except NotFound:
            return False
        confirmations = reply.get("confirmations") if isinstance(reply, dict) else None
        return isinstance(confirmations, int) and confirmations > 0

    async def _from_part(self, ref: BlockRef) -> SourceBlock:
        prefix = await self._prefix(ref)
        return SourceBlock(
            ref,
            header=prefix.header.serialize(),
            coinbase_tx=prefix.coinbase.raw,
            tx_count=prefix.tx_count,
        )

    async def _prefix(self, ref: BlockRef) -> BlockPrefix:
        """Read as much of a block's start as header and coinbase take.

        The node refuses a part of a block that ends before it does. Short blocks come in
        hundreds of thousands, so the one after a short one is asked for whole.
        """
        block = hash_to_hex(ref.hash)
        for size in () if self._short else _PART_SIZES:
            path = f"/rest/blockpart/{block}.bin?offset=0&size={size}"
            reply = await self._client.get(path, size)
            if reply.status == 400:  # the block is shorter than that
                break
            try:
                return read_block_prefix(_body(reply, path))
            except WireError:  # the coinbase is longer than that
                continue
        raw = await self._whole(ref)
        self._short = len(raw) < _PART_SIZES[-1]
        return read_block_prefix(raw)

    async def _proved_from_part(self, ref: BlockRef) -> SourceBlock:
        prefix = await self._prefix(ref)
        fields = await self._without_details(ref)
        what = f"txids of {hash_to_hex(ref.hash)}"
        return SourceBlock(
            ref,
            header=prefix.header.serialize(),
            coinbase_tx=prefix.coinbase.raw,
            txids=tuple(as_hash(txid, what) for txid in fields.list("tx")),
            tx_count=prefix.tx_count,
            size=fields.integer("size"),
        )

    async def _without_details(self, ref: BlockRef) -> Fields:
        path = f"/rest/block/notxdetails/{hash_to_hex(ref.hash)}.json"
        body = _body(await self._client.get(path, _TXIDS_LIMIT), path)
        return Fields(parse_json(body, f"GET {path}"), f"GET {path}")

    async def _from_whole(self, ref: BlockRef, want: Want) -> SourceBlock:
        raw = await self._whole(ref)
        txids: tuple[bytes, ...] | None = None
        if want is Want.COINBASE:
            prefix = read_block_prefix(raw)
        elif len(raw) > _SMALL:
            prefix, txids = await asyncio.to_thread(parse_block, raw)
        else:
            prefix, txids = parse_block(raw)
        return SourceBlock(
            ref,
            header=prefix.header.serialize(),
            coinbase_tx=prefix.coinbase.raw,
            txids=txids,
            tx_count=prefix.tx_count,
            size=len(raw),
        )

    async def _whole(self, ref: BlockRef) -> bytes:
        block = hash_to_hex(ref.hash)
        if self.level is RestLevel.NONE:
            return as_bytes(await self._client.call("getblock", block, 0), "getblock")
        path = f"/rest/block/{block}.bin"
        return _body(await self._client.get(path, MAX_BLOCK_SIZE), path)


def _body(reply: RestReply, path: str) -> bytes:
    if reply.status == 200:
        return reply.body
    if not reply.endpoint_exists:
        raise SourceUnavailable(f"GET {path}: the node does not offer it any more; looking again")
    text = printable(reply.body.decode("utf-8", "replace"))
    if reply.status in {404, 500}:
        raise NotFound(text)
    raise BadReply(f"GET {path}: HTTP {reply.status} ({text})")


def _is_chain(headers: list[bytes]) -> bool:
    return all(BlockHeader.parse(b).prev_hash == sha256d(a) for a, b in pairwise(headers))
