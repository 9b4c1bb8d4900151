"""The agent: what it is made of, and how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from analyzers.attribution import attribute
from analyzers.model import Attribution, Label
from analyzers.registry import Registry
from analyzers.registry.lenses import TAG_LENS, Lens, load_lenses
from hashing.errors import HashingError
from hashing.params import NETWORKS
from hashing.wire import CoinbaseTx
from monitor.agent.choose import Choice, choose_sources, until_live
from monitor.agent.election import Election
from monitor.agent.follower import Follower
from monitor.agent.ingest import Ingest
from monitor.agent.notify import Supervisor
from monitor.agent.turns import SourceState
from monitor.analysis import KEPT, RECENT, Analysis, Origin, Totals
from monitor.config import Settings, store_url
from monitor.errors import ConfigError, StoreError
from monitor.metrics.exporter import AgentMetrics, Exporter
from monitor.relabel import registry_of, relabel
from monitor.snapshot import Board
from monitor.store.base import BlockStore, Step, StoredBlock
from monitor.store.sql import open_store
from monitor.watch.base import Watcher
from monitor.watch.localrate import LocalRateWatcher
from monitor.watch.price import PriceWatcher
from monitor.watch.supervise import Health, Supervised
from monitor.web.server import WebContext, WebServer

log = logging.getLogger(__name__)

PAUSE: Final = 0.25
"""Seconds between snapshots while catching up: each takes some hundredths of one."""


class Progress(Protocol):
    """Where catching up is shown: blocks stored now, blocks still to come."""

    def __call__(self, stored: int, left: int) -> None:
        """Take note of a step."""


async def run(settings: Settings, progress: Progress) -> None:
    """Run the agent until SIGINT or SIGTERM stops it.

    Raises
    ------
    PoolscopeError
        If it cannot start: settings, store, address.
    """
    life = asyncio.ensure_future(_live(settings, progress))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, life.cancel)
    try:
        await life
    except asyncio.CancelledError:
        log.info("stopped")


class _LiveChain(Exception):
    """A source of the live chain answers, while the sample is shown for want of one."""


async def _live(settings: Settings, progress: Progress) -> None:
    """Run for ever; begin anew when the sample can be left for the live chain."""
    supervisor = Supervisor.from_environment()
    try:
        while True:
            try:
                await _run_once(settings, progress, supervisor)
            except* _LiveChain as found:
                name = found.exceptions[0]
                log.info("source: %s answers; leaving the sample for the live chain", name)
    finally:
        supervisor.tell("STOPPING=1", "STATUS=stopping")


async def _run_once(settings: Settings, progress: Progress, supervisor: Supervisor) -> None:
    """Set up in order, run, and take down in the opposite order when cancelled.

    Raises
    ------
    ExceptionGroup
        Of `_LiveChain`, if this was the sample for want of something better.
    """
    async with AsyncExitStack() as stack:
        choice = await _choose(settings)
        stack.push_async_callback(_close, choice)
        store = stack.enter_context(closing(_open(settings, choice)))
        store.lead()  # where one agent has a store to itself, a second one ends here
        executor = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="store"))
        agent = Agent(settings, choice, store, executor, progress)
        reading = stack.enter_context(closing(_open(settings, choice, read_only=True)))
        server = await stack.enter_async_context(
            WebServer(agent.web_context(reading), settings.web)
        )
        log.info("serving %s", server.url)
        # Catching up may take hours, so what is started is not yet what /-/ready means.
        supervisor.tell("READY=1")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(agent.run())
            tasks.create_task(supervisor.keep_informed(agent.status))
            for watched in agent.watched:
                tasks.create_task(watched.run())
            if choice.makeshift:
                tasks.create_task(_leave_sample(settings))


async def _close(choice: Choice) -> None:
    for source in choice.all:
        await source.close()


async def _leave_sample(settings: Settings) -> None:
    """Wait for a source of the live chain.

    Raises
    ------
    _LiveChain
        As soon as one answers.
    """
    raise _LiveChain(await until_live(settings))


async def _choose(settings: Settings) -> Choice:
    """Choose the sources, knowing what the stores of this data directory hold."""
    reached = {}
    for synthetic in ("", "sample", "rehearsal"):
        network = "regtest" if synthetic == "rehearsal" else settings.network
        try:
            with closing(
                open_store(
                    store_url(settings, synthetic), network, synthetic=synthetic, read_only=True
                )
            ) as store:
                if tip := store.tip():
                    reached[synthetic] = tip
        except StoreError:
            continue  # none yet; opening it to write says what else is wrong
    return await choose_sources(settings, live_store="" in reached, reached=reached)


def _open(settings: Settings, choice: Choice, *, read_only: bool = False) -> BlockStore:
    network = "regtest" if choice.synthetic == "rehearsal" else settings.network
    return open_store(
        store_url(settings, choice.synthetic),
        network,
        synthetic=choice.synthetic,
        read_only=read_only,
    )


def _watchers(settings: Settings) -> Iterator[Watcher]:
    """Yield what is to be watched beside the chain."""
    if settings.hashrate.enabled:
        yield LocalRateWatcher(settings.hashrate)
    if settings.economics.price_url or settings.economics.price_usd:
        yield PriceWatcher(settings)


def _chosen_lenses(settings: Settings) -> dict[str, Lens]:
    known = load_lenses()
    chosen = dict.fromkeys((TAG_LENS.name, *settings.lenses))
    if missing := [name for name in chosen if name not in known]:
        raise ConfigError(
            f"setting lenses: there is no lens {missing[0]!r}; known: {', '.join(known)}"
        )
    return {name: known[name] for name in chosen}


def _relabel_if_changed(
    store: BlockStore,
    registry: Registry,
    told: Callable[[int, int], None] = lambda _done, _blocks: None,
) -> None:
    """Attribute anew what another registry attributed, whichever blocks that are.

    `told` is called from time to time with the blocks that are done, and with all of them.
    """
    others = store.registries() - {registry.version}
    if not others:
        return
    known = store.by_registry()
    blocks = sum(known.values())
    log.info(
        "the registry is %s; attributing anew %d of %d stored blocks, which were under %s",
        registry.version[:16],
        blocks - known.get(registry.version, 0),
        blocks,
        ", ".join(sorted(version[:16] for version in others)),
    )
    done = changed = 0
    for part in relabel(store, registry):
        done += part.blocks
        changed += len(part.moved)
        told(done, blocks)
    log.info("%d blocks changed their pool; their former ones are kept", changed)


@contextmanager
def _damage_said() -> Iterator[None]:
    """Turn what stored bytes should never raise into an error that says what to do."""
    try:
        yield
    except HashingError as error:
        raise StoreError(
            f"a stored block is damaged ({error}); move the store away and run again, or restore "
            "a backup"
        ) from None


@dataclass(frozen=True, slots=True)
class _Attribute:
    """Attribution with the registry that is in use."""

    registry: Registry

    def __call__(
        self, coinbase: CoinbaseTx | None, height: int, label: Label | None
    ) -> Attribution:
        return attribute(coinbase, self.registry, height=height, label=label)


class Agent:
    """The parts, put together: each stored step becomes a snapshot."""

    def __init__(
        self,
        settings: Settings,
        choice: Choice,
        store: BlockStore,
        executor: ThreadPoolExecutor,
        progress: Progress,
    ) -> None:
        self._params = NETWORKS[store.network]
        self._registry = registry_of(settings.registry)
        for left in self._registry.left_out:
            log.warning("%s: %s", settings.registry, left)
        self._lenses = _chosen_lenses(settings)
        self._settings = settings
        self._choice = choice
        self._store = store
        self._executor = executor
        self._progress = progress
        self._analysis = Analysis(
            Origin(
                self._params,
                choice.synthetic,
                self._registry.version,
                len(self._registry),
                self._lenses,
                self._registry.as_of,
            ),
            self._last_blocks,
        )
        self._anew = (0, 0)  # blocks that are attributed anew: those done, and all
        self._others: dict[str, int] = {}  # blocks by the other registries that attributed them
        self._spoken_of: set[str] = set()  # those of them that the log tells of
        self._load()
        self.metrics = AgentMetrics()
        with _damage_said():
            self.board = Board(self._analysis.snapshot(self._totals, time.time()))
        self.watched = [
            Supervised(watcher, self.board.observed, self.metrics)
            for watcher in _watchers(settings)
        ]
        self._exporter = Exporter(self.board, self.metrics, settings.economics)
        self._election = Election(store, executor, self)
        self._ingest: Ingest | None = None
        self._due: asyncio.TimerHandle | None = None
        self.metrics.ready.set_function(lambda: float(not self._missing()))
        self.metrics.writer.set_function(lambda: float(self._election.writes))

    async def run(self) -> None:
        """Be the writer of the store, or follow the one that is, for ever."""
        await self._election.run()

    async def write(self) -> None:
        """Keep the store at the tip, for ever."""
        loop = asyncio.get_running_loop()
        self._anew = (0, 0)
        await loop.run_in_executor(self._executor, self._take_over)
        await self.catch_up()
        tip, first = self._store.tip(), self._store.first_height()
        sources, place = self._choice.in_order()
        self._ingest = Ingest(
            sources,
            find=self._choice.find,
            find_before=place,
            standby=self._choice.standby,
            store=self._store,
            follower=Follower(
                self._params,
                _Attribute(self._registry),
                self._settings.catch_up,
                None if tip is None or first is None else (first, tip),
                time.time,
            ),
            metrics=self.metrics,
            executor=self._executor,
            on_step=self._stored,
        )
        try:
            await self._ingest.run()
        finally:
            self._ingest = None

    def _take_over(self) -> None:
        """Make what is stored this agent's own; whoever changes it from now on is noticed."""

        def told(done: int, blocks: int) -> None:
            self._anew = done, blocks

        self._store.watch()
        _relabel_if_changed(self._store, self._registry, told)

    async def catch_up(self) -> None:
        """Show what is stored, whoever stored it."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._load)
        with _damage_said():
            self._publish()
        if new := self._others.keys() - self._spoken_of:
            log.warning(
                "the agent that writes attributes blocks by another registry (%s) than this one "
                "(%s); give all agents of a store the same registry",
                ", ".join(sorted(version[:16] for version in new)),
                self._registry.version[:16],
            )
        self._spoken_of = set(self._others)

    def web_context(self, reading: BlockStore) -> WebContext:
        """Return what the web server reads; `reading` is a store connection of its own."""
        return WebContext(
            self.board,
            self._exporter,
            self._missing,
            store=reading,
            metrics=self.metrics,
            registry=self._registry,
            lenses=self._lenses,
            sources=self._source_states,
            watchers=self._watchers_health,
        )

    def _source_states(self) -> Sequence[SourceState]:
        return self._ingest.states() if self._ingest else ()

    def _watchers_health(self) -> list[Health]:
        return [watched.health for watched in self.watched]

    def status(self) -> str:
        """Say in a few words how the agent is."""
        tip = self.board.snapshot.tip
        at = f"at block {tip.height}" if tip else "no block yet"
        return "; ".join([at, *self._missing()])

    def _last_blocks(self) -> Iterator[StoredBlock]:
        tip = self._store.tip()
        return self._store.blocks(tip.height - KEPT + 1, tip.height + 1) if tip else iter(())

    def _missing(self) -> list[str]:
        if self._ingest:
            behind = self._ingest.behind
        elif self._election.writes:
            done, blocks = self._anew
            behind = "stored blocks are being attributed anew" + (
                f": {done} of {blocks} are done" if blocks else ""
            )
        else:
            empty = None if self.board.snapshot.tip else "the writer has stored no block yet"
            behind = self._election.behind or empty
        return [behind] if behind else []

    def _load(self) -> None:
        own = self._registry.version
        known = self._store.by_registry() if self._store.registries() - {own} else {}
        self._others = {version: blocks for version, blocks in known.items() if version != own}
        self._count()
        with _damage_said():
            self._analysis.load(self._store.stale_blocks(RECENT))

    def _count(self) -> None:
        counts = self._store.counts()
        self._totals = Totals(
            counts.reorgs,
            counts.deepest_reorg,
            counts.stale,
            counts.header_only,
            sum(self._others.values()),
        )

    def _stored(self, step: Step, left: int) -> None:
        if step.rollback_to is not None or step.stale or any(b.header_only for b in step.append):
            self._count()
        self._analysis.apply(step)
        self._progress(len(step.append), left)
        more_to_come = left > 0 or not step.append
        if more_to_come and self._ingest and self._ingest.behind:
            self._due = self._due or asyncio.get_running_loop().call_later(PAUSE, self._publish)
        else:
            self._publish()

    def _publish(self) -> None:
        if self._due:
            self._due.cancel()
            self._due = None
        self.board.publish(self._analysis.snapshot(self._totals, time.time()))
        self._exporter.refresh()
