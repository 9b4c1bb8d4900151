"""What the version field of a header signals, and what of it was rolled for work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_TOP_MASK: Final = 0xE000_0000
_TOP_BITS: Final = 0x2000_0000
_ROLLED_MASK: Final = 0x1FFF_E000
_SIGNAL_BITS: Final = 29


@dataclass(frozen=True, slots=True)
class VersionBits:
    """The bits of a block version under BIP9 and BIP320.

    `signalled` are the set bits that can be signals (0 to 12), `rolled` the 16 bits that
    BIP320 leaves to miners as extra nonce, as a number. Both are empty where the top bits
    are not 001: such versions signal nothing.
    """

    signalled: tuple[int, ...]
    rolled: int


def read_version(version: int) -> VersionBits:
    """Read a header's version (signed or unsigned 32 bits).

    Bits 13 to 28 may be signals or rolled: a single block cannot tell. Over many blocks,
    rolled bits are set in about half of them. Sources: BIP9, BIP320.

    Examples
    --------
    >>> read_version(0x20000004)
    VersionBits(signalled=(2,), rolled=0)
    >>> read_version(0x2FFF_E000)
    VersionBits(signalled=(), rolled=32767)
    >>> read_version(2)
    VersionBits(signalled=(), rolled=0)
    """
    bits = version & 0xFFFF_FFFF
    if bits & _TOP_MASK != _TOP_BITS:
        return VersionBits((), 0)
    signals = bits & ~_ROLLED_MASK
    found = tuple(bit for bit in range(_SIGNAL_BITS) if signals >> bit & 1)
    return VersionBits(found, (bits & _ROLLED_MASK) >> 13)
