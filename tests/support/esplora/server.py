"""The HTTP side of the test API: paths, status codes and bodies as the real servers have them.

Sources: ``src/rest.rs`` of Blockstream/electrs; ``bitcoin.routes.ts`` and ``blocks.ts`` of
mempool/mempool.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from hashing.errors import WireError
from hashing.header import BlockHeader, hash_from_hex, hash_to_hex, sha256d
from hashing.target import decode_nbits, difficulty
from hashing.wire import parse_coinbase
from tests.support.callfault import CallFault, fault_of
from tests.support.esplora.chain import ServedBlock, ServedChain

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


class Flavour(enum.Enum):
    """Which server is played."""

    ESPLORA = "esplora"
    """Blockstream's electrs behind ``/api``."""
    MEMPOOL = "mempool"
    """mempool.space: its own backend below ``/api/v1``, an electrs for the rest."""
    MEMPOOL_CORE = "mempool-core"
    """A mempool at home without electrs: no branches, no ``txid/0``, errors as web pages."""


class EsploraServer:
    """Serves `chain` on a free port of this machine until the context ends.

    Attributes
    ----------
    requests:
        Paths asked for, in order.
    fault:
        Asked first; a response that it returns goes out instead.
    calls:
        What is wrong with single paths, such as ``*/chain-tips``; see
        `tests.support.callfault.fault_of`.
    prefix:
        The path below which everything is served, and nothing beside it.
    content_type:
        The Content-Type of every reply, whatever is in it; None leaves them as they are.
    forgets_stale:
        Whether the indexer has no transactions of blocks that are not on the active chain.
    """

    def __init__(
        self,
        chain: ServedChain,
        flavour: Flavour = Flavour.ESPLORA,
        *,
        calls: Mapping[str, CallFault] | None = None,
        content_type: str | None = None,
        prefix: str = "",
    ) -> None:
        self.chain = chain
        self.calls = dict(calls or {})
        self.content_type = content_type
        self.prefix = prefix
        self._stopping = asyncio.Event()
        self.flavour = flavour
        self.requests: list[str] = []
        self.fault: Fault | None = None
        self.forgets_stale = False
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._faults])

        def get(path: str, handler: Handler) -> None:
            application.router.add_get(self.prefix + path, handler)

        get("/api/blocks/tip/hash", self._tip_hash)
        get("/api/blocks/tip/height", self._tip_height)
        get("/api/block-height/{height}", self._block_hash)
        get("/api/block/{hash}", self._block)
        get("/api/block/{hash}/txids", self._txids)
        get("/api/tx/{txid}/hex", self._transaction)
        get("/api/blocks/{height}", self._blocks)
        if self.flavour is not Flavour.ESPLORA:
            get("/api/v1/blocks/{height}", self._blocks)
            get("/api/v1/block/{hash}", self._block)
            get("/api/v1/chain-tips", self._chain_tips)
        if self.flavour is not Flavour.MEMPOOL_CORE:
            get("/api/block/{hash}/txid/0", self._txid)
            get("/api/tx/{txid}/merkle-proof", self._merkle_proof)
        get("/", self._front_page)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}{self.prefix}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _faults(
        self,
        request: web.Request,
        handler: Handler,
    ) -> web.StreamResponse:
        self.requests.append(request.path)
        if self.fault is not None and (instead := await self.fault(request)) is not None:
            return instead
        fault = fault_of(self.calls, request.path.removeprefix(self.prefix))
        if fault.delay:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), fault.delay)
        if fault.status:
            return web.Response(status=fault.status, text=fault.text)
        try:
            response = await handler(request)
        except web.HTTPNotFound:
            response = self._missing(f"endpoint does not exist {request.path!r}")
        if isinstance(fault.reply, bytes):
            response = web.Response(body=fault.reply)
        if self.content_type is not None:
            response.headers["Content-Type"] = self.content_type
        return response

    def _missing(self, text: str) -> web.Response:
        if self.flavour is Flavour.MEMPOOL_CORE and text.startswith("endpoint"):
            page = "<!DOCTYPE html><html><body><pre>Cannot GET</pre></body></html>"
            return web.Response(status=404, text=page, content_type="text/html")
        if self.flavour is Flavour.MEMPOOL_CORE:
            return web.Response(status=500, text="Failed to get block")
        return web.Response(status=404, text=text)

    async def _front_page(self, _: web.Request) -> web.Response:
        return web.Response(text="<!DOCTYPE html><html></html>", content_type="text/html")

    async def _tip_hash(self, _: web.Request) -> web.Response:
        return web.Response(text=hash_to_hex(self.chain.tip.hash))

    async def _tip_height(self, _: web.Request) -> web.Response:
        return web.Response(text=str(self.chain.tip.height))

    async def _block_hash(self, request: web.Request) -> web.Response:
        height = int(request.match_info["height"])
        if height == 0:
            return web.Response(text=hash_to_hex(sha256d(self.chain.params.genesis_header)))
        block = self.chain.at(height)
        if block is None:
            return self._missing("Block not found")
        return web.Response(text=hash_to_hex(block.hash))

    async def _block(self, request: web.Request) -> web.Response:
        block = self._found(request)
        if block is None:
            return self._missing("Block not found")
        extended = "/v1/" in request.path
        if not extended and self.flavour is Flavour.MEMPOOL and not self._confirmed(block):
            return self._missing("Block not found")
        return web.json_response(self._as_json(block, extended=extended))

    async def _chain_tips(self, _: web.Request) -> web.Response:
        tip, others = self.chain.tip, self.chain.others.values()
        parents = {block.header[4:36] for block in others}
        ends = [block for block in others if block.hash not in parents]
        rows = [(tip, "active"), *((block, "valid-fork") for block in ends)]
        rows.append((self.chain.active[0], "invalid"))
        return web.json_response(
            [
                {
                    "height": block.height,
                    "hash": hash_to_hex(block.hash),
                    "branchlen": int(status != "active"),
                    "status": status,
                }
                for block, status in rows
            ]
        )

    async def _blocks(self, request: web.Request) -> web.Response:
        top = int(request.match_info["height"])
        extended = self.flavour is Flavour.MEMPOOL_CORE or "/v1/" in request.path
        limit, tip = (15 if extended else 10), self.chain.tip.height
        if top > tip:
            if not extended:
                return self._missing("Block not found")
            limit, top = limit - (top - tip), tip
        found = (self.chain.at(height) for height in range(top, max(-1, top - limit), -1))
        return web.json_response([self._as_json(b, extended=extended) for b in found if b])

    async def _txid(self, request: web.Request) -> web.Response:
        block = self._found(request)
        if block is None or block.coinbase_txid is None or self._forgotten(block):
            return self._missing("Block not found")
        return web.Response(text=hash_to_hex(block.coinbase_txid))

    async def _txids(self, request: web.Request) -> web.Response:
        block = self._found(request)
        if block is None or block.txids is None or self._forgotten(block):
            return self._missing("Block not found")
        return web.json_response(list(map(hash_to_hex, block.txids)))

    async def _transaction(self, request: web.Request) -> web.Response:
        block = self.chain.with_coinbase(hash_from_hex(request.match_info["txid"]))
        if block is None or block.coinbase_tx is None:
            return self._missing("Transaction not found")
        return web.Response(text=block.coinbase_tx.hex())

    async def _merkle_proof(self, request: web.Request) -> web.Response:
        block = self.chain.with_coinbase(hash_from_hex(request.match_info["txid"]))
        if block is None or block.branch is None or not self._confirmed(block):
            return self._missing("Transaction not found or is unconfirmed")
        merkle = [hash_to_hex(node) for node in block.branch]
        return web.json_response({"block_height": block.height, "merkle": merkle, "pos": 0})

    def _confirmed(self, block: ServedBlock) -> bool:
        """Tell whether no other block is active at the same height."""
        return self.chain.at(block.height) in (block, None)

    def _forgotten(self, block: ServedBlock) -> bool:
        return self.forgets_stale and not self._confirmed(block)

    def _found(self, request: web.Request) -> ServedBlock | None:
        try:
            return self.chain.find(hash_from_hex(request.match_info["hash"]))
        except WireError:
            return None

    def _as_json(self, block: ServedBlock, *, extended: bool) -> dict[str, Any]:
        header = BlockHeader.parse(block.header)
        row: dict[str, Any] = {
            "id": hash_to_hex(block.hash),
            "height": block.height,
            "version": header.version & 0xFFFFFFFF,
            "timestamp": header.time,
            "tx_count": block.tx_count,
            "size": block.size,
            "weight": 3 * block.size,
            "merkle_root": hash_to_hex(header.merkle_root),
            "previousblockhash": hash_to_hex(header.prev_hash) if block.height else None,
            "mediantime": header.time - 3600,
            "nonce": header.nonce,
            "bits": header.nbits,
            "difficulty": difficulty(decode_nbits(header.nbits)),
        }
        if extended:
            script = (
                b"" if block.coinbase_tx is None else parse_coinbase(block.coinbase_tx).script_sig
            )
            row["extras"] = {
                "coinbaseRaw": script.hex(),
                "header": block.header.hex(),
                "orphans": [],
                "pool": {"id": 1, "name": block.pool, "slug": block.pool, "minerNames": None},
                "reward": 312_500_000,
                "totalFees": 0,
            }
        return row
