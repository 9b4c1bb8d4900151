"""Block files as large as mainnet's, of which only headers, counts and coinbases are on disk.

The last block of each file is a whole one, as it has to be in one that a node may be writing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import BinaryIO

from hashing.build import build_block, build_coinbase
from hashing.header import BlockHeader
from hashing.params import REGTEST
from hashing.wire import TxOut, read_block_prefix
from tests.analyzers.coinbase_vectors import RealCoinbase, real_coinbases

KEY = bytes.fromhex("1ed82663d54de682")
BODY = 1_500_000
FILE = 134_217_728
GENESIS_COINBASE = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d"
    "0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66"
    "207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe55"
    "48271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba"
    "0b8d578a4c702b6bf11d5fac00000000"
)
"""The coinbase of every network's genesis block."""
_PAYOUT = TxOut(312_500_000, b"\x00\x14" + bytes(20))


def real_blocks(count: int) -> Iterator[tuple[RealCoinbase, bytes]]:
    """Yield `count` blocks on the regtest genesis with the texts and payouts of real coinbases."""
    parent = BlockHeader.parse(REGTEST.genesis_header)
    reals = cycle([real for real in real_coinbases() if len(real.outputs) < 20])
    for height, real in zip(range(1, count + 1), reals, strict=False):
        tail = (real.script_sig[4:] or b"\x00")[:90]  # behind its own height
        coinbase = build_coinbase(height, tail, real.outputs or (_PAYOUT,))
        txid = read_block_prefix(parent.serialize() + b"\x01" + coinbase).coinbase.txid
        raw = build_block(parent, coinbase, txid, time=parent.time + 600)
        parent = BlockHeader.parse(raw[:80])
        yield real, raw


def write_sparse(folder: Path, count: int, *, order: int = 1) -> None:
    """Write `count` such blocks and the genesis block; bodies are holes in the files.

    With the `order` -1 the last block comes first.
    """
    raws = [REGTEST.genesis_header + b"\x01" + GENESIS_COINBASE]
    raws = [*raws, *(raw for _, raw in real_blocks(count))][::order]
    write_files(folder, raws)


def write_files(folder: Path, raws: Sequence[bytes]) -> None:
    """Write blocks without other transactions as large ones, as `write_sparse` does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "xor.dat").write_bytes(KEY)
    per_file = FILE // (BODY + 8)
    for start in range(0, len(raws), per_file):
        with (folder / f"blk{start // per_file:05}.dat").open("wb") as file:
            for raw in raws[start : start + per_file - 1][: len(raws) - start - 1]:
                _write_large(file, raw)
            raw = raws[min(start + per_file, len(raws)) - 1]
            head = REGTEST.magic + struct.pack("<I", len(raw))
            file.write(obfuscated(head + raw, file.tell()))


def _write_large(file: BinaryIO, raw: bytes) -> None:
    """Write a block as one of 1.5 MB and 2500 transactions, which are a hole."""
    offset = file.tell()
    head = REGTEST.magic + struct.pack("<I", BODY) + raw[:80] + b"\xfd\xc4\x09"
    file.write(obfuscated(head + raw[81:], offset))
    file.truncate(offset + 8 + BODY)
    file.seek(offset + 8 + BODY)


def obfuscated(data: bytes, offset: int) -> bytes:
    """Return `data` as Bitcoin Core writes it at `offset`."""
    key = KEY[offset % 8 :] + KEY * (len(data) // 8 + 1)
    masked = int.from_bytes(data, "little") ^ int.from_bytes(key[: len(data)], "little")
    return masked.to_bytes(len(data), "little")
