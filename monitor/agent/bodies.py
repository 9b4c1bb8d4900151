"""Getting the blocks behind headers that are known: from one source, from others, or not at all.

A block that the followed source does not have is asked of the others, each of which must
prove it. Where the source has no more than its header (pruned, lost, not downloaded yet), and
the others do not have it either, it is stored so: the headers link the chain, and the rest
can come later. A block that is simply not there, as after a reorg, is never stored so.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from analyzers.model import Attribution, Label
from hashing.chain import ChainEntry
from hashing.header import BlockRef, hash_to_hex
from hashing.params import NetworkParams
from hashing.wire import CoinbaseTx
from monitor.agent.wanted import GetBlocks, GetElsewhere, Offer, Refuse, Wanted
from monitor.errors import NotFound, NotKept, ProofError
from monitor.proof import prove, stored_block
from monitor.sources.base import SourceBlock
from monitor.store.base import StoredBlock

Attribute: TypeAlias = Callable[[CoinbaseTx | None, int, Label | None], Attribution]
"""Attribution of a coinbase: (coinbase or None, height, label or None)."""

FILL: Final = "poolscope backfill --missing"
"""The command that gets what nobody had."""
_RANGES: Final = 5
"""Ranges of heights that a message names."""


@dataclass(slots=True)
class Fetch:
    """Blocks of a source up to `target`, as they are fetched batch by batch.

    `first_seen` is when blocks of it are seen for the first time, None if they are no news;
    `header_only` are the heights of which nobody had more, `distrusted` the other sources
    whose blocks were refused.
    """

    offer: Offer
    target: ChainEntry
    first_seen: int | None = None
    header_only: list[int] = field(default_factory=list)
    distrusted: set[str] = field(default_factory=set)
    target_is_there: bool = False

    @property
    def kept_from(self) -> int:
        """The height below which the source is known to have no blocks."""
        told = self.offer.capabilities.bodies_from
        return told if told <= self.target.height else 0


class Bodies:
    """Turns entries of a header chain into blocks to store, by generators without I/O.

    Parameters
    ----------
    params:
        Consensus parameters of the network.
    attribute:
        Attribution of a coinbase.
    """

    def __init__(self, params: NetworkParams, attribute: Attribute) -> None:
        self._params = params
        self._attribute = attribute

    def beginning(
        self, fetch: Fetch, entries: Sequence[ChainEntry]
    ) -> Generator[Wanted, Any, list[StoredBlock]]:
        """Return the blocks of `entries` from the first on that the source keeps.

        An empty store may begin anywhere, so nobody else is asked for what lies below.

        Raises
        ------
        NotFound
            If the source does not have one that it may have, or not even the target.
        ProofError
            If what it sent does not prove itself.
        """
        entries = [entry for entry in entries if entry.height >= fetch.kept_from]
        answers = yield from _ask(fetch, entries)
        while answers and isinstance(answers[0], NotKept) and entries[0] is not fetch.target:
            del answers[0], entries[0]
        return (yield from self._settle(fetch, entries, answers))

    def blocks(
        self, fetch: Fetch, entries: Sequence[ChainEntry]
    ) -> Generator[Wanted, Any, list[StoredBlock]]:
        """Return all blocks of `entries`, header-only where nobody has more.

        Raises
        ------
        NotFound
            If nobody has a block of which the source does not say that it is in its chain, or
            the target.
        ProofError
            If what the followed source sent does not prove itself.
        """
        kept = [entry for entry in entries if entry.height >= fetch.kept_from]
        gone = entries[: len(entries) - len(kept)]
        answers = yield from _ask(fetch, kept)
        lacking = [_not_kept(fetch.offer, entry) for entry in gone]
        return (yield from self._settle(fetch, entries, [*lacking, *answers]))

    def _settle(
        self,
        fetch: Fetch,
        entries: Sequence[ChainEntry],
        answers: Sequence[SourceBlock | NotFound],
    ) -> Generator[Wanted, Any, list[StoredBlock]]:
        """Return the blocks of `entries`, of which the source gave `answers`."""
        found: dict[bytes, StoredBlock] = {}
        lacking: list[tuple[ChainEntry, NotFound]] = []
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, NotFound):
                lacking.append((entry, answer))
            else:
                found[entry.hash] = self.proved(fetch, entry, answer)
                fetch.target_is_there |= entry is fetch.target
        if lacking:
            found |= yield from self._elsewhere(fetch, [entry for entry, _ in lacking])
        for entry, error in lacking:
            if entry.hash in found:
                continue
            if entry is fetch.target or not isinstance(error, NotKept):
                raise error
            yield from self._see_target(fetch)
            found[entry.hash] = self._header_only(fetch.offer, entry)
            fetch.header_only.append(entry.height)
        return [found[entry.hash] for entry in entries]

    def _elsewhere(
        self, fetch: Fetch, lacking: Sequence[ChainEntry]
    ) -> Generator[Wanted, Any, dict[bytes, StoredBlock]]:
        """Return what other sources have of the blocks `lacking`, by hash."""
        found: dict[bytes, StoredBlock] = {}
        asked = {fetch.offer.name, *fetch.distrusted}
        while lacking := [entry for entry in lacking if entry.hash not in found]:
            refs = [ref_of(entry) for entry in lacking]
            reply: tuple[Offer, list[SourceBlock | NotFound]] | None = yield GetElsewhere(
                refs, frozenset(asked)
            )
            if reply is None:
                return found
            other, answers = reply
            asked.add(other.name)
            aside = Fetch(other, fetch.target, fetch.first_seen)
            try:
                for entry, answer in zip(lacking, _all(other, answers, lacking), strict=True):
                    if not isinstance(answer, NotFound) and answer.coinbase_tx is not None:
                        found[entry.hash] = self.proved(aside, entry, answer)
            except ProofError as error:
                fetch.distrusted.add(other.name)
                yield Refuse(ProofError(error.reason, f"{other.name}: {error}"))
        return found

    def _see_target(self, fetch: Fetch) -> Generator[Wanted, Any, None]:
        """Make sure that the source has the target, so that no reorg is under way."""
        if fetch.target_is_there:
            return
        (answer,) = yield from _ask(fetch, [fetch.target])
        if isinstance(answer, NotFound):
            raise answer
        self.proved(fetch, fetch.target, answer)
        fetch.target_is_there = True

    def proved(
        self, fetch: Fetch, entry: ChainEntry, block: SourceBlock, *, stale: bool = False
    ) -> StoredBlock:
        """Return `block` as it is stored at its place `entry`.

        Raises
        ------
        ProofError
            If it does not prove itself.
        """
        offer = fetch.offer
        trusted = not offer.capabilities.public
        level, coinbase = prove(block, entry, self._params, trusted=trusted)
        made = self._attribute(coinbase, entry.height, block.label)
        seen = fetch.first_seen
        return stored_block(block, level, offer.name, made, stale=stale, first_seen=seen)

    def _header_only(self, offer: Offer, entry: ChainEntry) -> StoredBlock:
        return StoredBlock(
            ref=ref_of(entry),
            header=entry.header.serialize(),
            coinbase_tx=None,
            proof="header",
            stale=False,
            source=offer.name,
            label=None,
            attribution=self._attribute(None, entry.height, None),
        )


def _ask(
    fetch: Fetch, entries: Sequence[ChainEntry]
) -> Generator[Wanted, Any, list[SourceBlock | NotFound]]:
    """Return what the followed source says to each of `entries`."""
    if not entries:
        return []
    answers: list[SourceBlock | NotFound] = yield GetBlocks([ref_of(entry) for entry in entries])
    return _all(fetch.offer, answers, entries)


def _all(
    offer: Offer, answers: list[SourceBlock | NotFound], entries: Sequence[ChainEntry]
) -> list[SourceBlock | NotFound]:
    """Return `answers` if there is one to each of `entries`."""
    if len(answers) != len(entries):
        raise ProofError("mismatch", f"{offer.name}: {len(answers)} of {len(entries)} blocks")
    return answers


def ref_of(entry: ChainEntry) -> BlockRef:
    """Return the reference of a block in its place."""
    return BlockRef(entry.height, entry.hash)


def gap_text(heights: Sequence[int]) -> str:
    """Say which blocks are header-only now, and what fills them; `heights` are in order."""
    what = "1 block ({}) is stored by its header alone: no source has more of it"
    if len(heights) > 1:
        what = f"{len(heights)} blocks ({{}}) are stored by their headers alone: no source has more"
    return (
        f"{what.format(ranges_of(heights))}, so who mined is unknown there. Stop the agent and run "
        f"'{FILL}' with a source that keeps old blocks: --source esplora, --blocks-dir or "
        "--bitcoind"
    )


def ranges_of(heights: Sequence[int]) -> str:
    """Return heights in order as ranges, the first few of them.

    Examples
    --------
    >>> ranges_of([4, 5, 6, 9])
    '4 to 6, 9'
    """
    ranges: list[tuple[int, int]] = []
    for height in heights:
        if ranges and height == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], height)
        else:
            ranges.append((height, height))
    shown = [f"{low} to {high}" if high > low else str(low) for low, high in ranges[:_RANGES]]
    return ", ".join(shown + ["..."] * (len(ranges) > _RANGES))


def _not_kept(offer: Offer, entry: ChainEntry) -> NotKept:
    return NotKept(
        f"{offer.name} has no block {hash_to_hex(entry.hash)} at height {entry.height}: it keeps "
        f"those from {offer.capabilities.bodies_from} on"
    )
