"""A source as values, and what drives a follower by it: no thread, no wire, any fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analyzers.model import Attribution, Label
from hashing.header import BlockRef
from hashing.params import REGTEST, NetworkParams
from hashing.wire import CoinbaseTx
from monitor.agent.follower import Follower
from monitor.agent.wanted import (
    Apply,
    GetBlocks,
    GetElsewhere,
    GetHeaders,
    GetStored,
    Offer,
    Plan,
    Refuse,
    Say,
)
from monitor.errors import NotFound, NotKept, ProofError
from monitor.sources.base import Capabilities, SourceBlock
from monitor.store.sql import SqlStore
from tests.support.blocks import Mined, genesis

OFFER = Offer("test", Capabilities(batch=7, headers_batch=50, public=True))


def attribute(coinbase: CoinbaseTx | None, _height: int, _label: Label | None) -> Attribution:
    return Attribution("pool" if coinbase else None, "tag", (), (), "registry")


def now() -> float:
    return 1000.0


class Scripted:
    """A source as values: an active chain, every block it ever had, and stale tips."""

    def __init__(self, chain: list[Mined]) -> None:
        self.chain = [genesis(), *chain]
        self.known = {block.ref.hash: block for block in self.chain}
        self.stale: tuple[BlockRef, ...] = ()
        self.given_up: set[BlockRef] = set()
        """Stale tips whose blocks could not be had."""
        self.tamper: Callable[[SourceBlock], SourceBlock] = lambda block: block
        self.tamper_header: Callable[[bytes], bytes] = lambda header: header
        self.answer_headers: Callable[[int], list[bytes]] | None = None
        self.gone: set[int] = set()
        """Heights of which no more than the header is kept."""
        self.elsewhere: list[tuple[Offer, Scripted]] = []
        """Other sources, the preferred one first."""
        self.said: list[Say] = []
        self.refused: list[ProofError] = []
        self.asked_headers = 0
        self.asked_blocks = 0

    def switch(self, fork_height: int, branch: list[Mined]) -> None:
        self.chain = [*self.chain[: fork_height + 1], *branch]
        self.known |= {block.ref.hash: block for block in branch}

    @property
    def tip(self) -> BlockRef:
        return self.chain[-1].ref

    def answer(self, wanted: object, store: SqlStore) -> Any:
        match wanted:
            case GetHeaders(start, count):
                self.asked_headers += count
                if self.answer_headers is not None:
                    return self.answer_headers(start)
                part = self.chain[start : start + count]
                return [self.tamper_header(block.header.serialize()) for block in part]
            case GetBlocks(wanted_refs):
                return self.blocks(wanted_refs)
            case GetElsewhere(wanted_refs, asked):
                others = (other for other in self.elsewhere if other[0].name not in asked)
                offer, other = next(others, (None, None))
                return None if other is None else (offer, other.blocks(wanted_refs))
            case Say():
                self.said.append(wanted)
            case Refuse(error):
                self.refused.append(error)
            case GetStored(start):
                return store.headers(start, 100_000)
            case Apply(step, _left):
                store.apply(step)
            case _:
                raise AssertionError(wanted)
        return None

    def blocks(self, wanted: Sequence[BlockRef]) -> list[SourceBlock | NotFound]:
        """What the source says to each block that is asked for."""
        self.asked_blocks += len(wanted)
        return [self._block(ref) for ref in wanted]

    def _block(self, ref: BlockRef) -> SourceBlock | NotFound:
        if ref.hash not in self.known:
            return NotFound("no such block")
        active = self.chain[ref.height : ref.height + 1]
        if ref.height in self.gone and [block.ref for block in active] == [ref]:
            return NotKept("pruned")
        return self.tamper(self.known[ref.hash].offered())


def make(store: SqlStore, catch_up: int = 10_000, params: NetworkParams = REGTEST) -> Follower:
    tip, first = store.tip(), store.first_height()
    stored = None if tip is None or first is None else (first, tip)
    return Follower(params, attribute, catch_up, stored, now)


def drive(
    follower: Follower,
    source: Scripted,
    store: SqlStore,
    stop_after: int = 1 << 30,
    offer: Offer = OFFER,
) -> None:
    """Answer what the follower wants; stop as a crash would after `stop_after` answers."""
    left = drive_plan(follower.follow(offer, source.tip), source, store, stop_after)
    for ref in source.stale:
        if follower.holds(ref) or ref in source.given_up:
            continue
        try:
            left = drive_plan(follower.branch(offer, ref), source, store, left)
        except NotFound:
            source.given_up.add(ref)


def drive_plan(plan: Plan, source: Scripted, store: SqlStore, stop_after: int = 1 << 30) -> int:
    """Answer what a plan wants; return how many answers are left of `stop_after`."""
    advance: Callable[[], Any] = lambda: next(plan)  # noqa: E731
    while stop_after > 0:
        try:
            wanted = advance()
        except StopIteration:
            return stop_after
        try:
            answer = source.answer(wanted, store)
        except NotFound as error:
            advance = lambda error=error: plan.throw(error)  # type: ignore[misc]  # noqa: E731
        else:
            advance = lambda answer=answer: plan.send(answer)  # type: ignore[misc]  # noqa: E731
        stop_after -= 1
    plan.close()
    return 0


def active(store: SqlStore) -> list[BlockRef]:
    return [block.ref for block in store.blocks(0, 100_000)]
