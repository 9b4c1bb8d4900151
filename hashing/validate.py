"""Whole header chains at once: every rule of `hashing.chain`, over an array of headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hashing import choice
from hashing.chain import (
    ChainEntry,
    anchor_height,
    check_in_context,
    check_pow,
    may_follow,
    retarget,
    unknown_parent,
)
from hashing.errors import HashingError, HeaderError, TargetError
from hashing.header import HEADER_SIZE, BlockHeader
from hashing.kernels.check import NBITS, TIME, Rules, first_bad
from hashing.params import MEDIAN_TIME_SPAN, NetworkParams
from hashing.sha256d import Bytes, digest_into, on_threads, split
from hashing.target import decode_nbits, encode_nbits, work_from_target

Words = npt.NDArray[np.uint32]

_CHUNK: Final = 1 << 12
"""Headers that are hashed and then checked while they are still in the cache."""


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
    from any of the `threads`.

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
    name = choice.checked(kernel, "headers")
    words = _as_words(headers)
    failure = _genesis_failure(words, params) if start == 0 else None
    if failure is None:
        bad, runs = _check(words, params, start, name, threads, on_progress)
        failure = None if bad < 0 else _explain(words, params, start, bad)
    count = len(words) if failure is None else failure.height - start
    if failure is not None:
        runs = Counter(words[:count, NBITS].tolist())
    return ChainReport(
        count=count,
        height=start + count - 1,
        tip_hash=_header(words, count - 1).hash if count else None,
        work=sum(work_from_target(decode_nbits(nbits)) * n for nbits, n in runs.items()),
        failure=failure,
    )


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


def _check(  # noqa: PLR0917
    words: Words,
    params: NetworkParams,
    start: int,
    kernel: str,
    threads: int,
    on_progress: Callable[[int], None] | None,
) -> tuple[int, Counter[int]]:
    """Return the index of the first bad header or -1, and how many headers have which nBits."""
    rules, retargets = _rules(params, start), _retargets(words, params, start)

    def check_part(part: range) -> tuple[int, Counter[int]]:
        digests = np.zeros((_CHUNK + 1, 32), np.uint8)
        hashes = digests.view("<u4")
        if part.start:
            hashes[0] = np.frombuffer(_header(words, part.start - 1).hash, "<u4")
        pairs = np.empty((_CHUNK, 2), np.uint32)
        runs: Counter[int] = Counter()
        for low in range(part.start, part.stop, _CHUNK):
            high = min(low + _CHUNK, part.stop)
            count = high - low
            digest_into(words[low:high].view(np.uint8), digests[1 : count + 1], kernel)
            bad, used = first_bad(words, hashes, low, high, rules, retargets, pairs)
            for nbits, number in pairs[:used].tolist():
                runs[nbits] += number
            if bad >= 0:
                return bad, runs
            hashes[0] = hashes[count]
            if on_progress:
                on_progress(count)
        return -1, runs

    results = on_threads(check_part, split(len(words), threads))
    bad = next((bad for bad, _ in results if bad >= 0), -1)
    return bad, sum((runs for _, runs in results), Counter())


def _rules(params: NetworkParams, start: int) -> Rules:
    gap = params.min_difficulty_after
    return Rules(
        start=start,
        period=params.retarget_interval,
        pow_limit=encode_nbits(params.pow_limit),
        min_difficulty_after=-1 if gap is None else gap,
        no_retarget=params.no_retarget,
        timewarp=params.enforce_bip94,
        version_2=params.bip34_height,
        version_3=params.bip66_height,
        version_4=params.bip65_height,
    )


def _retargets(words: Words, params: NetworkParams, start: int) -> npt.NDArray[np.int64]:
    """Return the nBits that each start of a difficulty period within the headers must carry."""
    period = params.retarget_interval
    first = period - start % period
    return np.array(
        [_retarget(words, params, start, i) for i in range(first, len(words), period)],
        np.int64,
    )


def _retarget(words: Words, params: NetworkParams, start: int, i: int) -> int:
    begin, end = i - params.retarget_interval, i - 1
    try:
        if begin < 0:
            before, nbits = int(words[end, NBITS]), int(words[i, NBITS])
            return nbits if may_follow(params, start + i, before, nbits) else -1
        base = int(words[begin if params.enforce_bip94 else end, NBITS])
        return retarget(params, base, int(words[begin, TIME]), int(words[end, TIME]))
    except TargetError:
        # One of these headers is refused for its nBits, and comes no later.
        return -1


def _explain(words: Words, params: NetworkParams, start: int, bad: int) -> HeaderFailure:
    """Return why the header at index `bad` is refused, by the rules for single headers."""
    header, height = _header(words, bad), start + bad
    first = min(anchor_height(params, max(0, height - 1)) - start, bad - MEDIAN_TIME_SPAN)
    entry: ChainEntry | None = None
    for i in range(max(0, first), bad):
        context = _header(words, i)
        entry = ChainEntry(start + i, context.hash, context, 0, entry)
    try:
        check_pow(params, header)
        if entry is not None and entry.hash != header.prev_hash:
            raise unknown_parent(header)
        if entry is not None:
            check_in_context(params, entry, header)
    except HeaderError as error:
        return HeaderFailure(height, error.rule, error.reject, str(error))
    raise AssertionError(f"the kernel refuses height {height}, the rules do not")
