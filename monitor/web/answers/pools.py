"""Pools."""

from __future__ import annotations

from monitor.web.answers.base import Answer
from monitor.web.answers.figures import Share


class PoolBlocks(Answer):
    """Blocks of a pool in the windows."""

    slug: str
    name: str
    blocks: dict[int, int]
    """Blocks by window."""


class PoolList(Answer):
    """Pools with blocks in any window, the largest first."""

    pools: list[PoolBlocks]


class PoolWindow(Answer):
    """A pool's part of one window."""

    window: int
    of_blocks: int
    share: Share


class PoolTag(Answer):
    """Bytes that the registry gives a pool."""

    text: str
    strength: str
    sources: list[str]


class PoolPayout(Answer):
    """An address that the registry gives a pool."""

    address: str
    strength: str
    sources: list[str]


class PoolDetail(Answer):
    """A pool: what the registry says, and what it found."""

    slug: str
    name: str
    aliases: list[str]
    website: str
    windows: list[PoolWindow]
    tags: list[PoolTag]
    payouts: list[PoolPayout]
