"""Header chains: every header checked in its context, forks kept, the most work wins.

Rules follow ``ContextualCheckBlockHeader`` and ``GetNextWorkRequired`` of Bitcoin Core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from hashing.errors import HeaderError, TargetError
from hashing.header import BlockHeader, hash_to_hex
from hashing.params import (
    MEDIAN_TIME_SPAN,
    TARGET_TIMESPAN,
    NetworkParams,
)
from hashing.target import decode_nbits, encode_nbits, work_from_target

MAX_TIMEWARP: Final = 600
"""Seconds that the first block of a period may lie before the one before it (BIP94)."""


@dataclass(slots=True, eq=False)
class ChainEntry:
    """A header in its place. `work` counts from the anchor; `prev` is None at the anchor."""

    height: int
    hash: bytes
    header: BlockHeader
    work: int
    prev: ChainEntry | None = field(repr=False)


def anchor_height(params: NetworkParams, height: int) -> int:
    """Return the height to anchor a chain at so that all rules can be checked above `height`.

    The start of a difficulty period: every later retarget and every walk back for the
    20-minute rule then stays inside the chain. Without retargets, far enough for the
    median time past.
    """
    if params.no_retarget:
        return max(0, height - MEDIAN_TIME_SPAN)
    return height - height % params.retarget_interval


def retarget(params: NetworkParams, base_nbits: int, first_time: int, last_time: int) -> int:
    """Return the nBits after a period whose blocks ran from `first_time` to `last_time`.

    Source: ``CalculateNextWorkRequired`` of Bitcoin Core.
    """
    timespan = min(max(last_time - first_time, TARGET_TIMESPAN // 4), TARGET_TIMESPAN * 4)
    target = decode_nbits(base_nbits) * timespan // TARGET_TIMESPAN
    return encode_nbits(min(target, params.pow_limit))


def _ancestor(entry: ChainEntry, height: int) -> ChainEntry:
    """Return the ancestor at `height`, or the oldest one that is kept above it."""
    while entry.height > height and entry.prev is not None:
        entry = entry.prev
    return entry


def next_nbits(params: NetworkParams, prev: ChainEntry, time: int) -> int | None:
    """Return the nBits that a header with `time` must carry on top of `prev`.

    None if that depends on headers before the first one of the chain.
    """
    height, period = prev.height + 1, params.retarget_interval
    if params.no_retarget:
        return prev.header.nbits
    if height % period == 0:
        first = _ancestor(prev, height - period)
        if first.height != height - period:
            return None
        base = first if params.enforce_bip94 else prev
        return retarget(params, base.header.nbits, first.header.time, prev.header.time)
    if params.min_difficulty_after is None:
        return prev.header.nbits
    limit = encode_nbits(params.pow_limit)
    if time > prev.header.time + params.min_difficulty_after:
        return limit
    while prev.prev is not None and prev.height % period != 0 and prev.header.nbits == limit:
        prev = prev.prev
    ordinary = prev.height % period == 0 or prev.header.nbits != limit
    return prev.header.nbits if ordinary else None


def may_follow(params: NetworkParams, height: int, before: int, nbits: int) -> bool:
    """Say whether `nbits` at `height` may follow `before`, whatever the times were.

    Source: ``PermittedDifficultyTransition`` of Bitcoin Core.
    """
    if params.min_difficulty_after is not None:
        return True
    if height % params.retarget_interval:
        return nbits == before
    slowest = retarget(params, before, 0, TARGET_TIMESPAN * 4)
    fastest = retarget(params, before, 0, TARGET_TIMESPAN // 4)
    return decode_nbits(fastest) <= decode_nbits(nbits) <= decode_nbits(slowest)


def median_time_past(entry: ChainEntry) -> int:
    """Return the median time of `entry` and the ten headers before it.

    Headers before the oldest one that is kept count as earlier than all: the result is then
    the least that the median can be, so that no rule refuses what the chain may allow.
    """
    times: list[int] = []
    at: ChainEntry | None = entry
    while at is not None and len(times) < MEDIAN_TIME_SPAN:
        times.append(at.header.time)
        at = at.prev
    span = min(MEDIAN_TIME_SPAN, entry.height + 1)
    middle = span // 2 - (span - len(times))
    return sorted(times)[middle] if middle >= 0 else 0


def check_pow(params: NetworkParams, header: BlockHeader) -> int:
    """Return the work of `header` if its hash meets its own target, within the network's limit.

    Raises
    ------
    HeaderError
        ``high-hash`` otherwise.
    """
    try:
        target = decode_nbits(header.nbits)
    except TargetError as error:
        raise HeaderError("pow", "high-hash", str(error)) from None
    if target > params.pow_limit:
        raise HeaderError("pow", "high-hash", f"nBits {header.nbits:#010x} is above the limit")
    digest = header.hash
    if int.from_bytes(digest, "little") > target:
        raise HeaderError(
            "pow", "high-hash", f"hash {hash_to_hex(digest)} does not meet its target"
        )
    return work_from_target(target)


def unknown_parent(header: BlockHeader) -> HeaderError:
    """Return the error of a header whose parent is not in the chain."""
    return HeaderError(
        "link",
        "prev-blk-not-found",
        f"header {hash_to_hex(header.hash)} follows {hash_to_hex(header.prev_hash)}, "
        "which is not in the chain",
    )


def check_in_context(params: NetworkParams, prev: ChainEntry, header: BlockHeader) -> None:
    """Check everything about `header` that depends on the chain that ends with `prev`.

    Raises
    ------
    HeaderError
        With the rule that is broken and the reject reason of Bitcoin Core.
    """
    height = prev.height + 1
    expected = next_nbits(params, prev, header.time)
    if expected is None and not may_follow(params, height, prev.header.nbits, header.nbits):
        raise HeaderError(
            "nbits",
            "bad-diffbits",
            f"height {height}: nBits {header.nbits:#010x}, impossible after "
            f"{prev.header.nbits:#010x}",
        )
    if expected is not None and header.nbits != expected:
        raise HeaderError(
            "nbits",
            "bad-diffbits",
            f"height {height}: nBits {header.nbits:#010x}, the rule demands {expected:#010x}",
        )
    earliest = median_time_past(prev)
    if header.time <= earliest:
        raise HeaderError(
            "mtp", "time-too-old", f"height {height}: time {header.time}, must be above {earliest}"
        )
    if (
        params.enforce_bip94
        and height % params.retarget_interval == 0
        and header.time < prev.header.time - MAX_TIMEWARP
    ):
        raise HeaderError(
            "timewarp",
            "time-timewarp-attack",
            f"height {height}: time {header.time} is more than {MAX_TIMEWARP} s before "
            f"{prev.header.time}",
        )
    floors = ((2, params.bip34_height), (3, params.bip66_height), (4, params.bip65_height))
    if any(header.version < least and height >= since for least, since in floors):
        raise HeaderError(
            "version",
            f"bad-version({header.version & 0xFFFFFFFF:#010x})",
            f"height {height}: block version {header.version} is no longer allowed",
        )


class HeaderChain:
    """Accepts one header at a time, keeps forks, and picks the most work.

    The headers given at first (the anchor) are trusted to be in place: their proof of work
    and links are checked, and each against the rules as far as those before it allow. Begin
    at `anchor_height` to lose none of the rules for later headers, except that the median
    time past of the first ten is known only from below. Begun within a period, the next
    retarget is held to the limits of a factor of four only.

    Raises
    ------
    HeaderError
        If the anchor itself does not hold.
    """

    def __init__(
        self, params: NetworkParams, height: int, anchor: Sequence[BlockHeader | bytes]
    ) -> None:
        if not anchor:
            raise ValueError("a chain needs at least one header to begin with")
        self._params = params
        first = _as_header(anchor[0])
        work = check_pow(params, first)
        self._tip = ChainEntry(height, first.hash, first, work, None)
        self._entries = {self._tip.hash: self._tip}
        self._floor = height
        for header in anchor[1:]:
            self.accept(header)

    @property
    def tip(self) -> ChainEntry:
        """The end of the chain with the most work; of equals, the one seen first."""
        return self._tip

    @property
    def floor(self) -> int:
        """Height of the oldest header that is kept."""
        return self._floor

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, block_hash: bytes) -> bool:
        return block_hash in self._entries

    def get(self, block_hash: bytes) -> ChainEntry | None:
        """Return the entry of a hash, None if it is not kept."""
        return self._entries.get(block_hash)

    def accept(self, header: BlockHeader | bytes) -> ChainEntry:
        """Check `header` and add it; a known one is returned as it is.

        Raises
        ------
        HeaderError
            If its parent is not here (rule ``link``) or it breaks a rule. Nothing is changed.
        """
        header = _as_header(header)
        digest = header.hash
        if known := self._entries.get(digest):
            return known
        work = check_pow(self._params, header)
        prev = self._entries.get(header.prev_hash)
        if prev is None:
            raise unknown_parent(header)
        check_in_context(self._params, prev, header)
        entry = ChainEntry(prev.height + 1, digest, header, prev.work + work, prev)
        self._entries[digest] = entry
        if entry.work > self._tip.work:
            self._tip = entry
        return entry

    def ancestor(self, entry: ChainEntry, height: int) -> ChainEntry | None:
        """Return the ancestor of `entry` at `height`, None if it is above or not kept."""
        found = _ancestor(entry, height)
        return found if found.height == height else None

    def fork_point(self, one: ChainEntry, other: ChainEntry) -> ChainEntry | None:
        """Return the last entry that both chains share, None if it is not kept."""
        a: ChainEntry | None = _ancestor(one, other.height)
        b: ChainEntry | None = _ancestor(other, one.height)
        while a is not b and a is not None and b is not None:
            a, b = a.prev, b.prev
        return a if a is b else None

    def path(self, start: ChainEntry | None, end: ChainEntry) -> list[ChainEntry]:
        """Return the entries after `start` (None: from the oldest kept) up to `end`.

        Raises
        ------
        ValueError
            If `end` does not descend from `start`.
        """
        steps: list[ChainEntry] = []
        at: ChainEntry | None = end
        while at is not None and at is not start:
            steps.append(at)
            at = at.prev
        if at is not start:
            raise ValueError("the end of the path does not descend from its start")
        return steps[::-1]

    def prune(self, below: int) -> None:
        """Forget headers below `below`, rounded down so that no later rule loses its context."""
        floor = anchor_height(self._params, min(below, self._tip.height))
        if floor <= self._floor:
            return
        self._floor = floor
        self._entries = {h: e for h, e in self._entries.items() if e.height >= floor}
        for entry in self._entries.values():
            if entry.height == floor:
                entry.prev = None


def _as_header(header: BlockHeader | bytes) -> BlockHeader:
    return header if isinstance(header, BlockHeader) else BlockHeader.parse(header)
