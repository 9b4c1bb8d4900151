"""Windows over the chain: which blocks, and how many each entity found, under a lens.

A window is a number of blocks or a span of time. Block windows are the better measure:
each holds the same amount of evidence. Times are header times, which miners set and which
may run backwards by up to two hours, so the edges of a time window are as soft as that.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from analyzers.mined import Chain, EntityOf, Mined, by_tag

Name = TypeVar("Name", str, "str | None")

SECONDS: Final = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Window:
    """A length of chain: exactly one of `blocks` and `seconds` is set.

    Examples
    --------
    >>> Window.parse("2016"), Window.parse("7d")
    (Window(blocks=2016, seconds=None), Window(blocks=None, seconds=604800))
    >>> str(Window.parse("2016")), str(Window.parse("7d")), str(Window.parse("12h"))
    ('2016', '1w', '12h')
    """

    blocks: int | None = None
    seconds: int | None = None

    def __post_init__(self) -> None:
        size = self.blocks if self.seconds is None else self.seconds
        if (self.blocks is None) == (self.seconds is None) or size is None or size < 1:
            raise ValueError("a window has either a number of blocks or a span of time above zero")

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``144`` (blocks), ``12h``, ``1d`` or ``2w``.

        Raises
        ------
        ValueError
            If `text` is no such thing.
        """
        match = re.fullmatch(r"(\d{1,9})([hdw]?)", text.strip().lower(), re.ASCII)
        if not match or not int(match[1]):
            raise ValueError(f"{text[:40]!r} is no window: give blocks (144) or time (12h, 1d, 2w)")
        size, unit = int(match[1]), match[2]
        return cls(seconds=size * SECONDS[unit]) if unit else cls(blocks=size)

    def __str__(self) -> str:
        if self.seconds is None:
            return str(self.blocks)
        for unit in ("w", "d", "h"):
            if self.seconds % SECONDS[unit] == 0:
                return f"{self.seconds // SECONDS[unit]}{unit}"
        return f"{self.seconds}s"


AGENT_WINDOWS: Final = (Window(blocks=144), Window(blocks=1008), Window(blocks=2016))
"""What the agent watches: about a day, a week, and a difficulty epoch."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Blocks per entity over one window; `unattributed` are those of nobody known."""

    counts: Mapping[str, int]
    unattributed: int
    first_height: int
    last_height: int
    first_time: int
    last_time: int

    @property
    def blocks(self) -> int:
        """All blocks of the window."""
        return sum(self.counts.values()) + self.unattributed


def tally(mined: Sequence[Mined], lens: EntityOf = by_tag) -> Tally:
    """Count the blocks of `mined` (in height order) per entity under `lens`.

    Raises
    ------
    ValueError
        If there is no block.

    Examples
    --------
    >>> from analyzers.mined import lens_from
    >>> chain = [Mined(7, 100, "a"), Mined(8, 700, None), Mined(9, 900, "b")]
    >>> seen = tally(chain, lens_from({"b": "a"}))
    >>> dict(seen.counts), seen.unattributed, seen.blocks
    ({'a': 2}, 1, 3)
    """
    if not mined:
        raise ValueError("a window without blocks cannot be counted")
    found: Counter[str | None] = Counter(
        None if block.pool is None else lens(block.pool, block.height, block.time)
        for block in mined
    )
    unattributed = found.pop(None, 0)
    first, last = mined[0], mined[-1]
    return Tally(
        {name: blocks for name, blocks in found.items() if name is not None},
        unattributed,
        first.height,
        last.height,
        first.time,
        last.time,
    )


def latest(mined: Sequence[Mined], window: Window) -> Sequence[Mined]:
    """Return the blocks of `window` that ends with the last of `mined` (in height order).

    Fewer where the chain given is shorter. A time window is cut at the first block whose
    running maximum of times is inside it, so that it has no gaps.

    Examples
    --------
    >>> chain = [Mined(h, 600 * h, "a") for h in range(100)]
    >>> len(latest(chain, Window(blocks=10))), len(latest(chain, Window.parse("1h")))
    (10, 6)
    """
    if window.blocks is not None:
        return mined[-window.blocks :]
    if not mined:
        return mined
    latest_so_far = np.maximum.accumulate(Chain.of(mined).time)
    start = latest_so_far[-1] - (window.seconds or 0)
    return mined[int(np.searchsorted(latest_so_far, start, side="right")) :]


