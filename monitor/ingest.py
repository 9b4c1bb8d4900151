"""One block's way: hint, headers, blocks, proof, attribution, store, then whoever listens.

The thin shell around `monitor.follower`: it asks the source, writes to the store and turns
to the next source when one fails.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, TypeVar

from monitor.errors import ProofError, SourceError, SourceUnavailable, StoreError
from monitor.exporter import AgentMetrics
from monitor.follower import Apply, Follower, GetBlocks, GetHeaders, GetStored, Offer, Wanted
from monitor.sources.base import BlockRef, BlockSource, Tips, Want
from monitor.store.base import BlockStore, Step

log = logging.getLogger(__name__)

HINT_TIMEOUT: Final = 60.0
"""Seconds after which the tip is looked at without a hint."""
RETRY_FIRST: Final = 1.0
RETRY_LAST: Final = 60.0
COMPLAIN_EVERY: Final = 60.0
"""Seconds between lines about a failure that lasts."""

MAX_HEADERS: Final = 100_000
"""More headers than a follower ever asks the store for."""

Answer = TypeVar("Answer")


class Ingest:
    """Keeps `store` at the tip of the first of `sources` that answers.

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
        self._sources = sources
        self._store = store
        self._follower = follower
        self._metrics = metrics
        self._executor = executor
        self._on_step = on_step
        self._complaint = _Complaint()
        self.behind: str | None = "no source has answered yet"
        """Why the store is not at the source's tip, None when it is."""

    async def run(self) -> None:
        """Follow for ever; only cancellation ends it."""
        delay = RETRY_FIRST
        while True:
            for source in self._sources:
                try:
                    await self._follow(source)
                except (SourceError, ProofError, StoreError) as error:
                    if self.behind is None:
                        delay = RETRY_FIRST
                    self._failed(source, error)
                    if isinstance(error, SourceUnavailable) and error.retry_after:
                        delay = max(delay, error.retry_after)
            await asyncio.sleep(delay)
            delay = min(2 * delay, RETRY_LAST)

    async def _follow(self, source: BlockSource) -> None:
        """Follow one source until it fails."""
        await self._ask(source, source.open())
        while True:
            started = time.perf_counter()
            tips = await self._ask(source, source.tips())
            if await self._catch_up(source, tips):
                self._metrics.processing.observe(time.perf_counter() - started)
            self._recovered(source)
            await source.wait_for_tip_change(HINT_TIMEOUT)

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
                return await self._ask(source, source.blocks(refs, _want(refs, tips)))
            case GetStored(start):
                return await self._in_store(self._store.headers, start, MAX_HEADERS)
            case Apply(step, left):
                before = self._follower.tip
                await self._in_store(self._store.apply, step)
                self._account(step, before)
                self._on_step(step, left)
                return None

    async def _ask(self, source: BlockSource, answer: Awaitable[Answer]) -> Answer:
        """Await a source's answer and count it."""
        metrics = self._metrics
        metrics.requests.labels(source.name).inc()
        try:
            result = await answer
        except SourceError:
            metrics.failures.labels(source.name).inc()
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

    def _failed(self, source: BlockSource, error: Exception) -> None:
        if isinstance(error, ProofError):
            self._metrics.refused.labels(error.reason).inc()
        if isinstance(error, SourceError):
            self._metrics.source_up.labels(source.name).set(0)
        self.behind = str(error)
        self._complaint.about(str(error))

    def _recovered(self, source: BlockSource) -> None:
        self.behind = None
        self._complaint.over(source.name)


def _want(refs: Sequence[BlockRef], tips: Tips) -> Want:
    """At the tip a block is fetched with its proof; far behind it, by the cheapest way."""
    return (
        Want.PROVED if refs[-1].height > tips.best.height - 2 or len(refs) == 1 else Want.COINBASE
    )


class _Complaint:
    """Says a lasting failure once a minute, and once when it is over."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def about(self, text: str) -> None:
        now = time.monotonic()
        if now - self._said.get(text, -COMPLAIN_EVERY) >= COMPLAIN_EVERY:
            self._said = {t: at for t, at in self._said.items() if now - at < COMPLAIN_EVERY}
            self._said[text] = now
            log.warning("%s", text)

    def over(self, source: str) -> None:
        if self._said:
            log.info("following %s again", source)
            self._said.clear()
