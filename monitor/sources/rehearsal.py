"""A local chain that is mined while you watch: for demonstrations, dashboards and alerts.

Everything is done as on the live chain (proof of work at regtest difficulty, coinbases in
the words of real pools, forks and reorgs), and nothing of it is: the source calls itself
synthetic, and the agent marks every output.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from analyzers.leftout import LeftOut
from hashing.header import HEADER_SIZE, BlockRef, sha256d
from hashing.params import TARGET_SPACING
from monitor.errors import NotFound, SourceRefused, SourceUnavailable
from monitor.sources.base import Capabilities, SourceBlock, Want
from monitor.sources.rehearsal_chain import Fork, RehearsalChain, Silence
from monitor.sources.rehearsal_mix import mix_of

BACKLOG: Final = 2160
"""Blocks that are already there at the start: the largest window and a day more."""
STALE_WITHIN: Final = 2016
"""Blocks below the tip within which stale tips are shown."""
_AT_ONCE: Final = 100
"""More blocks than these are mined in a thread."""


class RehearsalSource:
    """A `BlockSource` that mines its own chain.

    Parameters
    ----------
    seed:
        The same seed with the same `shares`, forks and silences gives the same chain, byte
        by byte, on any machine and after any restart.
    speed:
        Blocks per second, on average: chain time runs ``600 * speed`` times as fast as the
        clock, and blocks come at random as on the live chain.
    resume_height:
        Height that an earlier run reached; the chain goes on from there.
    resume_hash:
        Hash of the block stored there, to be sure that it is this chain.
    backlog:
        Blocks that are already there at the start.
    shares:
        Weights by miner name; None takes the illustrative mix that ships.
    fork_probability, fork_depth:
        Chance of a fork at each block, and how many blocks the losing branch may have.
    silences:
        Where the chain falls silent.
    clock:
        Monotonic seconds.
    """

    name = "rehearsal"
    left_out: Sequence[LeftOut] = ()
    network = "regtest"
    capabilities = Capabilities(batch=500, stale_tips=True, synthetic="rehearsal")

    def __init__(
        self,
        seed: int = 1,
        speed: float = 0.5,
        *,
        resume_height: int | None = None,
        resume_hash: bytes | None = None,
        backlog: int = BACKLOG,
        shares: Mapping[str, float] | None = None,
        fork_probability: float = 0.01,
        fork_depth: int = 1,
        silences: Sequence[Silence] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain = RehearsalChain(
            seed,
            mix_of(shares),
            fork_probability=fork_probability,
            fork_depth=fork_depth,
            silences=silences,
        )
        self._pace = TARGET_SPACING * speed
        self._resume = resume_height, resume_hash
        self._first_tip = max(1, backlog, resume_height or 0)
        self._clock = clock
        self._mining = asyncio.Lock()
        self._is_open = False
        self._offset = 0.0
        self._reported = 0

    async def open(self) -> None:
        """Mine the history; a chain that was closed goes on where it was.

        Raises
        ------
        SourceRefused
            If the block to resume from is not of this chain.
        """
        if self._is_open:
            return
        async with self._mining:
            await asyncio.to_thread(self._mine_to, self._first_tip)
        at, block_hash = self._resume
        if at is not None and block_hash is not None and self._header_of(at, block_hash) is None:
            raise SourceRefused(
                f"the store holds another rehearsal at height {at}: take the seed and options "
                "that made it, or another --data-dir"
            )
        self._offset = self._chain.time(self._chain.height) - self._clock() * self._pace
        self._is_open = True

    async def close(self) -> None:
        """Stop mining."""
        self._is_open = False

    async def tip(self) -> BlockRef:
        """Mine what is due and return the end of the chain."""
        height = self._reported = await self._advance()
        live = self._live_fork(height)
        return self._ref(height) if live is None else self._fork_ref(live, height)

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return the ends of the branches that have lost, and of one that will win."""
        height = await self._advance()
        live = self._live_fork(height)
        stale = {
            fork.start: self._fork_ref(fork, min(fork.end - 1, height))
            for at in range(max(1, height - STALE_WITHIN), height + 1)
            if (fork := self._chain.fork_at(at)) is not None and fork is not live
        }
        return [*stale.values(), *([] if live is None else [self._ref(height)])]

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return headers of the chain that is active now."""
        tip = await self._advance()
        live = self._live_fork(tip)
        return [
            live.headers[height - live.start]
            if live is not None and height >= live.start
            else self._chain.header(height)
            for height in range(start, min(start + count, tip + 1))
        ]

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return blocks of either branch, each proved by its only transaction."""
        tip = await self._advance()
        return [self._block(ref, tip) for ref in refs]

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Return when the next block is due."""
        if await self._advance() != self._reported:
            return
        due = self._chain.next_time - self._now()
        await asyncio.sleep(min(timeout, max(0.0, due / self._pace)))

    def _now(self) -> float:
        """Return the chain time, Unix seconds."""
        return self._offset + self._clock() * self._pace

    async def _advance(self) -> int:
        """Mine what is due; return the height of the branch that wins."""
        if not self._is_open:
            raise SourceUnavailable("the rehearsal is not open")
        async with self._mining:
            while self._chain.next_time <= self._now():
                if self._now() - self._chain.next_time > _AT_ONCE * TARGET_SPACING:
                    await asyncio.to_thread(self._mine_to, self._chain.height + _AT_ONCE)
                else:
                    self._chain.mine_next()
        return self._chain.height

    def _mine_to(self, height: int) -> None:
        while self._chain.height < height:
            self._chain.mine_next()

    def _live_fork(self, height: int) -> Fork | None:
        """Return the fork whose losing branch is the active chain at `height`."""
        fork = self._chain.fork_at(height)
        return fork if fork is not None and fork.came_first else None

    def _ref(self, height: int) -> BlockRef:
        return BlockRef(height, sha256d(self._chain.header(height)))

    def _fork_ref(self, fork: Fork, height: int) -> BlockRef:
        return BlockRef(height, sha256d(fork.headers[height - fork.start]))

    def _header_of(self, height: int, block_hash: bytes) -> tuple[bytes, bool] | None:
        """Return a block's header and whether it is on a losing branch, None if unknown."""
        if not 0 <= height <= self._chain.height:
            return None
        header = self._chain.header(height)
        if sha256d(header) == block_hash:
            return header, False
        fork = self._chain.fork_at(height)
        if fork is not None and self._fork_ref(fork, height).hash == block_hash:
            return fork.headers[height - fork.start], True
        return None

    def _block(self, ref: BlockRef, tip: int) -> SourceBlock:
        found = self._header_of(ref.height, ref.hash) if ref.height <= tip else None
        if found is None:
            raise NotFound(f"the rehearsal has no such block at height {ref.height}")
        header, losing = found
        coinbase = self._chain.coinbase(ref.height, losing=losing)
        return SourceBlock(
            ref=ref,
            header=header,
            coinbase_tx=coinbase,
            merkle_branch=(),
            tx_count=1,
            size=HEADER_SIZE + 1 + len(coinbase),
        )
