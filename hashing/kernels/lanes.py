"""SHA-256 on vectors: one hash per lane, at any lane width that LLVM can make code for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from llvmlite import ir

from hashing.kernels import sha256
from hashing.kernels.sha256 import IV, MASK, Block, Word

I32: Final = ir.IntType(32)
I64: Final = ir.IntType(64)
QUAD: Final = ir.VectorType(I32, 4)


@dataclass(frozen=True, slots=True)
class Work:
    """What a step of a kernel works on, as values of LLVM.

    Messages of `size` bytes at `source`, digests to `target`; or a job: `midstate` and
    `tail` of its header, the first `nonce`, and the `limit` of the most significant word.
    `write` and `read` address the scratch memory of kernels that work in a pipeline.
    """

    size: int = 0
    source: Any = None
    target: Any = None
    midstate: Sequence[Any] = ()
    tail: Sequence[Any] = ()
    nonce: Any = None
    limit: Any = None
    write: Any = None
    read: Any = None


def constant(value: int) -> Any:
    """Return an LLVM constant of 32 bits."""
    return ir.Constant(I32, value)


def quad_constant(quad: Sequence[int]) -> Any:
    """Return an LLVM vector of four constant words."""
    return ir.Constant(QUAD, list(quad))


def call(builder: Any, name: str, result: Any, *args: Any) -> Any:
    """Call an LLVM intrinsic by name."""
    function = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(result, [arg.type for arg in args]), name
    )
    return builder.call(function, args)


def at(builder: Any, base: Any, offset: int, kind: Any) -> Any:
    """Return a pointer to `kind` at `offset` bytes behind the address `base`."""
    return builder.inttoptr(builder.add(base, ir.Constant(I64, offset)), kind.as_pointer())


def load(builder: Any, base: Any, offset: int, kind: Any, align: int = 1) -> Any:
    """Load a `kind` at `offset` bytes behind the address `base`."""
    value = builder.load(at(builder, base, offset, kind))
    value.align = align
    return value


def store(builder: Any, value: Any, base: Any, offset: int, align: int = 1) -> None:
    """Store `value` at `offset` bytes behind the address `base`."""
    builder.store(value, at(builder, base, offset, value.type)).align = align


def shuffle(builder: Any, x: Any, y: Any, indices: Sequence[int]) -> Any:
    """Return the elements of `x` and `y`, counted through, at constant `indices`."""
    mask = ir.Constant(ir.VectorType(I32, len(indices)), list(indices))
    return builder.shuffle_vector(x, y, mask)


def opaque(builder: Any, value: Any, registers: str = "v", *, keeps_its_place: bool = False) -> Any:
    """Return `value` through an empty piece of assembly, so that LLVM cannot tell what it is.

    It emits nothing. With `keeps_its_place` it claims to have side effects, and so LLVM keeps
    it, and what it needs, in the order of instructions.
    """
    kind = ir.FunctionType(value.type, [value.type])
    return builder.asm(kind, "", f"={registers},0", [value], keeps_its_place)


def pin(builder: Any, value: Any, registers: str = "v") -> Any:
    """Return `value`, made at a place in the order of instructions that LLVM must keep."""
    return opaque(builder, value, registers, keeps_its_place=True)


def swap_bytes(builder: Any, x: Any) -> Any:
    """Reverse the bytes of each word."""
    suffix = f"v{x.type.count}i32" if isinstance(x.type, ir.VectorType) else "i32"
    return call(builder, f"llvm.bswap.{suffix}", x.type, x)


def transpose(builder: Any, vectors: Sequence[Any]) -> tuple[Any, ...]:
    """Transpose each 4x4 square of words in four vectors; applied twice it changes nothing."""
    count = vectors[0].type.count
    low = [q + k for q in range(0, count, 4) for k in (0, count, 1, count + 1)]
    low_pairs = [q + k for q in range(0, count, 4) for k in (0, 1, count, count + 1)]
    high, high_pairs = [k + 2 for k in low], [k + 2 for k in low_pairs]
    a, b, c, d = vectors
    ab, cd = shuffle(builder, a, b, low), shuffle(builder, c, d, low)
    ab_high, cd_high = shuffle(builder, a, b, high), shuffle(builder, c, d, high)
    return (
        shuffle(builder, ab, cd, low_pairs),
        shuffle(builder, ab, cd, high_pairs),
        shuffle(builder, ab_high, cd_high, low_pairs),
        shuffle(builder, ab_high, cd_high, high_pairs),
    )


def concatenate(builder: Any, parts: Sequence[Any]) -> Any:
    """Join vectors of equal length, a power of two of them."""
    while len(parts) > 1:
        width = range(2 * parts[0].type.count)
        parts = [
            shuffle(builder, x, y, width) for x, y in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


class LaneWords:
    """`sha256.Words` that emit LLVM: ints fold, scalars stay scalar, vectors meet vectors.

    Sums take ints first, then scalars, then vectors, so that whatever is constant in a job
    can leave the loop.
    """

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder = builder
        self.lanes = lanes
        self.vector = ir.VectorType(I32, lanes)
        self._splats: dict[int, tuple[Any, Any]] = {}

    def is_vector(self, x: Word) -> bool:
        """Say whether `x` differs from lane to lane."""
        return not isinstance(x, int) and isinstance(x.type, ir.VectorType)

    def splat(self, x: Word) -> Any:
        """Return `x` in every lane."""
        if isinstance(x, int):
            return ir.Constant(self.vector, [x] * self.lanes)
        if self.is_vector(x):
            return x
        if id(x) not in self._splats:
            undefined = ir.Constant(self.vector, ir.Undefined)
            first = self.builder.insert_element(undefined, x, constant(0))
            copied = shuffle(self.builder, first, undefined, [0] * self.lanes)
            self._splats[id(x)] = (x, copied)
        return self._splats[id(x)][1]

    def _alike(self, *words: Word) -> list[Any]:
        if any(map(self.is_vector, words)):
            return [self.splat(x) for x in words]
        return [constant(x) if isinstance(x, int) else x for x in words]

    def add(self, *terms: Word) -> Word:
        """Return the sum modulo 2**32."""
        known = sum(x for x in terms if isinstance(x, int)) & MASK
        scalars = [x for x in terms if not isinstance(x, int) and not self.is_vector(x)]
        vectors = [x for x in terms if self.is_vector(x)]
        if scalars:
            scalars += [constant(known)] if known else []
            common = self._sum(scalars)
        else:
            common = known
        if not vectors:
            return common
        if not isinstance(common, int) or common:
            vectors.insert(1, self.splat(common))
        return self._sum(vectors)

    def _sum(self, values: Sequence[Any]) -> Any:
        total = values[0]
        for value in values[1:]:
            total = self.builder.add(total, value)
        return total

    def _amount(self, x: Any, count: int) -> Any:
        return self.splat(count) if self.is_vector(x) else constant(count)

    def rotr(self, x: Word, count: int) -> Word:
        """Rotate to the right."""
        if isinstance(x, int):
            return sha256.INTS.rotr(x, count)
        suffix = f"v{self.lanes}i32" if self.is_vector(x) else "i32"
        amount = self._amount(x, count)
        return call(self.builder, f"llvm.fshr.{suffix}", x.type, x, x, amount)

    def shr(self, x: Word, count: int) -> Word:
        """Shift to the right, zeros from the left."""
        return x >> count if isinstance(x, int) else self.builder.lshr(x, self._amount(x, count))

    def xor(self, x: Word, y: Word, z: Word) -> Word:
        """Return x ^ y ^ z."""
        if _all_ints(x, y, z):
            return x ^ y ^ z
        x, y, z = self._alike(x, y, z)
        return self.builder.xor(self.builder.xor(x, y), z)

    def choose(self, x: Word, y: Word, z: Word) -> Word:
        """Return bits of y where x is set, else of z (Ch)."""
        if _all_ints(x, y, z):
            return sha256.INTS.choose(x, y, z)
        x, y, z = self._alike(x, y, z)
        return self.builder.xor(z, self.builder.and_(x, self.builder.xor(y, z)))

    def majority(self, x: Word, y: Word, z: Word) -> Word:
        """Return the bit that two of the three have (Maj)."""
        if _all_ints(x, y, z):
            return sha256.INTS.majority(x, y, z)
        x, y, z = self._alike(x, y, z)
        both = self.builder.and_(x, y)
        return self.builder.or_(both, self.builder.and_(z, self.builder.or_(x, y)))


def _all_ints(*words: Word) -> bool:
    return all(isinstance(x, int) for x in words)


class LaneEngine:
    """`sha256.Engine` with one message per lane; a state is eight words, a quad four."""

    def __init__(self, builder: Any, work: Work, lanes: int) -> None:
        self._builder = builder
        self._work = work
        self._lanes = lanes
        self._ops = LaneWords(builder, lanes)

    def initial(self) -> Sequence[Word]:
        """Return the initial state of SHA-256."""
        return IV

    def load(self, index: int) -> tuple[Any, ...]:
        """Return quad `index` of the messages."""
        return load_quads(self._builder, self._work, index, self._lanes)

    def hash(self, state: Sequence[Word], blocks: Sequence[Block]) -> Sequence[Word]:
        """Return the states after `blocks`."""
        for block in blocks:
            state = sha256.compress(self._ops, state, [word for quad in block for word in quad])
        return state

    def quads(self, state: Sequence[Word]) -> tuple[Sequence[Word], Sequence[Word]]:
        """Return states as the two quads of a message."""
        return state[:4], state[4:]

    def store(self, state: Sequence[Word]) -> None:
        """Write the digests out."""
        for half in range(2):
            words = [swap_bytes(self._builder, word) for word in state[4 * half : 4 * half + 4]]
            for j, vector in enumerate(transpose(self._builder, words)):
                for section in range(0, self._lanes, 4):
                    quad = shuffle(self._builder, vector, vector, range(section, section + 4))
                    store(self._builder, quad, self._work.target, 32 * (section + j) + 16 * half)

    def finish(self) -> None:
        """Nothing is left to do: everything was written in its place."""

    def midstate(self) -> Sequence[Word]:
        """Return the state after a job's first block."""
        return self._work.midstate

    def tail(self) -> tuple[Word, ...]:
        """Return the last quad of a job's header, with a nonce for each lane."""
        return (*self._work.tail, lane_nonces(self._builder, self._ops, self._work.nonce))

    def matches(self, block: Block) -> Any:
        """Hash a block from the initial state and compare the last word with the job's target."""
        words = [word for quad in block for word in quad]
        # What is e after 61 rounds is h after 64.
        last = sha256.rounds(self._ops, IV, words, 61)[4]
        return compare_last(self._builder, self._ops, last, self._work.limit)


def load_quads(builder: Any, work: Work, index: int, lanes: int) -> tuple[Any, ...]:
    """Load quad `index` of each message and return it as four vectors, one word in each."""
    vectors = []
    for j in range(4):
        offsets = [(section + j) * work.size + 16 * index for section in range(0, lanes, 4)]
        parts = [load(builder, work.source, offset, QUAD) for offset in offsets]
        vectors.append(concatenate(builder, parts))
    return transpose(builder, [swap_bytes(builder, vector) for vector in vectors])


def lane_nonces(builder: Any, ops: LaneWords, first: Any) -> Any:
    """Return consecutive nonces from `first`, as words of the message."""
    steps = ir.Constant(ops.vector, list(range(ops.lanes)))
    return swap_bytes(builder, builder.add(ops.splat(first), steps))


def compare_last(builder: Any, ops: LaneWords, last: Any, limit: Any) -> Any:
    """Return a bit mask of the lanes whose last digest word, fed forward, is within `limit`."""
    most_significant = swap_bytes(builder, ops.add(last, IV[7]))
    within = builder.icmp_unsigned("<=", most_significant, ops.splat(limit))
    return builder.zext(builder.bitcast(within, ir.IntType(ops.lanes)), I32)
