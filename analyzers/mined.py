"""The active chain as analyses see it: which block, when, whose; and what a lens is.

Times are header times (Unix seconds), which miners set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

EntityOf: TypeAlias = Callable[[str, int, int], "str | None"]
"""A lens as a function: (pool slug, height, header time) to the entity behind the pool."""


class Mined(NamedTuple):
    """A block of the active chain: who is held to have mined it, None for nobody known."""

    height: int
    time: int
    pool: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Chain(Sequence[Mined]):
    """Blocks of the active chain in height order, by column: the whole chain in little room.

    `pool` is an index into `pools`, -1 for nobody known.
    """

    height: NDArray[np.int64]
    time: NDArray[np.int64]
    pool: NDArray[np.int64]
    pools: tuple[str, ...]

    @classmethod
    def of(cls, mined: Sequence[Mined]) -> Chain:
        """Return `mined` by column; a chain is returned as it is."""
        if isinstance(mined, Chain):
            return mined
        index: dict[str, int] = {}
        rows = [
            (height, time, -1 if pool is None else index.setdefault(pool, len(index)))
            for height, time, pool in mined
        ]
        height, time, pool = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        return cls(height, time, pool, tuple(index))

    def __len__(self) -> int:
        return len(self.height)

    @overload
    def __getitem__(self, place: int) -> Mined: ...
    @overload
    def __getitem__(self, place: slice | NDArray[np.bool_]) -> Chain: ...
    def __getitem__(self, place: int | slice | NDArray[np.bool_]) -> Mined | Chain:
        if isinstance(place, int):
            pool = self.pool[place]
            name = None if pool < 0 else self.pools[pool]
            return Mined(int(self.height[place]), int(self.time[place]), name)
        return Chain(self.height[place], self.time[place], self.pool[place], self.pools)

    def __iter__(self) -> Iterator[Mined]:
        names = (*self.pools, None)  # -1 is the last
        columns = zip(self.height.tolist(), self.time.tolist(), self.pool.tolist(), strict=True)
        return (Mined(height, time, names[pool]) for height, time, pool in columns)

    def entities(self, lens: EntityOf) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return each block's entity as an index into the names, -1 for none, and the names.

        Where a lens has a method `steady`, a pool for which that is true is looked up once.
        """
        if lens is by_tag:
            return self.pool, self.pools
        index: dict[str | None, int] = {None: -1}

        def number(pool: str, height: int, time: int) -> int:
            return index.setdefault(lens(pool, height, time), len(index) - 1)

        is_steady = getattr(lens, "steady", lambda _pool: False)
        steady = np.array([is_steady(pool) for pool in self.pools] + [True])
        once = [number(pool, 0, 0) if steady[i] else -1 for i, pool in enumerate(self.pools)]
        codes = np.array([*once, -1])[self.pool]
        moving = ~steady[self.pool]
        codes[moving] = [
            number(self.pools[pool], height, time)
            for height, time, pool in zip(
                *(part[moving].tolist() for part in (self.height, self.time, self.pool)),
                strict=True,
            )
        ]
        return codes, tuple(name for name in index if name is not None)


def by_tag(pool: str, _height: int, _time: int) -> str:
    """Return the pool itself: the lens that looks through nothing.

    Examples
    --------
    >>> by_tag("antpool", 840_000, 1713571767)
    'antpool'
    """
    return pool


def lens_from(mapping: Mapping[str, str]) -> EntityOf:
    """Return a lens that renames pools by `mapping` at all times and leaves others alone.

    Examples
    --------
    >>> lens = lens_from({"poolin": "friends"})
    >>> lens("poolin", 840_000, 1713571767), lens("ocean", 840_000, 1713571767)
    ('friends', 'ocean')
    """
    return lambda pool, _height, _time: mapping.get(pool, pool)
