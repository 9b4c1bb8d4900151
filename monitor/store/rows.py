"""Between a `StoredBlock` and a row of the table ``block``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from analyzers import evidence
from analyzers.columns import COLUMNS, PROOFS, BlockRow, ProvedBlock, row_of
from analyzers.model import Attribution, Label
from hashing.header import BlockHeader, BlockRef
from monitor.store.base import Judged, StoredBlock, Verdict

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

NAME_TABLES: Final = ("pool", "source", "registry")
"""Tables that give names numbers."""

Names = Mapping[str, Mapping[int, str]]
"""Table -> number -> name."""

Number = Callable[[str, str], int]
"""(table, name) -> the number that stands for the name."""


STORED: Final = tuple(column.stored for column in COLUMNS.values())
"""Columns of the table ``block`` in the order of a `BlockRow`."""

VERDICT: Final = tuple(COLUMNS[name].stored for name in Verdict._fields)
"""Columns of a `Verdict`."""

JUDGED: Final = (
    *("id", "height", "hash", "stale", "coinbase", "label", "label_source_id"),
    *VERDICT,
)
"""Columns of the table ``block`` behind a `Judged`."""


def to_row(block: StoredBlock) -> BlockRow:
    """Return `block` as a row."""
    return row_of(
        ProvedBlock(
            height=block.ref.height,
            header=block.header,
            coinbase=block.coinbase_tx,
            proof=PROOFS.index(block.proof),
            source=block.source,
            label=block.label,
            tx_count=block.tx_count,
            size=block.size,
            first_seen=block.first_seen,
            attribution=block.attribution,
            stale=block.stale,
        )
    )


def numbered(row: BlockRow | Verdict, number: Number) -> tuple[Any, ...]:
    """Return the values of `row` for its columns `STORED` or `VERDICT`: numbers for names."""
    values: list[Any] = list(row)
    for place, table in _NAMED[type(row)]:
        if values[place] is not None:
            values[place] = number(table, values[place])
    return tuple(values)


_NAMED: Final = {
    kind: tuple(
        (place, table)
        for place, name in enumerate(kind._fields)
        if (table := COLUMNS[name].names) is not None
    )
    for kind in (BlockRow, Verdict)
}
"""Where in a row names stand, and the tables that give them numbers."""


def verdict_of(attribution: Attribution) -> Verdict:
    """Return the verdict that an attribution comes to."""
    return Verdict(
        attribution.pool,
        attribution.rule,
        len(attribution.conflicts),
        evidence.to_json(attribution),
        attribution.registry_version,
    )


def to_judged(row: Row[Any], names: Names) -> Judged:
    """Return the block of a row with the columns `JUDGED`."""
    label = _label(row, names)
    pool = None if row.pool_id is None else names["pool"][row.pool_id]
    registry = names["registry"][row.registry_id]
    verdict = Verdict(pool, row.rule, row.conflicts, row.evidence, registry)
    return Judged(row.id, row.height, row.hash, row.stale, row.coinbase, label, verdict)


def _label(row: Row[Any], names: Names) -> Label | None:
    return None if row.label is None else Label(row.label, names["source"][row.label_source_id])


def from_row(row: Row[Any], names: Names) -> StoredBlock:
    """Return the block of a row; `names` gives each table's names by number.

    Raises
    ------
    LookupError, TypeError, ValueError
        If the row is damaged.
    """
    BlockHeader.parse(row.header)
    found, conflicts = evidence.from_json(row.evidence)
    return StoredBlock(
        ref=BlockRef(row.height, row.hash),
        header=row.header,
        coinbase_tx=row.coinbase,
        proof=PROOFS[row.proof],
        stale=row.stale,
        source=names["source"][row.source_id],
        label=_label(row, names),
        attribution=Attribution(
            pool=None if row.pool_id is None else names["pool"][row.pool_id],
            rule=row.rule,
            evidence=found,
            conflicts=conflicts,
            registry_version=names["registry"][row.registry_id],
        ),
        tx_count=row.tx_count,
        size=row.size,
        first_seen=row.first_seen,
    )
