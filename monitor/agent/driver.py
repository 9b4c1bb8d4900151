"""Doing what a plan of the follower wants: asking a source, writing to the store, counting.

Plans of several sources may be under way at a time. They advance, and what they store is
stored, one after the other; only while they wait for a source do others go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, TypeVar

from hashing.header import BlockRef
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
    Wanted,
)
from monitor.errors import SourceError, StoreError
from monitor.metrics.exporter import AgentMetrics
from monitor.sources.base import BlockSource, Want
from monitor.sources.each import each_block
from monitor.store.base import BlockStore, Step
from monitor.trouble import Trouble

log = logging.getLogger(__name__)

MAX_HEADERS: Final = 100_000
"""More headers than a follower ever asks the store for."""

Answer = TypeVar("Answer")


class Driver:
    """Carries out the plans of `follower`.

    `elsewhere` asks another source for blocks; `on_step` is called after each stored step with
    it and the blocks still to come; `executor` must have one thread, and is where the store is
    used.
    """

    def __init__(
        self,
        *,
        store: BlockStore,
        follower: Follower,
        metrics: AgentMetrics,
        executor: Executor,
        on_step: Callable[[Step, int], None],
        elsewhere: Callable[[GetElsewhere], Awaitable[Any]],
    ) -> None:
        self._store = store
        self._follower = follower
        self._metrics = metrics
        self._executor = executor
        self._on_step = on_step
        self._elsewhere = elsewhere
        self._advancing = asyncio.Lock()
        self.store_trouble = Trouble(log)
        """Of the store; over as soon as a step is stored."""
        self.steps = 0
        """How many steps were stored."""

    async def follow(self, source: BlockSource, tip: BlockRef) -> None:
        """Bring the store to `tip`, by what `source` has.

        Raises
        ------
        SourceError, ProofError, StoreError
            As the follower's plan ends.
        """
        started, before = time.perf_counter(), self.steps
        plan = self._follower.follow(_offer(source), tip)
        await self._carry_out(source, plan, tip, partial(self.ask, source))
        if self.steps != before:
            self._metrics.processing.observe(time.perf_counter() - started)

    async def branch(
        self, source: BlockSource, ref: BlockRef, ask: Callable[[Awaitable[Any]], Awaitable[Any]]
    ) -> None:
        """Store the stale branch that ends with `ref`; `ask` awaits the source's answers.

        Raises as `follow` does.
        """
        await self._carry_out(source, self._follower.branch(_offer(source), ref), ref, ask)

    async def ask(self, source: BlockSource, answer: Awaitable[Answer]) -> Answer:
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

    async def _carry_out(
        self,
        source: BlockSource,
        plan: Plan,
        tip: BlockRef,
        ask: Callable[[Awaitable[Any]], Awaitable[Any]],
    ) -> None:
        advance: Callable[[], Wanted] = partial(next, plan)
        while True:
            async with self._advancing:
                wanted = await self._until_asked(plan, advance)
            if wanted is None:
                return
            try:
                if isinstance(wanted, GetElsewhere):
                    answer = await self._elsewhere(wanted)
                else:
                    answer = await ask(_answer(source, tip, wanted))
            except SourceError as error:
                advance = partial(plan.throw, error)
            else:
                advance = partial(plan.send, answer)

    async def _until_asked(
        self, plan: Plan, advance: Callable[[], Wanted]
    ) -> GetHeaders | GetBlocks | GetElsewhere | None:
        """Advance `plan`, doing what it wants of the agent, until it wants something of a source.

        None at its end.
        """
        while True:
            try:
                wanted = advance()
            except StopIteration:
                return None
            if isinstance(wanted, GetHeaders | GetBlocks | GetElsewhere):
                return wanted
            try:
                answer = await self._do(wanted)
            except StoreError as error:
                advance = partial(plan.throw, error)
            else:
                advance = partial(plan.send, answer)

    async def _do(self, wanted: GetStored | Apply | Refuse | Say) -> list[bytes] | None:
        match wanted:
            case GetStored(start):
                return await self._in_store(self._store.headers, start, MAX_HEADERS)
            case Apply(step, left):
                before = self._follower.tip
                await self._in_store(self._store.apply, step)
                self.steps += 1
                self.store_trouble.recovered("the store can be written again")
                self._account(step, before)
                self._on_step(step, left)
            case Refuse(error):
                self._metrics.refused.labels(error.reason).inc()
                log.warning("%s", error)
            case Say(text, warning):
                log.log(logging.WARNING if warning else logging.INFO, "%s", text)
        return None

    async def _in_store(self, call: Callable[..., Answer], *arguments: Any) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, call, *arguments)

    def _account(self, step: Step, before: BlockRef | None) -> None:
        self._metrics.blocks.inc(len(step.append) + len(step.stale))
        if step.rollback_to is not None and before is not None:
            depth = before.height - step.rollback_to
            self._metrics.saw_reorg(depth)
            log.warning("reorg: %d block(s) above height %d are stale", depth, step.rollback_to)


def _offer(source: BlockSource) -> Offer:
    return Offer(source.name, source.capabilities)


async def _answer(source: BlockSource, tip: BlockRef, wanted: GetHeaders | GetBlocks) -> Any:
    if isinstance(wanted, GetHeaders):
        return await source.headers(wanted.start, wanted.count)
    return await each_block(source, wanted.refs, _want(source, wanted.refs, tip))


def _want(source: BlockSource, refs: Sequence[BlockRef], tip: BlockRef) -> Want:
    """Ask for proof of strangers, and of one's own node at the tip; else the cheapest way."""
    at_tip = len(refs) == 1 or refs[-1].height >= tip.height - 1
    return Want.PROVED if source.capabilities.public or at_tip else Want.COINBASE
