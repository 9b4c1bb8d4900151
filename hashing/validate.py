"""Whole header chains at once: every rule of `hashing.chain`, over an array of headers.

Few headers are checked one by one in plain Python, which is done before kernels are loaded, let
alone compiled; many are left to `hashing.bulk`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hashing.chain import (
    ChainEntry,
    anchor_height,
    check_in_context,
    check_pow,
    unknown_parent,
)
from hashing.errors import HashingError, HeaderError
from hashing.header import HEADER_SIZE, BlockHeader
from hashing.params import MEDIAN_TIME_SPAN, NetworkParams
from hashing.target import decode_nbits, work_from_target

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]

PLAIN: Final = 50_000
"""Headers that a process checks in plain Python: what that takes, a second or so, is about what
loading the kernels takes."""
_STRIDE: Final = 1 << 10
"""Headers between two calls that tell of progress."""


@dataclass(frozen=True, slots=True)
class HeaderFailure:
    """The first header that breaks a rule: where, which rule, Bitcoin Core's reject reason."""

    height: int
    rule: str
    reject: str
    message: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a run of headers proves.

    `count` headers hold, the last at `height` with `tip_hash` (None if there is none); `work`
    is the expected number of hashes behind them. `failure` tells why no more of them do.
    """

    count: int
    height: int
    tip_hash: bytes | None
    work: int
    failure: HeaderFailure | None


def validate_headers(
    headers: Bytes,
    params: NetworkParams,
    start: int = 0,
    *,
    threads: int = 1,
    kernel: str | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> ChainReport:
    """Check consecutive headers, ``uint8[N, 80]``, the first at height `start`.

    All rules that `hashing.chain.HeaderChain` applies. What depends on headers before the
    first is checked as far as it is known; begin at `hashing.chain.anchor_height` to lose
    nothing. `on_progress` is called with the number of headers checked since the last call,
    from any of the `threads`. Without a `kernel`, few headers need none.

    Raises
    ------
    HashingError
        If the array has another shape or type, or `kernel` does not run here.
    """
    if headers.ndim != 2 or headers.shape[1] != HEADER_SIZE or headers.dtype != np.uint8:
        raise HashingError(
            f"expected uint8[N, {HEADER_SIZE}], got {headers.dtype}{list(headers.shape)}"
        )
    if start < 0:
        raise HashingError(f"a height cannot be negative, got {start}")
    if len(headers) == 0:
        return ChainReport(0, start - 1, None, 0, None)
    words = _as_words(headers)
    tell = on_progress or _nobody
    runs: Counter[int] = Counter()
    failure = _genesis_failure(words, params) if start == 0 else None
    if failure is None and kernel is None and _PLAINLY.allows(len(words)):
        failure, runs = _one_by_one(words, params, start, tell)
    elif failure is None:
        from hashing.bulk import first_failure

        bad, runs = first_failure(
            words, params, start, kernel=kernel, threads=threads, on_progress=tell
        )
        failure = None if bad < 0 else _explain(words, params, start, bad)
    count = len(words) if failure is None else failure.height - start
    return ChainReport(
        count=count,
        height=start + count - 1,
        tip_hash=_header(words, count - 1).hash if count else None,
        work=sum(work_from_target(decode_nbits(nbits)) * n for nbits, n in runs.items()),
        failure=failure,
    )


def needs_kernels(count: int) -> bool:
    """Say whether kernels will check so many headers; to load or compile them takes a while."""
    return count > _PLAINLY.left


@dataclass(slots=True)
class _Allowance:
    """How many headers may still be checked in plain Python before kernels are worth it."""

    left: int

    def allows(self, count: int) -> bool:
        if count > self.left:
            return False
        self.left -= count
        return True


_PLAINLY: Final = _Allowance(PLAIN)


def _nobody(_count: int) -> None:
    """Take no notice of progress."""


def _as_words(headers: Bytes) -> Words:
    """Return headers as rows of twenty words, read-only so that one compiled kernel fits all."""
    headers = np.ascontiguousarray(headers)
    if headers.ctypes.data % 4:
        headers = headers.copy()
    words = headers.view("<u4")
    words.flags.writeable = False
    return words


def _header(words: Words, i: int) -> BlockHeader:
    return BlockHeader.parse(words[i].tobytes())


def _genesis_failure(words: Words, params: NetworkParams) -> HeaderFailure | None:
    if words[0].tobytes() == params.genesis_header:
        return None
    message = f"height 0: not the genesis block of {params.name}"
    return HeaderFailure(0, "link", "prev-blk-not-found", message)


def _one_by_one(
    words: Words, params: NetworkParams, start: int, tell: Callable[[int], None]
) -> tuple[HeaderFailure | None, Counter[int]]:
    """Return why the first bad header is refused, and how many before it have which nBits."""
    runs: Counter[int] = Counter()
    entry: ChainEntry | None = None
    for i in range(len(words)):
        header = _header(words, i)
        failure = _refusal(params, entry, header, start + i)
        if failure is not None:
            return failure, runs
        entry = ChainEntry(start + i, header.hash, header, 0, entry)
        runs[header.nbits] += 1
        if (i + 1) % _STRIDE == 0:
            tell(_STRIDE)
    tell(len(words) % _STRIDE)
    return None, runs


def _explain(words: Words, params: NetworkParams, start: int, bad: int) -> HeaderFailure:
    """Return why the header at index `bad` is refused, by the rules for single headers."""
    height = start + bad
    first = min(anchor_height(params, max(0, height - 1)) - start, bad - MEDIAN_TIME_SPAN)
    entry: ChainEntry | None = None
    for i in range(max(0, first), bad):
        context = _header(words, i)
        entry = ChainEntry(start + i, context.hash, context, 0, entry)
    failure = _refusal(params, entry, _header(words, bad), height)
    if failure is None:
        raise AssertionError(f"the kernel refuses height {height}, the rules do not")
    return failure


def _refusal(
    params: NetworkParams, entry: ChainEntry | None, header: BlockHeader, height: int
) -> HeaderFailure | None:
    """Return why `header` may not follow `entry`, None if it may; None is before the first."""
    try:
        check_pow(params, header)
        if entry is not None and entry.hash != header.prev_hash:
            raise unknown_parent(header)
        if entry is not None:
            check_in_context(params, entry, header)
    except HeaderError as error:
        return HeaderFailure(height, error.rule, error.reject, str(error))
    return None
