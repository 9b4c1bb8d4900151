"""Waiting for progress, however long a busy machine takes: the time-out of the test ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds."""
    while not condition():  # noqa: ASYNC110 - a test may poll
        await asyncio.sleep(0.01)
