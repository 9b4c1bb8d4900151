"""Following the chain, without I/O: what to ask a source for, what to store.

`Follower.follow` and `Follower.branch` are generators. They yield what they want
(`GetHeaders`, `GetBlocks`, `Apply`) and are sent the answer; whoever drives them does the
I/O. An error thrown into them, or a driver that dies, leaves follower and store consistent:
the next `follow` goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from hashing.chain import ChainEntry, HeaderChain, anchor_height
from hashing.errors import HashingError, HeaderError
from hashing.header import BlockHeader, BlockRef
from hashing.params import NetworkParams
from monitor.agent.bodies import Attribute, Bodies, Fetch, gap_text, ref_of
from monitor.agent.wanted import Apply, GetBlocks, GetHeaders, GetStored, Offer, Plan, Say
from monitor.errors import NotFound, ProofError, SourceUnavailable
from monitor.proof import prove_beginning
from monitor.sources.base import SourceBlock
from monitor.store.base import Step

REORG_DEPTH: Final = 144
"""Headers kept below the tip, at least: a reorg as deep as that can be checked at once."""

LIVE_BLOCKS: Final = 2
"""Most blocks at once that still count as live, and not as catching up."""


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
        self._bodies = Bodies(params, attribute)
        self._catch_up = max(1, catch_up)
        self._stored = stored
        self._clock = clock
        self._chain: HeaderChain | None = None
        self._header_only: list[int] = []  # heights stored so, of which nobody was told yet
        self._beside: set[bytes] = set()  # stale blocks that are stored for certain
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
        if self._stored is None or not self._lies_below(best):
            with _proof_errors(offer):
                yield from self._learn(offer, best)
        self._caught_up = self._caught_up or self.tip == best

    def branch(self, offer: Offer, ref: BlockRef) -> Plan:
        """Yield what is wanted to store a stale branch, from its tip `ref` downwards.

        Raises as `follow` does. A branch that cannot be linked to what is stored is left.
        """
        if self._chain is not None:
            with _proof_errors(offer):
                yield from self._stale_branch(self._chain, offer, ref)

    def holds(self, ref: BlockRef) -> bool:
        """Say whether a block is stored for certain, on the chain or beside it."""
        return self._chain is not None and self._holds(self._chain, ref.hash)

    def is_news(self, best: BlockRef) -> bool:
        """Say whether `follow` would have anything to ask or to store for a source's tip."""
        if self._stored is None:
            return True
        if best == self._stored[1] or self._lies_below(best):
            return False
        if self._chain is None:
            return True
        stored, entry = self._chain.get(self._stored[1].hash), self._chain.get(best.hash)
        return stored is None or entry is None or entry.work > stored.work

    def lag(self, best: BlockRef) -> int:
        """Return how many of the stored blocks a chain that ends with `best` lacks.

        0 where it has as much work as what is stored, or where nothing is stored. Of a tip
        that `follow` has not learned, only its height counts.
        """
        if self._stored is None:
            return 0
        tip, chain = self._stored[1], self._chain
        stored, entry = (chain.get(tip.hash), chain.get(best.hash)) if chain else (None, None)
        if chain is None or stored is None or entry is None:
            return max(0, tip.height - best.height)
        if entry.work >= stored.work:
            return 0
        fork = chain.fork_point(stored, entry)
        return tip.height - (chain.floor if fork is None else fork.height)

    def _lies_below(self, best: BlockRef) -> bool:
        """Say whether a tip is the stored one, or so low that no reorg to it is followed."""
        assert self._stored is not None
        tip = self._stored[1]
        floor = self._chain.floor if self._chain else _floor(self._params, tip.height)
        return best == tip or best.height < floor

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
        lowest = offer.capabilities.first_height  # nothing below can be asked for
        if self._stored is None:
            wanted = best.height - max(self._catch_up, REORG_DEPTH) + 1
            start = max(lowest, wanted)
            anchor = max(lowest, anchor_height(self._params, start))
            return HeaderChain(self._params, anchor, (yield from self._anchor(anchor, 1)))
        first, tip = self._stored
        anchor = _floor(self._params, tip.height)
        anchor = max(anchor, min(lowest, first))
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
        fetch = Fetch(offer, target)
        if self._caught_up and len(path) <= LIVE_BLOCKS and not offer.capabilities.synthetic:
            fetch.first_seen = int(self._clock())
        for batch in _batches(path, offer.capabilities.batch):
            if self._stored is not None:
                blocks = yield from self._bodies.blocks(fetch, batch)
            elif not (blocks := (yield from self._bodies.beginning(fetch, batch))):
                continue
            elif blocks[0].ref.height > path[0].height:
                yield Say(_later(offer, blocks[0].ref.height, path[0].height))
            left = target.height - batch[-1].height
            yield Apply(Step(blocks, rollback_to), left)
            first = self._stored[0] if self._stored else blocks[0].ref.height
            self._stored = (min(first, blocks[0].ref.height), ref_of(batch[-1]))
            self._beside.update(leaving)
            rollback_to = None
            self._header_only += fetch.header_only
            fetch.header_only.clear()
        if self._header_only:
            yield Say(gap_text(self._header_only), warning=True)
            self._header_only.clear()

    # -- stale blocks

    def _stale_branch(self, chain: HeaderChain, offer: Offer, ref: BlockRef) -> Plan:
        """Fetch and store a stale branch from its tip down to where it leaves what is stored."""
        branch: list[SourceBlock] = []
        while len(branch) < REORG_DEPTH and ref.height > chain.floor:
            if self._holds(chain, ref.hash):
                break
            found: list[SourceBlock | NotFound] = yield GetBlocks([ref])
            if len(found) != 1:
                raise ProofError("mismatch", f"{offer.name}: {len(found)} blocks sent for one")
            if isinstance(found[0], NotFound):
                raise found[0]
            branch.append(found[0])
            ref = BlockRef(ref.height - 1, BlockHeader.parse(found[0].header).prev_hash)
        if not branch or not self._holds(chain, ref.hash):
            return
        branch.reverse()
        # What the chain took over while this was fetched is stale no more.
        fresh = [
            (entry, block)
            for entry, block in ((chain.accept(block.header), block) for block in branch)
            if not self._holds(chain, entry.hash)
        ]
        if not fresh:
            return
        fetch = Fetch(offer, fresh[-1][0])
        yield Apply(Step(stale=[self._bodies.proved(fetch, *pair, stale=True) for pair in fresh]))
        self._beside.update(entry.hash for entry, _ in fresh)

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


def _floor(params: NetworkParams, tip: int) -> int:
    """Return the height from which headers are kept while the stored tip is at `tip`."""
    return anchor_height(params, max(0, tip - REORG_DEPTH))


def _batches(entries: Sequence[ChainEntry], size: int) -> Iterator[Sequence[ChainEntry]]:
    return (entries[start : start + size] for start in range(0, len(entries), size))


def _below(chain: HeaderChain) -> str:
    return (
        f"its chain leaves ours below height {chain.floor}, deeper than is followed; "
        "if it is right, move the store away and run again"
    )


def _later(offer: Offer, height: int, wanted: int) -> str:
    return (
        f"{offer.name} keeps blocks from height {height} on (is it pruned?): beginning there, not "
        f"at {wanted}; 'poolscope backfill' gets older ones from a source that has them"
    )
