"""The rules of a chain over an array of headers, by compiled kernels and on threads.

`hashing.validate` is the public side; importing this module imports Numba.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from hashing import choice
from hashing.chain import may_follow, retarget
from hashing.errors import TargetError
from hashing.header import sha256d
from hashing.kernels.check import NBITS, TIME, Rules, first_bad
from hashing.params import NetworkParams
from hashing.sha256d import digest_into, on_threads, split
from hashing.target import encode_nbits

Words = npt.NDArray[np.uint32]

_CHUNK: Final = 1 << 12
"""Headers that are hashed and then checked while they are still in the cache."""


def first_failure(
    words: Words,
    params: NetworkParams,
    start: int,
    *,
    kernel: str | None,
    threads: int,
    on_progress: Callable[[int], None],
) -> tuple[int, Counter[int]]:
    """Return the index of the first bad header, or -1, and how many before it have which nBits.

    `words` are headers as rows of twenty words, ``uint32[N, 20]``, read-only so that one
    compiled kernel fits all; the first one's height is `start`.

    Raises
    ------
    HashingError
        If `kernel` does not run here.
    """
    name = choice.checked(kernel, "headers", len(words))
    rules, retargets = _rules(params, start), _retargets(words, params, start)

    def check_part(part: range) -> tuple[int, Counter[int]]:
        digests = np.zeros((_CHUNK + 1, 32), np.uint8)
        hashes = digests.view("<u4")
        if part.start:
            hashes[0] = np.frombuffer(sha256d(words[part.start - 1].tobytes()), "<u4")
        pairs = np.empty((_CHUNK, 2), np.uint32)
        runs: Counter[int] = Counter()
        for low in range(part.start, part.stop, _CHUNK):
            high = min(low + _CHUNK, part.stop)
            count = high - low
            digest_into(words[low:high].view(np.uint8), digests[1 : count + 1], name)
            bad, used = first_bad(words, hashes, low, high, rules, retargets, pairs)
            for nbits, number in pairs[:used].tolist():
                runs[nbits] += number
            if bad >= 0:
                return bad, runs
            hashes[0] = hashes[count]
            on_progress(count)
        return -1, runs

    results = on_threads(check_part, split(len(words), threads))
    bad = next((bad for bad, _ in results if bad >= 0), -1)
    if bad >= 0:
        return bad, Counter(words[:bad, NBITS].tolist())
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
