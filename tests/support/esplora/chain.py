"""What the test server serves: real mainnet blocks, or regtest blocks mined here."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from hashing.build import build_coinbase, mine
from hashing.header import BlockHeader, BlockRef, sha256d
from hashing.params import MAINNET, REGTEST, TARGET_SPACING, NetworkParams
from hashing.wire import TxOut, merkle_branch, merkle_root, parse_coinbase
from monitor.sources.rehearsal_chain import GENESIS_COINBASE
from monitor.sources.sample_data import load_sample

VECTORS = Path(__file__).parents[2] / "vectors" / "real_blocks.json"
REAL_TIP = 830_000


@dataclass(frozen=True, slots=True)
class ServedBlock:
    """A block as far as an API shows it; what is not at hand is None."""

    height: int
    header: bytes
    coinbase_tx: bytes | None = None
    branch: tuple[bytes, ...] | None = None
    txids: tuple[bytes, ...] | None = None
    tx_count: int = 1
    size: int = 0
    pool: str = "unknown"

    @property
    def hash(self) -> bytes:
        return sha256d(self.header)

    @property
    def ref(self) -> BlockRef:
        return BlockRef(self.height, self.hash)

    @property
    def coinbase_txid(self) -> bytes | None:
        return None if self.coinbase_tx is None else parse_coinbase(self.coinbase_tx).txid


@dataclass(slots=True)
class ServedChain:
    """An active chain (its part from some height on) and every other block by hash."""

    params: NetworkParams
    active: list[ServedBlock]
    others: dict[bytes, ServedBlock] = field(default_factory=dict)

    @property
    def tip(self) -> ServedBlock:
        return self.active[-1]

    def at(self, height: int) -> ServedBlock | None:
        index = height - self.active[0].height
        return self.active[index] if 0 <= index < len(self.active) else None

    def find(self, block_hash: bytes) -> ServedBlock | None:
        if found := self.others.get(block_hash):
            return found
        return next((block for block in self.active if block.hash == block_hash), None)

    def with_coinbase(self, txid: bytes) -> ServedBlock | None:
        blocks = (*self.active, *self.others.values())
        return next((block for block in blocks if block.coinbase_txid == txid), None)

    def is_active(self, block: ServedBlock) -> bool:
        return self.at(block.height) is block

    def extend(self, blocks: Sequence[ServedBlock]) -> None:
        """Add blocks; those that they replace stay known, as stale."""
        first = blocks[0].height - self.active[0].height
        self.others.update((block.hash, block) for block in self.active[first:])
        self.active[first:] = blocks


def regtest_genesis() -> ServedBlock:
    txid = parse_coinbase(GENESIS_COINBASE).txid
    return ServedBlock(
        0, REGTEST.genesis_header, GENESIS_COINBASE, (), (txid,), size=81 + len(GENESIS_COINBASE)
    )


def mine_on(
    parent: ServedBlock,
    count: int,
    *,
    seed: int = 0,
    transactions: int = 1,
    tag: bytes = b"/ViaBTC/",
    pool: str = "viabtc",
) -> list[ServedBlock]:
    """Mine regtest blocks with `transactions` each, of which only the coinbase is real."""
    rng = random.Random(f"{seed}/{parent.height}")
    blocks = []
    for height in range(parent.height + 1, parent.height + 1 + count):
        coinbase = build_coinbase(height, tag + rng.randbytes(8), [TxOut(312_500_000, b"\x51")])
        txids = (
            parse_coinbase(coinbase).txid,
            *(rng.randbytes(32) for _ in range(transactions - 1)),
        )
        before = BlockHeader.parse(parent.header)
        root = merkle_root(txids)
        header = mine(
            BlockHeader(
                0x20000000, before.hash, root, before.time + TARGET_SPACING, before.nbits, 0
            )
        ).serialize()
        parent = ServedBlock(
            height=height,
            header=header,
            coinbase_tx=coinbase,
            branch=merkle_branch(txids),
            txids=txids,
            tx_count=transactions,
            size=81 + len(coinbase) + 250 * (transactions - 1),
            pool=pool,
        )
        blocks.append(parent)
    return blocks


@cache
def real_blocks() -> tuple[ServedBlock, ...]:
    """Return real mainnet blocks of all eras, lowest first."""
    return tuple(
        ServedBlock(
            height=row["height"],
            header=bytes.fromhex(row["header"]),
            coinbase_tx=bytes.fromhex(row["coinbase_tx"]),
            branch=tuple(map(bytes.fromhex, row["merkle_branch"])),
            tx_count=row["tx_count"],
            size=row["size"],
        )
        for row in json.loads(VECTORS.read_text())["blocks"]
    )


def mainnet_chain(length: int = 40) -> ServedChain:
    """Return real headers up to a real tip with its coinbase, and the other real blocks."""
    sample = load_sample()
    real = {block.height: block for block in real_blocks()}
    heights = range(REAL_TIP - length + 1, REAL_TIP)
    active = [ServedBlock(h, sample.header(h), pool=sample.label(h)) for h in heights]
    active.append(real.pop(REAL_TIP))
    return ServedChain(MAINNET, active, {block.hash: block for block in real.values()})
