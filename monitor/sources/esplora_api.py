"""What Esplora and mempool.space answer, read with suspicion.

Both speak the Esplora paths. Below ``/v1`` mempool gives more blocks at once, what it takes
for the pool, and the tips that lost. Nothing of it is believed here: a header must hash to
the id that it is given under, and the rest is for `monitor.proof`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from analyzers.model import Label
from hashing.header import BlockHeader, BlockRef, hash_to_hex, sha256d
from hashing.wire import MAX_BLOCK_SIZE
from monitor.errors import BadReply
from monitor.http import ApiClient
from monitor.reply import Fields, as_bytes, as_hash, as_list, parse_json, printable

Dialect = Literal["esplora", "mempool"]
PAGE: Final[dict[Dialect, int]] = {"esplora": 10, "mempool": 15}
"""Blocks that one request for a range gives."""

_SHORT: Final = 1000
_PAGE_LIMIT: Final = 1_000_000
_TXIDS_LIMIT: Final = 67 * MAX_BLOCK_SIZE // 60
"""Bytes of all txids as JSON: no transaction is smaller than 60 bytes."""
_TX_LIMIT: Final = 2 * MAX_BLOCK_SIZE
_UINT32: Final = (1 << 32) - 1
_STALE_STATUS: Final = {"valid-fork", "valid-headers"}
_SLUG: Final = re.compile(r"[a-z0-9-]{1,64}")


OPTIONAL: Final = {
    "/v1/blocks/*": "blocks come ten at a time, without mempool's labels and stale tips",
    "/v1/block/*": "a block by its hash comes without mempool's label",
    "/v1/chain-tips": "stale blocks are seen only if they were stored before they lost",
    "/block/*/txid/0": "coinbases are proved by all txids of their blocks",
    "/tx/*/merkle-proof": "coinbases are proved by all txids of their blocks",
}
"""The paths below the API's root that can be done without, and what is lost then."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A block as a list shows it; the header hashes to the reference."""

    ref: BlockRef
    header: bytes
    tx_count: int
    size: int
    label: Label | None


