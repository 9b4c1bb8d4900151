"""Building blocks: what the rehearsal chain and the tests mine.

Blocks hold a coinbase only; Bitcoin Core's consensus code accepts them on regtest.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence

from hashing.errors import HashingError
from hashing.header import BlockHeader, sha256d
from hashing.target import decode_nbits
from hashing.wire import NULL_OUTPOINT, TxOut

_WITNESS_RESERVED = bytes(32)


def compact_size(value: int) -> bytes:
    """Return the CompactSize encoding of `value`."""
    if value < 0xFD:
        return bytes([value])
    for prefix, size in ((0xFD, 2), (0xFE, 4), (0xFF, 8)):
        if value < 1 << 8 * size:
            return bytes([prefix]) + value.to_bytes(size, "little")
    raise HashingError(f"{value} does not fit a CompactSize")


def push_height(height: int) -> bytes:
    """Return the BIP34 push of `height`, as Bitcoin Core's ``CScript() << height`` writes it."""
    if height == 0:
        return b"\x00"
    if height <= 16:
        return bytes([0x50 + height])
    size = height.bit_length() // 8 + 1
    return bytes([size]) + height.to_bytes(size, "little")


def build_coinbase(
    height: int, tail: bytes, outputs: Sequence[TxOut], *, witness: bool = True
) -> bytes:
    """Return a serialized coinbase: BIP34 height, then `tail`, in its scriptSig.

    With `witness`, the commitment of a block without other transactions is added (BIP141).

    Raises
    ------
    HashingError
        If the scriptSig would not have 2 to 100 bytes, as consensus demands.
    """
    script_sig = push_height(height) + tail
    if not 2 <= len(script_sig) <= 100:
        raise HashingError(f"a coinbase scriptSig has 2 to 100 bytes, not {len(script_sig)}")
    outs = list(outputs)
    if witness:
        commitment = sha256d(bytes(32) + _WITNESS_RESERVED)
        outs.append(TxOut(0, b"\x6a\x24\xaa\x21\xa9\xed" + commitment))
    body = b"\x01" + NULL_OUTPOINT + compact_size(len(script_sig)) + script_sig + b"\xff" * 4
    body += compact_size(len(outs))
    for out in outs:
        body += struct.pack("<q", out.value) + compact_size(len(out.script)) + out.script
    version, lock_time = struct.pack("<i", 2), bytes(4)
    if not witness:
        return version + body + lock_time
    return version + b"\x00\x01" + body + b"\x01\x20" + _WITNESS_RESERVED + lock_time


def mine(header: BlockHeader) -> BlockHeader:
    """Return `header` with the first nonce that meets its own target (easy targets only).

    Raises
    ------
    HashingError
        If no nonce of the 2**32 does.
    """
    target = decode_nbits(header.nbits)
    stem = header.serialize()[:76]
    for nonce in range(1 << 32):
        digest = sha256d(stem + nonce.to_bytes(4, "little"))
        if int.from_bytes(digest, "little") <= target:
            return dataclasses.replace(header, nonce=nonce)
    raise HashingError("no nonce meets the target")


def build_block(
    prev: BlockHeader,
    coinbase: bytes,
    coinbase_txid: bytes,
    *,
    time: int,
    version: int = 0x20000000,
) -> bytes:
    """Return a mined block of one transaction that follows `prev` at the same nBits."""
    header = mine(BlockHeader(version, prev.hash, coinbase_txid, time, prev.nbits, 0))
    return header.serialize() + b"\x01" + coinbase
