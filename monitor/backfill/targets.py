"""Where a backfill puts its blocks: the store, or Parquet files."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from analyzers.columns import BlockRow
from analyzers.registry import Registry
from hashing.header import hash_to_hex
from monitor.backfill.core import Chain, Span, spans
from monitor.errors import PoolscopeError, StoreError
from monitor.export import ARROW, appearing, write
from monitor.relabel import relabel
from monitor.store.base import BlockStore

log = logging.getLogger(__name__)

_PART: Final = re.compile(r"blocks-(\d{9})-(\d{9})\.parquet")
_NOTE: Final = b"poolscope."
_ROW_GROUP: Final = 100_000
"""Blocks of a row group of a whole file, as `monitor.export` writes."""


class StoreTarget:
    """Puts blocks into a store, whose active chain has no gap: what it has is the cursor."""

    def __init__(self, store: BlockStore, chain: Chain, registry: Registry) -> None:
        self._store = store
        self._chain = chain
        self._registry = registry

    def missing(self, span: Span, size: int) -> list[Span]:
        """Return what lies below the stored blocks, the highest first, and what lies above."""
        tip, first, chain = self._store.tip(), self._store.first_height(), self._chain
        if tip is None or first is None:
            return spans(*span, size)
        if not chain.start <= tip.height <= chain.tip or chain.hash_at(tip.height) != tip.hash:
            raise StoreError(
                f"the store's last block, {tip.height}, is not on the source's chain (a reorg, or "
                "a source that is behind); let 'poolscope run' settle that first"
            )
        if span.last < first - 1 or span.first > tip.height + 1:
            raise StoreError(
                f"the store holds {first} to {tip.height} and can have no gap; "
                f"{span.first} to {span.last} does not touch that"
            )
        below = spans(span.first, min(span.last, first - 1), size)
        above = spans(max(span.first, tip.height + 1), span.last, size)
        return below[::-1] + above

    def put(self, span: Span, result: Sequence[BlockRow]) -> None:
        """Append the blocks of `span` in one transaction."""
        self._store.append(result)

    def finish(self, span: Span) -> None:
        """Attribute anew what was there under another registry: a store has one."""
        if self._store.registries() - {self._registry.version}:
            log.info("attributing anew the stored blocks that were under another registry")
            moved = sum(len(part.moved) for part in relabel(self._store, self._registry))
            log.info("%d blocks changed their pool; their former ones are kept", moved)


class PartsTarget:
    """Puts each range into a file of its own in a folder: a dataset for other tools.

    A part appears under its name only when it is whole, and says in its metadata of which
    chain and registry it is: what does not match is written anew.
    """

    def __init__(self, folder: Path, chain: Chain, metadata: Mapping[str, str]) -> None:
        self._folder = folder
        self._chain = chain
        self._metadata = dict(metadata)

    def missing(self, span: Span, size: int) -> list[Span]:
        """Return the ranges without a part; parts of the same ranges cut shorter go."""
        wanted = spans(*span, size)
        self._folder.mkdir(parents=True, exist_ok=True)
        for stray in self._folder.glob(".*.part"):
            stray.unlink()
        here = self.parts()
        for part in here:
            around = [s for s in wanted if s.first <= part.first and part.last <= s.last]
            touched = any(s.first <= part.last and part.first <= s.last for s in wanted)
            if touched and not around:
                raise PoolscopeError(
                    f"{self._folder} holds {self.path(part).name}, of other ranges; name another "
                    "folder, or give the --from and --range of before"
                )
            if touched and part not in wanted:
                self.path(part).unlink()
        return [s for s in wanted if s not in here or metadata_of(self.path(s)) != self.noted(s)]

    def parts(self) -> list[Span]:
        """Return the ranges that have a part, lowest first."""
        found = (_PART.fullmatch(path.name) for path in self._folder.glob("blocks-*.parquet"))
        return sorted(Span(int(name[1]), int(name[2])) for name in found if name)

    def path(self, span: Span) -> Path:
        """Return the path of the part of `span`."""
        return self._folder / f"blocks-{span.first:09}-{span.last:09}.parquet"

    def noted(self, span: Span) -> dict[str, str]:
        """Return the metadata of a file that ends with `span`."""
        return self._metadata | {"tip": hash_to_hex(self._chain.hash_at(span.last))}

    def put(self, span: Span, result: pa.Table) -> None:
        """Write the part of `span`."""
        self.write(self.path(span), [result], span)

    def write(self, path: Path, tables: Iterable[pa.Table], span: Span) -> None:
        """Write a file of `span`."""
        with appearing(path) as file:
            write(tables, "parquet", self.noted(span), file)

    def finish(self, span: Span) -> None:
        """Nothing is left to do."""


class FileTarget:
    """Puts all ranges into one file, by way of parts in a hidden folder beside it."""

    def __init__(self, path: Path, chain: Chain, metadata: Mapping[str, str]) -> None:
        self._path = path
        self._folder = path.with_name(f".{path.name}.parts")
        self._parts = PartsTarget(self._folder, chain, metadata)

    def missing(self, span: Span, size: int) -> list[Span]:
        """Return the ranges without a part, none if the file is whole."""
        if self._is_whole(span):
            return []
        return self._parts.missing(span, size)

    def put(self, span: Span, result: pa.Table) -> None:
        """Write the part of `span`."""
        self._parts.put(span, result)

    def finish(self, span: Span) -> None:
        """Join the parts."""
        if not self._is_whole(span):
            self._parts.write(self._path, self._row_groups(span), span)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_whole(self, span: Span) -> bool:
        if metadata_of(self._path) != self._parts.noted(span):
            return False
        heights = pq.ParquetFile(self._path).metadata
        return bool(heights.num_rows == span.last - span.first + 1)

    def _row_groups(self, span: Span) -> Iterator[pa.Table]:
        tables: list[pa.Table] = []
        for part in self._parts.parts():
            if span.first <= part.first and part.last <= span.last:
                tables.append(pq.read_table(self._parts.path(part)))
            if sum(map(len, tables)) >= _ROW_GROUP:
                yield _one(tables)
                tables = []
        if tables:
            yield _one(tables)


def _one(tables: Sequence[pa.Table]) -> pa.Table:
    # Parquet gives times back in milliseconds
    return pa.concat_tables([table.cast(ARROW) for table in tables]).unify_dictionaries()


def metadata_of(path: Path) -> dict[str, str] | None:
    """Return what a Parquet file of poolscope says of itself, None if it is none."""
    try:
        found = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    return {
        name.removeprefix(_NOTE).decode(): text.decode()
        for name, text in found.items()
        if name.startswith(_NOTE)
    }
