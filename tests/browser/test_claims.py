"""The claims page as a reader uses it: an input changes, and a verdict moves."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open, shown

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_reader_changes_an_input_and_sees_a_verdict_move(visit: Open) -> None:
    page = await visit("/claims")
    await shown(page)
    claim = page.locator("#claims section").nth(1)
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
    await expect(page.locator("#choice")).to_contain_text("2 verdicts differ")
    await page.get_by_role("button", name="As it ships").click()
    await expect(page.locator("#choice")).to_contain_text("the same for everybody")


async def test_a_series_is_chosen_and_a_claim_linked(visit: Open) -> None:
    page = await visit("/claims?series=CBECI+map#geography")
    await shown(page)
    await expect(page.get_by_label("Country shares")).to_have_value("CBECI map")
    geography = page.locator("section[aria-labelledby=geography]")
    await expect(geography.locator(".verdict").first).to_have_text("holds")
    await expect(geography.get_by_role("heading")).to_be_in_viewport()


async def test_an_impossible_input_is_named(visit: Open) -> None:
    page = await visit("/claims?pue=0.5", expect_failure=True)
    await expect(page.get_by_role("alert")).to_have_text("PUE is 1 or more, not 0.5")
    await page.get_by_label("PUE").fill("1.2")
    await page.get_by_label("PUE").press("Enter")
    await expect(page.get_by_role("alert")).to_be_hidden()
    await expect(page.locator("#claims section")).to_have_count(11)


async def test_hostile_inputs_stay_text(visit: Open) -> None:
    page = await visit("/claims?series=%3Cimg%20src%3Dx%3E&market=%3Cb%3E", expect_failure=True)
    await expect(page.get_by_role("alert")).to_contain_text("no series '<img src=x>'")
    assert await page.locator("main img").count() == 0
