"""The claims page as a reader uses it: an input changes, and a verdict moves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import expect

from analyzers.claims import CLAIMS
from analyzers.economics import Terms
from monitor.terms import TipTerms
from tests.browser.conftest import Open, shown
from tests.support.webagent import WebAgent

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_reader_changes_an_input_and_sees_a_verdict_move(visit: Open) -> None:
    page = await visit("/claims")
    await shown(page)
    claim = page.locator("section[aria-labelledby=cost-united-states]")
    await expect(claim.locator(".verdict").first).to_have_text("cannot be said")
    await claim.get_by_text("Inputs", exact=True).click()
    await page.get_by_label("Tariff").fill("0.05")
    await page.get_by_label("Tariff").press("Tab")
    await expect(claim.locator(".verdict").first).to_have_text("does not hold")
    await expect(claim).to_contain_text("as shipped: cannot be said")
    await expect(claim.get_by_text("given by the reader")).to_be_visible()
    assert page.url.endswith("/claims?tariff=0.05")
    await page.reload()
    await expect(page.get_by_label("Tariff")).to_have_value("0.05")
    await expect(page.locator("#choice")).to_contain_text("3 verdicts differ")
    await page.get_by_role("button", name="Reset inputs").click()
    await expect(page.locator("#choice")).to_contain_text("the same for everybody")


async def test_a_series_is_chosen_and_a_claim_linked(visit: Open) -> None:
    page = await visit("/claims?series=CBECI+map#geography")
    await shown(page)
    await expect(page.get_by_label("Country shares")).to_have_value("CBECI map")
    geography = page.locator("section[aria-labelledby=geography]")
    await expect(geography.locator(".verdict").first).to_have_text("cannot be said")
    await expect(geography).to_contain_text("as of 2022-01-31")
    await expect(geography.get_by_role("heading")).to_be_in_viewport()


async def test_an_impossible_input_is_named(visit: Open) -> None:
    page = await visit("/claims?pue=0.5", expect_failure=True)
    await expect(page.get_by_role("alert")).to_have_text("PUE is 1 or more, not 0.5")
    await page.get_by_label("PUE").fill("1.2")
    await page.get_by_label("PUE").press("Enter")
    await expect(page.get_by_role("alert")).to_be_hidden()
    await expect(page.locator("#claims section")).to_have_count(len(CLAIMS))


async def test_hostile_inputs_stay_text(visit: Open) -> None:
    page = await visit("/claims?series=%3Cimg%20src%3Dx%3E&market=%3Cb%3E", expect_failure=True)
    await expect(page.get_by_role("alert")).to_contain_text("no series '<img src=x>'")
    assert await page.locator("main img").count() == 0


async def test_on_the_live_mainnet_costs_follow_the_tip(visit: Open, agent: WebAgent) -> None:
    before = agent.board.snapshot

    def publish(difficulty: float, height: int) -> None:
        tip = TipTerms(Terms(difficulty, 312_500_000, 0.01), height, 1_790_000_000, 144)
        agent.board.publish(replace(before, network="mainnet", synthetic="", terms=tip))

    publish(50e12, 950_000)
    try:
        page = await visit("/claims")
        await shown(page)
        claim = page.locator("section[aria-labelledby=cost-united-states]")
        await page.get_by_label("Difficulty and fees").select_option("chain")
        await expect(claim.locator(".verdict").first).to_have_text("does not hold")
        assert page.url.endswith("/claims?terms=chain")
        publish(400e12, 950_001)
        await expect(claim.locator(".verdict").first).to_have_text("holds")
        await page.close()  # or it would ask for the terms of a chain that is none
    finally:
        agent.board.publish(before)
