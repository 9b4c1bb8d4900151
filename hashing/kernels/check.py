"""The rules of a header chain over arrays: finds the first header that breaks one."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from hashing.chain import MAX_TIMEWARP
from hashing.kernels.jit import compiled
from hashing.params import MEDIAN_TIME_SPAN

PREV: Final = 1
TIME: Final = 17
NBITS: Final = 18
"""Places in a header of twenty 32-bit words; eight from `PREV` on are the parent's hash."""


class Rules(NamedTuple):
    """What the kernel knows of a network; times in seconds, -1 where a rule does not exist."""

    start: int
    """Height of the first header."""
    period: int
    """Blocks of a difficulty period."""
    pow_limit: int
    """The limit's nBits."""
    min_difficulty_after: int
    no_retarget: bool
    timewarp: bool
    version_2: int
    version_3: int
    version_4: int
    """Heights from which lower versions are refused."""


@compiled(nogil=True)
def decode_into(nbits: Any, target: Any) -> Any:
    """Write the target of `nbits` to ``uint32[1, 8]``, lowest first; return whether it is valid."""
    mantissa, size = np.int64(nbits & 0x7FFFFF), np.int64(nbits >> 24)
    if size < 3:
        mantissa, size = mantissa >> 8 * (3 - size), np.int64(3)
    target[:] = 0
    if mantissa == 0 or nbits & 0x800000:
        return False
    for i in range(3):
        byte = (mantissa >> (8 * i)) & 0xFF
        place = size - 3 + i
        if byte != 0:
            if place > 31:
                return False
            target[0, place // 4] |= np.uint32(byte << (8 * (place % 4)))
    return True


@compiled(nogil=True, forceinline=True)
def is_above(numbers: Any, i: Any, target: Any) -> Any:
    """Say whether number `i`, eight words from the lowest, is above `target`."""
    j = np.uint64(7)
    while j > 0 and numbers[i, j] == target[0, j]:
        j -= np.uint64(1)
    return numbers[i, j] > target[0, j]


@compiled(nogil=True)
def after_median(words: Any, low: Any, high: Any, start: Any) -> Any:
    """Say of each header in ``[low, high)`` whether its time is above the median time past.

    It is when more than half of the eleven headers before are earlier. Those before the first
    one, where the first one's height `start` says that there are any, count as earlier.
    """
    first = max(0, low - MEDIAN_TIME_SPAN)
    times = words[first:high, TIME].copy()
    earlier = np.zeros(high - first, np.int32)
    for back in range(1, MEDIAN_TIME_SPAN + 1):
        # Over all headers at once, so that LLVM makes vectors of it.
        before, now, counts = times[:-back], times[back:], earlier[back:]
        for i in range(len(now)):
            counts[i] += before[i] < now[i]
    for i in range(low, min(high, MEDIAN_TIME_SPAN)):
        span = min(MEDIAN_TIME_SPAN, start + i)
        unknown = span - i if times[i - first] > 0 else 0
        earlier[i - first] += np.int32(unknown + MEDIAN_TIME_SPAN // 2 - span // 2)
    return earlier[low - first :] > MEDIAN_TIME_SPAN // 2


@compiled(nogil=True)
def last_ordinary(words: Any, i: Any, rules: Any) -> Any:
    """Return the nBits of the last header up to `i` that took no 20-minute exception.

    -1 if that one comes before the first header.
    """
    for j in range(i, -1, -1):
        if words[j, NBITS] != rules.pow_limit or (rules.start + j) % rules.period == 0:
            return np.int64(words[j, NBITS])
    return np.int64(-1)


@compiled(nogil=True, forceinline=True)
def is_child(words: Any, i: Any, hashes: Any, parent: Any) -> Any:
    """Say whether header `i` names hash number `parent`, eight words."""
    different = np.uint32(0)
    for j in range(8):
        different |= words[i, PREV + j] ^ hashes[parent, j]
    return different == 0


@compiled(nogil=True, forceinline=True)
def keeps_nbits(nbits: Any, before: Any, gap: Any, ordinary: Any, rules: Any) -> Any:
    """Say whether `nbits` follow the rule within a period, `gap` seconds after the parent."""
    if rules.min_difficulty_after < 0 or rules.no_retarget:
        return nbits == before
    if gap > rules.min_difficulty_after:
        return nbits == rules.pow_limit
    return ordinary < 0 or nbits == ordinary


@compiled(nogil=True, forceinline=True)
def has_good_version(version: Any, height: Any, rules: Any) -> Any:
    """Say whether `version` (signed) is still allowed at `height`."""
    if version >= 4:
        return True
    return not (
        height >= rules.version_4
        or (version < 3 and height >= rules.version_3)
        or (version < 2 and height >= rules.version_2)
    )


@compiled(nogil=True)
def first_bad(  # noqa: PLR0917
    words: Any,
    hashes: Any,
    low: Any,
    high: Any,
    rules: Any,
    retargets: Any,
    runs: Any,
) -> Any:
    """Return the index of the first header in ``[low, high)`` that breaks a rule, or -1.

    `words` are all headers, ``uint32[N, 20]``; `hashes` those of the header before `low` and
    of all from there on, ``uint32[M, 8]``. `retargets` are the nBits at each start of a difficulty
    period after the first header. `runs` receives nBits and number of headers in a row; the
    second result counts these.
    """
    target, limit = np.zeros((1, 8), np.uint32), np.zeros((1, 8), np.uint32)
    decode_into(np.uint32(rules.pow_limit), limit)
    valid, run, known = False, -1, np.uint32(0)
    exceptions = rules.min_difficulty_after >= 0 and not rules.no_retarget
    ordinary = last_ordinary(words, low - 1, rules) if exceptions else np.int64(-1)
    in_time = after_median(words, low, high, rules.start)
    # Counted, because a division a header takes time.
    into = (rules.start + low) % rules.period
    if into == 0:
        into = rules.period
    periods = (rules.start + low - 1) // rules.period - rules.start // rules.period
    for k in range(high - low):
        i = low + k
        # Numba lets unsigned indices pass without a look at negative ones.
        at, near = np.uint64(i), np.uint64(k)
        height, nbits = rules.start + i, words[at, NBITS]
        starts_period = into == rules.period
        if starts_period:
            into, periods = 0, periods + 1
        into += 1
        if run < 0 or nbits != known:
            known, run = nbits, run + 1
            valid = decode_into(nbits, target) and not is_above(target, 0, limit)
            runs[run, 0], runs[run, 1] = nbits, 0
        good = valid and not is_above(hashes, near + np.uint64(1), target)
        if good and i > 0:
            above = at - np.uint64(1)
            gap = np.int64(words[at, TIME]) - np.int64(words[above, TIME])
            good = is_child(words, at, hashes, near)
            if starts_period and not rules.no_retarget:
                good &= nbits == retargets[periods - 1]
                good &= gap >= -MAX_TIMEWARP or not rules.timewarp
            else:
                good &= keeps_nbits(nbits, words[above, NBITS], gap, ordinary, rules)
            good &= in_time[near]
            good &= has_good_version(np.int32(words[at, 0]), height, rules)
        if not good:
            return i, run + 1
        if exceptions and (nbits != rules.pow_limit or starts_period):
            ordinary = np.int64(nbits)
        runs[run, 1] += 1
    return -1, run + 1
