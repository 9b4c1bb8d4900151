"""The page over a fortnight of blocks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open, shown
from tests.support.webagent import WebAgent

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.heavy
async def test_the_heap_stays_small_over_two_thousand_blocks(
    visit: Open, agent: WebAgent, record_property: Any
) -> None:
    page = await visit("/")
    await shown(page)
    for start in range(0, 2000, 4):
        for _ in range(4):
            agent.mine([b"/F2Pool/" if start % 3 else b"Mined by AntPool"])
            await asyncio.sleep(0.004)
    await expect(page.locator("#tip")).to_have_text(f"{agent.chain[-1].height:,}")
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    heap = await page.evaluate("performance.memory.usedJSHeapSize")
    record_property("heap after 2,000 blocks, bytes", heap)
    print("heap after 2,000 blocks, MB:", heap / 1e6)
    assert heap < 60e6
