"""One block's way: hint, headers, blocks, proof, attribution, store, then whoever listens.

The thin shell around `monitor.follower`: it decides which source leads, waits for its hints,
and turns to another one when it fails or falls behind.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from analyzers.leftout import LeftOut
from monitor.driver import Driver
from monitor.errors import (
    ProofError,
    SourceError,
    SourceRefused,
    SourceStarting,
    SourceUnavailable,
    StoreError,
)
from monitor.exporter import AgentMetrics
from monitor.follower import Follower
from monitor.leftovers import Leftovers
from monitor.sources.base import BlockSource
from monitor.staletips import StaleTips
from monitor.store.base import BlockStore, Step
from monitor.trouble import COMPLAIN_BESIDE, COMPLAIN_EVERY
from monitor.turns import Rank, SourceState, Turn

log = logging.getLogger(__name__)

HINT_TIMEOUT: Final = 60.0
"""Seconds after which the tip is looked at without a hint."""
LOOK_AROUND: Final = 60.0
"""Seconds between looks at a source that does not lead: it may answer again, or be ahead."""
FIRST_LOOK: Final = 5.0
"""Seconds after the start until the sources that do not lead are looked at."""
SLOW: Final = 5.0
"""Seconds of waiting for a source after which the next one in order may lead."""
LIVE: Final = 2
"""Blocks that may be missing in an agent that has caught up: they come as they are found."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A source that is asked only when none before it has answered for `after` seconds."""

    source: BlockSource
    after: float = 0.0


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
    find:
        Called once a minute, in a thread; returns sources that have appeared meanwhile. They
        come after `sources`.
    standby:
        What is asked only when nothing else answers; comes last.
    waits_for:
        What is waited for while there is no source at all.
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
        standby: Sequence[Standby] = (),
        waits_for: str = "a source",
    ) -> None:
        self._follower = follower
        self._metrics = metrics
        self._on_step = on_step
        self._find = find
        self._waits_for = waits_for
        self._driver = Driver(store, follower, metrics, executor, self._stored)
        self._leftovers = Leftovers(metrics)
        self._turns: list[Turn] = []
        self._stale: dict[Turn, StaleTips] = {}
        self._leader: Turn | None = None
        self._former = ""
        self._wake = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._store_error: str | None = None
        self._following = ""
        self._left = 0
        for place, source in enumerate(sources):
            self._add(source, (0, place))
        for place, late in enumerate(standby):
            self._add(late.source, (2, place), late.after)

    @property
    def behind(self) -> str | None:
        """Why the store is not at the tip of the chain, None when it is."""
        if self._store_error is not None:
            return self._store_error
        if self._left > LIVE:
            return f"catching up with {self._following}: {self._left} blocks to go"
        leader = self._leader
        if leader is None:
            return self._waiting()
        answering = [turn for turn in self._turns if turn.answers]
        if all(turn.behind for turn in answering) and self._follower.tip is not None:
            return leader.lag_text(self._follower.tip)
        return None

    def states(self) -> list[SourceState]:
        """Return how the sources are, in the order of preference."""
        return [
            SourceState(
                turn.name,
                turn.answers,
                turn is self._leader,
                turn.tip,
                turn.lag,
                turn.trouble.text,
                self._left_out(turn),
            )
            for turn in self._turns
        ]

    async def run(self) -> None:
        """Follow for ever; only cancellation ends it."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for turn in self._turns:
                self._begin(turn)
            if self._find is not None:
                tasks.create_task(self._keep_finding(self._find))
            await self._lead()

    # -- who leads

    async def _lead(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._round()
            except StoreError as error:
                self._store_error = str(error)
                self._driver.store_trouble.again(str(error))
                await asyncio.sleep(self._driver.store_trouble.left())
                continue
            self._store_error = None
            await self._pause()

    async def _round(self) -> None:
        """Let the leader have its turn, then what is ahead of it; choose anew."""
        leader = self._leader
        if leader is not None and await self._look(leader):
            await self._follow(leader)
        for turn in self._turns:
            if self._is_ahead(turn) and turn is not self._leader:
                await self._follow(turn)
        if self._leader is None:
            await self._find_leader()
        else:
            self._set_leader(self._best())

    async def _find_leader(self) -> None:
        """Ask one source after the other until one answers."""
        for turn in self._turns:
            if turn.trouble.left() > 0 or not self._is_wanted(turn):
                continue
            look = self._look(turn)
            await asyncio.wait({look}, timeout=SLOW)
            if not look.done():
                look.add_done_callback(lambda _look: self._wake.set())
            elif look.result() and await self._follow(turn):
                self._set_leader(turn)
                return

    def _best(self) -> Turn | None:
        """Return the preferred one of those that answer; one that falls behind comes last."""
        answering = [turn for turn in self._turns if turn.answers and not self._is_ahead(turn)]
        return min(answering, key=lambda turn: (turn.lags, turn.rank), default=self._leader)

    def _set_leader(self, turn: Turn | None) -> None:
        if turn is self._leader or turn is None:
            return
        self._leader = turn
        if turn.name != self._former:
            instead = f", no more {self._former}" if self._former else ""
            log.info("following %s%s", turn.name, instead)
        self._former = turn.name
        for other in self._turns:
            self._metrics.leads.labels(other.name).set(other is turn)
            other.nudge.set()
            if other.standby is not None and other.rank > turn.rank and other.opened:
                self._background(self._close(other))

    def _is_ahead(self, turn: Turn) -> bool:
        """Say whether a source has shown a tip that is not followed yet."""
        if not turn.answers or turn.tip is None or turn.trouble.left() > 0:
            return False
        return self._follower.is_news(turn.tip)

    def _is_wanted(self, turn: Turn) -> bool:
        """Say whether a source is to be asked now; not so one that is on standby for others."""
        return turn.standby is None or self._until_wanted(turn) <= 0

    def _until_wanted(self, turn: Turn) -> float:
        alive = max((t.alive_at for t in self._turns if t.rank < turn.rank), default=-1e9)
        return alive + (turn.standby or 0.0) - time.monotonic()

    async def _pause(self) -> None:
        """Return when it is time for another round."""
        leader = self._leader
        if leader is None:
            due = [
                max(turn.trouble.left(), self._until_wanted(turn) if turn.standby else 0.0)
                for turn in self._turns
            ]
            with suppress(TimeoutError):
                async with asyncio.timeout(min(due, default=LOOK_AROUND)):
                    await self._wake.wait()
            return
        most = min(HINT_TIMEOUT, leader.until_judged())
        waits = [
            asyncio.ensure_future(leader.source.wait_for_tip_change(most)),
            asyncio.ensure_future(self._wake.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            ended = await asyncio.gather(*waits, return_exceptions=True)
        for error in ended:
            if isinstance(error, SourceError):
                self._failed(leader, error)
            elif isinstance(error, Exception):
                raise error

    # -- one source

    def _add(self, source: BlockSource, rank: Rank, standby: float | None = None) -> Turn:
        turn = Turn(rank, source, standby)
        self._turns.append(turn)
        self._turns.sort(key=lambda turn: turn.rank)
        self._stale[turn] = StaleTips(turn, self._driver, self._follower, self._metrics)
        return turn

    def _begin(self, turn: Turn) -> None:
        self._background(self._watch(turn))
        self._background(self._stale[turn].run())

    async def _watch(self, turn: Turn) -> None:
        """Look at a source once a minute while another one leads, for ever."""
        turn.due = time.monotonic() + FIRST_LOOK
        while True:
            turn.nudge.clear()
            idle = turn is self._leader or self._leader is None or turn.standby is not None
            try:
                async with asyncio.timeout(None if idle else max(0, turn.due - time.monotonic())):
                    await turn.nudge.wait()
            except TimeoutError:
                if await self._look(turn):
                    pause = min(LOOK_AROUND, turn.until_judged())
                    turn.due = time.monotonic() + pause
                    if self._is_ahead(turn) or self._best() is not self._leader:
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
        self._following = turn.name
        try:
            await self._driver.follow(turn.source, turn.tip)
        except (SourceError, ProofError) as error:
            self._failed(turn, error)
            return False
        finally:
            self._left = 0
        self._is_level(turn)
        return True

    def _is_level(self, turn: Turn) -> None:
        """Take note that a source has nothing that is not stored; judge what it lacks."""
        assert turn.tip is not None
        turn.trouble.over(f"{turn.name} answers again")
        fresh = not turn.lag
        turn.saw_lag(self._follower.lag(turn.tip), self._follower.tip)
        self._metrics.lag.labels(turn.name).set(turn.lag or 0)
        self._leftovers.note(turn.name, self._left_out(turn))
        if turn is self._leader and fresh and turn.lag:
            for other in self._turns:  # is it the source, or the chain?
                other.due = time.monotonic() + other.trouble.left()
                other.nudge.set()

    def _failed(self, turn: Turn, error: SourceError | ProofError) -> None:
        if isinstance(error, ProofError):
            self._metrics.refused.labels(error.reason).inc()
        else:
            self._metrics.source_up.labels(turn.name).set(0)
        if isinstance(error, SourceStarting | SourceRefused | ProofError):
            turn.alive_at = time.monotonic()
        turn.opened = turn.answers = False
        wait = error.retry_after if isinstance(error, SourceUnavailable) else None
        led = self._leader in (None, turn)
        turn.trouble.again(str(error), wait, every=COMPLAIN_EVERY if led else COMPLAIN_BESIDE)
        turn.due = time.monotonic() + turn.trouble.left()
        turn.nudge.set()
        if turn is self._leader:
            self._leader = None
            self._wake.set()

    def _left_out(self, turn: Turn) -> list[LeftOut]:
        return [*turn.source.left_out, *self._stale[turn].left_out]

    def _waiting(self) -> str:
        """Say what is waited for while no source answers."""
        reasons = []
        for turn in self._turns:
            if turn.standby is not None and turn.answers is None:
                continue
            why = turn.trouble.text or "it has not been asked yet"
            reasons.append(why if why.startswith(turn.name) else f"{turn.name}: {why}")
        return "waiting for " + ("; ".join(reasons) or self._waits_for)

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
                self._begin(self._add(source, (1, len(self._turns))))
                self._wake.set()

    def _stored(self, step: Step, left: int) -> None:
        self._left = left
        self._on_step(step, left)
