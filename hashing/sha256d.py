"""SHA-256d over arrays, on the fastest kernel that this processor runs.

Arrays of bytes go in and out; the work is done without the GIL, on as many threads as asked
for. The first use of a kernel compiles it, which takes a second or two; the result is kept on
disk. Kernels are measured against each other only for work that takes longer than that.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from hashing import choice
from hashing.choice import Shape
from hashing.errors import HashingError
from hashing.header import HEADER_SIZE
from hashing.kernels.build import DESIGNS, compile_digest, compile_scan
from hashing.kernels.sha256 import INTS, IV, compress

Result = TypeVar("Result")
Bytes = npt.NDArray[np.uint8]

_CANDIDATES: Final = 1 << 12
_LEAST_PER_THREAD: Final = 1 << 10


def sha256d_headers(headers: Bytes, *, kernel: str | None = None, threads: int = 1) -> Bytes:
    """Return the digests of 80-byte messages: ``uint8[N, 80] -> uint8[N, 32]``.

    Raises
    ------
    HashingError
        If the array has another shape or type, or `kernel` does not run here.
    """
    return _digests(headers, "headers", kernel, threads)


def sha256d_nodes(nodes: Bytes, *, kernel: str | None = None, threads: int = 1) -> Bytes:
    """Return the digests of 64-byte messages: ``uint8[N, 64] -> uint8[N, 32]``.

    Raises
    ------
    HashingError
        If the array has another shape or type, or `kernel` does not run here.
    """
    return _digests(nodes, "nodes", kernel, threads)


def _digests(messages: Bytes, shape: Shape, kernel: str | None, threads: int) -> Bytes:
    name, size = choice.checked(kernel, shape, len(messages)), choice.SIZES[shape]
    if messages.ndim != 2 or messages.shape[1] != size or messages.dtype != np.uint8:
        raise HashingError(f"expected uint8[N, {size}], got {messages.dtype}{list(messages.shape)}")
    messages = np.ascontiguousarray(messages)
    digests = np.empty((len(messages), 32), np.uint8)
    width = DESIGNS[name].width
    parts = split(len(messages), min(threads, len(messages) // _LEAST_PER_THREAD or 1), width)

    def hash_part(part: range) -> None:
        digest_into(messages[part.start : part.stop], digests[part.start : part.stop], name)

    on_threads(hash_part, parts)
    return digests


def digest_into(messages: Bytes, digests: Bytes, kernel: str) -> None:
    """Hash C-contiguous `messages` of 64 or 80 bytes into `digests`, on this thread."""
    count, size = messages.shape
    width = DESIGNS[kernel].width
    run = compile_digest(kernel, size)
    steps, left = divmod(count, width)
    if steps:
        run(messages.ctypes.data, digests.ctypes.data, steps)
    if left:
        padded, result = np.zeros((width, size), np.uint8), np.empty((width, 32), np.uint8)
        padded[:left] = messages[count - left :]
        run(padded.ctypes.data, result.ctypes.data, 1)
        digests[count - left :] = result[:left]


def scan_nonces(
    header: bytes,
    target: int,
    start: int = 0,
    count: int = 1 << 32,
    *,
    kernel: str | None = None,
    threads: int = 1,
) -> npt.NDArray[np.uint32]:
    """Return the nonces in ``start .. start + count - 1`` with which `header` meets `target`.

    `header` is the 80 bytes of a header; its own nonce is ignored.

    Raises
    ------
    HashingError
        If the header is not 80 bytes, nonces beyond 32 bits are asked for, `target` is no
        number of 256 bits, or `kernel` does not run here.
    """
    if len(header) != HEADER_SIZE:
        raise HashingError(f"a block header has {HEADER_SIZE} bytes, got {len(header)}")
    if not 0 <= start <= start + count <= 1 << 32:
        raise HashingError(f"nonces have 32 bits; got {count} from {start} on")
    if not 0 <= target < 1 << 256:
        raise HashingError("a target is a number of 256 bits")
    name = choice.checked(kernel, "scan", count)
    job, limit = scan_job(header), np.uint32(target >> 224)
    # So few at a time that those which may meet the target fit the array for them.
    most = max(1, _CANDIDATES * (1 << 31) // (int(limit) + 1))

    def scan_part(part: range) -> list[int]:
        candidates = np.empty(_CANDIDATES, np.uint32)
        found: list[int] = []
        for piece in _pieces(part, most):
            hits = _scan_piece(name, job, limit, piece, candidates)
            found.extend(nonce for nonce in hits if _meets(header, nonce, target))
        return found

    parts = [range(start + part.start, start + part.stop) for part in split(count, threads)]
    return np.array([n for found in on_threads(scan_part, parts) for n in found], np.uint32)


def _scan_piece(
    name: str,
    job: tuple[np.uint32, ...],
    limit: np.uint32,
    piece: range,
    candidates: npt.NDArray[np.uint32],
) -> list[int]:
    run = compile_scan(name)
    found = run(job, np.uint32(piece.start), len(piece), limit, candidates)
    if found <= len(candidates):
        return [int(nonce) for nonce in candidates[:found]]
    half = len(piece) // 2
    parts = piece[:half], piece[half:]
    return [n for part in parts for n in _scan_piece(name, job, limit, part, candidates)]


def scan_job(header: bytes) -> tuple[np.uint32, ...]:
    """Return what of `header` does not change with the nonce, as the scan kernels take it."""
    words = struct.unpack(">19I", header[:76])
    return tuple(np.uint32(word) for word in (*compress(INTS, IV, words[:16]), *words[16:]))


def _meets(header: bytes, nonce: int, target: int) -> bool:
    message = header[:76] + nonce.to_bytes(4, "little")
    digest = hashlib.sha256(hashlib.sha256(message).digest()).digest()
    return int.from_bytes(digest, "little") <= target


def _pieces(part: range, most: int) -> Iterator[range]:
    for first in range(part.start, part.stop, most):
        yield range(first, min(first + most, part.stop))


def split(count: int, threads: int, multiple: int = 1) -> list[range]:
    """Divide ``range(count)`` for `threads`, in multiples of `multiple` but for the last."""
    cuts = [count * i // threads // multiple * multiple for i in range(threads)] + [count]
    return [range(low, high) for low, high in itertools.pairwise(cuts)]


def on_threads(work: Callable[[range], Result], parts: Sequence[range]) -> list[Result]:
    """Return what `work` returns for each of `parts`, each on a thread of its own."""
    if len(parts) == 1:
        return [work(parts[0])]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(work, parts))
