"""Between a `StoredBlock` and a row of the table ``block``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy.engine import Row

from analyzers.model import Attribution, Evidence, Label, Where
from monitor.sources.base import BlockRef
from monitor.store.base import ProofLevel, StoredBlock

PROOFS: Final[tuple[ProofLevel, ...]] = ("header", "coinbase")
"""Proof levels by the number that stands for them."""

NAME_TABLES: Final = ("pool", "source", "registry")
"""Tables that give names numbers."""

Number = Callable[[str, str], int]
"""(table, name) -> the number that stands for the name."""


def to_row(block: StoredBlock, time: int, number: Number) -> dict[str, Any]:
    """Return `block` as a row; `time` is that of its header."""
    label = block.label
    return {
        "height": block.ref.height,
        "hash": block.ref.hash,
        "stale": block.stale,
        "time": time,
        "header": block.header,
        "coinbase": block.coinbase_tx,
        "proof": PROOFS.index(block.proof),
        "source_id": number("source", block.source),
        "label": label.pool if label else None,
        "label_source_id": number("source", label.source) if label else None,
        "tx_count": block.tx_count,
        "size": block.size,
        "first_seen": block.first_seen,
        **attribution_row(block.attribution, number),
    }


def attribution_row(attribution: Attribution, number: Number) -> dict[str, Any]:
    """Return the columns that hold an attribution."""
    pool = attribution.pool
    return {
        "pool_id": None if pool is None else number("pool", pool),
        "rule": attribution.rule,
        "conflicts": len(attribution.conflicts),
        "evidence": json.dumps(
            [
                [_evidence_row(e) for e in part]
                for part in (attribution.evidence, attribution.conflicts)
            ],
            separators=(",", ":"),
        ),
        "registry_id": number("registry", attribution.registry_version),
    }


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
