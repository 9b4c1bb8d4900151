"""The tables of the store. A change here needs a migration in `monitor.store.migrations`.

Pools, sources and registries are kept once and referred to by number, so that a million
blocks stay compact and windows read integers.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

SCHEMA: Final = "0004"
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

block: Final = Table(
    "block",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("height", Integer, nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("stale", Boolean, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("header", LargeBinary(80), nullable=False),
    Column("coinbase", LargeBinary),
    Column("proof", SmallInteger, nullable=False),
    Column("source_id", ForeignKey("source.id"), nullable=False),
    Column("label", Text),
    Column("label_source_id", ForeignKey("source.id")),
    Column("tx_count", Integer),
    Column("size", Integer),
    Column("first_seen", BigInteger),
    Column("pool_id", ForeignKey("pool.id")),
    Column("rule", String(32), nullable=False),
    Column("conflicts", SmallInteger, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("registry_id", ForeignKey("registry.id"), nullable=False),
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
    *(block.c.stale, block.c.height, block.c.time, block.c.pool_id, block.c.proof),
    *(block.c.tx_count, block.c.size, block.c.first_seen, block.c.conflicts),
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
    Column("registry_id", ForeignKey("registry.id"), nullable=False),
    Column("pool_id", ForeignKey("pool.id")),
    Column("rule", String(32), nullable=False),
    Column("conflicts", SmallInteger, nullable=False),
    Column("evidence", Text, nullable=False),
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
