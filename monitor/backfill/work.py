"""What is done with a range of blocks, wherever that is: read, prove, attribute.

A `Job` and a piece travel to the worker by pickle, rows or columns travel back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from analyzers.attribution import attribute_parts
from analyzers.columns import EXPORTED, BlockRow, Column, ProvedBlock, row_of
from analyzers.model import Label
from analyzers.registry import Registry
from hashing.wire import TxOut
from monitor.backfill.core import Piece
from monitor.workers import sent_registry

if TYPE_CHECKING:
    import pyarrow as pa


class Found(NamedTuple):
    """A block as it was read and proved; `proof` is an index into `analyzers.columns.PROOFS`."""

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
        registry = sent_registry(self.registry)
        found = _attributed(piece, self.reader.read(piece), registry, self.source)
        return list(map(row_of, found)) if self.form == "rows" else _table(found)


def _attributed(
    piece: Piece, blocks: Iterable[Found], registry: Registry, source: str
) -> Iterator[ProvedBlock]:
    """Attribute blocks; yield what is known of each."""
    headers = piece.headers.tobytes()
    for place, block in enumerate(blocks):
        height = piece.first + place
        yield ProvedBlock(
            height=height,
            header=headers[80 * place : 80 * place + 80],
            coinbase=block.coinbase,
            proof=block.proof,
            source=source,
            label=block.label,
            tx_count=block.tx_count,
            size=block.size,
            first_seen=block.first_seen,
            attribution=attribute_parts(
                block.script_sig, block.outputs, registry, height=height, label=block.label
            ),
        )


def _table(blocks: Iterable[ProvedBlock]) -> pa.Table:
    """Return the columns of `monitor.export`."""
    import pyarrow as pa

    from monitor.export import ARROW

    of = [column.of for column in EXPORTED.values()]
    cells = zip(*([value(block) for value in of] for block in blocks), strict=True)
    filled = [_column(*pair) for pair in zip(EXPORTED.values(), cells, strict=True)]
    return pa.table(filled, schema=ARROW)


def unread(result: list[BlockRow] | pa.Table) -> list[int]:
    """Return the places in a `Job`'s result of blocks of which only the header was to be had."""
    if isinstance(result, list):
        return [at for at, row in enumerate(result) if row.tx_count is None]
    counts = result["tx_count"]
    return [] if not counts.null_count else np.flatnonzero(counts.is_null()).tolist()


def _column(column: Column, values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    from monitor.export import ARROW

    kind = ARROW.field(column.name).type
    if column.texts:
        numbers = pa.array(values, kind.index_type)
        return pa.DictionaryArray.from_arrays(numbers, pa.array(column.texts, kind.value_type))
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)
