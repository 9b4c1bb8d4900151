"""What the agent keeps, and the one seam through which it is kept."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from analyzers.columns import BlockRow, ProofLevel
from analyzers.mined import Chain
from analyzers.model import Attribution, Label
from hashing.header import BlockRef


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

    @property
    def header_only(self) -> bool:
        """Whether no more than the header is known: nobody had the rest, and no label says more."""
        return self.coinbase_tx is None and self.label is None


class Verdict(NamedTuple):
    """An attribution of plain values: cheap to compare and to send about.

    `evidence` is what `analyzers.evidence.to_json` returns, conflicts within.
    """

    pool: str | None
    rule: str
    conflicts: int
    evidence: str
    registry: str


class Judged(NamedTuple):
    """What a stored block is attributed by, and its verdict; `number` is the store's own."""

    number: int
    height: int
    hash: bytes
    stale: bool
    coinbase: bytes | None
    label: Label | None
    verdict: Verdict


class HeaderOnly(NamedTuple):
    """A block of the active chain of which no more than the header is stored, no label either.

    Nobody had its coinbase when it was stored. Who mined it is not known, which is something
    else than a coinbase that names nobody.
    """

    height: int
    hash: bytes
    header: bytes


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


class Reorg(NamedTuple):
    """A reorg: `depth` blocks above `fork_height` became stale, `old_tip` the last of them.

    `number` grows with each reorg that the store has seen.
    """

    number: int
    at: int
    fork_height: int
    depth: int
    old_tip: bytes


class Counts(NamedTuple):
    """Totals of a store; `header_only` counts blocks of the active chain."""

    blocks: int
    stale: int
    reorgs: int
    deepest_reorg: int
    header_only: int


class Arrays(NamedTuple):
    """Columns of the active chain as integers, in height order; -1 is what is missing.

    ``columns["pool"]`` are indices into `pools`, ``columns["proof"]`` into
    `analyzers.columns.PROOFS`.
    """

    columns: dict[str, NDArray[np.int64]]
    pools: tuple[str, ...]


class BlockStore(Protocol):
    """Blocks on disk. Synchronous; one thread at a time. Every method raises `StoreError`."""

    network: str
    synthetic: str

    def close(self) -> None:
        """Let go of the database; safe to call twice."""

    def lead(self) -> bool:
        """Try to become the one agent that writes; say whether this one is it.

        Where only one agent can use a store at all, another one is a `StoreError`.
        """

    def leads(self) -> bool:
        """Say whether this agent is still the one that writes; what is lost, `lead` takes."""

    def claim(self, advice: str) -> None:
        """Become the one that writes, for a command that changes what is stored.

        A `StoreError` says who else does, and `advice`.
        """

    def renew(self) -> None:
        """Open what is there now, after it was changed, moved or replaced, and look at it."""

    def watch(self) -> None:
        """Refuse from now on, with `StoreChanged`, to write to what another program has changed."""

    def untouched(self) -> bool:
        """Say whether no other program has changed what is stored since `watch`."""

    def revision(self) -> Hashable:
        """Return a value that is another one after every change that shows, cheaply."""

    def registries(self) -> frozenset[str]:
        """Return the versions of the registries that attributed stored blocks, cheaply."""

    def by_registry(self, start: int | None = None, stop: int | None = None) -> dict[str, int]:
        """Return how many blocks each registry attributed, by its version, most first.

        All blocks, active or stale; with `start` the active ones with start <= height < stop.
        """

    def tip(self) -> BlockRef | None:
        """Return the end of the active chain, None while the store is empty."""

    def first_height(self) -> int | None:
        """Return the lowest height of the active chain."""

    def headers(self, start: int, count: int) -> list[bytes]:
        """Return up to `count` headers of the active chain from height `start` on."""

    def block(self, key: int | bytes) -> StoredBlock | None:
        """Return the active block at a height, or any block by its hash."""

    def blocks(self, start: int, stop: int) -> Iterator[StoredBlock]:
        """Yield the active blocks with start <= height < stop, in height order."""

    def stale_blocks(
        self, limit: int | None = None, before: bytes | None = None
    ) -> list[StoredBlock]:
        """Return the stale blocks, the last `limit` by height if given, in height order.

        Only those that come before the stored block of the hash `before`, if given.
        """

    def knows(self, block_hash: bytes) -> bool:
        """Say whether a block is stored, active or stale."""

    def apply(self, step: Step) -> None:
        """Apply `step` in one transaction; what it holds is on disk when this returns."""

    def append(self, chain: Sequence[BlockRow]) -> None:
        """Extend the active chain by consecutive blocks in one transaction, as `apply` does.

        The way for many blocks: thousands at once cost the least each.
        """

    def header_only(self, start: int, limit: int) -> list[HeaderOnly]:
        """Return blocks of which no more than the header is stored, the first `limit`.

        Those of the active chain from height `start` on, in height order.
        """

    def fill(self, blocks: Sequence[BlockRow]) -> int:
        """Give header-only blocks the rest of them in one transaction; return how many.

        The blocks are known by their hashes; one that is stored whole stays as it is.
        """

    def judged(self, after: int, limit: int, unless: str | None = None) -> list[Judged]:
        """Return the blocks numbered above `after`, active or stale, the first `limit` of them.

        Only those that a registry of another version than `unless` attributed, if given.
        """

    def judge(self, blocks: Sequence[tuple[Judged, Verdict]]) -> None:
        """Give blocks new verdicts in one transaction; the former is kept where the pool is new."""

    def columns(
        self, names: Sequence[str], start: int = 0, stop: int | None = None
    ) -> dict[str, list[object]]:
        """Return columns of the active chain, in height order, without building blocks."""

    def arrays(self, names: Sequence[str], start: int = 0, stop: int | None = None) -> Arrays:
        """Return columns of the active chain as arrays: the way to read all of it."""

    def chain(self, start: int = 0, stop: int | None = None) -> Chain:
        """Return who mined the active blocks with start <= height < stop."""

    def reorgs(self, limit: int | None = None, before: int | None = None) -> list[Reorg]:
        """Return the reorgs seen, oldest first, the last `limit` numbered below `before`."""

    def counts(self) -> Counts:
        """Return totals."""
