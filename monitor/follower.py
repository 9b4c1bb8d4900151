"""Following the chain, without I/O: what to ask a source for, what to store.

`Follower.follow` and `Follower.branch` are generators. They yield what they want
(`GetHeaders`, `GetBlocks`, `Apply`) and are sent the answer; whoever drives them does the
I/O. An error thrown into them, or a driver that dies, leaves follower and store consistent:
the next `follow` goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from analyzers.model import Attribution, Label
from hashing.chain import ChainEntry, HeaderChain, anchor_height
from hashing.errors import HashingError, HeaderError
from hashing.header import BlockHeader
from hashing.params import NetworkParams
from hashing.wire import CoinbaseTx
from monitor.errors import NotFound, ProofError, SourceUnavailable
from monitor.proof import prove, prove_beginning
from monitor.sources.base import BlockRef, Capabilities, SourceBlock
from monitor.store.base import Step, StoredBlock

REORG_DEPTH: Final = 144
"""Headers kept below the tip, at least: a reorg as deep as that can be checked at once."""

LIVE_BLOCKS: Final = 2
"""Blocks that may come at once to a follower that had caught up and still be news."""

Attribute: TypeAlias = Callable[[CoinbaseTx | None, int, Label | None], Attribution]


@dataclass(frozen=True, slots=True)
class GetHeaders:
    """Wants ``list[bytes]``: headers of the source's active chain from `start` on."""

    start: int
    count: int


@dataclass(frozen=True, slots=True)
class GetBlocks:
    """Wants ``list[SourceBlock]`` in the order of `refs`."""

    refs: Sequence[BlockRef]


@dataclass(frozen=True, slots=True)
class GetStored:
    """Wants ``list[bytes]``: stored headers of the active chain from `start` on."""

    start: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Wants `step` stored; `left` blocks are still to come."""

    step: Step
    left: int = 0


Wanted: TypeAlias = GetHeaders | GetBlocks | GetStored | Apply
Plan: TypeAlias = Generator[Wanted, Any, None]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source is, as far as following it needs."""

    name: str
    capabilities: Capabilities


