"""What the agent keeps, and the one seam through which it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analyzers.model import Attribution, Label
from monitor.sources.base import BlockRef

ProofLevel = Literal["header", "coinbase"]
"""How far a block proved itself: `coinbase` includes `header`."""


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A proved block with its attribution.

    `header` and `coinbase_tx` are the raw bytes, so that everything else can be derived
    again. Times are Unix seconds; `first_seen` is when the agent (or its source) first saw
    the block, None if it was fetched later than that.
    """

    ref: BlockRef
    header: bytes
    coinbase_tx: bytes | None
    proof: ProofLevel
    stale: bool
    source: str
    label: Label | None
    attribution: Attribution
    tx_count: int | None = None
    size: int | None = None
    first_seen: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One atomic change of the store.

    Active blocks above `rollback_to` (a height) become stale, then `append` extends the
    active chain without a gap, and `stale` blocks are kept beside it. `rollback_to` None
    changes nothing that is stored. Applying the same step twice changes nothing more.
    """

    append: Sequence[StoredBlock] = ()
    rollback_to: int | None = None
    stale: Sequence[StoredBlock] = ()
