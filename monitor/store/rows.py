"""Between a `StoredBlock` and a row of the table ``block``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy.engine import Row

from analyzers.model import Attribution, Evidence, Label, Where
from hashing.header import BlockHeader
from monitor.sources.base import BlockRef
from monitor.store.base import BlockRow, ProofLevel, StoredBlock

PROOFS: Final[tuple[ProofLevel, ...]] = ("header", "coinbase")
"""Proof levels by the number that stands for them."""

NAME_TABLES: Final = ("pool", "source", "registry")
"""Tables that give names numbers."""

Number = Callable[[str, str], int]
"""(table, name) -> the number that stands for the name."""


STORED: Final = (
    *("height", "hash", "stale", "time", "header", "coinbase", "proof", "source_id", "label"),
    *("label_source_id", "tx_count", "size", "first_seen", "pool_id", "rule", "conflicts"),
    *("evidence", "registry_id"),
)
"""Columns of the table ``block`` in the order of a `BlockRow`."""


def to_row(block: StoredBlock) -> BlockRow:
    """Return `block` as a row."""
    label, attribution = block.label, block.attribution
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
        attribution.pool,
        attribution.rule,
        len(attribution.conflicts),
        evidence_json(attribution),
        attribution.registry_version,
    )


def numbered(row: BlockRow, number: Number) -> tuple[Any, ...]:
    """Return the values of `row` for the columns `STORED`."""
    source, label, label_source = row[7:10]
    pool, rule, conflicts, evidence, registry = row[13:]
    return (
        *row[:7],
        number("source", source),
        label,
        None if label_source is None else number("source", label_source),
        *row[10:13],
        None if pool is None else number("pool", pool),
        rule,
        conflicts,
        evidence,
        number("registry", registry),
    )


def attribution_row(attribution: Attribution, number: Number) -> dict[str, Any]:
    """Return the columns that hold an attribution."""
    pool = attribution.pool
    return {
        "pool_id": None if pool is None else number("pool", pool),
        "rule": attribution.rule,
        "conflicts": len(attribution.conflicts),
        "evidence": evidence_json(attribution),
        "registry_id": number("registry", attribution.registry_version),
    }


def evidence_json(attribution: Attribution) -> str:
    """Return evidence and conflicts as the store keeps them."""
    parts = (attribution.evidence, attribution.conflicts)
    return _encode([[_evidence_row(entry) for entry in part] for part in parts])


_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def from_row(row: Row[Any], names: Mapping[str, Mapping[int, str]]) -> StoredBlock:
    """Return the block of a row; `names` gives each table's names by number."""
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
