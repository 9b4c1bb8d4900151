"""The 80-byte block header: parse, serialize, hash."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from hashing.errors import WireError

HEADER_SIZE: Final = 80
_LAYOUT: Final = struct.Struct("<i32s32sIII")


def sha256d(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256 of `data` (32 bytes, internal order)."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def hash_to_hex(digest: bytes) -> str:
    """Return a 32-byte internal-order hash as the reversed hex that people and RPC use."""
    return digest[::-1].hex()


def hash_from_hex(text: str) -> bytes:
    """Return the internal-order bytes of a reversed-hex hash.

    Raises
    ------
    WireError
        If `text` is not exactly 64 hex digits.
    """
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(text) != 64 or len(digest) != 32:
        raise WireError(f"not a block hash: expected 64 hex digits, got {text[:80]!r}")
    return digest[::-1]


class BlockRef(NamedTuple):
    """A block by height and hash (32 internal-order bytes)."""

    height: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """A block header; hashes are 32 internal-order bytes, `time` is Unix seconds (UTC)."""

    version: int
    prev_hash: bytes
    merkle_root: bytes
    time: int
    nbits: int
    nonce: int

    @classmethod
    def parse(cls, data: bytes) -> BlockHeader:
        """Read a header from exactly 80 bytes.

        Raises
        ------
        WireError
            If `data` is not 80 bytes long.
        """
        if len(data) != HEADER_SIZE:
            raise WireError(f"a block header has {HEADER_SIZE} bytes, got {len(data)}")
        return cls(*_LAYOUT.unpack(data))

    def serialize(self) -> bytes:
        """Return the 80 bytes that are hashed and relayed."""
        return _LAYOUT.pack(
            self.version, self.prev_hash, self.merkle_root, self.time, self.nbits, self.nonce
        )

    @property
    def hash(self) -> bytes:
        """The block hash, 32 internal-order bytes."""
        return sha256d(self.serialize())
