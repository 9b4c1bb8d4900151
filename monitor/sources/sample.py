"""The built-in sample: real mainnet blocks, replayed as if the tip moved.

Headers, difficulty and times are real and prove themselves. Who mined a block is what a
published list says (a label), except for the few blocks whose coinbase ships with its
Merkle branch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from analyzers.model import Label
from hashing.header import sha256d
from monitor.errors import NotFound
from monitor.sources.base import BlockRef, Capabilities, SourceBlock, Tips, Want
from monitor.sources.sample_data import ProvedCoinbase, SampleData, load_sample

BACKLOG: Final = 4500
"""Blocks that are already there at the start: enough for every window and a retarget."""


class SampleSource:
    """A `BlockSource` over the sample.

    Parameters
    ----------
    speed:
        Blocks per second that the tip advances.
    resume_height:
        Height that an earlier run reached; the replay goes on from there.
    clock:
        Monotonic seconds.

    The replay ends with the data and stays there.
    """

    name = "sample"
    network = "mainnet"
    capabilities = Capabilities(batch=500, stale_tips=True, synthetic="sample")

    def __init__(
        self,
        speed: float,
        resume_height: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speed = speed
        self._resume_height = resume_height
        self._clock = clock
        self._data: SampleData | None = None
        self._started = 0.0
        self._first_tip = 0
        self._coinbases: dict[bytes, ProvedCoinbase] = {}

    async def open(self) -> None:
        """Unpack the sample."""
        if self._data is not None:
            return
        data = await asyncio.to_thread(load_sample)
        self._coinbases = {sha256d(block.header): block for block in (*data.coinbases, *data.stale)}
        first = data.start + BACKLOG
        self._first_tip = min(max(first, self._resume_height or 0), data.end - 1)
        self._started = self._clock()
        self._data = data

    async def close(self) -> None:
        """Let go of the sample."""
        self._data = None

    async def tips(self) -> Tips:
        """Return where the replay has come to."""
        data, height = self._opened(), self._height()
        stale = tuple(
            BlockRef(block.height, sha256d(block.header))
            for block in data.stale
            if block.height <= height
        )
        return Tips(BlockRef(height, sha256d(data.header(height))), stale)

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return real headers up to where the replay has come."""
        data = self._opened()
        low, high = max(start, data.start), min(start + count, self._height() + 1)
        return [data.header(height) for height in range(low, high)] if start >= data.start else []

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return headers with their published labels, and coinbases where they are at hand."""
        return [self._block(ref) for ref in refs]

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Return when the replay moves on."""
        data = self._opened()
        if self._height() >= data.end - 1:
            await asyncio.sleep(timeout)
            return
        next_move = (int((self._clock() - self._started) * self._speed) + 1) / self._speed
        await asyncio.sleep(min(timeout, max(0.0, self._started + next_move - self._clock())))

    def _opened(self) -> SampleData:
        if self._data is None:
            raise NotFound("the sample is not open")
        return self._data

    def _height(self) -> int:
        moved = int((self._clock() - self._started) * self._speed)
        return min(self._first_tip + moved, self._opened().end - 1)

    def _block(self, ref: BlockRef) -> SourceBlock:
        data = self._opened()
        if proved := self._coinbases.get(ref.hash):
            return SourceBlock(
                ref=BlockRef(proved.height, ref.hash),
                header=proved.header,
                coinbase_tx=proved.coinbase_tx,
                merkle_branch=proved.merkle_branch,
                tx_count=proved.tx_count,
                size=proved.size,
            )
        if not data.start <= ref.height <= self._height():
            raise NotFound(f"the sample has no block at height {ref.height} (yet)")
        header = data.header(ref.height)
        if sha256d(header) != ref.hash:
            raise NotFound(f"the sample has another block at height {ref.height}")
        label = Label(data.label(ref.height), data.label_source)
        return SourceBlock(ref=ref, header=header, label=label)
