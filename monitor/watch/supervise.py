"""Running watchers: begun anew when they fail, ever later; said once when it begins and ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from monitor.errors import PoolscopeError
from monitor.metrics.exporter import AgentMetrics
from monitor.trouble import Standing
from monitor.watch.base import Part, Watcher

log = logging.getLogger(__name__)

_FAILURES = (PoolscopeError, OSError, ValueError, TimeoutError)
"""What a watcher may meet; anything else is a fault of ours, and its traceback is logged."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a watcher is: `up` is None until it has observed something or failed.

    `trouble` says why it fails, and is empty while it does not.
    """

    name: str
    up: bool | None
    trouble: str


class Supervised:
    """A watcher that runs for ever, whatever happens to it.

    Parameters
    ----------
    publish:
        Takes the watcher's name and what it observed.
    """

    def __init__(
        self, watcher: Watcher, publish: Callable[[str, Part], None], metrics: AgentMetrics
    ) -> None:
        self._watcher = watcher
        self._publish = publish
        self._up = metrics.watcher_up.labels(watcher.name)
        self._failures = metrics.watcher_failures.labels(watcher.name)
        self._standing = Standing(log)
        self._pause = watcher.retry[0]
        self.health = Health(watcher.name, None, "")

    async def run(self) -> None:
        """Watch until there is nothing to watch; only cancellation ends it otherwise."""
        watcher = self._watcher
        while True:
            try:
                await watcher.open()
                await watcher.run(self._observed)
            except _FAILURES as error:
                self._failed(str(error) or type(error).__name__)
            except Exception as error:  # a fault of ours, in what may not stop the chain
                if not self.health.trouble:
                    log.exception("%s", watcher.what)
                self._failed(f"a fault of poolscope itself ({type(error).__name__})")
            else:
                return
            finally:
                with suppress(*_FAILURES):
                    await watcher.close()
            pause, self._pause = self._pause, min(2 * self._pause, watcher.retry[1])
            await asyncio.sleep(pause)

    def _observed(self, part: Part, *, partial: bool = False) -> None:
        self._publish(self._watcher.name, part)
        if partial:
            return
        self._pause = self._watcher.retry[0]
        self._up.set(1)
        self.health = Health(self._watcher.name, True, "")
        self._standing.ended(f"{self._watcher.what}: it is observed again")

    def _failed(self, why: str) -> None:
        self._up.set(0)
        self._failures.inc()
        self.health = Health(self._watcher.name, False, why)
        self._standing.began(
            f"{self._watcher.what}: {why}; it is tried again, ever later (nothing else waits)"
        )
