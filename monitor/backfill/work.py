"""What is done with a range of blocks, wherever that is: read, prove, attribute.

A `Job` and a piece travel to the worker by pickle, rows or columns travel back.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from analyzers.attribution import attribute_parts
from analyzers.model import Label
from analyzers.registry import Registry
from hashing.header import sha256d
from hashing.wire import TxOut
from monitor.backfill.core import Piece
from monitor.store.base import BlockRow
from monitor.store.rows import PROOFS, evidence_json

if TYPE_CHECKING:
    import pyarrow as pa


class Found(NamedTuple):
    """A block as it was read and proved; `proof` is an index into `PROOFS`."""

    coinbase: bytes | None
    script_sig: bytes
    outputs: tuple[TxOut, ...]
    proof: int
    tx_count: int | None
    size: int | None
    label: Label | None = None
    first_seen: int | None = None


class Reader(Protocol):
    """Reads pieces; picklable, and the same for all workers."""

    def read(self, piece: Piece) -> Iterable[Found]:
        """Return the blocks of `piece`, in order."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with every piece; `registry` is a pickled `Registry`."""

    reader: Reader
    source: str
    registry: bytes
    form: Literal["rows", "table"]

    def __call__(self, piece: Piece) -> list[BlockRow] | pa.Table:
        """Read, prove and attribute the blocks of `piece`."""
        registry = _registry(self.registry)
        found = self.reader.read(piece)
        if self.form == "rows":
            return list(_rows(piece, found, registry, self.source))
        return _table(piece, found, registry)


@lru_cache(2)
def _registry(pickled: bytes) -> Registry:
    registry: Registry = pickle.loads(pickled)  # noqa: S301 - from the process that gave the job
    return registry


def _rows(
    piece: Piece, blocks: Iterable[Found], registry: Registry, source: str
) -> Iterator[BlockRow]:
    headers = piece.headers.tobytes()
    for place, block in enumerate(blocks):
        height = piece.first + place
        header = headers[80 * place : 80 * place + 80]
        made = attribute_parts(
            block.script_sig, block.outputs, registry, height=height, label=block.label
        )
        yield BlockRow(
            height=height,
            hash=sha256d(header),
            stale=False,
            time=int.from_bytes(header[68:72], "little"),
            header=header,
            coinbase=block.coinbase,
            proof=block.proof,
            source=source,
            label=block.label.pool if block.label else None,
            label_source=block.label.source if block.label else None,
            tx_count=block.tx_count,
            size=block.size,
            first_seen=block.first_seen,
            pool=made.pool,
            rule=made.rule,
            conflicts=len(made.conflicts),
            evidence=evidence_json(made),
            registry=made.registry_version,
        )


def _table(piece: Piece, blocks: Iterable[Found], registry: Registry) -> pa.Table:
    """Return the columns of `monitor.export`."""
    import pyarrow as pa

    from monitor.export import COLUMNS

    cells = []
    for height, block in enumerate(blocks, piece.first):
        made = attribute_parts(
            block.script_sig, block.outputs, registry, height=height, label=block.label
        )
        proof = PROOFS[block.proof]
        kept = (block.tx_count, block.size, block.first_seen, len(made.conflicts))
        cells.append((made.pool, proof, *kept))
    names = ("pool", "proof", "tx_count", "size", "first_seen", "conflicts")
    columns = dict(zip(names, zip(*cells, strict=True), strict=True))
    times = piece.headers[:, 68:72].copy().view("<u4").ravel().astype(np.int64)
    heights = np.arange(piece.first, piece.first + len(cells))
    arrays = {"height": heights, "time": times} | columns
    schema = pa.schema(list(COLUMNS.items()))
    return pa.table([_column(arrays[field.name], field.type) for field in schema], schema=schema)


def unread(result: list[BlockRow] | pa.Table) -> list[int]:
    """Return the places in a `Job`'s result of blocks of which only the header was to be had."""
    if isinstance(result, list):
        return [at for at, row in enumerate(result) if row.tx_count is None]
    counts = result["tx_count"]
    return [] if not counts.null_count else np.flatnonzero(counts.is_null()).tolist()


def _column(values: object, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)
