"""SHA-256 on the x86 SHA instructions: four messages in step.

An instruction does two rounds and takes four cycles, but a new one may begin each cycle:
four independent messages keep the unit busy, and more do not fit its sixteen registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from llvmlite import ir

from hashing.kernels.lanes import (
    I32,
    QUAD,
    Work,
    call,
    constant,
    load,
    quad_constant,
    shuffle,
    store,
    swap_bytes,
)
from hashing.kernels.sha256 import INTS, IV, MASK, Block, K, Word, next_word, small_sigma0

STREAMS: Final = 4

State: TypeAlias = tuple[Any, Any]
"""The unit's registers: (a, b, e, f) and (c, d, g, h), first word in the highest element."""


def pack_state(builder: Any, words: Sequence[Word]) -> State:
    """Return eight words, ints or scalars, as the unit wants them."""
    a, b, c, d, e, f, g, h = words
    return pack_quad(builder, (f, e, b, a)), pack_quad(builder, (h, g, d, c))


def pack_quad(builder: Any, words: Sequence[Word]) -> Any:
    """Return four words, ints or scalars, as a vector."""
    value = ir.Constant(QUAD, [x if isinstance(x, int) else ir.Undefined for x in words])
    for i, word in enumerate(words):
        if not isinstance(word, int):
            value = builder.insert_element(value, word, constant(i))
    return value


def unpack_state(builder: Any, state: State) -> tuple[Any, Any]:
    """Return a state as the quads (a, b, c, d) and (e, f, g, h)."""
    return shuffle(builder, *state, [3, 2, 7, 6]), shuffle(builder, *state, [1, 0, 5, 4])


def two_rounds(builder: Any, state: State, keyed: Any) -> State:
    """Return the state after two rounds; `keyed` holds word plus constant in its low half."""
    abef, cdgh = state
    return call(builder, "llvm.x86.sha256rnds2", QUAD, cdgh, abef, keyed), abef


def feed_forward(builder: Any, before: State, after: State) -> State:
    """Add the state before a block to the state after it."""
    return builder.add(before[0], after[0]), builder.add(before[1], after[1])


