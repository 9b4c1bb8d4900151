"""SHA-256, written once over abstract 32-bit words.

A word is a Python int (known while a kernel is built), a scalar of LLVM (known per job) or
a vector of LLVM (one lane per hash). Which operations are emitted, and which are done at
once, is decided by the `Words` that the functions are given: run over ints they compute, run
over LLVM values they write a kernel, and whatever is constant folds away by itself.

Source: FIPS 180-4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias

MASK: Final = 0xFFFFFFFF

Word: TypeAlias = Any
"""An int or a value of LLVM."""
Quad: TypeAlias = tuple[Word, Word, Word, Word]
"""Four words: the unit in which messages are loaded and the SHA instructions work."""
Block: TypeAlias = Sequence[Any]
"""Four quads, 64 bytes. An engine may take quads in a form of its own."""


def _cube_root(value: int) -> int:
    low, high = 0, 1 << (value.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle - 1)
    return low


_PRIMES: Final = [n for n in range(2, 312) if all(n % d for d in range(2, math.isqrt(n) + 1))]
K: Final = tuple(_cube_root(p << 96) & MASK for p in _PRIMES)
"""Round constants: the first 32 fractional bits of the cube roots of the first 64 primes."""
IV: Final = tuple(math.isqrt(p << 64) & MASK for p in _PRIMES[:8])
"""Initial state: the first 32 fractional bits of the square roots of the first 8 primes."""

ZERO: Final = (0, 0, 0, 0)
END: Final = (0x80000000, 0, 0, 0)
"""The quad that begins the padding: a single bit after the message."""


def length_quad(size: int) -> Quad:
    """Return the last quad of a message of `size` bytes: its length in bits."""
    return (0, 0, 0, 8 * size)


class Words(Protocol):
    """Operations on words; each takes ints and values alike."""

    def add(self, *terms: Word) -> Word:
        """Return the sum modulo 2**32."""

    def rotr(self, x: Word, count: int) -> Word:
        """Rotate to the right."""

    def shr(self, x: Word, count: int) -> Word:
        """Shift to the right, zeros from the left."""

    def xor(self, x: Word, y: Word, z: Word) -> Word:
        """Return x ^ y ^ z."""

    def choose(self, x: Word, y: Word, z: Word) -> Word:
        """Return bits of y where x is set, else of z (Ch)."""

    def majority(self, x: Word, y: Word, z: Word) -> Word:
        """Return the bit that two of the three have (Maj)."""


class Ints:
    """`Words` over Python ints: a slow SHA-256 that computes midstates and constants."""

    def add(self, *terms: int) -> int:
        """Return the sum modulo 2**32."""
        return sum(terms) & MASK

    def rotr(self, x: int, count: int) -> int:
        """Rotate to the right."""
        return (x >> count | x << (32 - count)) & MASK

    def shr(self, x: int, count: int) -> int:
        """Shift to the right, zeros from the left."""
        return x >> count

    def xor(self, x: int, y: int, z: int) -> int:
        """Return x ^ y ^ z."""
        return x ^ y ^ z

    def choose(self, x: int, y: int, z: int) -> int:
        """Return bits of y where x is set, else of z (Ch)."""
        return z ^ (x & (y ^ z))

    def majority(self, x: int, y: int, z: int) -> int:
        """Return the bit that two of the three have (Maj)."""
        return x & y | z & (x | y)


INTS: Final = Ints()


def small_sigma0(ops: Words, x: Word) -> Word:
    """Mix a schedule word (FIPS 180-4, 4.6)."""
    return ops.xor(ops.rotr(x, 7), ops.rotr(x, 18), ops.shr(x, 3))


def small_sigma1(ops: Words, x: Word) -> Word:
    """Mix a schedule word (FIPS 180-4, 4.7)."""
    return ops.xor(ops.rotr(x, 17), ops.rotr(x, 19), ops.shr(x, 10))


def next_word(ops: Words, w: Sequence[Word]) -> Word:
    """Return the schedule word that follows `w`, from the last sixteen."""
    return ops.add(w[-16], small_sigma0(ops, w[-15]), w[-7], small_sigma1(ops, w[-2]))


def one_round(ops: Words, state: Sequence[Word], key: Word, word: Word) -> tuple[Word, ...]:
    """Return the state after a round with constant `key` and schedule word `word`."""
    a, b, c, d, e, f, g, h = state
    sum1 = ops.xor(ops.rotr(e, 6), ops.rotr(e, 11), ops.rotr(e, 25))
    t1 = ops.add(h, key, word, ops.choose(e, f, g), sum1)
    sum0 = ops.xor(ops.rotr(a, 2), ops.rotr(a, 13), ops.rotr(a, 22))
    return ops.add(t1, ops.majority(a, b, c), sum0), a, b, c, ops.add(d, t1), e, f, g


def rounds(
    ops: Words, state: Sequence[Word], words: Sequence[Word], count: int = 64
) -> tuple[Word, ...]:
    """Return the state after `count` rounds over a block of sixteen words.

    Each schedule word is made just before its round, so that few are alive at a time.
    """
    w, now = list(words), tuple(state)
    for t in range(count):
        if t >= 16:
            w.append(next_word(ops, w))
        now = one_round(ops, now, K[t], w[t])
    return now


def compress(ops: Words, state: Sequence[Word], words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the state after a block of sixteen words, fed forward."""
    after = rounds(ops, state, words)
    return tuple(ops.add(x, y) for x, y in zip(state, after, strict=True))


