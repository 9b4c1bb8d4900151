"""Names that the store refers to by number, and how a driver writes a value's place."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from monitor.store import rows, tables


def lookup(connection: Connection, table: str) -> dict[int, str]:
    """Return the names of a table by number, as the database has them now."""
    chosen = tables.metadata.tables[table]
    query = sa.select(chosen.c.id, chosen.c.name)
    return {row.id: row.name for row in connection.execute(query)}


def all_names(connection: Connection) -> rows.Names:
    """Return the names of every table that gives numbers to names."""
    return {table: lookup(connection, table) for table in rows.NAME_TABLES}


def numbering(connection: Connection) -> rows.Number:
    """Return a function that gives a name its number, adding it if it is new.

    What it remembers lives as long as the transaction, so that nothing is remembered of one
    that is rolled back.
    """
    known: dict[str, dict[str, int]] = {}

    def number(table: str, name: str) -> int:
        if table not in known:
            known[table] = {text: key for key, text in lookup(connection, table).items()}
        if name not in known[table]:
            chosen = tables.metadata.tables[table]
            query = sa.insert(chosen).values(name=name).returning(chosen.c.id)
            known[table][name] = connection.execute(query).scalar_one()
        return known[table][name]

    return number


def placeholder(connection: Connection) -> str:
    """Return the driver's parameter placeholder, for SQL that is not SQLAlchemy's."""
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"
