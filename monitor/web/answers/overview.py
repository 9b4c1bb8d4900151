"""Everything at once."""

from __future__ import annotations

from monitor.web.answers.base import Answer
from monitor.web.answers.blocks import Block
from monitor.web.answers.figures import (
    Concentration,
    Confirmations,
    Epoch,
    Hashrate,
    Lens,
    Shares,
    Tip,
)


class Overview(Answer):
    """Everything that follows from one state of the chain; what the page shows."""

    made_at: float
    """When the agent made it, Unix time."""
    network: str
    synthetic: str
    tip: Tip | None
    lenses: list[Lens]
    windows: list[Shares]
    concentration: list[Concentration]
    hashrates: list[Hashrate]
    epoch: Epoch | None
    risk: list[Confirmations]
    reorgs: int
    deepest_reorg: int
    stale_blocks: int
    conflicts: int
    empty_blocks: int
    proved: dict[str, int]
    blocks: list[Block]
    """The last blocks, newest first."""
    stale: list[Block]
    """Stale ones near the tip, newest first."""
