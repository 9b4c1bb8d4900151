"""An index that holds all that whole-chain queries read."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let the index of heights hold the columns, too."""
    op.drop_index("ix_block_stale_height", "block")
    op.create_index(
        "ix_block_columns",
        "block",
        [
            *("stale", "height", "time", "pool_id", "proof"),
            *("tx_count", "size", "first_seen", "conflicts"),
        ],
    )
