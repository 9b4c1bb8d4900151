"""Everything at once."""

from __future__ import annotations

from monitor.answers.base import Answer
from monitor.answers.blocks import Block
from monitor.answers.figures import (
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
    """Name of the network, such as mainnet."""
    synthetic: str
    """Empty for the live chain, else why the blocks are not live: sample, rehearsal."""
    tip: Tip | None
    """The end of the chain; null before the first block."""
    lenses: list[Lens]
    """The lenses that the agent looks through."""
    windows: list[Shares]
    """Shares, for each window and lens."""
    concentration: list[Concentration]
    """Concentration, for each window and lens."""
    hashrates: list[Hashrate]
    """The network's hash rate, for each window."""
    epoch: Epoch | None
    """The running difficulty epoch; null where it has just begun, or does not end here."""
    risk: list[Confirmations]
    """Confirmations to wait, for each window and each lens of control."""
    reorgs: int
    """Reorgs in the store."""
    deepest_reorg: int
    """Most blocks that one made stale."""
    stale_blocks: int
    """Stale blocks in the store."""
    header_only_blocks: int
    """Blocks in the store of which no source had more than the header: who mined is unknown."""
    conflicts: int
    """Blocks of the largest window whose evidence also names another pool."""
    empty_blocks: int
    """Blocks of the largest window with nothing but a coinbase."""
    proved: dict[str, int]
    """Blocks of the largest window, by how far they proved themselves."""
    blocks: list[Block]
    """The last blocks, newest first."""
    stale: list[Block]
    """Stale ones near the tip, newest first."""