@dataclass(frozen=True, slots=True)
class CountTable:
    """Blocks per window (row) and entity (column), in the order of the chain.

    `start_time` is when each window begins (Unix seconds), `first_height` its first block.
    """

    entities: tuple[str, ...]
    counts: NDArray[np.int64]
    unattributed: NDArray[np.int64]
    first_height: NDArray[np.int64]
    start_time: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start_time)

    @property
    def blocks(self) -> NDArray[np.int64]:
        """All blocks of each window."""
        total: NDArray[np.int64] = self.counts.sum(axis=1) + self.unattributed
        return total

    def row(self, index: int) -> dict[str, int]:
        """Return the entities that found blocks in window `index`, with their numbers."""
        found = zip(self.entities, self.counts[index].tolist(), strict=True)
        return {name: blocks for name, blocks in found if blocks}

    def rows(self) -> Iterator[dict[str, int]]:
        """Return each window as `row` does."""
        return (self.row(index) for index in range(len(self)))

    def total(self) -> dict[str, int]:
        """Return the blocks of each entity over all windows."""
        sums = zip(self.entities, self.counts.sum(axis=0).tolist(), strict=True)
        return {name: blocks for name, blocks in sums if blocks}

    def between(self, start: int | None = None, end: int | None = None) -> CountTable:
        """Return the windows that begin at `start` or later and before `end` (Unix seconds)."""
        low = 0 if start is None else bisect_left(self.start_time.tolist(), start)
        high = len(self) if end is None else bisect_left(self.start_time.tolist(), end)
        return self.part(slice(low, high))

    def merged(self, span: int) -> CountTable:
        """Return windows of `span` rows each, ending with the last; a rest in front is cut."""
        if span < 1:
            raise ValueError(f"windows are merged by one or more, not {span}")
        starts = np.arange(len(self) % span, len(self), span)
        if not starts.size:
            return self.part(slice(0, 0))
        return CountTable(
            self.entities,
            np.add.reduceat(self.counts, starts, axis=0),
            np.add.reduceat(self.unattributed, starts),
            self.first_height[starts],
            self.start_time[starts],
        )

    def rolling(self, span: int) -> CountTable:
        """Return windows of `span` rows that move by one row. They overlap: not for tests."""
        if not 1 <= span <= len(self):
            return self.part(slice(0, 0))
        sums = np.cumsum(np.vstack([np.zeros_like(self.counts[:1]), self.counts]), axis=0)
        own = np.cumsum(np.concatenate([[0], self.unattributed]))
        kept = len(self) - span + 1
        return CountTable(
            self.entities,
            sums[span:] - sums[:-span],
            own[span:] - own[:-span],
            self.first_height[:kept],
            self.start_time[:kept],
        )

    def under(self, lens: EntityOf) -> CountTable:
        """Return the table as `lens` sees it; each window is judged by its first block."""
        merged: list[Counter[str | None]] = []
        places = zip(self.first_height.tolist(), self.start_time.tolist(), strict=True)
        for found, (height, time) in zip(self.rows(), places, strict=True):
            seen: Counter[str | None] = Counter()
            for pool, blocks in found.items():
                seen[lens(pool, height, time)] += blocks
            merged.append(seen)
        return table_of(merged, self.unattributed, self.first_height, self.start_time)

    def part(self, rows: slice) -> CountTable:
        """Return the windows of a slice of rows."""
        return CountTable(
            self.entities,
            self.counts[rows],
            self.unattributed[rows],
            self.first_height[rows],
            self.start_time[rows],
        )


def table_of(
    rows: Sequence[Mapping[Name, int]],
    unattributed: Iterable[int],
    first_height: Iterable[int],
    start_time: Iterable[int],
) -> CountTable:
    """Return a table from one mapping a window; a None key adds to `unattributed`.

    Entities are in order of all their blocks, largest first, then by name.

    Examples
    --------
    >>> table = table_of([{"a": 1, None: 2}, {"b": 3}], [0, 0], [0, 3], [0, 1800])
    >>> table.entities, table.counts.tolist(), table.unattributed.tolist()
    (('b', 'a'), [[0, 1], [3, 0]], [2, 0])
    """
    totals: Counter[str] = Counter()
    for row in rows:
        totals.update({name: blocks for name, blocks in row.items() if name is not None})
    entities = tuple(sorted(totals, key=lambda name: (-totals[name], name)))
    column = {name: index for index, name in enumerate(entities)}
    counts = np.zeros((len(rows), len(entities)), dtype=np.int64)
    own = np.array(list(unattributed), dtype=np.int64)
    for index, row in enumerate(rows):
        for name, blocks in row.items():
            if name is None:
                own[index] += blocks
            else:
                counts[index, column[name]] += blocks
    return CountTable(
        entities,
        counts,
        own,
        np.array(list(first_height), dtype=np.int64),
        np.array(list(start_time), dtype=np.int64),
    )


