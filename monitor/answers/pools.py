"""Pools."""

from __future__ import annotations

from monitor.answers.base import Answer
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
