"""nBits, targets, work, difficulty: exact integers throughout.

The compact form follows ``arith_uint256::SetCompact``/``GetCompact`` of Bitcoin Core.
"""

from __future__ import annotations

from typing import Final

from hashing.errors import TargetError

DIFFICULTY_1_TARGET: Final = 0xFFFF << 208
"""The target of nBits 0x1d00ffff, difficulty 1."""

HASHES_PER_DIFFICULTY: Final = 2**48 / 65535
"""Expected double hashes per unit of difficulty (4 295 032 833.000015, not 2**32)."""


def decode_nbits(nbits: int) -> int:
    """Return the target that a header's nBits stands for.

    Raises
    ------
    TargetError
        If the value is negative, overflows 256 bits or is zero; no header may carry it.
    """
    size, word = nbits >> 24, nbits & 0x007FFFFF
    word_at_size = word >> 8 * (3 - size) if size <= 3 else word
    if word_at_size and nbits & 0x00800000:
        raise TargetError(f"nBits {nbits:#010x} is negative")
    if word and (size > 34 or (word > 0xFF and size > 33) or (word > 0xFFFF and size > 32)):
        raise TargetError(f"nBits {nbits:#010x} overflows 256 bits")
    target = word_at_size if size <= 3 else word << 8 * (size - 3)
    if target == 0:
        raise TargetError(f"nBits {nbits:#010x} is a zero target")
    return target


def encode_nbits(target: int) -> int:
    """Return the compact form of a non-negative `target`, rounded down as Bitcoin Core does."""
    size = (target.bit_length() + 7) // 8
    word = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if word & 0x00800000:
        word >>= 8
        size += 1
    return word | size << 24


def work_from_target(target: int) -> int:
    """Return the expected number of hashes to meet `target`: ``2**256 // (target + 1)``."""
    return (1 << 256) // (target + 1)


def difficulty(target: int) -> float:
    """Return how many times harder `target` is than difficulty 1."""
    return DIFFICULTY_1_TARGET / target
