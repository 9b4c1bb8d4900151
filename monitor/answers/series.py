"""The figures of many windows, a row for each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from analyzers.series import Series
from monitor.words import plain

COLUMNS: Final = (
    "hhi",
    "hhi_low",
    "hhi_high",
    "hhi_plug_in",
    "effective_number",
    "largest",
    "largest_low",
    "largest_high",
)
"""Columns of ratios and numbers; the counts before them are whole."""


def rows_of(found: Series) -> Iterator[dict[str, Any]]:
    """Return one mapping a window; undefined figures are None, times in ISO 8601."""
    for i, time in enumerate(found.start_time.tolist()):
        row: dict[str, Any] = {
            "start": datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "first_height": int(found.first_height[i]),
            "blocks": int(found.blocks[i]),
            "entities": int(found.entities[i]),
            "nakamoto": int(found.nakamoto[i]) if found.nakamoto[i] > 0 else None,
        }
        yield row | {name: plain(float(getattr(found, name)[i])) for name in COLUMNS}
