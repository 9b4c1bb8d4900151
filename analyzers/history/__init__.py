"""History that ships: daily blocks per pool from 2020 on, by somebody else's labels.

It lets trends and reports work before a node is at hand. The labels were published by
others (source in the file's first lines) and are not this project's attribution.
"""

from __future__ import annotations

import functools
import gzip
from importlib.resources import files
from typing import Final

from analyzers.mined import EntityOf
from analyzers.registry import load_registry
from analyzers.windows import CountTable, table_of

HISTORY: Final = files(__name__) / "daily_blocks.csv.gz"
COLUMNS: Final = ("day", "first_height", "pool", "blocks")
"""`day` counts UTC days since 1970; an empty `pool` stands for unknown."""
SOURCE: Final = "labels of sorukumar/bitcoin-mining-pools (BSD-2-Clause), not of this project"


@functools.cache
def load_history() -> CountTable:
    """Return the packaged history, one row a UTC day, the pools named as mempool's list does.

    Examples
    --------
    >>> history = load_history()
    >>> len(history) > 2000, "foundryusa" in history.entities
    (True, True)
    """
    rows: dict[int, dict[str | None, int]] = {}
    heights: dict[int, int] = {}
    lines = gzip.decompress(HISTORY.read_bytes()).decode().splitlines()
    data = (line.split(",") for line in lines if not line.startswith("#"))
    if tuple(next(data)) != COLUMNS:
        raise ValueError(f"{HISTORY} does not have the columns {', '.join(COLUMNS)}")
    for day, height, pool, blocks in data:
        rows.setdefault(int(day), {})[pool or None] = int(blocks)
        heights[int(day)] = int(height)
    return table_of(
        list(rows.values()), [0] * len(rows), heights.values(), (day * 86_400 for day in rows)
    )


def with_own_names(lens: EntityOf) -> EntityOf:
    """Return `lens` for pools as the history names them: first they get this project's names.

    Examples
    --------
    >>> from analyzers.mined import by_tag
    >>> with_own_names(by_tag)("braiinspool", 840_000, 1_713_571_767)
    'braiinspool'
    """
    slug_of = functools.cache(functools.partial(load_registry().slug_of_label, "mempool"))
    return lambda pool, height, time: lens(slug_of(pool) or pool, height, time)
