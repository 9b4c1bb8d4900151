"""Headers and blocks of a node by the cheapest way that it offers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from itertools import pairwise
from typing import Final

from hashing.errors import WireError
from hashing.header import HEADER_SIZE, BlockHeader, BlockRef, hash_to_hex, sha256d
from hashing.wire import MAX_BLOCK_SIZE, BlockPrefix, parse_block, read_block_prefix
from monitor.errors import BadReply, NotFound, NotKept, SourceUnavailable
from monitor.reply import Fields, as_bytes, as_hash, parse_json, printable
from monitor.sources.base import SourceBlock, Want
from monitor.sources.bitcoind_client import NodeClient
from monitor.sources.bitcoind_errors import RpcError, is_unknown
from monitor.sources.bitcoind_paths import Path, RestPaths, Unfit
from monitor.sources.gather import gather

_HEADERS_PER_REQUEST: Final = 2000
_PART_SIZES: Final = (1_000, 20_000)
"""Bytes to ask of a block's start, the next where the one before was not enough: most
coinbases end within the first, those with hundreds of outputs within the second."""
_TXIDS_LIMIT: Final = 16 << 20
_SMALL: Final = 100_000
"""Bytes of a block that is parsed in the event loop; a larger one in a thread."""


class BlockReader:
    """Reads headers and blocks of one run of a node."""

    def __init__(self, client: NodeClient, rest: RestPaths) -> None:
        self._client = client
        self._rest = rest
        self._short = False

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return up to `count` headers of the active chain from height `start` on."""
        for _ in range(2):
            by_rest = self._rest.offers(Path.HEADERS)
            found = await self._headers(start, count)
            if _is_chain(found):
                return found
            # The chain was reorganised meanwhile. What does not link even now is for the
            # proof to judge, unless RPC knows better.
        if not by_rest:
            return found
        self._rest.close(Path.HEADERS, BadReply("GET /rest/headers: the headers do not link"))
        return await self._headers(start, count)

    async def _headers(self, start: int, count: int) -> list[bytes]:
        if self._rest.offers(Path.HEADERS):
            with contextlib.suppress(Unfit):
                return await self._headers_by_rest(start, count)
        return await self._headers_by_rpc(start, count)

    async def _headers_by_rest(self, start: int, count: int) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < count:
            try:
                reply = await self._client.call("getblockhash", start + len(found))
            except NotFound:
                break
            first = as_hash(reply, "getblockhash")
            asked = min(count - len(found), _HEADERS_PER_REQUEST)
            limit = asked * HEADER_SIZE
            body = await self._rest.get(Path.HEADERS, first, f"?count={asked}", limit)
            if not body and body is not None:
                break  # it has left the active chain
            if body is None or len(body) % HEADER_SIZE or sha256d(body[:HEADER_SIZE]) != first:
                raise self._not_what_was_asked(Path.HEADERS, first)
            batch = [body[i : i + HEADER_SIZE] for i in range(0, len(body), HEADER_SIZE)]
            found += batch
            if len(batch) < asked:
                break
        return found

    async def _headers_by_rpc(self, start: int, count: int) -> list[bytes]:
        best = as_hash(await self._client.call("getbestblockhash"), "getbestblockhash")
        tip = await self._client.call("getblockheader", hash_to_hex(best))
        tip_height = Fields(tip, "getblockheader").integer("height")
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
        paths = [Path.PART] if want is Want.COINBASE else [Path.PART, Path.DETAILS]
        try:
            if self._rest.offers(*paths):
                with contextlib.suppress(Unfit):
                    return await self._from_part(ref, want)
            return await self._from_whole(ref, want)
        except NotFound as error:
            what = f"no block {hash_to_hex(ref.hash)} at height {ref.height}: {printable(error)}"
            if not await self._in_active_chain(ref):
                raise NotFound(what) from None
            raise NotKept(
                f"{what}; ask a source that keeps old blocks: another node (--bitcoind), block "
                "files (--blocks-dir) or --source esplora"
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

    async def _from_part(self, ref: BlockRef, want: Want) -> SourceBlock:
        prefix = await self._prefix(ref)
        block = SourceBlock(
            ref,
            header=prefix.header.serialize(),
            coinbase_tx=prefix.coinbase.raw,
            tx_count=prefix.tx_count,
        )
        if want is Want.COINBASE:
            return block
        try:
            txids, size = await self._details(ref)
        except BadReply as error:
            raise self._rest.close(Path.DETAILS, error) from None
        if txids[:1] != (prefix.coinbase.txid,):
            raise self._not_what_was_asked(Path.DETAILS, ref.hash)
        return dataclasses.replace(block, txids=txids, size=size)

    async def _prefix(self, ref: BlockRef) -> BlockPrefix:
        """Read as much of a block's start as header and coinbase take.

        The node refuses a part of a block that ends before it does. Short blocks come in
        hundreds of thousands, so the one after a short one is asked for whole.
        """
        for size in () if self._short else _PART_SIZES:
            body = await self._rest.get(Path.PART, ref.hash, f"?offset=0&size={size}", size)
            if body is None:  # the block is shorter than that
                break
            if sha256d(body[:HEADER_SIZE]) != ref.hash:
                raise self._not_what_was_asked(Path.PART, ref.hash)
            with contextlib.suppress(WireError):  # the coinbase may be longer than that
                return read_block_prefix(body)
        raw = await self._whole(ref)
        self._short = len(raw) < _PART_SIZES[-1]
        return read_block_prefix(raw)

    async def _details(self, ref: BlockRef) -> tuple[tuple[bytes, ...], int]:
        """Return the txids of a block and its size in bytes."""
        body = await self._rest.get(Path.DETAILS, ref.hash, "", _TXIDS_LIMIT)
        what = f"GET {Path.DETAILS.of(ref.hash)}"
        fields = Fields(parse_json(body or b"", what), what)
        return tuple(as_hash(txid, what) for txid in fields.list("tx")), fields.integer("size")

    async def _from_whole(self, ref: BlockRef, want: Want) -> SourceBlock:
        if self._rest.offers(Path.BLOCK):
            with contextlib.suppress(Unfit):
                raw = await self._whole_by_rest(ref)
                try:
                    return await _parsed(ref, raw, want)
                except WireError as error:
                    text = f"GET {Path.BLOCK.of(ref.hash)}: {error}"
                    raise self._rest.close(Path.BLOCK, BadReply(text)) from None
        return await _parsed(ref, await self._whole_by_rpc(ref), want)

    async def _whole(self, ref: BlockRef) -> bytes:
        if self._rest.offers(Path.BLOCK):
            with contextlib.suppress(Unfit):
                return await self._whole_by_rest(ref)
        return await self._whole_by_rpc(ref)

    async def _whole_by_rest(self, ref: BlockRef) -> bytes:
        raw = await self._rest.get(Path.BLOCK, ref.hash, "", MAX_BLOCK_SIZE)
        if raw is None or sha256d(raw[:HEADER_SIZE]) != ref.hash:
            raise self._not_what_was_asked(Path.BLOCK, ref.hash)
        return raw

    async def _whole_by_rpc(self, ref: BlockRef) -> bytes:
        try:
            reply = await self._client.call("getblock", hash_to_hex(ref.hash), 0)
        except RpcError as error:
            if is_unknown(error):
                raise
            raise NotFound(str(error)) from None  # whatever it is, it is about this block
        return as_bytes(reply, "getblock")

    def _not_what_was_asked(self, path: Path, block: bytes) -> Unfit:
        text = f"GET {path.of(block)}: the reply is something else than what was asked for"
        return self._rest.close(path, BadReply(text))


async def _parsed(ref: BlockRef, raw: bytes, want: Want) -> SourceBlock:
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


def _is_chain(headers: list[bytes]) -> bool:
    return all(BlockHeader.parse(b).prev_hash == sha256d(a) for a, b in pairwise(headers))
