"""Regtest chains as values: mined by the project's own code, ready to serve or to store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analyzers.model import Attribution, Evidence, Where
from hashing.build import build_block, build_coinbase
from hashing.header import HEADER_SIZE, BlockHeader, BlockRef
from hashing.params import REGTEST
from hashing.wire import TxOut, read_block_prefix
from monitor.sources.base import SourceBlock
from monitor.store.base import StoredBlock

PAYOUT = b"\x00\x14" + bytes(20)


@dataclass(frozen=True, slots=True)
class Mined:
    """A mined block: where it is, its header and all its bytes."""

    height: int
    header: BlockHeader
    raw: bytes

    @property
    def ref(self) -> BlockRef:
        return BlockRef(self.height, self.header.hash)

    @property
    def coinbase_tx(self) -> bytes:
        return self.raw[81:]

    def offered(self) -> SourceBlock:
        """The block as an honest source hands it over (genesis: its header alone)."""
        if len(self.raw) == HEADER_SIZE:
            return SourceBlock(ref=self.ref, header=self.raw)
        txid = read_block_prefix(self.raw).coinbase.txid
        return SourceBlock(
            ref=self.ref,
            header=self.raw[:80],
            coinbase_tx=self.coinbase_tx,
            txids=(txid,),
            tx_count=1,
            size=len(self.raw),
        )

    def stored(self, *, stale: bool = False, pool: str | None = "antpool") -> StoredBlock:
        """The block as the store keeps it, attributed to `pool`."""
        evidence = Evidence("tag", pool or "x", b"/x/", Where("script_sig", 3, 3), "strong")
        return StoredBlock(
            ref=self.ref,
            header=self.raw[:80],
            coinbase_tx=self.coinbase_tx,
            proof="coinbase",
            stale=stale,
            source="test",
            label=None,
            attribution=Attribution(pool, "tag", (evidence,) if pool else (), (), "registry-1"),
            tx_count=1,
            size=len(self.raw),
        )

    def header_only(self) -> StoredBlock:
        """The block as the store keeps it when nobody has more than its header."""
        known = self.stored(pool=None)
        return replace(known, coinbase_tx=None, proof="header", tx_count=None, size=None)


def genesis() -> Mined:
    """The regtest genesis block, known by its header."""
    return Mined(0, BlockHeader.parse(REGTEST.genesis_header), REGTEST.genesis_header)


def extend(
    parent: Mined, count: int, *, tag: bytes = b"/Foundry USA Pool/", spacing: int = 600
) -> list[Mined]:
    """Mine `count` blocks on `parent`; the tag tells branches apart."""
    chain: list[Mined] = []
    for _ in range(count):
        height = parent.height + 1
        coinbase = build_coinbase(height, tag, [TxOut(REGTEST.subsidy(height), PAYOUT)])
        probe = parent.header.serialize() + b"\x01" + coinbase
        txid = read_block_prefix(probe).coinbase.txid
        raw = build_block(parent.header, coinbase, txid, time=parent.header.time + spacing)
        parent = Mined(height, BlockHeader.parse(raw[:80]), raw)
        chain.append(parent)
    return chain


def refs(chain: Sequence[Mined]) -> list[BlockRef]:
    """The references of a chain."""
    return [block.ref for block in chain]