class Engine(Protocol):
    """Hashes some messages at once; states are in the engine's own form.

    `hash` runs over blocks of quads. A quad is a tuple of four ints, the same for all
    messages, or what `load`, `quads` or `tail` returned.
    """

    def initial(self) -> Any:
        """Return the initial state of SHA-256."""

    def load(self, index: int) -> Any:
        """Return quad `index` of the messages."""

    def hash(self, state: Any, blocks: Sequence[Block]) -> Any:
        """Return the states after `blocks`."""

    def quads(self, state: Any) -> tuple[Any, Any]:
        """Return states as the two quads of a message."""

    def store(self, state: Any) -> None:
        """Write the digests out."""

    def midstate(self) -> Any:
        """Return the state after a job's first block."""

    def tail(self) -> Any:
        """Return the last quad of a job's header, with a nonce for each message."""

    def matches(self, blocks: Block) -> Any:
        """Hash a block from the initial state and compare the last word with the job's target."""

    def finish(self) -> None:
        """End the description."""


def _digest_again(engine: Engine, first: Any) -> Block:
    return (*engine.quads(first), END, length_quad(32))


def digest_headers(engine: Engine) -> None:
    """Describe SHA-256d of 80-byte messages."""
    head = [engine.load(i) for i in range(4)]
    rest = (engine.load(4), END, ZERO, length_quad(80))
    first = engine.hash(engine.initial(), [head, rest])
    engine.store(engine.hash(engine.initial(), [_digest_again(engine, first)]))
    engine.finish()


def digest_nodes(engine: Engine) -> None:
    """Describe SHA-256d of 64-byte messages."""
    message = [engine.load(i) for i in range(4)]
    first = engine.hash(engine.initial(), [message, (END, ZERO, ZERO, length_quad(64))])
    engine.store(engine.hash(engine.initial(), [_digest_again(engine, first)]))
    engine.finish()


def scan(engine: Engine) -> Any:
    """Describe SHA-256d of a header whose first 64 bytes are the same for all nonces.

    Returns a bit mask of the nonces whose hash may meet the target.
    """
    first = engine.hash(engine.midstate(), [(engine.tail(), END, ZERO, length_quad(80))])
    mask = engine.matches(_digest_again(engine, first))
    engine.finish()
    return mask
