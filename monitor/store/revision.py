"""What tells one state of a store from another, and whose registries attributed its blocks."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.store import header_only, tables

_LOOKED_AT: Final = 2100
"""Blocks below the tip whose pools are looked at: at least those that an agent's figures are of."""


_BLOCK: Final = tables.block.c

# Queries are built once: that takes longer than to ask them.
_HIGHEST: Final = sa.select(sa.func.max(_BLOCK.height)).where(~_BLOCK.stale).scalar_subquery()
_ENDS: Final = sa.select(
    *(
        sa.select(sa.func.max(table.c.id)).scalar_subquery()
        for table in (tables.block, tables.reorg, tables.former)
    ),
    sa.select(sa.func.min(_BLOCK.height)).where(~_BLOCK.stale).scalar_subquery(),
    sa.select(_BLOCK.hash).where(~_BLOCK.stale, _BLOCK.height == _HIGHEST).scalar_subquery(),
)
_HEIGHT: Final = sa.cast(_BLOCK.height, sa.BigInteger)
_POOLS: Final = sa.select(
    sa.func.count(),
    sa.func.sum(_HEIGHT * (sa.func.coalesce(_BLOCK.pool_id, 0) + 2)),
    sa.func.sum(_HEIGHT * (_BLOCK.conflicts + 1)),
).where(~_BLOCK.stale, _BLOCK.height > _HIGHEST - sa.bindparam("blocks", type_=sa.Integer))
_USED: Final = sa.select(tables.registry.c.id, tables.registry.c.name).where(
    sa.exists().where(_BLOCK.registry_id == tables.registry.c.id)
)


def read(connection: Connection) -> Hashable:
    """Return a value that is another one after every block, reorg, pool judged anew, and filling.

    Of what is changed by hand it tells ends of the chain that move, other registries, and among
    the last blocks other pools and holes.
    """
    return (
        *connection.execute(_ENDS).one(),
        *connection.execute(_POOLS, {"blocks": _LOOKED_AT}).one(),
        *sorted(registries(connection)),
        header_only.count(connection),
    )


def registries(connection: Connection) -> dict[int, str]:
    """Return the registries, by number, that attributed at least one block."""
    return {row.id: row.name for row in connection.execute(_USED)}


def by_registry(connection: Connection, start: int | None, stop: int | None) -> dict[str, int]:
    """Return how many blocks each registry attributed, by its version, most first.

    All blocks, active or stale; with `start` the active ones with start <= height < stop.
    """
    chosen = [] if start is None else [~_BLOCK.stale, _BLOCK.height >= start]
    if stop is not None:
        chosen.append(_BLOCK.height < stop)
    names = registries(connection)
    counting = sa.select(sa.func.count()).select_from(tables.block).where(*chosen)
    if len(names) <= 1:  # as nearly always: no need to look which each is of
        blocks = connection.execute(counting).scalar_one() if names else 0
        return dict.fromkeys(names.values(), blocks) if blocks else {}
    each = sa.select(_BLOCK.registry_id, sa.func.count().label("blocks")).where(*chosen)
    found = connection.execute(each.group_by(_BLOCK.registry_id)).all()
    ordered = sorted(found, key=lambda row: (-row.blocks, names[row.registry_id]))
    return {names[row.registry_id]: row.blocks for row in ordered}
