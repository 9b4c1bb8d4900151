"""What a migration that adds a column needs: its value for the blocks that are stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hashing.errors import HashingError

_BATCH: Final = 10_000
"""Blocks of one statement."""

Derive = Callable[[bytes, bytes | None], int | str | bytes | None]
"""(header, coinbase or None) -> the value of a column."""


def fill(connection: Connection, column: str, derive: Derive) -> None:
    """Set `column` of every stored block to what `derive` makes of its header and coinbase.

    Where a stored coinbase is damaged, or the value is None, it stays missing.
    """
    block = sa.table("block", *map(sa.column, ("id", "header", "coinbase", column)))
    query = sa.select(block.c.id, block.c.header, block.c.coinbase)
    query = query.order_by(block.c.id).limit(_BATCH)
    change = sa.update(block).where(block.c.id == sa.bindparam("number"))
    change = change.values({column: sa.bindparam("value")})
    last = 0
    while rows := connection.execute(query.where(block.c.id > last)).all():
        last = rows[-1].id
        values = [(row.id, _derived(derive, row.header, row.coinbase)) for row in rows]
        known = [{"number": at, "value": value} for at, value in values if value is not None]
        if known:
            connection.execute(change, known)


def _derived(derive: Derive, header: bytes, coinbase: bytes | None) -> int | str | bytes | None:
    try:
        return derive(header, coinbase)
    except HashingError:
        return None
