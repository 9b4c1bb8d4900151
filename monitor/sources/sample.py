"""The built-in sample: real mainnet blocks, replayed as if the tip moved.

Headers, difficulty and times are real and prove themselves. Who mined a block is what a
published list says (a label), except for the few blocks whose coinbase ships with its
Merkle branch. Real stale blocks appear as tips beside the chain when their height is
reached: which of two rivals came first is not in the data, so no reorg is played.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from analyzers.leftout import LeftOut
from analyzers.model import Label
from hashing.header import BlockRef, sha256d
from monitor.errors import NotFound, SourceUnavailable
from monitor.sources.base import Capabilities, SourceBlock, Want
from monitor.sources.sample_data import ProvedCoinbase, SampleData, load_sample

log = logging.getLogger(__name__)

FIRST_PERIOD: Final = 822_528
"""Height at which the first whole difficulty period of the sample begins."""
BACKLOG: Final = 4500
"""Blocks that are already there at the start: enough for every window and two retargets."""


class SampleSource:
    """A `BlockSource` over the sample.

    Parameters
    ----------
    speed:
        Blocks per second that the tip advances.
    resume_height:
        Height that an earlier run reached; the replay goes on from there.
    backlog:
        Blocks of the sample that are already there at the start.
    clock:
        Monotonic seconds.

    The replay ends with the data, says so and stays there.
    """

    name = "sample"
    left_out: Sequence[LeftOut] = ()
    network = "mainnet"
    capabilities = Capabilities(
        batch=500, first_height=FIRST_PERIOD, stale_tips=True, synthetic="sample"
    )

    def __init__(
        self,
        speed: float,
        resume_height: int | None = None,
        *,
        backlog: int = BACKLOG,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speed = speed
        self._backlog = backlog
        self._resume_height = resume_height
        self._clock = clock
        self._data: SampleData | None = None
        self._started = 0.0
        self._first_tip = 0
        self._reported = 0
        self._said_end = False
        self._coinbases: dict[bytes, ProvedCoinbase] = {}

    async def open(self) -> None:
        """Unpack the sample; a replay that was closed goes on where it was."""
        if self._data is not None:
            return
        data = await asyncio.to_thread(load_sample)
        self._coinbases = {sha256d(block.header): block for block in (*data.coinbases, *data.stale)}
        first = max(data.start + self._backlog - 1, self._resume_height or 0, self._reported)
        self._first_tip = min(first, data.end - 1)
        self._started = self._clock()
        self._data = data

    async def close(self) -> None:
        """Let go of the sample."""
        self._data = None
        self._coinbases = {}

    async def tip(self) -> BlockRef:
        """Return where the replay has come to."""
        data, height = self._opened(), self._height()
        self._reported = height
        if height == data.end - 1 and not self._said_end:
            self._said_end = True
            log.info("the sample ends at height %d; no more blocks will come", height)
        return BlockRef(height, sha256d(data.header(height)))

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return the real stale blocks up to where the replay has come."""
        data, height = self._opened(), self._height()
        return [
            BlockRef(block.height, sha256d(block.header))
            for block in data.stale
            if block.height <= height
        ]

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return real headers up to where the replay has come; none from below the sample."""
        data = self._opened()
        if start < data.start:
            return []
        stop = min(start + count, self._height() + 1)
        return [data.header(height) for height in range(start, stop)]

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return headers with their published labels, and coinbases where they are at hand."""
        return [self._block(ref) for ref in refs]

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Return when the replay has moved on from the tip that `tip` told last."""
        data = self._opened()
        if self._height() != self._reported:
            return
        if self._reported == data.end - 1:
            await asyncio.sleep(timeout)
            return
        due = self._started + (self._reported + 1 - self._first_tip) / self._speed
        await asyncio.sleep(min(timeout, max(0.0, due - self._clock())))

    def _opened(self) -> SampleData:
        if self._data is None:
            raise SourceUnavailable("the sample is not open")
        return self._data

    def _height(self) -> int:
        moved = int((self._clock() - self._started) * self._speed)
        return min(self._first_tip + moved, self._opened().end - 1)

    def _block(self, ref: BlockRef) -> SourceBlock:
        data, tip = self._opened(), self._height()
        proved = self._coinbases.get(ref.hash)
        inside = data.start <= ref.height <= tip
        header = data.header(ref.height) if inside else b""
        main = inside and sha256d(header) == ref.hash
        label = Label(data.label(ref.height), data.label_source) if main else None
        if proved is not None and proved.height == ref.height <= tip:
            return SourceBlock(
                ref=ref,
                header=proved.header,
                coinbase_tx=proved.coinbase_tx,
                merkle_branch=proved.merkle_branch,
                tx_count=proved.tx_count,
                size=proved.size,
                label=label,
            )
        if not main:
            raise NotFound(f"the sample has no such block at height {ref.height} (yet)")
        return SourceBlock(ref=ref, header=header, label=label)
