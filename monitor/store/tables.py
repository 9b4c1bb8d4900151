"""The tables of the store. A change here needs a migration in `monitor.store.migrations`.

The columns of a block are those of `analyzers.columns`.

Pools, sources and registries are kept once and referred to by number, so that a million
blocks stay compact and windows read integers.
"""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from analyzers.columns import COLUMNS, EXPORTED

SCHEMA: Final = max(
    entry.name[:4]
    for entry in (resources.files("monitor.store.migrations") / "versions").iterdir()
    if entry.name[:4].isdecimal()
)
"""The newest migration; `alembic_version` of a store that this program can use."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

meta: Final = Table(
    "meta",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)


def _names(table: str) -> Table:
    return Table(
        table,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", Text, nullable=False, unique=True),
    )


pool: Final = _names("pool")
source: Final = _names("source")
registry: Final = _names("registry")


def _column(name: str) -> Column[Any]:
    """Return a column of a block as `analyzers.columns` says it."""
    column = COLUMNS[name]
    if column.names is not None:
        key = ForeignKey(f"{column.names}.id")
        return Column(column.stored, key, nullable=column.optional)
    kind, length = getattr(sqlalchemy, column.kind.sql), column.kind.length
    return Column(column.stored, kind(length) if length else kind(), nullable=column.optional)


block: Final = Table(
    "block",
    metadata,
    Column("id", Integer, primary_key=True),
    *map(_column, COLUMNS),
    UniqueConstraint("hash"),
)
Index(
    "uq_block_active_height",
    block.c.height,
    unique=True,
    sqlite_where=text("NOT stale"),
    postgresql_where=text("NOT stale"),
)
# It holds all that whole-chain queries ask for, so that they need not read the blocks.
Index(
    "ix_block_columns",
    *(block.c.stale, *(block.c[column.stored] for column in EXPORTED.values())),
)
# A block of which no more than the header could be had waits for the rest of it.
Index(
    "ix_block_header_only",
    *(block.c.stale, block.c.height),
    sqlite_where=text("coinbase IS NULL AND label IS NULL"),
    postgresql_where=text("coinbase IS NULL AND label IS NULL"),
)
# It tells which registries attributed the blocks, without a look at each.
Index("ix_block_registry_id", block.c.registry_id)

former: Final = Table(
    "former_attribution",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("block_id", ForeignKey("block.id"), nullable=False, index=True),
    *(_column(name) for name in ("registry", "pool", "rule", "conflicts", "evidence")),
    Column("replaced_at", BigInteger, nullable=False),
)

reorg: Final = Table(
    "reorg",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("fork_height", Integer, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("old_tip", LargeBinary(32), nullable=False),
)
