"""The one seam to the world's blocks.

A source hands over bytes and claims nothing about them: `monitor.proof` decides what is
believed. One file a source; one contract suite (`tests/monitor/sources/contract.py`) runs
against all of them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from analyzers.leftout import LeftOut
from analyzers.model import Label
from hashing.header import BlockRef


class Want(enum.Enum):
    """How much of a block to fetch."""

    COINBASE = "coinbase"
    """Header and coinbase by the cheapest way; the source may add its proof."""
    PROVED = "proved"
    """Header, coinbase, and what proves the coinbase: a Merkle branch or all txids."""


@dataclass(frozen=True, slots=True)
class SourceBlock:
    """A block as a source hands it over: bytes, not yet believed.

    Exactly one of `merkle_branch` (siblings from the coinbase up) and `txids` (all, in
    block order) may prove the coinbase; both None means header proof only. A source of
    labels without coinbases leaves `coinbase_tx` None and gives `label`.
    `first_seen` is Unix seconds when the source itself knows it, else None.
    """

    ref: BlockRef
    header: bytes
    coinbase_tx: bytes | None = None
    merkle_branch: tuple[bytes, ...] | None = None
    txids: tuple[bytes, ...] | None = None
    tx_count: int | None = None
    size: int | None = None
    label: Label | None = None
    first_seen: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a source can do, so that callers need not try.

    `batch` is how many blocks one call of `blocks` fetches well; `headers_batch` how many
    headers one call of `headers` may ask for; `first_height` is the lowest height to begin at
    (the start of a difficulty period, where there are such); `bodies_from` is the lowest height
    whose block it keeps, as far as it knows: a pruned node has the headers below, but not the
    blocks, and what it prunes later moves that up; `synthetic` names why the blocks
    are not the live chain (``sample``, ``rehearsal``) and is empty for a real source; `public`
    is true where asking tells a third party about us.
    """

    batch: int = 1
    headers_batch: int = 2000
    first_height: int = 0
    bodies_from: int = 0
    stale_tips: bool = False
    push: bool = False
    synthetic: str = ""
    public: bool = False


class BlockSource(Protocol):
    """Where blocks come from. All methods raise `monitor.errors.SourceError` subclasses.

    Calls may overlap. The chain needs `open`, `tip`, `headers`, `blocks` and
    `wait_for_tip_change`, and nothing that is optional may make one of these fail.
    """

    name: str
    """Stable short name for metric labels and messages: ``bitcoind``, ``esplora`` ..."""
    network: str
    """The network that the source serves (a name in `hashing.params.NETWORKS`); known
    after `open`."""
    capabilities: Capabilities
    """Known after `open`."""

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What its input holds and it does not use, as known now; any call may change it."""

    async def open(self) -> None:
        """Connect and find out what the source can do; may be called again after a failure."""

    async def close(self) -> None:
        """Let go of everything; safe to call twice and before `open`."""

    async def tip(self) -> BlockRef:
        """Return the end of the source's active chain now."""

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return other ends of the block tree, of which the source should have the blocks.

        Optional: asked beside the chain, and only where `Capabilities.stale_tips` promises it.
        What it raises is no trouble of the chain.
        """

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return up to `count` 80-byte headers of the active chain from height `start` on.

        Fewer when the chain ends before; an empty list when `start` is above the tip.
        """

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return the blocks of `refs` in their order.

        `NotFound` if any is not there; `NotKept` if it is in the active chain, but without
        its body.
        """

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Return when the tip may have changed, or after `timeout` seconds: only a hint."""
