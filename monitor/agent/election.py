"""Of the agents on one store, one writes; the others follow it, and one takes over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import Final, Protocol, TypeVar

from monitor.errors import StoreChanged, StoreError
from monitor.store.base import BlockStore
from monitor.trouble import Trouble

log = logging.getLogger(__name__)

POLL: Final = 1.0
"""Seconds between two looks of an agent that follows: is there news, is the writer gone?"""
CHECK: Final = 5.0
"""Seconds between two looks of the writer: is it still the one? A store that cannot be used is
tried again as often."""
QUIET: Final = 10.0
"""Seconds without trouble after which it is over."""

Answer = TypeVar("Answer")


class Role(Protocol):
    """What an agent does while it writes, and while it follows."""

    async def write(self) -> None:
        """Keep the store at the tip, for ever."""

    async def catch_up(self) -> None:
        """Take over what another agent has stored."""


class Election:
    """Lets an agent play its `Role`: the writer of `store`, or one that follows the writer.

    `executor` must have one thread, and is where the store is used.
    """

    def __init__(self, store: BlockStore, executor: Executor, role: Role) -> None:
        self._store = store
        self._executor = executor
        self._role = role
        self._trouble = Trouble(log)
        self.writes = False
        """Whether this agent is the writer."""
        self._news = False  # an agent that is the writer from its start, as most are, is none
        self._doubtful = False  # whether to look at the store anew before it is used again
        self.behind: str | None = "the store has not been read yet"
        """Why an agent that follows does not show what is stored, None when it does."""

    async def run(self) -> None:
        """Write and follow in turn, for ever."""
        while True:
            await self._follow()
            self.writes = True
            try:
                await self._write()
                self._news = True
                self.behind = "this agent is cut off from its store; another one may write now"
                log.warning("%s", self.behind)
            except StoreError as error:
                self.behind = str(error)
                self._trouble.failed(self.behind)
            finally:
                self.writes = False
            self._doubtful = True
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        """Return the seconds until the next try, if there is trouble."""
        return min(CHECK, self._trouble.seconds_left())

    async def _write(self) -> None:
        """Write until this agent is the writer no more."""
        tasks = [
            asyncio.create_task(self._role.write()),
            asyncio.create_task(self._until_lost()),
            asyncio.create_task(self._until_touched()),
        ]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                _ = task.cancelled() or task.exception()  # one that failed is enough to hear of

    async def _follow(self) -> None:
        """Show what another agent stores until there is none that writes."""
        shown: Hashable = None
        while True:
            try:
                if self._doubtful:
                    await self._in_store(self._store.renew)
                    self._doubtful = False
                if await self._in_store(self._store.lead):
                    if self._news:
                        log.info("this agent writes to the store now")
                        self._news = False
                    return
                self._news = True
                if shown is None:
                    log.info("another agent writes to the store; this one follows it")
                newest = await self._in_store(self._store.revision)
                if newest != shown:
                    await self._role.catch_up()
                    shown = newest
                self.behind = None
                self._trouble.recovered("the store can be read again")
            except StoreError as error:
                self.behind = str(error)
                self._trouble.failed(self.behind)
                self._doubtful = True
            await asyncio.sleep(max(POLL, self._pause()))

    async def _until_lost(self) -> None:
        while await self._in_store(self._store.leads):  # noqa: ASYNC110 - no event: a far lock
            await asyncio.sleep(CHECK)

    async def _until_touched(self) -> None:
        """Look whether another program changes what is stored.

        Raises
        ------
        StoreChanged
            If one does.
        """
        began = time.monotonic()
        while await self._in_store(self._store.untouched):
            await asyncio.sleep(POLL)
            if time.monotonic() - began > QUIET:
                self._trouble.recovered("the store is used as before")
        raise StoreChanged("another program changed what is in the store; it is read anew")

    async def _in_store(self, call: Callable[[], Answer]) -> Answer:
        """Call on the store's thread; one that is cancelled leaves nothing running there."""
        submitted = self._executor.submit(call)
        running = asyncio.wrap_future(submitted)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            if not submitted.cancel():
                await asyncio.wait([running])
                _ = running.exception()
            raise
