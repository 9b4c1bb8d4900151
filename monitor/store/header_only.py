"""Blocks of which no more than the header is stored: finding them, and giving them the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from analyzers.columns import BlockRow
from monitor.store import rows, tables
from monitor.store.base import HeaderOnly
from monitor.store.names import numbering

_KNOWN: Final = ("height", "hash", "stale", "time", "header")
"""Columns that such a block has already."""
_FILLED: Final = tuple(name for name in rows.STORED if name not in _KNOWN)
"""Columns that it gets when the rest of it comes."""


def count(connection: Connection) -> int:
    """Return how many blocks of the active chain have no more than their header."""
    query = sa.select(sa.func.count()).where(~tables.block.c.stale, *_nothing_else())
    return connection.execute(query).scalar_one()


def find(connection: Connection, start: int, limit: int) -> list[HeaderOnly]:
    """Return such blocks of the active chain from height `start` on, the first `limit`."""
    block = tables.block.c
    query = (
        sa.select(block.height, block.hash, block.header)
        .where(~block.stale, *_nothing_else(), block.height >= start)
        .order_by(block.height)
        .limit(limit)
    )
    return [HeaderOnly(*row) for row in connection.execute(query)]


def fill(connection: Connection, blocks: Sequence[BlockRow]) -> int:
    """Give stored blocks what `blocks` bring; return how many had no more than the header.

    The others stay as they are.
    """
    number, filled = numbering(connection), 0
    for row in blocks:
        if row.coinbase is None:
            continue
        fresh = dict(zip(rows.STORED, rows.numbered(row, number), strict=True))
        chosen = sa.and_(tables.block.c.hash == row.hash, *_nothing_else())
        values = {name: fresh[name] for name in _FILLED}
        filled += connection.execute(sa.update(tables.block).where(chosen).values(values)).rowcount
    return filled


def _nothing_else() -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions of the index of such blocks."""
    return tables.block.c.coinbase.is_(None), tables.block.c.label.is_(None)
