"""Schedules on vectors, rounds on the SHA unit, both at the same time.

The two parts of the core that these need are separate, so that each would idle while the
other works. Eight messages at a time go through a pipeline: while the rounds of one group run, the
schedule of the next one is made. Within a step nothing waits for anything of the same step;
all goes through scratch memory from one step to the next. The instructions of both kinds are
merged evenly, as the core looks only a few hundred ahead; LLVM would sort them apart again,
so some values are pinned to their places. `docs/hashing.md` tells more, with figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llvmlite import ir

from hashing.kernels import sha256
from hashing.kernels.lanes import (
    I32,
    I64,
    QUAD,
    LaneWords,
    Work,
    compare_last,
    constant,
    lane_nonces,
    load,
    load_quads,
    opaque,
    pin,
    shuffle,
    store,
    swap_bytes,
    transpose,
)
from hashing.kernels.sha256 import IV, Block, K, Word
from hashing.kernels.shani import (
    STREAMS,
    State,
    feed_forward,
    pack_quad,
    pack_state,
    two_rounds,
)

LANES: Final = 8
"""Vectors of 256 bits: as much work a cycle as with 512, but their stores do not hold up the
SHA unit, and the code is half as long."""
SCRATCH: Final = 14 * 1024
"""Bytes of scratch memory that one step writes and the next one reads. Not a multiple of 4096:
the core takes a store and a load at the same place in their pages for the same address."""
_VECTOR: Final = 4 * LANES
"""Bytes of a vector; two of them hold a pair of schedule words of all lanes."""
_PAIR_IN_LOW_HALF: Final = ir.VectorType(I64, 2)
_SCHEDULE_BUNDLE: Final = 2
_ROUNDS_BUNDLE: Final = 6
"""Instructions of a kind that stay together where both are merged; found by trying."""


class SeparateXors(LaneWords):
    """Keeps LLVM from making one ternary instruction of two XORs.

    Beside the rounds the two are faster: on Zen 4 the ternary one holds up the SHA unit.
    """

    def xor(self, x: Word, y: Word, z: Word) -> Word:
        """Return x ^ y ^ z."""
        if not any(map(self.is_vector, (x, y, z))):
            return super().xor(x, y, z)
        first = opaque(self.builder, super().xor(x, y, 0))
        return self.builder.xor(first, self.splat(z))


@dataclass(frozen=True, slots=True)
class Stored:
    """States in scratch memory, to be read a step later; `forward` is still to be added."""

    offset: int
    forward: Sequence[Word]


class CombinedEngine:
    """`sha256.Engine` whose states are eight uniform words, or `Stored` by an earlier step."""

    def __init__(self, builder: Any, work: Work) -> None:
        self._builder = builder
        self._work = work
        self._ops = SeparateXors(builder, LANES)
        self._used = 0
        self._body = builder.block.instructions
        self._before = len(self._body)
        self._schedules: list[Any] = []
        self._rounds: list[Any] = []

    def initial(self) -> Sequence[Word]:
        """Return the initial state of SHA-256."""
        return IV

    def load(self, index: int) -> Callable[[], tuple[Any, ...]]:
        """Return what loads quad `index` of the messages where it is used."""
        return lambda: load_quads(self._builder, self._work, index, LANES)

    def hash(self, state: Sequence[Word], blocks: Sequence[Block]) -> Stored:
        """Make the schedules of `blocks` now and run the rounds that the last step prepared."""
        keys = [self._keys(block, 64) for block in blocks]
        self._put_aside(self._schedules)
        offset = self._allocate(8 * _VECTOR)
        for lanes in _groups():
            states = [pack_state(self._builder, state)] * STREAMS
            for block in keys:
                before, states = states, self._run(states, block, lanes)
                if len(keys) > 1:
                    pairs = zip(before, states, strict=True)
                    states = [feed_forward(self._builder, *pair) for pair in pairs]
            for lane, halves in zip(lanes, states, strict=True):
                for half, value in enumerate(halves):
                    place = offset + _VECTOR * (4 * half + lane % 4) + 16 * (lane // 4)
                    store(self._builder, value, self._work.write, place, 16)
        self._put_aside(self._rounds)
        # A single block is fed forward by who reads it: once for all lanes.
        return Stored(offset, (0,) * 8 if len(keys) > 1 else tuple(state))

    def quads(self, state: Stored) -> tuple[Sequence[Word], Sequence[Word]]:
        """Return states as the two quads of a message."""
        f, e, b, a = transpose(self._builder, self._halves(state, 0))
        h, g, d, c = transpose(self._builder, self._halves(state, 1))
        words = [
            self._ops.add(*pair)
            for pair in zip((a, b, c, d, e, f, g, h), state.forward, strict=True)
        ]
        return words[:4], words[4:]

    def store(self, state: Stored) -> None:
        """Write the digests out."""
        a, b, c, d, e, f, g, h = state.forward
        forward = self._everywhere((f, e, b, a)), self._everywhere((h, g, d, c))
        sections = range(0, LANES, 4)
        for j, (abef, cdgh) in enumerate(
            zip(self._halves(state, 0), self._halves(state, 1), strict=True)
        ):
            whole = self._builder.add(abef, forward[0]), self._builder.add(cdgh, forward[1])
            for half, order in enumerate(((3, 2, LANES + 3, LANES + 2), (1, 0, LANES + 1, LANES))):
                ordered = shuffle(self._builder, *whole, [q + k for q in sections for k in order])
                digests = swap_bytes(self._builder, ordered)
                for section in sections:
                    quad = shuffle(self._builder, digests, digests, range(section, section + 4))
                    store(self._builder, quad, self._work.target, 32 * (section + j) + 16 * half)

    def midstate(self) -> Sequence[Word]:
        """Return the state after a job's first block."""
        return self._work.midstate

    def tail(self) -> tuple[Word, ...]:
        """Return the last quad of a job's header, with a nonce for each lane."""
        return (*self._work.tail, lane_nonces(self._builder, self._ops, self._work.nonce))

    def matches(self, block: Block) -> Any:
        """Hash a block from the initial state and compare the last word with the job's target."""
        keys = self._keys(block, 61)
        offset = self._allocate(_VECTOR)
        last = load(self._builder, self._work.read, offset, self._ops.vector, _VECTOR)
        mask = compare_last(self._builder, self._ops, last, self._work.limit)
        self._put_aside(self._schedules)
        for lanes in _groups():
            states = [pack_state(self._builder, IV)] * STREAMS
            for lane, (abef, _) in zip(lanes, self._run(states, keys, lanes), strict=True):
                # What is f after 62 rounds is h after 64.
                word = self._builder.extract_element(abef, constant(0))
                store(self._builder, word, self._work.write, offset + 4 * lane, 4)
        self._put_aside(self._rounds)
        return mask

    def finish(self) -> None:
        """Put the instructions of both kinds back, merged evenly."""
        self._put_aside(self._schedules)
        per_job, per_lane = _split(self._schedules)
        self._body.extend(per_job + _merge(per_lane, self._rounds))
        self._builder.position_at_end(self._builder.block)

    def _allocate(self, size: int) -> int:
        self._used += size
        if self._used > SCRATCH:
            raise ValueError(f"the kernel needs {self._used} bytes of scratch memory")
        return self._used - size

    def _put_aside(self, kind: list[Any]) -> None:
        """Move the instructions written since the last call to those of one kind."""
        kind.extend(self._body[self._before :])
        del self._body[self._before :]

    def _keys(self, block: Block, count: int) -> list[Any]:
        """Store the keyed schedule of `block`, two words each; return where, or what is fixed."""
        loaded = [quad() if callable(quad) else quad for quad in block]
        words = [word for quad in loaded for word in quad]
        while len(words) < count:
            word = sha256.next_word(self._ops, words)
            if self._ops.is_vector(word):
                word = pin(self._builder, word)
            words.append(word)
        words += [0] * (count % 2)
        keyed = [self._ops.add(word, key) for word, key in zip(words, K, strict=False)]
        return [self._key(x, y) for x, y in zip(keyed[::2], keyed[1::2], strict=True)]

    def _key(self, x: Word, y: Word) -> Any:
        if not self._ops.is_vector(x) and not self._ops.is_vector(y):
            return x, y
        offset = self._allocate(2 * _VECTOR)
        x, y = self._ops.splat(x), self._ops.splat(y)
        for half in range(2):
            first = range(2 * half, LANES, 4)
            pairs = [i for q in first for i in (q, LANES + q, q + 1, LANES + q + 1)]
            value = shuffle(self._builder, x, y, pairs)
            store(self._builder, value, self._work.write, offset + _VECTOR * half, _VECTOR)
        return offset

    def _run(
        self, states: Sequence[State], keys: Sequence[Any], lanes: Sequence[int]
    ) -> list[State]:
        """Run two rounds for each of `keys` on four lanes."""
        states = list(states)
        for key in keys:
            keyed = [self._keyed(key, lane) for lane in lanes]
            states = [two_rounds(self._builder, *pair) for pair in zip(states, keyed, strict=True)]
            states[0] = pin(self._builder, states[0][0], "x"), states[0][1]
        return states

    def _keyed(self, key: Any, lane: int) -> Any:
        if isinstance(key, tuple):
            return pack_quad(self._builder, (*key, 0, 0))
        place = key + _VECTOR * (lane % 4 // 2) + 8 * (2 * (lane // 4) + lane % 2)
        pair = load(self._builder, self._work.read, place, I64, 8)
        nothing = ir.Constant(_PAIR_IN_LOW_HALF, ir.Undefined)
        low = self._builder.insert_element(nothing, pair, constant(0))
        return self._builder.bitcast(low, QUAD)

    def _halves(self, state: Stored, half: int) -> list[Any]:
        places = [state.offset + _VECTOR * (4 * half + j) for j in range(4)]
        vector = self._ops.vector
        return [load(self._builder, self._work.read, place, vector, _VECTOR) for place in places]

    def _everywhere(self, quad: Sequence[int]) -> Any:
        return ir.Constant(self._ops.vector, [*quad] * (LANES // 4))


def _groups() -> list[range]:
    return [range(first, first + STREAMS) for first in range(0, LANES, STREAMS)]


def _split(instructions: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Split off the scalars that are the same in every step of a job; they leave the loop."""
    fixed, varying = [], []
    seen: set[int] = set()
    for instruction in instructions:
        operands = {id(operand) for operand in instruction.operands}
        if instruction.type == I32 and not operands & seen:
            fixed.append(instruction)
        else:
            varying.append(instruction)
            seen.add(id(instruction))
    return fixed, varying


def _merge(schedules: Sequence[Any], rounds: Sequence[Any]) -> list[Any]:
    """Merge two sequences evenly, bundle by bundle, each in its own order."""
    bundles = (_SCHEDULE_BUNDLE, schedules), (_ROUNDS_BUNDLE, rounds)
    placed = [
        ((i // size + 0.5) * size / len(part), x)
        for size, part in bundles
        for i, x in enumerate(part)
    ]
    return [x for _, x in sorted(placed, key=lambda item: item[0])]
