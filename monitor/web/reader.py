"""Work of the web off the event loop: one piece at a time on a thread, never piling up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from monitor.errors import StoreChanged
from monitor.store.base import BlockStore
from monitor.web.errors import ApiError

MAX_WAITING: Final = 256
"""Reads that may wait at once; more are refused, so that nobody can pile them up."""

Result = TypeVar("Result")


class Worker:
    """Does what is asked on a thread of its own; equal questions of the same time are one.

    At most `most` may wait: those that take longer hold up the others less.
    """

    def __init__(self, name: str, most: int) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._most = most
        self._running: dict[Hashable, asyncio.Future[Any]] = {}

    def close(self) -> None:
        """Finish what runs and refuse the rest."""
        self._executor.shutdown(cancel_futures=True)

    async def run(self, key: Hashable, call: Callable[[], Result]) -> Result:
        """Return ``call()``; what is asked with equal `key` shares one call.

        Raises
        ------
        ApiError
            If too many wait.
        """
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= self._most:
                raise ApiError(503, "too many such requests wait; try again in a moment")
            running = asyncio.get_running_loop().run_in_executor(self._executor, call)
            self._running[key] = running
            running.add_done_callback(lambda done: self._forget(key, done))
        result: Result = await asyncio.shield(running)
        return result

    def _forget(self, key: Hashable, done: asyncio.Future[Any]) -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever asked may be gone; nobody else need hear of it


class Reader:
    """Reads the store; the agent's writes never wait for it."""

    def __init__(self, store: BlockStore | None) -> None:
        self._store = store
        self._worker = Worker("web", MAX_WAITING)

    def close(self) -> None:
        """Finish the read that runs and refuse the others."""
        self._worker.close()

    async def read(self, key: Hashable, call: Callable[[BlockStore], Result]) -> Result:
        """Return ``call(store)``; reads of equal `key` share one call.

        Raises
        ------
        ApiError
            If there is no store, or too many reads wait.
        StoreError
            If the store cannot be read.
        """
        if self._store is None:
            raise ApiError(503, "this agent gives the web no access to its store")
        return await self._worker.run(key, partial(_read, self._store, call))


def _read(store: BlockStore, call: Callable[[BlockStore], Result]) -> Result:
    """Return ``call(store)``; of a store that was replaced, what takes its place is asked."""
    try:
        return call(store)
    except StoreChanged:
        store.renew()
        return call(store)