class ShaEngine:
    """`sha256.Engine` on the SHA unit; states and quads are lists, one value a message.

    Message quads are loaded only where they are used, so that few registers are taken.
    """

    def __init__(self, builder: Any, work: Work) -> None:
        self._builder = builder
        self._work = work

    def initial(self) -> list[State]:
        """Return the initial state of SHA-256."""
        return [pack_state(self._builder, IV)] * STREAMS

    def load(self, index: int) -> list[Any]:
        """Return quad `index` of the messages."""

        def load_one(stream: int) -> Any:
            offset = stream * self._work.size + 16 * index
            return swap_bytes(self._builder, load(self._builder, self._work.source, offset, QUAD))

        return [lambda stream=stream: load_one(stream) for stream in range(STREAMS)]

    def hash(self, state: list[State], blocks: Sequence[Block]) -> list[State]:
        """Return the states after `blocks`."""
        for block in blocks:
            after = self._rounds(state, block, 32)
            state = [feed_forward(self._builder, *pair) for pair in zip(state, after, strict=True)]
        return state

    def quads(self, state: list[State]) -> tuple[list[Any], list[Any]]:
        """Return states as the two quads of a message."""
        halves = [unpack_state(self._builder, one) for one in state]
        return [low for low, _ in halves], [high for _, high in halves]

    def store(self, state: list[State]) -> None:
        """Write the digests out."""
        for half, quads in enumerate(self.quads(state)):
            for stream, quad in enumerate(quads):
                swapped = swap_bytes(self._builder, quad)
                store(self._builder, swapped, self._work.target, 32 * stream + 16 * half)

    def finish(self) -> None:
        """Nothing is left to do: everything was written in its place."""

    def midstate(self) -> list[State]:
        """Return the state after a job's first block."""
        return [pack_state(self._builder, self._work.midstate)] * STREAMS

    def tail(self) -> list[Any]:
        """Return the last quad of a job's header, with a nonce for each message."""
        builder, common = self._builder, pack_quad(self._builder, (*self._work.tail, 0))
        nonces = [builder.add(self._work.nonce, constant(i)) for i in range(STREAMS)]
        return [
            builder.insert_element(common, swap_bytes(builder, nonce), constant(3))
            for nonce in nonces
        ]

    def matches(self, block: Block) -> Any:
        """Hash a block from the initial state and compare the last word with the job's target."""
        builder, mask = self._builder, constant(0)
        for stream, (abef, _) in enumerate(self._rounds(self.initial(), block, 31)):
            # What is f after 62 rounds is h after 64.
            last = builder.add(builder.extract_element(abef, constant(0)), constant(IV[7]))
            within = builder.icmp_unsigned("<=", swap_bytes(builder, last), self._work.limit)
            bit = builder.shl(builder.zext(within, I32), constant(stream))
            mask = builder.or_(mask, bit)
        return mask

    def _rounds(self, states: list[State], block: Block, pairs: int) -> list[State]:
        """Return the states after `pairs` times two rounds, the messages in step."""
        states = list(states)
        messages = [[_of_stream(quad, stream) for quad in block] for stream in range(STREAMS)]
        for pair in range(0, pairs, 2):
            keyed = []
            for message in messages:
                if pair >= 8:
                    message.append(self._next_quad(*message[-4:]))
                quad = message[pair // 2] = _loaded(message[pair // 2])
                keyed.append(self._add_constants(quad, pair // 2))
            for half in range(min(2, pairs - pair)):
                for stream in range(STREAMS):
                    key = keyed[stream][half]
                    states[stream] = two_rounds(self._builder, states[stream], key)
        return states

    def _add_constants(self, quad: Any, index: int) -> tuple[Any, Any]:
        """Return the quad plus its round constants, and the same with the halves swapped."""
        constants = K[4 * index : 4 * index + 4]
        if isinstance(quad, tuple):
            sums = tuple((x + k) & MASK for x, k in zip(quad, constants, strict=True))
            return quad_constant(sums), quad_constant(sums[2:] * 2)
        keyed = self._builder.add(quad, quad_constant(constants))
        return keyed, shuffle(self._builder, keyed, keyed, [2, 3, 0, 1])

    def _next_quad(self, a: Any, b: Any, c: Any, d: Any) -> Any:
        """Return the quad of the schedule that follows four; ints fold as far as they reach."""
        if all(isinstance(quad, tuple) for quad in (a, b, c, d)):
            words = [*a, *b, *c, *d]
            for _ in range(4):
                words.append(next_word(INTS, words))
            return tuple(words[16:])
        sums = self._add(self._first_half(a, b), self._shifted(c, d))
        return call(self._builder, "llvm.x86.sha256msg2", QUAD, _value(sums), _value(d))

    def _first_half(self, a: Any, b: Any) -> Any:
        if isinstance(a, tuple) and isinstance(b, tuple):
            following = (*a[1:], b[0])
            return tuple(
                (x + small_sigma0(INTS, y)) & MASK for x, y in zip(a, following, strict=True)
            )
        return call(self._builder, "llvm.x86.sha256msg1", QUAD, _value(a), _value(b))

    def _shifted(self, c: Any, d: Any) -> Any:
        if isinstance(c, tuple) and isinstance(d, tuple):
            return (*c[1:], d[0])
        return shuffle(self._builder, _value(c), _value(d), [1, 2, 3, 4])

    def _add(self, x: Any, y: Any) -> Any:
        if isinstance(x, tuple) and isinstance(y, tuple):
            return tuple((a + b) & MASK for a, b in zip(x, y, strict=True))
        if y == (0, 0, 0, 0):
            return x
        return self._builder.add(_value(x), _value(y))


def _of_stream(quad: Any, stream: int) -> Any:
    return quad[stream] if isinstance(quad, list) else quad


def _loaded(quad: Any) -> Any:
    return quad() if callable(quad) else quad


def _value(quad: Any) -> Any:
    return quad_constant(quad) if isinstance(quad, tuple) else quad
