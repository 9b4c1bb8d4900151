"""What tells one state of a store from another, and whose registries attributed its blocks."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.store import header_only, tables

_LOOKED_AT: Final = 2100
"""Blocks below the tip whose pools are looked at: at least those that an agent's figures are of."""


def read(connection: Connection) -> Hashable:
    """Return a value that is another one after every change that shows.

    Each block that comes, each reorg, each pool that is another one; of what is changed by hand
    ends of the chain that move, pools of the last blocks, and registries.
    """
    block = tables.block.c
    active = sa.select(sa.func.max(block.height)).where(~block.stale).scalar_subquery()
    newest = [
        sa.select(sa.func.max(table.c.id)).scalar_subquery()
        for table in (tables.block, tables.reorg, tables.former)
    ]
    lowest = sa.select(sa.func.min(block.height)).where(~block.stale).scalar_subquery()
    tip = sa.select(block.hash).where(~block.stale, block.height == active).scalar_subquery()
    height = sa.cast(block.height, sa.BigInteger)
    last = sa.select(
        sa.func.count(),
        sa.func.sum(height * (sa.func.coalesce(block.pool_id, 0) + 2)),
        sa.func.sum(height * (block.conflicts + 1)),
    ).where(~block.stale, block.height > active - _LOOKED_AT)
    return (
        *connection.execute(sa.select(*newest, lowest, tip)).one(),
        *connection.execute(last).one(),
        *sorted(registries(connection)),
        header_only.count(connection),
    )


def registries(connection: Connection) -> dict[int, str]:
    """Return the registries, by number, that attributed at least one block."""
    registry = tables.registry.c
    used = sa.exists().where(tables.block.c.registry_id == registry.id)
    found = connection.execute(sa.select(registry.id, registry.name).where(used))
    return {row.id: row.name for row in found}


def by_registry(connection: Connection, start: int | None, stop: int | None) -> dict[str, int]:
    """Return how many blocks each registry attributed, by its version, most first.

    All blocks, active or stale; with `start` the active ones with start <= height < stop.
    """
    block = tables.block.c
    chosen = [] if start is None else [~block.stale, block.height >= start]
    if stop is not None:
        chosen.append(block.height < stop)
    names = registries(connection)
    counting = sa.select(sa.func.count()).select_from(tables.block).where(*chosen)
    if len(names) <= 1:  # as nearly always: no need to look which each is of
        blocks = connection.execute(counting).scalar_one() if names else 0
        return dict.fromkeys(names.values(), blocks) if blocks else {}
    each = sa.select(block.registry_id, sa.func.count().label("blocks")).where(*chosen)
    found = connection.execute(each.group_by(block.registry_id)).all()
    ordered = sorted(found, key=lambda row: (-row.blocks, names[row.registry_id]))
    return {names[row.registry_id]: row.blocks for row in ordered}
