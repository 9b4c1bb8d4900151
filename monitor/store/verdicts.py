"""Reading what stored blocks are attributed by, and storing what becomes of it, in bulk."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.store import rows, tables
from monitor.store.base import Judged, Verdict
from monitor.store.names import all_names, numbering, placeholder

_BATCH: Final = 500
"""Blocks named in one statement."""


def judged(
    connection: Connection, after: int, limit: int, unless: str | None = None
) -> list[Judged]:
    """Return the blocks numbered above `after`, active or stale, the first `limit` of them.

    Only those that a registry of another version than `unless` attributed, if given.
    """
    block = tables.block.c
    query = sa.select(*(block[name] for name in rows.JUDGED)).where(block.id > after)
    known = all_names(connection)
    numbers = {name: number for number, name in known["registry"].items()}
    if unless in numbers:
        query = query.where(block.registry_id != numbers[unless])
    found = connection.execute(query.order_by(block.id).limit(limit)).all()
    return [rows.to_judged(row, known) for row in found]


def judge(connection: Connection, blocks: Sequence[tuple[Judged, Verdict]]) -> None:
    """Give blocks new verdicts; the former is kept where the pool is new.

    Those of whom only the registry is another are changed many at once.
    """
    number = numbering(connection)
    now = int(time.time())
    past: list[dict[str, Any]] = []
    fresh: list[tuple[Any, ...]] = []
    confirmed: dict[str, list[int]] = {}
    for old, new in blocks:
        if new[:-1] == old.verdict[:-1]:
            confirmed.setdefault(new.registry, []).append(old.number)
            continue
        fresh.append((*rows.numbered(new, number), old.number))
        if new.pool != old.verdict.pool:
            former = zip(rows.VERDICT, rows.numbered(old.verdict, number), strict=True)
            past.append({"block_id": old.number, "replaced_at": now, **dict(former)})
    if past:
        connection.execute(sa.insert(tables.former), past)
    if fresh:
        place = placeholder(connection)
        changes = ", ".join(f"{name} = {place}" for name in rows.VERDICT)
        connection.exec_driver_sql(f"UPDATE block SET {changes} WHERE id = {place}", fresh)  # noqa: S608
    for registry, numbers in confirmed.items():
        for start in range(0, len(numbers), _BATCH):
            chosen = tables.block.c.id.in_(numbers[start : start + _BATCH])
            values = {"registry_id": number("registry", registry)}
            connection.execute(sa.update(tables.block).where(chosen).values(values))
