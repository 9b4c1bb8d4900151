"""Stored blocks as columns in files that other tools read: Parquet, CSV, JSON lines.

`analyzers.columns` says the columns, `analyzers.frames.read_export` reads them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from analyzers.columns import EXPORT_VERSION, EXPORTED, NAME_ARROW, TIME_ARROW, Column
from monitor.errors import PoolscopeError
from monitor.store.base import Arrays, BlockStore

Format = Literal["parquet", "csv", "jsonl"]

_NAME: Final = pa.dictionary(pa.int32(), pa.string())
_TIME: Final = pa.timestamp("s", "UTC")


def _arrow(column: Column) -> pa.DataType:
    special = {NAME_ARROW: _NAME, TIME_ARROW: _TIME}
    return special.get(column.kind.arrow) or pa.type_for_alias(column.kind.arrow)


ARROW: Final = pa.schema({name: _arrow(column) for name, column in EXPORTED.items()})
"""What a file holds for each block of the active chain, in this order."""

SCHEMA: Final = str(EXPORT_VERSION)
"""Version of these columns; a file says it as ``poolscope.schema``."""

_BATCH: Final = 100_000
"""Blocks read at a time, and rows of a Parquet row group."""


def tables_of(store: BlockStore, first: int, last: int) -> Iterator[pa.Table]:
    """Yield the active blocks from `first` to `last`, both included, in height order."""
    for start in range(first, last + 1, _BATCH):
        yield _table(store.arrays(ARROW.names, start, min(start + _BATCH, last + 1)))


def _table(found: Arrays) -> pa.Table:
    columns = []
    for name, kind in zip(ARROW.names, ARROW.types, strict=True):
        numbers = pa.array(found.columns[name], mask=found.columns[name] < 0)
        if kind == _NAME:
            texts = pa.array(EXPORTED[name].texts or found.pools, pa.string())
            columns.append(pa.DictionaryArray.from_arrays(numbers.cast(pa.int32()), texts))
        else:
            columns.append(numbers.cast(kind))
    return pa.table(columns, schema=ARROW)


def write(
    tables: Iterable[pa.Table], form: Format, metadata: Mapping[str, str], out: BinaryIO
) -> int:
    """Write `tables` to `out`; return how many blocks that were.

    Parameters
    ----------
    metadata:
        Goes into the schema of a Parquet file, each name after ``poolscope.``; the text
        formats have no place for it.
    out:
        Need not be seekable; Parquet is then gathered in memory first.
    """
    if form == "parquet" and not out.seekable():
        whole = pa.BufferOutputStream()
        blocks = _write_parquet(tables, metadata, whole)
        out.write(whole.getvalue())
        return blocks
    if form == "parquet":
        return _write_parquet(tables, metadata, out)
    return _write_text(tables, form, out)


def _write_parquet(
    tables: Iterable[pa.Table], metadata: Mapping[str, str], out: BinaryIO | pa.NativeFile
) -> int:
    noted = {f"poolscope.{name}": value for name, value in metadata.items()}
    blocks = 0
    with pq.ParquetWriter(out, ARROW.with_metadata(noted), compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.replace_schema_metadata(noted))
            blocks += len(table)
    return blocks


def _write_text(tables: Iterable[pa.Table], form: Format, out: BinaryIO) -> int:
    blocks = 0
    if form == "csv":
        out.write((",".join(ARROW.names) + "\n").encode())
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
    for table in tables:
        if form == "csv":
            text = pa.BufferOutputStream()  # a file of Python's would be closed
            pa.csv.write_csv(_with_times_as_text(table), text, options)
            out.write(text.getvalue())
        else:
            out.write("".join(_json_lines(table)).encode())
        blocks += len(table)
    return blocks


def _with_times_as_text(table: pa.Table) -> pa.Table:
    """Return `table` without categories, times in ISO 8601."""
    columns = {
        name: pc.strftime(table[name], "%Y-%m-%dT%H:%M:%SZ")
        if kind == _TIME
        else table[name].cast(pa.string() if kind == _NAME else kind)
        for name, kind in zip(ARROW.names, ARROW.types, strict=True)
    }
    return pa.table(columns)


def _json_lines(table: pa.Table) -> list[str]:
    """Return each row as a JSON object and a line end."""
    plain = _with_times_as_text(table)
    parts: list[object] = []
    for name in ARROW.names:
        cells = plain[name].combine_chunks()
        if pa.types.is_string(cells.type):
            texts = cells.dictionary_encode()
            quoted = pa.array(
                [json.dumps(text) for text in texts.dictionary.to_pylist()], pa.string()
            )
            cells = pa.DictionaryArray.from_arrays(texts.indices, quoted)
        cells = cells.cast(pa.string()).fill_null("null")
        parts += [", " if parts else "{", f'"{name}": ', cells]
    lines: list[str] = pc.binary_join_element_wise(*parts, "}\n", "").to_pylist()
    return lines


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name only when it is whole and on disk.

    Raises
    ------
    PoolscopeError
        If it cannot be written, or `path` is a device, a pipe or a folder: the file would take
        its place.
    """
    if path.exists() and not path.is_file():
        raise PoolscopeError(f"cannot write {path}: it is not a regular file; choose another --out")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise PoolscopeError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
