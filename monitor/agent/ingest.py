"""One block's way: hint, headers, blocks, proof, attribution, store, then whoever listens.

The thin shell around `monitor.agent.follower`: it asks the sources for their tips, lets the best
one lead, waits for its hints, and turns to another one when it fails or falls behind.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Final, TypeVar

from analyzers.leftout import LeftOut
from monitor.agent.driver import Driver
from monitor.agent.follower import Follower
from monitor.agent.leftovers import Leftovers
from monitor.agent.roster import Roster, Standby
from monitor.agent.staletips import StaleTips
from monitor.agent.turns import SourceState, Turn
from monitor.agent.wanted import GetElsewhere, Offer
from monitor.errors import (
    NotFound,
    ProofError,
    SourceError,
    SourceStarting,
    SourceUnavailable,
    StoreChanged,
    StoreError,
)
from monitor.metrics.exporter import AgentMetrics
from monitor.sources.base import BlockSource, SourceBlock, Want
from monitor.sources.each import each_block
from monitor.store.base import BlockStore, Step
from monitor.trouble import COMPLAIN_BESIDE, COMPLAIN_EVERY

log = logging.getLogger(__name__)

HINT_TIMEOUT: Final = 60.0
"""Seconds after which the tip is looked at without a hint."""
LOOK_AROUND: Final = 60.0
"""Seconds between looks at a source that does not lead: it may answer again, or be ahead."""
FIRST_LOOK: Final = 5.0
"""Seconds after the start until the sources that do not lead are looked at."""
SLOW: Final = 5.0
"""Seconds of waiting for a source after which the next one in order may lead."""
PATIENCE: Final = 60.0
"""Seconds to wait for other sources that do not answer, for blocks that the leader lacks."""
LIVE: Final = 2
"""Blocks that may be missing in an agent that has caught up: they come as they are found."""

Answer = TypeVar("Answer")


class Ingest:
    """Keeps `store` at the tip with the most work that the sources show.

    The first source in the order of preference that answers and lacks nothing of what is
    stored leads: its hints are waited for. Every other one is looked at once a minute, beside
    the chain, whether it answers or not: it may be better, or ahead, or level again.

    Parameters
    ----------
    sources:
        What is asked, the preferred one first.
    find, find_before:
        Called once a minute, in a thread; returns sources that have appeared meanwhile. They
        come before the source at that place of `sources`.
    standby:
        What is asked only when nothing else answers; comes last.
    on_step:
        Called after each stored step with it and the blocks still to come.
    executor:
        Must have one thread, and is where the store is used.
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
        find: Callable[[], Sequence[BlockSource]] | None = None,
        find_before: int = 0,
        standby: Sequence[Standby] = (),
    ) -> None:
        self._follower = follower
        self._metrics = metrics
        self._on_step = on_step
        self._find, self._found = find, (find_before - 0.5, 0)
        self._driver = Driver(
            store=store,
            follower=follower,
            metrics=metrics,
            executor=executor,
            on_step=self._stored,
            elsewhere=self._elsewhere,
        )
        self._roster = Roster(follower)
        self._leftovers = Leftovers(metrics)
        self._stale: dict[Turn, StaleTips] = {}
        self._wake = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._store_error: str | None = None
        self._former = ""  # who led last
        self._following = ""
        self._left = 0
        self._patience = PATIENCE
        for place, source in enumerate(sources):
            self._roster.add(source, (place, 0))
        for place, late in enumerate(standby):
            self._roster.add(late.source, (len(sources) + place, 0), late.after)

    @property
    def behind(self) -> str | None:
        """Why the store is not at the tip of the chain, None when it is."""
        if self._store_error is not None:
            return self._store_error
        if self._left > LIVE:
            return f"catching up with {self._following}: {self._left} blocks to go"
        return self._roster.behind()

    def states(self) -> list[SourceState]:
        """Return how the sources are, in the order of preference."""
        leader = self._roster.leader
        return [
            turn.state(leads=turn is leader, left_out=self._left_out(turn))
            for turn in self._roster.turns
        ]

    async def run(self) -> None:
        """Follow for ever; only cancellation ends it, or a store that another program changed.

        Raises
        ------
        StoreChanged
            If what is stored is not what the follower takes it for: begin anew from the store.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for turn in self._roster.turns:
                    self._begin(turn)
                if self._find is not None:
                    tasks.create_task(self._keep_finding(self._find))
                await self._lead()
        except BaseExceptionGroup as group:
            changed, others = group.split(StoreChanged)
            if changed is None or others is not None:
                raise
            raise changed.exceptions[0] from None
        finally:
            for turn in self._roster.turns:  # another agent may write now
                self._metrics.forget_source(turn.name)

    # -- who leads

    async def _lead(self) -> None:
        trouble = self._driver.store_trouble
        while True:
            self._wake.clear()
            try:
                await self._round()
            except StoreChanged:
                raise
            except StoreError as error:
                self._store_error = str(error)
                trouble.failed(self._store_error)
                await asyncio.sleep(trouble.seconds_left())
                continue
            self._store_error = None
            await self._pause()

    async def _round(self) -> None:
        """Let the leader have its turn, then what is ahead of it; choose anew."""
        roster = self._roster
        if roster.leader is not None and await self._look(roster.leader):
            await self._follow(roster.leader)
        for turn in list(roster.turns):
            if roster.is_ahead(turn) and turn is not roster.leader:
                await self._follow(turn)
        if roster.leader is None:
            await self._find_leader()
        elif best := roster.best():
            self._let_lead(best)

    async def _find_leader(self) -> None:
        """Ask one source after the other until one answers."""
        for turn in list(self._roster.turns):
            if self._roster.until_wanted(turn) > 0:
                continue
            look = self._look(turn)
            await asyncio.wait({look}, timeout=SLOW)
            if not look.done():
                look.add_done_callback(lambda _look: self._wake.set())
            elif look.result() and await self._follow(turn):
                self._let_lead(turn)
                return

    def _let_lead(self, turn: Turn) -> None:
        if turn is self._roster.leader:
            return
        self._roster.leader = turn
        if turn.name != self._former:
            instead = f", no more {self._former}" if self._former else ""
            log.info("following %s%s", turn.name, instead)
        self._former = turn.name
        for other in self._roster.turns:
            self._metrics.leads.labels(other.name).set(other is turn)
            other.nudge.set()
            if other.standby is not None and other.rank > turn.rank and other.opened:
                self._background(self._close(other))

    async def _pause(self) -> None:
        """Return when it is time for another round."""
        leader = self._roster.leader
        if leader is None:
            waits = [self._roster.until_wanted(turn) for turn in self._roster.turns]
            with suppress(TimeoutError):
                async with asyncio.timeout(min(waits, default=LOOK_AROUND)):
                    await self._wake.wait()
            return
        most = min(HINT_TIMEOUT, leader.until_judged())
        hint = asyncio.ensure_future(leader.source.wait_for_tip_change(most))
        wake = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({hint, wake}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hint.cancel()
            wake.cancel()
            await asyncio.wait({hint, wake})
        if not hint.cancelled() and (error := hint.exception()):
            if not isinstance(error, SourceError):
                raise error
            self._failed(leader, error)

    # -- one source

    def _begin(self, turn: Turn) -> None:
        """Look at a source and its stale tips from now on."""

        def note() -> None:
            self._leftovers.note(turn.name, self._left_out(turn))

        stale = StaleTips(turn, self._driver, self._follower, self._metrics, note)
        self._stale[turn] = stale
        self._background(self._watch(turn))
        self._background(stale.run())

    async def _watch(self, turn: Turn) -> None:
        """Look at a source once a minute while another one leads, for ever."""
        turn.due = time.monotonic() + FIRST_LOOK
        while True:
            turn.nudge.clear()
            idle = self._roster.leader in (None, turn) or turn.standby is not None
            try:
                async with asyncio.timeout(None if idle else max(0, turn.due - time.monotonic())):
                    await turn.nudge.wait()
            except TimeoutError:
                if await self._look(turn):
                    turn.due = time.monotonic() + min(LOOK_AROUND, turn.until_judged())
                    if self._roster.is_ahead(turn) or self._roster.best() is turn:
                        self._wake.set()

    def _look(self, turn: Turn) -> asyncio.Task[bool]:
        """Look at a source's tip; a look that is under way is joined."""
        if turn.looking is None or turn.looking.done():
            turn.looking = self._background(self._see(turn))
        return turn.looking

    async def _see(self, turn: Turn) -> bool:
        """Open a source if need be and take note of its tip; return whether it answered."""
        source = turn.source
        try:
            if not turn.opened:
                await self._driver.ask(source, source.open())
                turn.opened = True
            turn.tip = await self._driver.ask(source, source.tip())
        except SourceError as error:
            self._failed(turn, error)
            return False
        turn.answers, turn.alive_at = True, time.monotonic()
        self._metrics.tip_height.labels(turn.name).set(turn.tip.height)
        if not self._follower.is_news(turn.tip):
            self._is_level(turn)
        return True

    async def _follow(self, turn: Turn) -> bool:
        """Bring the store to the tip that a source has shown; return whether it could."""
        assert turn.tip is not None
        self._following, self._patience = turn.name, PATIENCE
        try:
            await self._driver.follow(turn.source, turn.tip)
        except (SourceError, ProofError) as error:
            self._failed(turn, error)
            return False
        finally:
            self._left = 0
        self._is_level(turn)
        return True

    async def _elsewhere(
        self, wanted: GetElsewhere
    ) -> tuple[Offer, list[SourceBlock | NotFound]] | None:
        """Ask the next source that was not asked yet for blocks; None if none is left.

        One that does not answer now is waited for, `PATIENCE` seconds in all since one has.
        """
        others = self._roster.elsewhere(wanted.asked)
        while others:
            turn = min(others, key=lambda turn: turn.trouble.seconds_left())
            pause = turn.trouble.seconds_left()
            if pause > self._patience:
                return None
            self._patience -= pause
            await asyncio.sleep(pause)
            try:
                if turn.opened or await self._look(turn):
                    ask = each_block(turn.source, wanted.refs, Want.PROVED)
                    blocks = await self._driver.ask(turn.source, ask)
                    turn.answer(f"{turn.name} answers again")
                    self._patience = PATIENCE
                    return Offer(turn.name, turn.source.capabilities), blocks
            except SourceError as error:
                self._failed(turn, error)
            if not isinstance(turn.error, SourceUnavailable):
                others.remove(turn)
        return None

    def _is_level(self, turn: Turn) -> None:
        """Take note that a source has nothing that is not stored; judge what it lacks."""
        assert turn.tip is not None
        turn.answer(f"{turn.name} answers again")
        had_all = not turn.lag
        turn.saw_lag(self._follower.lag(turn.tip), self._follower.tip)
        self._metrics.lag.labels(turn.name).set(turn.lag or 0)
        self._leftovers.note(turn.name, self._left_out(turn))
        if turn is self._roster.leader and had_all and turn.lag:
            for other in self._roster.turns:  # is it the source, or the chain?
                other.due = time.monotonic() + other.trouble.seconds_left()
                other.nudge.set()

    def _failed(self, turn: Turn, error: SourceError | ProofError) -> None:
        if isinstance(error, ProofError):
            self._metrics.refused.labels(error.reason).inc()
        else:
            self._metrics.source_up.labels(turn.name).set(0)
        if isinstance(error, SourceStarting):
            turn.alive_at = time.monotonic()
        led = self._roster.leader in (None, turn)
        turn.fail(error, COMPLAIN_EVERY if led else COMPLAIN_BESIDE)
        turn.nudge.set()
        if turn is self._roster.leader:
            self._roster.leader = None
            self._wake.set()

    def _left_out(self, turn: Turn) -> list[LeftOut]:
        stale = self._stale.get(turn)
        return [*turn.source.left_out, *(stale.left_out if stale else ())]

    async def _close(self, turn: Turn) -> None:
        turn.opened, turn.answers = False, None
        await turn.source.close()

    # -- what goes on beside

    def _background(self, work: Coroutine[Any, Any, Answer]) -> asyncio.Task[Answer]:
        assert self._tasks is not None
        return self._tasks.create_task(work)

    async def _keep_finding(self, find: Callable[[], Sequence[BlockSource]]) -> None:
        """Take in sources that appear while the agent runs, for ever."""
        while True:
            await asyncio.sleep(LOOK_AROUND)
            for source in await asyncio.to_thread(find):
                self._found = self._found[0], self._found[1] + 1
                self._begin(self._roster.add(source, self._found))
                self._wake.set()

    def _stored(self, step: Step, left: int) -> None:
        self._left = left
        self._on_step(step, left)
