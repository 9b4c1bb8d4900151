"""An index of the blocks of which no more than the header is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the few among a million to be found, and counted, at once."""
    without = sa.text("coinbase IS NULL AND label IS NULL")
    op.create_index(
        "ix_block_header_only",
        "block",
        ["stale", "height"],
        sqlite_where=without,
        postgresql_where=without,
    )
