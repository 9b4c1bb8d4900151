"""Pools."""

from __future__ import annotations

from monitor.answers.base import Answer, CommandAnswer
from monitor.answers.figures import Share


class PoolBlocks(Answer):
    """Blocks of a pool in the windows."""

    slug: str
    """Its slug."""
    name: str
    """Its name."""
    blocks: dict[int, int]
    """Blocks by window."""


class PoolList(Answer):
    """Pools with blocks in any window, the largest first."""

    pools: list[PoolBlocks]
    """The pools."""


class PoolShares(CommandAnswer):
    """Who found the blocks of the last window."""

    source: str
    """Where the blocks come from."""
    synthetic: str
    """Empty for the live chain, else why the blocks are not live: sample, rehearsal."""
    window: str
    """The window as it was asked for (2016, 7d)."""
    lens: str
    """The lens that it is seen through: a name, or the file that was given."""
    start_time: int
    """Unix time in the header of its first block."""
    first_height: int
    """Height of its first block."""
    last_height: int
    """Height of its last block."""
    blocks: int
    """Blocks that are really there: fewer than the window while the store is young."""
    unknown: int
    """Blocks that nothing names a pool for."""
    shares: list[Share]
    """The largest first."""
    registries: dict[str, int]
    """Its blocks by version of the registry that attributed them, most first; empty for the
    history that ships."""


class PoolWindow(Answer):
    """A pool's part of one window."""

    window: int
    """Length of the window, in blocks."""
    of_blocks: int
    """Blocks that are really there."""
    share: Share
    """The pool's part of them."""


class PoolTag(Answer):
    """Bytes that the registry gives a pool."""

    text: str
    """The tag as people write it: pattern, text, or hex where it is not printable."""
    strength: str
    """strong, or weak: names nobody by itself."""
    sources: list[str]
    """Where the registry has it from."""


class PoolPayout(Answer):
    """An address that the registry gives a pool."""

    address: str
    """The address."""
    strength: str
    """strong, or weak: names nobody by itself."""
    sources: list[str]
    """Where the registry has it from."""


class PoolDetail(Answer):
    """A pool: what the registry says, and what it found."""

    slug: str
    """Its slug."""
    name: str
    """Its name."""
    aliases: list[str]
    """Other names that lists give it."""
    website: str
    """Address of its site; empty where none is known."""
    windows: list[PoolWindow]
    """What it found in each window."""
    tags: list[PoolTag]
    """Its bytes in coinbases, by the registry."""
    payouts: list[PoolPayout]
    """Its addresses, by the registry."""