class Api:
    """The requests that the source makes, as typed calls; `root` is below the client's URL."""

    def __init__(self, client: ApiClient, root: str = "", dialect: Dialect = "esplora") -> None:
        self.client = client
        self.root = root
        self.dialect = dialect

    @property
    def page(self) -> int:
        """Blocks that one request for a range gives."""
        return PAGE[self.dialect]

    async def tip_height(self) -> int:
        """Return the height of the tip."""
        path = f"{self.root}/blocks/tip/height"
        text = await self._text(path)
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise BadReply(f"{self.client.host}: GET {path}: {printable(text, 40)!r} is no height")
        return int(text)

    async def tip_hash(self) -> bytes:
        """Return the hash of the tip."""
        return await self._hash(f"{self.root}/blocks/tip/hash")

    async def block_hash(self, height: int) -> bytes:
        """Return the hash at `height` of the active chain."""
        return await self._hash(f"{self.root}/block-height/{height}")

    async def summary(self, block_hash: bytes, *, plain: bool = False) -> Summary:
        """Return one block by its hash; `plain` without what mempool adds to it."""
        root = self.root if plain else self._blocks_root
        path = f"{root}/block/{hash_to_hex(block_hash)}"
        optional = root != self.root
        found = self._summary(await self._json(path, _PAGE_LIMIT, optional=optional), path)
        if found.ref.hash != block_hash:
            raise BadReply(f"{self.client.host}: GET {path} gives another block")
        return found

    async def summaries(self, top: int, *, optional: bool = False) -> list[Summary]:
        """Return the blocks of the active chain from height `top` down, one page of them."""
        path = f"{self._blocks_root}/blocks/{top}"
        rows = as_list(await self._json(path, _PAGE_LIMIT, optional=optional), self._what(path))
        return [self._summary(row, path) for row in rows]

    async def stale_tips(self) -> list[BlockRef]:
        """Return the ends of branches that lost, of which mempool's node has the blocks."""
        path = f"{self._blocks_root}/chain-tips"
        rows = as_list(await self._json(path, _PAGE_LIMIT, optional=True), self._what(path))
        tips = [Fields(row, self._what(path)) for row in rows]
        return [
            BlockRef(tip.integer("height"), tip.hash("hash"))
            for tip in tips
            if tip.text("status") in _STALE_STATUS
        ]

    async def coinbase_txid(self, block_hash: bytes) -> bytes:
        """Return the txid of a block's first transaction."""
        path = f"{self.root}/block/{hash_to_hex(block_hash)}/txid/0"
        return await self._hash(path, optional=True)

    async def txids(self, block_hash: bytes) -> tuple[bytes, ...]:
        """Return all txids of a block, in block order."""
        path = f"{self.root}/block/{hash_to_hex(block_hash)}/txids"
        rows = as_list(await self._json(path, _TXIDS_LIMIT), self._what(path))
        if not rows:
            raise BadReply(f"{self._what(path)}: a block has at least one transaction")
        return tuple(as_hash(row, self._what(path)) for row in rows)

    async def transaction(self, txid: bytes) -> bytes:
        """Return the bytes of a transaction."""
        path = f"{self.root}/tx/{hash_to_hex(txid)}/hex"
        return as_bytes(await self._text(path, _TX_LIMIT), self._what(path))

    async def merkle_branch(self, txid: bytes) -> tuple[bytes, ...]:
        """Return the Merkle branch of a coinbase, from the leaf up."""
        path = f"{self.root}/tx/{hash_to_hex(txid)}/merkle-proof"
        fields = Fields(await self._json(path, 100 * _SHORT, optional=True), self._what(path))
        if fields.integer("pos") != 0:
            raise BadReply(f"{self._what(path)}: the coinbase is not the first transaction")
        return tuple(as_hash(node, self._what(path)) for node in fields.list("merkle"))

    @property
    def _blocks_root(self) -> str:
        """Where blocks come with what mempool adds to them."""
        return f"{self.root}/v1" if self.dialect == "mempool" else self.root

    def _what(self, path: str) -> str:
        return f"{self.client.host}: GET {path}"

    async def _text(self, path: str, limit: int = _SHORT, *, optional: bool = False) -> str:
        return (await self.client.get(path, limit, optional=optional)).decode("latin-1").strip()

    async def _hash(self, path: str, *, optional: bool = False) -> bytes:
        return as_hash(await self._text(path, optional=optional), self._what(path))

    async def _json(self, path: str, limit: int, *, optional: bool = False) -> Any:
        return parse_json(await self.client.get(path, limit, optional=optional), self._what(path))

    def _summary(self, row: Any, path: str) -> Summary:
        what = self._what(path)
        fields = Fields(row, what)
        ref = BlockRef(fields.integer("height"), fields.hash("id"))
        version = fields.integer("version", _UINT32)
        header = BlockHeader(
            version=version - (1 << 32) if version >> 31 else version,
            prev_hash=fields.hash("previousblockhash") if ref.height else bytes(32),
            merkle_root=fields.hash("merkle_root"),
            time=fields.integer("timestamp", _UINT32),
            nbits=fields.integer("bits", _UINT32),
            nonce=fields.integer("nonce", _UINT32),
        ).serialize()
        if sha256d(header) != ref.hash:
            raise BadReply(f"{what}: the header of block {ref.height} does not hash to its id")
        return Summary(
            ref=ref,
            header=header,
            tx_count=fields.integer("tx_count"),
            size=fields.integer("size"),
            label=self._label(row),
        )

    def _label(self, row: dict[str, Any]) -> Label | None:
        """Return the pool that mempool names, None where there is none or it is no name."""
        extras = row.get("extras")
        pool = extras.get("pool") if isinstance(extras, dict) else None
        slug = pool.get("slug") if isinstance(pool, dict) else None
        if isinstance(slug, str) and _SLUG.fullmatch(slug):
            return Label(slug, self.client.host)
        return None
