"""Answers as rows of a table, so that CSV speaks as JSON does."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from analyzers.figures import MEASURES
from monitor.answers.base import Answer, Estimate
from monitor.answers.vocabulary import unit_of

_MEASURES: Final = {measure.name: measure for measure in MEASURES}
_ENDS: Final = ("low", "high")


def flat(rows: Iterable[Answer]) -> list[dict[str, Any]]:
    """Return answers as rows of a table: columns are their fields, as JSON names them.

    An interval becomes three columns, as in ``hhi``, ``hhi_low`` and ``hhi_high``. Each of
    ``figures`` becomes a column by its name, with ends where the measure has an interval, and with
    what unknown blocks leave open: ``hhi_least``, ``hhi_most``, ``hhi_alone``, ``hhi_as_one``.
    Times are ISO 8601, as in all tables for other tools.
    """
    return [_columns(row.model_dump(mode="json")) for row in rows]


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if name == "figures":
            for figure, found in value.items():
                measure = _MEASURES.get(figure)
                left = () if measure and measure.has_interval else _ENDS
                columns |= _parts(figure, found, left)
        elif isinstance(value, Mapping) and set(value) >= set(Estimate.model_fields):
            columns |= _parts(name, value)
        elif value is not None and unit_of(name) == "Unix time":
            columns[name] = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            columns[name] = value
    return columns


def _parts(name: str, found: Mapping[str, Any], left: Container[str] = ()) -> dict[str, Any]:
    parts = {part: value for part, value in found.items() if part not in left}
    return {name if part == "value" else f"{name}_{part}": value for part, value in parts.items()}
