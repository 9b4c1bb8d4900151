"""Between a `StoredBlock` and a row of the table ``block``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from analyzers.model import Attribution, Evidence, Label, Where
from hashing.header import BlockHeader, BlockRef
from monitor.store.base import BlockRow, Judged, ProofLevel, StoredBlock, Verdict

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

PROOFS: Final[tuple[ProofLevel, ...]] = ("header", "coinbase")
"""Proof levels by the number that stands for them."""

NAME_TABLES: Final = ("pool", "source", "registry")
"""Tables that give names numbers."""

Names = Mapping[str, Mapping[int, str]]
"""Table -> number -> name."""

Number = Callable[[str, str], int]
"""(table, name) -> the number that stands for the name."""


STORED: Final = (
    *("height", "hash", "stale", "time", "header", "coinbase", "proof", "source_id", "label"),
    *("label_source_id", "tx_count", "size", "first_seen", "pool_id", "rule", "conflicts"),
    *("evidence", "registry_id"),
)
"""Columns of the table ``block`` in the order of a `BlockRow`."""


VERDICT: Final = ("pool_id", "rule", "conflicts", "evidence", "registry_id")
"""Columns of a `Verdict`."""
JUDGED: Final = (
    *("id", "height", "hash", "stale", "coinbase", "label", "label_source_id"),
    *VERDICT,
)
"""Columns of the table ``block`` behind a `Judged`."""


def to_row(block: StoredBlock) -> BlockRow:
    """Return `block` as a row."""
    label = block.label
    return BlockRow(
        block.ref.height,
        block.ref.hash,
        block.stale,
        BlockHeader.parse(block.header).time,
        block.header,
        block.coinbase_tx,
        PROOFS.index(block.proof),
        block.source,
        label.pool if label else None,
        label.source if label else None,
        block.tx_count,
        block.size,
        block.first_seen,
        *verdict_of(block.attribution),
    )


def numbered(row: BlockRow, number: Number) -> tuple[Any, ...]:
    """Return the values of `row` for the columns `STORED`."""
    source, label, label_source = row[7:10]
    return (
        *row[:7],
        number("source", source),
        label,
        None if label_source is None else number("source", label_source),
        *row[10:13],
        *verdict_row(Verdict(*row[13:]), number),
    )


def verdict_of(attribution: Attribution) -> Verdict:
    """Return the verdict that an attribution comes to."""
    return Verdict(
        attribution.pool,
        attribution.rule,
        len(attribution.conflicts),
        evidence_json(attribution),
        attribution.registry_version,
    )


def verdict_row(verdict: Verdict, number: Number) -> tuple[Any, ...]:
    """Return the values of `verdict` for the columns `VERDICT`."""
    pool, rule, conflicts, evidence, registry = verdict
    return (
        None if pool is None else number("pool", pool),
        rule,
        conflicts,
        evidence,
        number("registry", registry),
    )


def to_judged(row: Sequence[Any], names: Names) -> Judged:
    """Return the block of the columns `JUDGED`."""
    number, height, digest, stale, coinbase, label, label_source, *verdict = row
    pool, rule, conflicts, evidence, registry = verdict
    return Judged(
        number,
        height,
        digest,
        stale,
        coinbase,
        None if label is None else Label(label, names["source"][label_source]),
        Verdict(
            None if pool is None else names["pool"][pool],
            rule,
            conflicts,
            evidence,
            names["registry"][registry],
        ),
    )


def evidence_json(attribution: Attribution) -> str:
    """Return evidence and conflicts as the store keeps them."""
    parts = (attribution.evidence, attribution.conflicts)
    return _encode([[_evidence_row(entry) for entry in part] for part in parts])


_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def from_row(row: Row[Any], names: Names) -> StoredBlock:
    """Return the block of a row; `names` gives each table's names by number.

    Raises
    ------
    LookupError, TypeError, ValueError
        If the row is damaged.
    """
    BlockHeader.parse(row.header)
    evidence, conflicts = (tuple(map(_evidence, part)) for part in json.loads(row.evidence))
    return StoredBlock(
        ref=BlockRef(row.height, row.hash),
        header=row.header,
        coinbase_tx=row.coinbase,
        proof=PROOFS[row.proof],
        stale=row.stale,
        source=names["source"][row.source_id],
        label=None if row.label is None else Label(row.label, names["source"][row.label_source_id]),
        attribution=Attribution(
            pool=None if row.pool_id is None else names["pool"][row.pool_id],
            rule=row.rule,
            evidence=evidence,
            conflicts=conflicts,
            registry_version=names["registry"][row.registry_id],
        ),
        tx_count=row.tx_count,
        size=row.size,
        first_seen=row.first_seen,
    )


def _evidence_row(entry: Evidence) -> list[Any]:
    matched = entry.matched.hex()
    return [
        entry.kind,
        entry.pool,
        matched,
        *entry.where,
        entry.strength,
        entry.share,
        entry.source,
    ]


def _evidence(values: list[Any]) -> Evidence:
    kind, pool, matched, field, offset, length, strength, share, source = values
    where = Where(field, offset, length)
    return Evidence(kind, pool, bytes.fromhex(matched), where, strength, share, source)
