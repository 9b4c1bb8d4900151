"""The one place that names DataFrame columns and dtypes, for researchers.

Importing it imports pandas; the agent does not. Times are UTC timestamps, shares and HHI
are ratios 0..1.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analyzers.columns import EXPORTED
from analyzers.intervals import LEVEL, share_intervals
from analyzers.mined import Chain, Mined
from analyzers.series import series
from analyzers.windows import CountTable

TIME: Final = "datetime64[s, UTC]"

BLOCKS: Final = {name: EXPORTED[name].dtype for name in ("height", "time", "pool")}
"""One row a block of the active chain; `pool` is missing where nobody is known."""

EXPORT: Final = {name: column.dtype for name, column in EXPORTED.items()}
"""One row a block of a file of ``poolscope export``; see ``docs/export.md``."""

_NOTE: Final = b"poolscope."

SHARES: Final = {
    "start": TIME,
    "first_height": "int64",
    "entity": "category",
    "blocks": "int64",
    "share": "float64",
    "share_low": "float64",
    "share_high": "float64",
    "share_most": "float64",
}
"""One row for each window and entity that found a block in it."""

_FIGURES: Final = ("hhi", "hhi_plug_in", "effective_number", "nakamoto", "largest")
_ENDS: Final = {"hhi": ("_low", "_high", "_sd"), "largest": ("_low", "_high")}

CONCENTRATION: Final = {
    "start": TIME,
    "first_height": "int64",
    "blocks": "int64",
    "unknown": "int64",
    "entities": "int64",
    "withheld": "bool",
    **{
        f"{name}{part}": "Int64" if name == "nakamoto" else "float64"
        for name in _FIGURES
        for part in ("", "_alone", "_as_one", "_of_largest", *_ENDS.get(name, ()))
    },
}
"""One row a window; figures as in `analyzers.series.Series`. A figure itself is missing where it is
withheld; what it is if each unknown block is of a miner of its own is in ``_alone``."""


def blocks_frame(mined: Iterable[Mined]) -> pd.DataFrame:
    """Return blocks as a frame with the columns `BLOCKS`.

    Examples
    --------
    >>> blocks_frame([Mined(7, 1230000000, "antpool"), Mined(8, 1230000600, None)])["pool"].tolist()
    ['antpool', nan]
    """
    frame = pd.DataFrame(list(mined), columns=list(BLOCKS))
    frame["time"] = pd.to_datetime(frame["time"].astype("int64"), unit="s", utc=True)
    return frame.astype(BLOCKS)


def read_export(path: str | Path) -> pd.DataFrame:
    """Return the blocks of a Parquet file of ``poolscope export``, with the columns `EXPORT`.

    What the file says of itself (``version``, ``schema``, ``network``, ``synthetic``,
    ``registry``) is in ``frame.attrs``. A column that came after the file was written is missing
    throughout.

    Raises
    ------
    ValueError
        If its columns are others.
    OSError
        If it cannot be read.
    """
    table = pq.read_table(path)
    notes = {
        name.removeprefix(_NOTE).decode(): text.decode()
        for name, text in (table.schema.metadata or {}).items()
        if name.startswith(_NOTE)
    }
    version = int(notes["schema"]) if notes.get("schema", "").isdecimal() else 1
    for name, column in EXPORTED.items():
        if name in table.column_names:
            continue
        if column.since is None or column.since <= version:
            raise ValueError(
                f"{path} has no column {name!r}; is it of 'poolscope export --format parquet'?"
            )
        table = table.append_column(name, pa.nulls(len(table)))
    frame: pd.DataFrame = table.select(list(EXPORT)).to_pandas().astype(EXPORT)
    frame.attrs.update(notes)
    return frame


def chain_from(frame: pd.DataFrame) -> Chain:
    """Return the blocks of a frame with the columns `BLOCKS`, in height order."""
    ordered = frame.sort_values("height")
    pools = ordered["pool"].astype("category").cat
    return Chain(
        ordered["height"].to_numpy().astype(np.int64),
        ordered["time"].astype(TIME).astype("int64").to_numpy().astype(np.int64),
        pools.codes.to_numpy().astype(np.int64),
        tuple(map(str, pools.categories)),
    )


def mined_from(frame: pd.DataFrame) -> list[Mined]:
    """Return the blocks of a frame with the columns `BLOCKS`, in height order, one by one."""
    return list(chain_from(frame))


def concentration_frame(table: CountTable, level: float = LEVEL) -> pd.DataFrame:
    """Return the figures of each window of `table`, with the columns `CONCENTRATION`.

    Examples
    --------
    >>> from analyzers.history import load_history
    >>> frame = concentration_frame(load_history().merged(30))
    >>> frame.set_index("start")["nakamoto"].iloc[-1]
    np.int64(3)
    """
    found = series(table, level)
    columns = {
        name: getattr(found, name.removesuffix("_alone"))
        for name in CONCENTRATION
        if name != "start"
    }
    frame = pd.DataFrame({"start": _times(found.start_time), **columns})
    for name in frame.columns:
        if name.startswith("nakamoto"):
            frame[name] = frame[name].astype("Int64").mask(frame[name] < 0)
        if name in _FIGURES:
            frame[name] = frame[name].mask(found.withheld)
    return frame.astype(CONCENTRATION)


def shares_frame(table: CountTable, level: float = LEVEL) -> pd.DataFrame:
    """Return the shares of each window of `table`, long, with the columns `SHARES`.

    All unknown blocks of a window may be of one entity: `share_most` is its share then, and the
    upper end of the interval counts them.
    """
    rows, columns = np.nonzero(table.counts)
    found, blocks = table.counts[rows, columns], table.blocks[rows]
    most = found + table.unattributed[rows]
    low, high = np.empty(len(found)), np.empty(len(found))
    for total in np.unique(blocks):
        same = blocks == total
        low[same] = share_intervals(found[same], int(total), level)[0]
        high[same] = share_intervals(most[same], int(total), level)[1]
    frame = pd.DataFrame(
        {
            "start": _times(table.start_time[rows]),
            "first_height": table.first_height[rows],
            "entity": pd.Categorical(
                np.array(table.entities, dtype=object)[columns], categories=list(table.entities)
            ),
            "blocks": found,
            "share": found / np.maximum(blocks, 1),
            "share_low": low,
            "share_high": high,
            "share_most": most / np.maximum(blocks, 1),
        }
    )
    return frame.astype({name: dtype for name, dtype in SHARES.items() if name != "entity"})


def _times(seconds: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pd.DatetimeIndex:
    return pd.to_datetime(seconds, unit="s", utc=True)
