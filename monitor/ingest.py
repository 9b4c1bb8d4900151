"""One block's way: hint, headers, blocks, proof, attribution, store, then whoever listens.

The thin shell around `monitor.follower`: it asks the sources, writes to the store and turns
to the next source when one fails.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from monitor.errors import ProofError, SourceError, SourceUnavailable, StoreChanged, StoreError
from monitor.exporter import AgentMetrics
from monitor.follower import Apply, Follower, GetBlocks, GetHeaders, GetStored, Offer, Wanted
from monitor.sources.base import BlockRef, BlockSource, Tips, Want
from monitor.store.base import BlockStore, Step
from monitor.trouble import Trouble

log = logging.getLogger(__name__)

HINT_TIMEOUT: Final = 60.0
"""Seconds after which the tip is looked at without a hint."""
LOOK_AROUND: Final = 600.0
"""Seconds after which all sources are asked: one that answers may still be stuck."""

MAX_HEADERS: Final = 100_000
"""More headers than a follower ever asks the store for."""

Answer = TypeVar("Answer")


class Ingest:
    """Keeps `store` at the tip with the most work that `sources` show.

    The first source that answers leads: its hints are waited for. Those before it are tried
    again from time to time, those after it once in `LOOK_AROUND` seconds.

    `on_step` is called after each stored step with it and the blocks still to come;
    `executor` must have one thread, and is where the store is used.
    """

    def __init__(
        self,
        sources: Sequence[BlockSource],
        *,
        store: BlockStore,
        follower: Follower,
        metrics: AgentMetrics,
        executor: Executor,
        on_step: Callable[[Step, int], None],
    ) -> None:
        self._turns = [_Turn(rank, source) for rank, source in enumerate(sources)]
        self._leader: _Turn | None = None
        self._store = store
        self._follower = follower
        self._metrics = metrics
        self._executor = executor
        self._on_step = on_step
        self._store_trouble = Trouble(log)
        self._looked_around = time.monotonic()
        self.behind: str | None = "no source has answered yet"
        """Why the store is not at the source's tip, None when it is."""

    async def run(self) -> None:
        """Follow for ever; only cancellation ends it, or a store that another program changed.

        Raises
        ------
        StoreChanged
            If what is stored is not what the follower takes it for: begin anew from the store.
        """
        while True:
            try:
                await self._round()
            except StoreChanged:
                raise
            except StoreError as error:
                self.behind = str(error)
                self._store_trouble.again(str(error))
                await asyncio.sleep(self._store_trouble.left())
                continue
            leader = self._leader
            if leader is None:
                await asyncio.sleep(min(turn.trouble.left() for turn in self._turns))
                continue
            try:
                await leader.source.wait_for_tip_change(HINT_TIMEOUT)
            except SourceError as error:
                self._failed(leader, error)

    async def _round(self) -> None:
        """Let the leader have its turn, then those that could lead instead; choose anew."""
        everyone = time.monotonic() - self._looked_around > LOOK_AROUND
        if everyone:
            self._looked_around = time.monotonic()
        former, self._leader = self._leader, None
        for turn in sorted(self._turns, key=lambda turn: turn is not former):
            outranked = self._leader is not None and turn.rank > self._leader.rank
            if turn.trouble.left() > 0 or (outranked and not everyone):
                continue
            try:
                await self._follow(turn)
            except (SourceError, ProofError) as error:
                self._failed(turn, error)
                continue
            self.behind = None
            turn.trouble.over(f"{turn.source.name} answers again")
            if not outranked:
                self._leader = turn

    async def _follow(self, turn: _Turn) -> None:
        """Bring the store to the tip of one source."""
        source = turn.source
        if not turn.opened:
            await self._ask(source, source.open())
            turn.opened = True
        started = time.perf_counter()
        tips = await self._ask(source, source.tips())
        if await self._catch_up(source, tips):
            self._metrics.processing.observe(time.perf_counter() - started)

    async def _catch_up(self, source: BlockSource, tips: Tips) -> bool:
        """Drive the follower to `tips`; return whether anything was stored."""
        plan = self._follower.follow(Offer(source.name, source.capabilities), tips)
        advance: Callable[[], Wanted] = partial(next, plan)
        stored = False
        while True:
            try:
                wanted = advance()
            except StopIteration:
                return stored
            stored = stored or isinstance(wanted, Apply)
            try:
                answer = await self._answer(source, tips, wanted)
            except (SourceError, StoreError) as error:
                advance = partial(plan.throw, error)
            else:
                advance = partial(plan.send, answer)

    async def _answer(self, source: BlockSource, tips: Tips, wanted: Wanted) -> Any:
        """Do what the follower wants; return what it is to be sent."""
        match wanted:
            case GetHeaders(start, count):
                return await self._ask(source, source.headers(start, count))
            case GetBlocks(refs):
                return await self._ask(source, source.blocks(refs, _want(source, refs, tips)))
            case GetStored(start):
                return await self._in_store(self._store.headers, start, MAX_HEADERS)
            case Apply(step, left):
                before = self._follower.tip
                await self._in_store(self._store.apply, step)
                self._store_trouble.over("the store can be written again")
                self._account(step, before)
                self._on_step(step, left)
                return None

    async def _ask(self, source: BlockSource, answer: Awaitable[Answer]) -> Answer:
        """Await a source's answer and count it."""
        metrics = self._metrics
        metrics.requests.labels(source.name).inc()
        failures = metrics.failures.labels(source.name)  # is exported from now on, even if 0
        try:
            result = await answer
        except SourceError:
            failures.inc()
            raise
        metrics.source_up.labels(source.name).set(1)
        metrics.last_success.labels(source.name).set_to_current_time()
        return result

    async def _in_store(self, call: Callable[..., Answer], *arguments: Any) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, call, *arguments)

    def _account(self, step: Step, before: BlockRef | None) -> None:
        self._metrics.blocks.inc(len(step.append) + len(step.stale))
        if step.rollback_to is not None and before is not None:
            depth = before.height - step.rollback_to
            self._metrics.saw_reorg(depth)
            log.warning("reorg: %d block(s) above height %d are stale", depth, step.rollback_to)

    def _failed(self, turn: _Turn, error: SourceError | ProofError) -> None:
        if isinstance(error, ProofError):
            self._metrics.refused.labels(error.reason).inc()
        else:
            self._metrics.source_up.labels(turn.source.name).set(0)
        turn.opened = False
        turn.trouble.again(
            str(error), error.retry_after if isinstance(error, SourceUnavailable) else None
        )
        if self._leader in (None, turn):
            self._leader = None
            self.behind = str(error)


def _want(source: BlockSource, refs: Sequence[BlockRef], tips: Tips) -> Want:
    """Ask for proof of strangers, and of one's own node at the tip; else the cheapest way."""
    at_tip = len(refs) == 1 or refs[-1].height >= tips.best.height - 1
    return Want.PROVED if source.capabilities.public or at_tip else Want.COINBASE


@dataclass(slots=True, eq=False)
class _Turn:
    """A source with its rank (0 is preferred), whether it is open, and its trouble."""

    rank: int
    source: BlockSource
    opened: bool = False
    trouble: Trouble = field(default_factory=partial(Trouble, log))
