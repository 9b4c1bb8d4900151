"""Evidence as text: how the store keeps why a block is attributed as it is."""

from __future__ import annotations

import json
from typing import Any, Final

from analyzers.model import Attribution, Evidence, Where

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def to_json(attribution: Attribution) -> str:
    """Return evidence and conflicts as JSON: two lists of entries, described in docs/store.md."""
    parts = (attribution.evidence, attribution.conflicts)
    return _encode([[_values(entry) for entry in part] for part in parts])


def from_json(text: str) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """Return evidence and conflicts of what `to_json` returned.

    Raises
    ------
    TypeError, ValueError
        If `text` is damaged.
    """
    evidence, conflicts = (tuple(map(_entry, part)) for part in json.loads(text))
    return evidence, conflicts


def _values(entry: Evidence) -> list[Any]:
    matched = entry.matched.hex()
    return [
        *(entry.kind, entry.pool, matched, *entry.where),
        *(entry.strength, entry.share, entry.source),
    ]


def _entry(values: list[Any]) -> Evidence:
    kind, pool, matched, field, offset, length, strength, share, source = values
    where = Where(field, offset, length)
    return Evidence(kind, pool, bytes.fromhex(matched), where, strength, share, source)
