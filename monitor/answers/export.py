"""The rows of ``poolscope export``: described here, written by columns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.answers.base import Answer

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time in a table for other tools: ISO 8601, UTC."""


class ExportRow(Answer):
    """A block of the active chain, as a row of a table for other tools."""

    height: int
    """Its height."""
    time: Moment
    """Time in its header, which its miner set."""
    pool: str | None
    """Slug of the pool that it is attributed to, null where nothing names one."""
    proof: Literal["header", "coinbase"]
    """How far it proved itself: header, or coinbase (which includes the header)."""
    tx_count: int | None
    """Transactions in it; null where they were not at hand."""
    size: int | None
    """Serialised bytes; null where they were not at hand."""
    first_seen: Moment | None
    """When agent or source first saw it; null where neither was there."""
    conflicts: int
    """Pieces of evidence that speak for another pool than the one published."""
