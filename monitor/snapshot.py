"""The immutable current state that every reader reads; it is swapped whole.

Readers (metrics, page, API, event stream) never compute and never wait: `Board` holds the
latest snapshot and wakes those who follow it.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

from analyzers.network import Estimate, Forecast
from analyzers.summary import Summary
from hashing.header import BlockRef
from monitor.store.base import StoredBlock
from monitor.terms import TipTerms
from monitor.watch.base import Part


@dataclass(frozen=True, slots=True)
class WindowView:
    """The last `blocks` blocks under `lens`: `summary` says who mined them, how surely."""

    window: int
    lens: str
    summary: Summary


@dataclass(frozen=True, slots=True)
class HashrateView:
    """Network hash rate over a window of blocks, in hashes per second."""

    window: int
    rate: Estimate


@dataclass(frozen=True, slots=True)
class EpochView:
    """The running difficulty epoch: its blocks so far and what its retarget will do.

    `start_time` is the header time of its first block, `retarget_time` the Unix time at which
    it is expected to end.
    """

    start_height: int
    start_time: int
    blocks: int
    forecast: Forecast
    retarget_time: Estimate


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the agent knows after a step. Times are Unix seconds, ratios 0..1.

    `synthetic` is empty for the live chain, else the reason why it is not (``sample``,
    ``rehearsal``). `recent` holds the last blocks, newest first, stale ones among them.
    `terms` are what the chain asks and pays at the tip, None while there is no block.
    `header_only` counts the blocks of which nobody had more than the header.
    `proved` counts the blocks of the largest window by how far they proved themselves,
    `rules` by the rule that attributed them. `registry_date` is when the registry's rows were
    last held against their sources, None where it does not say. `other_registry` counts the stored
    blocks, active or stale, that a registry of another version attributed: 0 unless they are being
    attributed anew, or the agent that writes has another registry than this one. `watched` is what
    each watcher observed last, by the watcher's name.
    """

    network: str
    synthetic: str
    registry_version: str
    registry_pools: int
    registry_date: datetime.date | None
    tip: BlockRef | None
    tip_time: int | None
    difficulty: float | None
    windows: tuple[WindowView, ...]
    hashrates: tuple[HashrateView, ...]
    epoch: EpochView | None
    terms: TipTerms | None
    reorgs: int
    deepest_reorg: int
    stale_blocks: int
    header_only: int
    proved: Mapping[str, int]
    rules: Mapping[str, int]
    conflicts: int
    empty_blocks: int
    recent: tuple[StoredBlock, ...]
    made_at: float
    other_registry: int = 0
    watched: Mapping[str, Part] = field(default_factory=dict)

    def window(self, blocks: int, lens: str) -> Summary | None:
        """Return the summary of a window under a lens, None if it is not kept."""
        for view in self.windows:
            if view.window == blocks and view.lens == lens:
                return view.summary
        return None


class Board:
    """Holds the latest snapshot and wakes who waits for a newer one. For the event loop only."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._watched: dict[str, Part] = {}
        self._changed = asyncio.Event()

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot."""
        return self._snapshot

    def publish(self, snapshot: Snapshot) -> None:
        """Swap the snapshot, for one of the chain anew, and wake everyone who follows."""
        self._snapshot = replace(snapshot, watched=self._watched)
        self._changed.set()
        self._changed = asyncio.Event()

    def observed(self, watcher: str, part: Part) -> None:
        """Swap the snapshot for one with what a watcher has observed."""
        self._watched = {**self._watched, watcher: part}
        self.publish(self._snapshot)

    async def follow(self) -> AsyncIterator[Snapshot]:
        """Yield the latest snapshot now and after each change; slow readers skip some."""
        while True:
            changed = self._changed
            yield self._snapshot
            await changed.wait()