def between(chain: Chain, start: int | None = None, end: int | None = None) -> Chain:
    """Return the blocks of `chain` from `start` to before `end` (Unix seconds), without gaps.

    Header times may run backwards, so a block is where the latest time up to it is.

    Examples
    --------
    >>> chain = Chain.of([Mined(7, 100, "a"), Mined(8, 700, "a"), Mined(9, 650, "b")])
    >>> [block.height for block in between(chain, 700)], len(between(chain, 100, 700))
    ([8, 9], 1)
    """
    latest_so_far = np.maximum.accumulate(chain.time)
    low = 0 if start is None else int(np.searchsorted(latest_so_far, start))
    high = len(chain) if end is None else int(np.searchsorted(latest_so_far, end))
    return chain[low : max(low, high)]


def partition(
    mined: Sequence[Mined],
    window: Window,
    lens: EntityOf = by_tag,
    *,
    start: int | None = None,
    end: int | None = None,
) -> CountTable:
    """Count `mined` (in height order) in whole windows that do not overlap.

    Of these the ones that lie from `start` to `end` (Unix seconds; None: open) are kept. Give
    the whole chain, and no part of it: a day is whole only with the block that follows it.

    Block windows begin at multiples of their size in height, time windows at multiples of
    their span since 1970 (so days are UTC days). Windows cut by the ends of `mined` are left
    out: the first unless it begins at such a multiple, the last unless it is full (blocks)
    or followed by another (time).

    Examples
    --------
    >>> chain = [Mined(h, 600 * h, "ab"[h % 2]) for h in range(7)]
    >>> table = partition(chain, Window(blocks=3))
    >>> table.entities, table.counts.tolist(), table.first_height.tolist()
    (('a', 'b'), [[2, 1], [1, 2]], [0, 3])
    """
    chain = Chain.of(mined)
    size = window.blocks or window.seconds or 1
    place = chain.height if window.blocks else np.maximum.accumulate(chain.time)
    keys, starts, which, sizes = np.unique(
        place // size, return_index=True, return_inverse=True, return_counts=True
    )
    codes, names = chain.entities(lens)
    # one column more, the last, for nobody known
    cells = which * (len(names) + 1) + codes % (len(names) + 1)
    counts = np.bincount(cells, minlength=len(keys) * (len(names) + 1))
    counts = counts.reshape(len(keys), len(names) + 1)
    whole = _whole(chain, window, sizes)
    low, high = (keys * size, (keys + 1) * size) if window.seconds else _ends(chain, starts, sizes)
    whole &= (low >= (-math.inf if start is None else start)) & (
        high <= (math.inf if end is None else end)
    )
    counts, starts = counts[whole], starts[whole]
    totals = counts[:, :-1].sum(axis=0).tolist()
    order = sorted(
        filter(totals.__getitem__, range(len(names))), key=lambda i: (-totals[i], names[i])
    )
    return CountTable(
        tuple(names[i] for i in order),
        counts[:, order],
        counts[:, -1],
        chain.height[starts],
        chain.time[starts] if window.blocks else keys[whole] * size,
    )


def _ends(
    chain: Chain, starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the time of the first block of each window, and the second after the last."""
    latest_so_far = np.maximum.accumulate(chain.time)
    return latest_so_far[starts], latest_so_far[starts + sizes - 1] + 1


def _whole(chain: Chain, window: Window, sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which windows, of which the chain has `sizes` blocks, its ends do not cut."""
    whole: NDArray[np.bool_] = sizes == (window.blocks or sizes)
    if window.blocks:
        return whole
    whole[-1:] = False
    if len(chain) and window.seconds and chain.time[0] % window.seconds:
        whole[0] = False
    return whole
