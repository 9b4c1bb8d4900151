"""The rehearsal chain: mined as far as asked, the same bytes for the same options.

Block times are part of the chain and begin at a fixed epoch, so a chain that was mined to
some height yesterday is mined to the same bytes today.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hashing.build import mine
from hashing.header import HEADER_SIZE, BlockHeader
from hashing.params import REGTEST, TARGET_SPACING
from hashing.wire import parse_coinbase
from monitor.sources.rehearsal_mix import Miner

EPOCH: Final = 1_735_689_600
"""Unix time at which block 0 ends: the start of 2025."""
GENESIS_COINBASE: Final = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04"
    "ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e20"
    "6272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01"
    "000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4c"
    "ef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
)
_DEEPER: Final = 0.25
"""Chance that a fork goes on for one more block."""
_LOSER_EARLIER: Final = 15
"""Seconds that a block which came first lies before its rival, at most."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No block for `seconds` of chain time before the one at `height`."""

    height: int
    seconds: float


@dataclass(slots=True)
class Fork:
    """A branch of `depth` blocks from `start` on that loses in the end.

    With `came_first` it is the active chain until its rivals are one block longer.
    """

    start: int
    depth: int
    came_first: bool
    headers: list[bytes] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The height after its last block."""
        return self.start + self.depth


class RehearsalChain:
    """Blocks from the regtest genesis on; `mine_next` adds one.

    Only headers are kept: a coinbase follows from the seed, its height and its branch.
    """

    def __init__(
        self,
        seed: int,
        miners: Sequence[Miner],
        *,
        fork_probability: float = 0.0,
        fork_depth: int = 1,
        silences: Sequence[Silence] = (),
    ) -> None:
        self._seed = seed
        self._miners = miners
        self._weights = [miner.share for miner in miners]
        self._fork_probability = fork_probability
        self._fork_depth = fork_depth
        self._silences: Mapping[int, float] = {s.height: s.seconds for s in silences}
        self._headers = bytearray(REGTEST.genesis_header)
        self._last = BlockHeader.parse(REGTEST.genesis_header)
        self._forks: dict[int, Fork] = {}
        self._fork: Fork | None = None
        self.next_time = EPOCH + self._gap(1)

    @property
    def height(self) -> int:
        """The height mined up to."""
        return len(self._headers) // HEADER_SIZE - 1

    def header(self, height: int) -> bytes:
        """Return the header at `height` of the branch that wins."""
        return bytes(self._headers[height * HEADER_SIZE : (height + 1) * HEADER_SIZE])

    def time(self, height: int) -> int:
        """Return the block time at `height`; the genesis block counts as of the epoch."""
        return BlockHeader.parse(self.header(height)).time if height else EPOCH

    def fork_at(self, height: int) -> Fork | None:
        """Return the fork that has a losing block at `height`."""
        return self._forks.get(height)

    def coinbase(self, height: int, *, losing: bool = False) -> bytes:
        """Return the coinbase transaction at `height`."""
        if height == 0:
            return GENESIS_COINBASE
        rng = self._rng(height, "losing" if losing else "block")
        (miner,) = rng.choices(self._miners, self._weights)
        return miner.coinbase(height, rng)

    def mine_next(self) -> None:
        """Mine the next block, and its rival if there is a fork."""
        height, time = self.height + 1, self.next_time
        gap = time - (self._last.time if height > 1 else EPOCH)
        parent, self._last = self._last, self._mine(self._last, height, time)
        self._headers += self._last.serialize()
        self.next_time = time + self._gap(height + 1)
        if self._fork is None or height > self._fork.end:
            self._fork = self._draw_fork(height)
        fork = self._fork
        if fork is not None and height < fork.end:
            on = BlockHeader.parse(fork.headers[-1]) if fork.headers else parent
            earlier = min(_LOSER_EARLIER, gap - 1) if fork.came_first else 0
            fork.headers.append(self._mine(on, height, time - earlier, losing=True).serialize())
            self._forks[height] = fork

    def _mine(
        self, parent: BlockHeader, height: int, time: int, *, losing: bool = False
    ) -> BlockHeader:
        txid = parse_coinbase(self.coinbase(height, losing=losing)).txid
        return mine(BlockHeader(0x20000000, parent.hash, txid, time, parent.nbits, 0))

    def _gap(self, height: int) -> int:
        """Return the seconds from the block before to the one at `height`."""
        gap = self._rng(height, "gap").expovariate(1 / TARGET_SPACING)
        return max(1, round(gap + self._silences.get(height, 0)))

    def _draw_fork(self, height: int) -> Fork | None:
        rng = self._rng(height, "fork")
        if rng.random() >= self._fork_probability:
            return None
        depth = 1
        while depth < self._fork_depth and rng.random() < _DEEPER:
            depth += 1
        return Fork(height, depth, came_first=depth > 1 or rng.random() < 0.5)

    def _rng(self, height: int, purpose: str) -> random.Random:
        return random.Random(f"{self._seed}/{height}/{purpose}")  # noqa: S311 - no secret
