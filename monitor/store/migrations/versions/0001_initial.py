"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table of the first schema."""
    op.create_table(
        "meta",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    for table in ("pool", "source", "registry"):
        op.create_table(
            table,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.Text, nullable=False, unique=True),
        )
    op.create_table(
        "block",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("header", sa.LargeBinary(80), nullable=False),
        sa.Column("coinbase", sa.LargeBinary),
        sa.Column("proof", sa.SmallInteger, nullable=False),
        sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("label_source_id", sa.Integer, sa.ForeignKey("source.id")),
        sa.Column("tx_count", sa.Integer),
        sa.Column("size", sa.Integer),
        sa.Column("first_seen", sa.BigInteger),
        sa.Column("pool_id", sa.Integer, sa.ForeignKey("pool.id")),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("conflicts", sa.SmallInteger, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("registry_id", sa.Integer, sa.ForeignKey("registry.id"), nullable=False),
    )
    op.create_index(
        "uq_block_active_height",
        "block",
        ["height"],
        unique=True,
        sqlite_where=sa.text("NOT stale"),
        postgresql_where=sa.text("NOT stale"),
    )
    op.create_index("ix_block_stale_height", "block", ["stale", "height"])
    op.create_table(
        "former_attribution",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("block_id", sa.Integer, sa.ForeignKey("block.id"), nullable=False, index=True),
        sa.Column("registry_id", sa.Integer, sa.ForeignKey("registry.id"), nullable=False),
        sa.Column("pool_id", sa.Integer, sa.ForeignKey("pool.id")),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("conflicts", sa.SmallInteger, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("replaced_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reorg",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("fork_height", sa.Integer, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("old_tip", sa.LargeBinary(32), nullable=False),
    )
