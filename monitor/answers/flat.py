"""Answers as rows of a table, so that CSV speaks as JSON does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from analyzers.figures import MEASURES
from monitor.answers.base import Answer, Estimate
from monitor.answers.vocabulary import unit_of

_WITH_INTERVAL: Final = {measure.name for measure in MEASURES if measure.has_interval}


def flat(rows: Iterable[Answer]) -> list[dict[str, Any]]:
    """Return answers as rows of a table: columns are their fields, as JSON names them.

    An interval becomes three columns, as in ``hhi``, ``hhi_low`` and ``hhi_high``. Each of
    ``figures`` becomes a column by its name, with ends where the measure has an interval. Times
    are ISO 8601, as in all tables for other tools.
    """
    return [_columns(row.model_dump(mode="json")) for row in rows]


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if name == "figures":
            for measure, found in value.items():
                columns |= _ends(measure, found, both=measure in _WITH_INTERVAL)
        elif isinstance(value, Mapping) and set(value) == set(Estimate.model_fields):
            columns |= _ends(name, value, both=True)
        elif value is not None and unit_of(name) == "Unix time":
            columns[name] = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            columns[name] = value
    return columns


def _ends(name: str, found: Mapping[str, Any], *, both: bool) -> dict[str, Any]:
    ends = {f"{name}_low": found["low"], f"{name}_high": found["high"]} if both else {}
    return {name: found["value"], **ends}
