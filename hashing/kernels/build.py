"""Kernels that Numba compiles: one loop each over steps that `sha256` describes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hashing.kernels import sha256
from hashing.kernels.combined import LANES, SCRATCH, CombinedEngine
from hashing.kernels.jit import compiled
from hashing.kernels.lanes import I64, LaneEngine, Work, pin
from hashing.kernels.shani import STREAMS, ShaEngine


@dataclass(frozen=True, slots=True)
class Design:
    """A way to hash: `width` messages a step, results `delay` steps later.

    `features` are those of LLVM that the processor must have, else LLVM ends the process.
    `cost` is the time to compile it over that of `sha-ni`. `outruns` names designs that were
    slower wherever both were measured; on processors of `hopeless_on`, by LLVM's names, it is
    far slower than any other itself.
    """

    name: str
    width: int
    features: frozenset[str]
    engine: Callable[[Any, Work], Any]
    delay: int = 0
    cost: float = 1.0
    outruns: frozenset[str] = frozenset()
    hopeless_on: frozenset[str] = frozenset()


def _lanes(name: str, width: int, *features: str, outruns: frozenset[str] = frozenset()) -> Design:
    def engine(builder: Any, work: Work) -> LaneEngine:
        return LaneEngine(builder, work, width)

    return Design(name, width, frozenset(features), engine, cost=4.0, outruns=outruns)


def _combined(
    name: str, *features: str, outruns: frozenset[str], hopeless_on: frozenset[str] = frozenset()
) -> Design:
    return Design(
        name,
        LANES,
        frozenset(features),
        CombinedEngine,
        delay=4,
        cost=2.0,
        outruns=outruns,
        hopeless_on=hopeless_on,
    )


_VECTORS: Final = frozenset({"avx2", "portable"})

DESIGNS: Final = {
    design.name: design
    for design in (
        _combined("avx512+sha-ni", "avx512vl", "sha", outruns=_VECTORS | {"avx2+sha-ni"}),
        Design("sha-ni", STREAMS, frozenset({"sse4.1", "sha"}), ShaEngine, outruns=_VECTORS),
        _lanes("avx512", 16, "avx512bw", outruns=_VECTORS),
        _combined(
            "avx2+sha-ni",
            *("avx2", "sha"),
            outruns=_VECTORS,
            # Each change between 256-bit and SHA instructions costs hundreds of cycles there.
            hopeless_on=frozenset({"znver3"}),
        ),
        _lanes("avx2", 8, "avx2", outruns=frozenset({"portable"})),
        _lanes("portable", 4),
    )
}
"""Designs by name, in the order in which they are worth a try."""


def _fingerprint() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


FINGERPRINT: Final = _fingerprint()
"""Identifies the sources of the kernels. Numba's cache looks at one file only and would go on
with code that another one made."""


def _align_stack(builder: Any) -> None:
    """Have the function align its stack, as one that has an aligned variable must.

    Else its spilled vectors straddle cache lines or not, as the stack happens to begin.
    """
    with builder.goto_entry_block():
        variable = builder.alloca(ir.ArrayType(I64, 8))
    variable.align = 64
    pin(builder, variable, "r")


def _describe_scan(  # noqa: PLR0917
    _context: Any, design: Any, mark: Any, job: Any, nonce: Any, limit: Any, write: Any, read: Any
) -> Any:
    engine_of = DESIGNS[design.literal_value].engine

    def emit(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        words = [builder.extract_value(args[2], i) for i in range(11)]
        work = Work(
            midstate=words[:8],
            tail=words[8:],
            nonce=args[3],
            limit=args[4],
            write=args[5],
            read=args[6],
        )
        _align_stack(builder)
        return sha256.scan(engine_of(builder, work))

    return types.uint32(design, mark, job, nonce, limit, write, read), emit


def _describe_digest(  # noqa: PLR0917
    _context: Any,
    design: Any,
    mark: Any,
    size: Any,
    source: Any,
    target: Any,
    write: Any,
    read: Any,
) -> Any:
    engine_of = DESIGNS[design.literal_value].engine
    describe = {64: sha256.digest_nodes, 80: sha256.digest_headers}[size.literal_value]

    def emit(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        work = Work(
            size=size.literal_value, source=args[3], target=args[4], write=args[5], read=args[6]
        )
        _align_stack(builder)
        describe(engine_of(builder, work))
        return context.get_dummy_value()

    return types.void(design, mark, size, source, target, write, read), emit


_scan_step: Any = intrinsic(prefer_literal=True)(_describe_scan)
_digest_step: Any = intrinsic(prefer_literal=True)(_describe_digest)


@functools.cache
def compile_scan(name: str) -> Callable[..., int]:
    """Return ``scan(job, start, count, limit, hits) -> found`` of a design.

    `job` holds the midstate and the next three words of a header as eleven uint32. Nonces
    from `start` (uint32) on whose most significant hash word is at most `limit` (uint32) are
    written to `hits` as far as it reaches; `found` counts them all.
    """
    width, delay, mark = DESIGNS[name].width, DESIGNS[name].delay, FINGERPRINT

    def scan(job: Any, start: Any, count: Any, limit: Any, hits: Any) -> Any:
        scratch = np.zeros(2 * SCRATCH + 64, np.uint8)
        write = np.intp(scratch.ctypes.data + 63) // 64 * 64
        read = write + SCRATCH
        found = 0
        for done in range(-delay * width, count, width):
            nonce = np.uint32(start + done + delay * width)
            mask = _scan_step(name, mark, job, nonce, limit, write, read)
            write, read = read, write
            if mask != 0 and done >= 0:
                for lane in range(min(width, count - done)):
                    if (mask >> lane) & 1:
                        if found < hits.size:
                            hits[found] = np.uint32(start + done + lane)
                        found += 1
        # Addresses do not keep an array alive; this does.
        return found + 0 * scratch[0]

    return compiled(nogil=True)(scan)


@functools.cache
def compile_digest(name: str, size: int) -> Callable[[int, int, int], None]:
    """Return ``digest(source, target, steps)`` of a design for messages of 64 or 80 bytes.

    Hashes as many messages as the design is wide, `steps` times, from the address `source`
    to the address `target`.
    """
    width, delay, mark = DESIGNS[name].width, DESIGNS[name].delay, FINGERPRINT

    def digest(source: Any, target: Any, steps: Any) -> Any:
        scratch = np.zeros(2 * SCRATCH + 64, np.uint8)
        unwanted = np.empty(width * 32, np.uint8)
        write = np.intp(scratch.ctypes.data + 63) // 64 * 64
        read = write + SCRATCH
        for step in range(steps + delay):
            early = step < delay
            into = np.intp(unwanted.ctypes.data) if early else target + (step - delay) * width * 32
            messages = source + min(step, steps - 1) * width * size
            _digest_step(name, mark, size, messages, into, write, read)
            write, read = read, write
        # Addresses do not keep an array alive; this does.
        return scratch[0] + unwanted[0]

    return compiled(nogil=True)(digest)
