"""Blocks for the test node: real coinbase tags, mined by the project's own code."""

from __future__ import annotations

import itertools
import random
import struct
import time
from collections.abc import Sequence
from typing import Final

from hashing.build import build_coinbase, compact_size, mine
from hashing.header import BlockHeader, sha256d
from hashing.params import MEDIAN_TIME_SPAN, REGTEST
from hashing.wire import TxOut, merkle_root, parse_coinbase, read_block_prefix
from tests.support.node.chain import Entry, RegtestChain

TAGS: Final[tuple[tuple[bytes, int], ...]] = (
    (b"/Foundry USA Pool #dropgold/", 30),
    (b"\x1bMined by AntPool976", 18),
    (b"/ViaBTC/Mined by node/", 14),
    (b",\xfa\xbemm/F2Pool/", 11),
    (b"/SpiderPool/", 8),
    (b"/MARA Made in USA \xf0\x9f\x87\xba\xf0\x9f\x87\xb8 v", 5),
    (b"/LUXOR/", 4),
    (b"/BTC.com/", 2),
    (b"/slush/", 2),
    (b"< OCEAN.XYZ >", 1),
    (b"", 1),
)
"""Coinbase texts as they stand in real blocks, with their weight in the mix."""

SPACING: Final = 600
ANYONE: Final = b"\x51"
"""OP_TRUE: what the node mines to, so that later blocks can spend it without a key."""
_MATURITY: Final = 100


class Miner:
    """Builds valid blocks on any entry of a chain.

    The same seed gives the same tags. Block times are `SPACING` seconds apart from
    `start_time` on, and never ahead of the clock unless the median time past demands it.
    """

    def __init__(self, chain: RegtestChain, seed: int, start_time: int) -> None:
        self._chain = chain
        self._random = random.Random(seed)
        self._extranonce = itertools.count(random.getrandbits(48))
        self._start_time = start_time

    def build(
        self,
        on: Entry,
        count: int,
        *,
        tag: bytes | str | None = None,
        outputs: Sequence[TxOut] | None = None,
        transactions: int = 0,
    ) -> list[bytes]:
        """Return `count` blocks in a row on `on`; nothing is submitted.

        With `transactions`, each block also carries that many, which spend the coinbase
        that became mature last; it must have been mined without `outputs`.
        """
        line = self._chain.ancestors(on, max(MEDIAN_TIME_SPAN, _MATURITY if transactions else 0))
        times = [entry.header.time for entry in line[:MEDIAN_TIME_SPAN]][::-1]
        blocks: list[bytes] = []
        header = on.header
        for index in range(count):
            height = on.ref.height + 1 + index
            spends: list[bytes] = []
            if transactions:
                mature = line[_MATURITY - 1 - index] if index < _MATURITY else None
                raw = self._chain.raw(mature) if mature else blocks[index - _MATURITY]
                spends = spend_in_a_row(raw, transactions)
            coinbase = self._coinbase(height, tag, outputs, witness=not spends)
            times = [*times[1 - MEDIAN_TIME_SPAN :], self._next_time(times)]
            txids = [parse_coinbase(coinbase).txid, *map(sha256d, spends)]
            header = mine(
                BlockHeader(0x20000000, header.hash, merkle_root(txids), times[-1], header.nbits, 0)
            )
            blocks.append(
                header.serialize() + compact_size(len(txids)) + coinbase + b"".join(spends)
            )
        return blocks

    def _coinbase(
        self,
        height: int,
        tag: bytes | str | None,
        outputs: Sequence[TxOut] | None,
        *,
        witness: bool,
    ) -> bytes:
        if tag is None:
            tags, weights = zip(*TAGS, strict=True)
            tag = self._random.choices(tags, weights)[0]
        text = tag.encode() if isinstance(tag, str) else tag
        extranonce = (next(self._extranonce) % (1 << 64)).to_bytes(8, "little")
        if outputs is None:
            outputs = [TxOut(REGTEST.subsidy(height), ANYONE)]
        return build_coinbase(height, text + extranonce, outputs, witness=witness)

    def _next_time(self, times: Sequence[int]) -> int:
        median = sorted(times)[len(times) // 2]
        wanted = max(times[-1] + SPACING, self._start_time)
        return max(median + 1, min(wanted, int(time.time())))


def spend_in_a_row(block: bytes, count: int) -> list[bytes]:
    """Return `count` transactions, the first of which spends the block's coinbase."""
    coinbase = read_block_prefix(block).coinbase
    txid, value = coinbase.txid, coinbase.outputs[0].value
    transactions = []
    for _ in range(count):
        transaction = (
            struct.pack("<i", 2)
            + b"\x01"
            + txid
            + bytes(4)
            + b"\x00"
            + b"\xff" * 4
            + b"\x01"
            + struct.pack("<q", value)
            + compact_size(len(ANYONE))
            + ANYONE
            + bytes(4)
        )
        txid = sha256d(transaction)
        transactions.append(transaction)
    return transactions