class Follower:
    """Brings the store to the chain with the most work that a source shows.

    Parameters
    ----------
    params:
        Consensus parameters of the network.
    attribute:
        Attribution of a coinbase: (coinbase or None, height, label or None).
    catch_up:
        Blocks to fetch behind the tip while the store is empty.
    stored:
        First height and tip of the store, None while it is empty.
    clock:
        Returns the Unix time; a block that is fetched at the tip was first seen then.
    """

    def __init__(
        self,
        params: NetworkParams,
        attribute: Attribute,
        catch_up: int,
        stored: tuple[int, BlockRef] | None,
        clock: Callable[[], float],
    ) -> None:
        self._params = params
        self._attribute = attribute
        self._catch_up = max(1, catch_up)
        self._stored = stored
        self._clock = clock
        self._chain: HeaderChain | None = None
        self._beside: set[bytes] = set()  # stale blocks that are stored for certain
        self._settled: set[tuple[str, bytes]] = set()  # stale tips, by who offered them
        self._caught_up = False

    @property
    def tip(self) -> BlockRef | None:
        """The stored tip."""
        return self._stored[1] if self._stored else None

    def follow(self, offer: Offer, best: BlockRef) -> Plan:
        """Yield what is wanted to bring the store to `best`, the source's tip.

        Raises
        ------
        ProofError
            If what the source sent does not prove itself; nothing of it is stored.
        SourceUnavailable
            If the source's headers do not lead to its tip, as in the midst of a reorg.
        SourceError, StoreError
            As thrown in by the driver.
        """
        if self._stored is None or best != self._stored[1]:
            with _proof_errors(offer):
                yield from self._learn(offer, best)
        self._caught_up = True

    def branch(self, offer: Offer, ref: BlockRef) -> Plan:
        """Yield what is wanted to store a stale branch, from its tip `ref` downwards.

        Raises as `follow` does. Either way the branch is settled then, unless the source
        or the store failed.
        """
        if self._chain is None or self.is_settled(offer, ref):
            return
        try:
            with _proof_errors(offer):
                yield from self._stale_branch(self._chain, offer, ref)
        except NotFound:
            pass  # a source may know of a block that it does not have
        except ProofError:
            self._settled.add((offer.name, ref.hash))
            raise
        self._settled.add((offer.name, ref.hash))

    def is_settled(self, offer: Offer, ref: BlockRef) -> bool:
        """Say whether the stale tip `ref` of this source needs no look any more."""
        return (offer.name, ref.hash) in self._settled

    def _learn(self, offer: Offer, best: BlockRef) -> Plan:
        """Take over headers, then blocks."""
        chain = yield from self._chain_to(offer, best)
        target = chain.get(best.hash)
        if target is None or target.height != best.height:
            raise SourceUnavailable(
                f"{offer.name}: its headers do not lead to its tip {best.height}; "
                "it may be changing chains"
            )
        if self._stored is None:
            self._check_beginning(chain, offer, target)
        yield from self._blocks_to(chain, offer, target)
        if self._stored:
            chain.prune(self._stored[1].height - REORG_DEPTH)

    # -- headers

    def _chain_to(self, offer: Offer, best: BlockRef) -> Generator[Any, Any, HeaderChain]:
        """Learn the source's headers up to `best`, from where they leave what is known."""
        if self._chain is None:
            self._chain = yield from self._begin(offer, best)
        chain = self._chain
        if best.height < chain.floor:
            raise SourceUnavailable(
                f"{offer.name}: its tip {best.height} is far behind what is stored"
            )
        batch = offer.capabilities.headers_batch
        start, back = min(chain.tip.height, best.height), 1
        while best.hash not in chain:
            headers: list[bytes] = yield GetHeaders(start, batch)
            if not headers:
                return chain
            first = BlockHeader.parse(headers[0])
            if first.hash not in chain and first.prev_hash not in chain:
                if start <= chain.floor:
                    raise HeaderError("link", "prev-blk-not-found", _below(chain))
                start, back = max(chain.floor, start - back), back * 2
                continue
            for header in headers:
                entry = chain.accept(header)
                if entry.height != start:
                    raise ProofError(
                        "mismatch", f"{offer.name}: a header of {entry.height} sent for {start}"
                    )
                start += 1
        return chain

    def _begin(self, offer: Offer, best: BlockRef) -> Generator[Any, Any, HeaderChain]:
        """Return a chain that begins early enough to check every rule, and holds the store."""
        if self._stored is None:
            wanted = best.height - max(self._catch_up, REORG_DEPTH) + 1
            lowest = max(offer.capabilities.first_height, wanted)
            anchor = anchor_height(self._params, lowest)
            return HeaderChain(self._params, anchor, (yield from self._anchor(anchor, 1)))
        first, tip = self._stored
        anchor = anchor_height(self._params, max(0, tip.height - REORG_DEPTH))
        before: list[bytes] = []
        if first > anchor:
            before = yield from self._anchor(anchor, first - anchor)
        headers: list[bytes] = yield GetStored(max(first, anchor))
        return HeaderChain(self._params, anchor, [*before, *headers])

    def _anchor(self, start: int, count: int) -> Generator[Any, Any, list[bytes]]:
        """Return exactly `count` headers of the source from `start` on."""
        headers: list[bytes] = []
        while len(headers) < count:
            more: list[bytes] = yield GetHeaders(start + len(headers), count - len(headers))
            if not more:
                raise NotFound(f"the source has no header at height {start + len(headers)}")
            headers += more
        return headers[:count]

    def _check_beginning(self, chain: HeaderChain, offer: Offer, target: ChainEntry) -> None:
        """Hold a chain that nothing is stored of yet against what is known of its network."""
        known = self._params.milestone
        if known is None:
            return
        if offer.capabilities.public and target.height < known.height:
            raise SourceUnavailable(
                f"{offer.name}: its tip {target.height} is below block {known.height}, which is "
                f"known to be in {self._params.name}; it is far behind, or another chain"
            )
        first = chain.path(None, target)[0]
        prove_beginning(first, chain.ancestor(target, known.height), self._params, offer.name)

    # -- blocks

    def _blocks_to(
        self, chain: HeaderChain, offer: Offer, target: ChainEntry
    ) -> Generator[Any, Any, None]:
        """Fetch, prove and store the blocks from the fork with what is stored to `target`."""
        rollback_to = None
        leaving: list[bytes] = []
        if self._stored is None:
            path = chain.path(None, target)[-self._catch_up :]
        else:
            stored = chain.get(self._stored[1].hash)
            if stored is None or stored.work >= target.work:
                return
            fork = chain.fork_point(stored, target)
            if fork is None:
                raise ProofError("link", f"{offer.name}: {_below(chain)}")
            path = chain.path(fork, target)
            rollback_to = fork.height if fork is not stored else None
            leaving = [entry.hash for entry in chain.path(fork, stored)]
        live = self._caught_up and len(path) <= LIVE_BLOCKS
        for batch in _batches(path, offer.capabilities.batch):
            found: list[SourceBlock] = yield GetBlocks([_ref(entry) for entry in batch])
            blocks = self._prove(offer, batch, found, live=live)
            left = target.height - batch[-1].height
            yield Apply(Step(blocks, rollback_to), left)
            first = self._stored[0] if self._stored else batch[0].height
            self._stored = (min(first, batch[0].height), _ref(batch[-1]))
            self._beside.update(leaving)
            rollback_to = None

    def _prove(
        self,
        offer: Offer,
        entries: Sequence[ChainEntry],
        blocks: Sequence[SourceBlock],
        *,
        live: bool,
        stale: bool = False,
    ) -> list[StoredBlock]:
        if len(blocks) != len(entries):
            raise ProofError("mismatch", f"{offer.name}: {len(blocks)} of {len(entries)} blocks")
        trusted = not offer.capabilities.public
        now = int(self._clock()) if live and not offer.capabilities.synthetic else None
        proved = []
        for entry, block in zip(entries, blocks, strict=True):
            level, coinbase = prove(block, entry, self._params, trusted=trusted)
            proved.append(
                StoredBlock(
                    ref=block.ref,
                    header=block.header,
                    coinbase_tx=block.coinbase_tx,
                    proof=level,
                    stale=stale,
                    source=offer.name,
                    label=block.label,
                    attribution=self._attribute(coinbase, entry.height, block.label),
                    tx_count=block.tx_count,
                    size=block.size,
                    first_seen=block.first_seen if block.first_seen is not None else now,
                )
            )
        return proved

    # -- stale blocks

    def _stale_branch(self, chain: HeaderChain, offer: Offer, ref: BlockRef) -> Plan:
        """Fetch and store a stale branch from its tip down to where it leaves what is stored."""
        branch: list[SourceBlock] = []
        while len(branch) < REORG_DEPTH and ref.height > chain.floor:
            if self._holds(chain, ref.hash):
                break
            found: list[SourceBlock] = yield GetBlocks([ref])
            if len(found) != 1:
                raise ProofError("mismatch", f"{offer.name}: {len(found)} blocks sent for one")
            branch += found
            ref = BlockRef(ref.height - 1, BlockHeader.parse(found[0].header).prev_hash)
        if not branch or not self._holds(chain, ref.hash):
            return
        branch.reverse()
        entries = [chain.accept(block.header) for block in branch]
        yield Apply(Step(stale=self._prove(offer, entries, branch, live=False, stale=True)))
        self._beside.update(entry.hash for entry in entries)

    def _holds(self, chain: HeaderChain, block_hash: bytes) -> bool:
        """Say whether a block is on the stored chain or beside it; its header alone is not."""
        entry = chain.get(block_hash)
        stored = chain.get(self._stored[1].hash) if self._stored else None
        if entry is None or stored is None:
            return False
        return block_hash in self._beside or chain.ancestor(stored, entry.height) is entry


@contextmanager
def _proof_errors(offer: Offer) -> Iterator[None]:
    """Let what `hashing` finds wrong leave as the source's `ProofError`."""
    try:
        yield
    except HeaderError as error:
        raise ProofError(error.rule, f"{offer.name}: {error}") from None
    except HashingError as error:
        raise ProofError("wire", f"{offer.name}: {error}") from None


def _ref(entry: ChainEntry) -> BlockRef:
    return BlockRef(entry.height, entry.hash)


def _batches(entries: Sequence[ChainEntry], size: int) -> Iterator[Sequence[ChainEntry]]:
    return (entries[start : start + size] for start in range(0, len(entries), size))


def _below(chain: HeaderChain) -> str:
    return (
        f"its chain leaves ours below height {chain.floor}, deeper than is followed; "
        "if it is right, move the store away and run again"
    )
