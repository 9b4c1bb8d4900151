"""Blocks of which no more than the header is stored: finding them, and giving them the rest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from analyzers.model import Label
from monitor.store import rows, tables
from monitor.store.base import BlockRow, HeaderOnly
from monitor.store.names import lookup, numbering

_FILLED: Final = (
    *("coinbase", "proof", "source_id", "label", "label_source_id", "tx_count", "size"),
    *("first_seen", *rows.VERDICT),
)
"""Columns that a block gets when the rest of it comes."""


def count(connection: Connection) -> int:
    """Return how many blocks of the active chain have no more than their header."""
    block = tables.block.c
    query = sa.select(sa.func.count()).where(~block.stale, block.coinbase.is_(None))
    return connection.execute(query).scalar_one()


def find(connection: Connection, start: int, limit: int) -> list[HeaderOnly]:
    """Return such blocks of the active chain from height `start` on, the first `limit`."""
    block = tables.block.c
    query = (
        sa.select(block.height, block.hash, block.header, block.label, block.label_source_id)
        .where(~block.stale, block.coinbase.is_(None), block.height >= start)
        .order_by(block.height)
        .limit(limit)
    )
    sources = lookup(connection, "source")
    return [
        HeaderOnly(height, digest, header, None if label is None else Label(label, sources[by]))
        for height, digest, header, label, by in connection.execute(query)
    ]


def fill(connection: Connection, blocks: Sequence[BlockRow]) -> int:
    """Give stored blocks what `blocks` bring; return how many had lacked it.

    A block that has its coinbase stays as it is. What `blocks` do not bring (a label, a time)
    stays, too, and a former pool is kept as in `monitor.store.verdicts.judge`.
    """
    number = numbering(connection)
    block, now, filled = tables.block.c, int(time.time()), 0
    for row in blocks:
        if row.coinbase is None:
            continue
        lacks = sa.select(block.id, *(block[name] for name in rows.VERDICT))
        found = connection.execute(
            lacks.where(block.hash == row.hash, block.coinbase.is_(None))
        ).first()
        if found is None:
            continue
        fresh = dict(zip(rows.STORED, rows.numbered(row, number), strict=True))
        if found.pool_id is not None and found.pool_id != fresh["pool_id"]:
            former = {name: getattr(found, name) for name in rows.VERDICT}
            connection.execute(
                sa.insert(tables.former).values(block_id=found.id, replaced_at=now, **former)
            )
        values = {
            name: fresh[name]
            for name in _FILLED
            if fresh[name] is not None or name in rows.VERDICT  # nobody is a verdict, too
        }
        connection.execute(sa.update(tables.block).where(block.id == found.id).values(values))
        filled += 1
    return filled
