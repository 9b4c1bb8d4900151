"""Reads of the store for the web: off the event loop, one at a time, never piling up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from monitor.store.base import BlockStore
from monitor.web.errors import ApiError

MAX_WAITING: Final = 256
"""Reads that may wait at once; more are refused, so that nobody can pile them up."""

Result = TypeVar("Result")


class Reader:
    """Runs reads on a thread of their own; the agent's writes never wait for them.

    Equal reads that are asked for at the same time are done once.
    """

    def __init__(self, store: BlockStore | None) -> None:
        self._store = store
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="web")
        self._running: dict[Hashable, asyncio.Future[Any]] = {}

    def close(self) -> None:
        """Finish the read that runs and refuse the others."""
        self._executor.shutdown(cancel_futures=True)

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
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= MAX_WAITING:
                raise ApiError(503, "too many requests for stored blocks; try again in a moment")
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._executor, call, self._store)
            self._running[key] = running
            running.add_done_callback(lambda done: self._forget(key, done))
        result: Result = await asyncio.shield(running)
        return result

    def _forget(self, key: Hashable, done: asyncio.Future[Any]) -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever asked may be gone; nobody else need hear of it
