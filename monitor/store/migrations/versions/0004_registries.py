"""An index that tells by which registries the blocks are attributed."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_block_registry_id", "block", ["registry_id"])
