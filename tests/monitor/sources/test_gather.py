"""Several requests at a time: results in order, the first failure for all."""

from __future__ import annotations

import asyncio

import pytest

from monitor.errors import NotFound
from monitor.sources.gather import gather


async def test_results_come_in_the_order_asked() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await gather(after(turns) for turns in (3, 1, 2)) == [3, 1, 2]
    assert await gather([after(0) for _ in range(0)]) == []


async def test_the_first_that_fails_ends_the_others() -> None:
    ended = asyncio.Event()

    async def fails() -> int:
        await asyncio.sleep(0)
        raise NotFound("gone")

    async def waits() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return 1

    with pytest.raises(NotFound, match="gone"):
        await gather([waits(), fails()])
    assert ended.is_set()
