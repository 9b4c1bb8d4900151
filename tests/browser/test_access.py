"""The page for everybody: by keyboard, by screen reader, on small screens, in few colours."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from monitor.config import WebSettings
from monitor.web.server import WebServer
from tests.browser.conftest import DESKTOP, PHONE, Open, shown
from tests.support.lanes import HEAVY
from tests.support.webagent import WebAgent

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

TITLES = {
    "/": "poolscope: who mines Bitcoin",
    "/blocks": "Blocks · poolscope",
    "/claims": "Claims · poolscope",
    "/pool/antpool": "AntPool · poolscope",
    "/block/1200": "Block 1,200 · poolscope",
    "/pool/nosuchpool": "Not found · poolscope",
    "/block/90000": "Not found · poolscope",
    "/nowhere": "Not found · poolscope",
}
"""Every kind of page, with what it is called."""
WRONG = tuple(path for path, title in TITLES.items() if title.startswith("Not found"))
PAGES = [path if path not in WRONG[1:] else pytest.param(path, marks=HEAVY) for path in TITLES]
"""Each run looks at one page that is not found; they are built alike."""
NARROWEST = (320, 640)
"""What is left of 1280 pixels at 400 %."""
SCHEMES: dict[Literal["light", "dark"], dict[str, object]] = {
    "light": {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast"]},
}
"""What axe looks at: all it knows, and again where the scheme changes it."""
Look = tuple[tuple[int, int], Literal["light", "dark"]]
LOOKS: list[Look] = [(size, scheme) for size in (DESKTOP, PHONE) for scheme in SCHEMES]
"""Each run takes the first and the last, and so every size and scheme."""


async def look(visit: Open, path: str, size: tuple[int, int] = DESKTOP) -> Page:
    """Open `path` and wait until it says what it has to say."""
    page = await visit(path, size=size, expect_failure=path in WRONG)
    if path in WRONG:
        await expect(page.locator("#live")).to_have_attribute("data-state", "live")
    else:
        await shown(page)
    await expect(page).to_have_title(TITLES[path])
    return page


@pytest.mark.parametrize("looks", [LOOKS[::3], pytest.param(LOOKS, marks=HEAVY)])
@pytest.mark.parametrize("path", PAGES)
async def test_axe_finds_nothing(visit: Open, path: str, looks: list[Look]) -> None:
    page = await look(visit, path)
    if path == "/":
        await page.locator("#blocks .chip").first.click()
    await page.evaluate("for (const node of document.querySelectorAll('details')) node.open = true")
    for (width, height), scheme in looks:
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme)
        found = await Axe().run(page, options=SCHEMES[scheme])
        problems = [
            (problem["id"], problem["impact"], problem["nodes"][0]["html"][:200])
            for problem in found.response["violations"]
        ]
        assert problems == [], (width, scheme)


@pytest.mark.parametrize("path", PAGES)
async def test_nothing_is_wider_than_the_screen(visit: Open, path: str) -> None:
    page = await look(visit, path, PHONE)
    for width, height in (PHONE, NARROWEST):
        await page.set_viewport_size({"width": width, "height": height})
        assert await page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_built_alike(visit: Open, path: str) -> None:
    page = await look(visit, path)
    assert await page.locator("html").get_attribute("lang") == "en"
    for landmark in ("banner", "main", "contentinfo"):
        await expect(page.get_by_role(landmark)).to_have_count(1)
    await expect(page.get_by_role("heading", level=1)).to_have_count(1)
    here = page.locator("header nav [aria-current=page]")
    await expect(here).to_have_count(1 if path in ("/", "/blocks", "/claims") else 0)
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_every_control_is_reached_by_tab_in_order(visit: Open) -> None:
    page = await look(visit, "/")
    seen = []
    for _ in range(60):
        await page.keyboard.press("Tab")
        seen.append(
            await page.evaluate(
                "(e => e.textContent.trim().slice(0, 20) || e.value || e.tagName)"
                "(document.activeElement)"
            )
        )
    assert seen[0] == "Skip to the content"
    wanted = ["poolscope", "Overview", "Blocks", "1008", "Foundry USA", "How to read this"]
    places = [seen.index(name) for name in wanted]
    assert places == sorted(places)


async def test_what_is_chosen_shows_in_forced_colours(visit: Open) -> None:
    page = await look(visit, "/")
    await page.emulate_media(forced_colors="active")
    ground = "span => getComputedStyle(span).backgroundColor"
    chosen = page.locator(".choice input:checked + span").first
    other = page.locator(".choice input:not(:checked) + span").first
    assert await chosen.evaluate(ground) != await other.evaluate(ground)


async def test_without_scripts_the_page_says_where_the_figures_are(
    browser: Browser, server: WebServer
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    for path in TITLES:
        await page.goto(server.url.rstrip("/") + path)
        await expect(page.get_by_role("link", name="/api/v1/overview")).to_be_visible()
        await expect(page.get_by_role("region")).to_have_count(0)
    await context.close()


async def test_an_agent_without_blocks_says_so(browser: Browser, tmp_path: Path) -> None:
    with WebAgent(tmp_path) as young:
        young.missing = ["no source answers"]
        async with WebServer(young.context(), WebSettings(port=0)) as server:
            page = await (await browser.new_context()).new_page()
            await page.goto(server.url)
            await expect(page.locator("#sentence")).to_contain_text("No block yet.")
            await expect(page.locator("#missing")).to_contain_text("no source answers")
            await expect(page.get_by_role("heading", level=2)).to_have_text(["This agent"])
            young.mine([b"/ViaBTC/", b"/F2Pool/"])
            await expect(page.locator("#sentence")).to_contain_text(
                "Of the last 2 blocks (all there are yet)"
            )
            await expect(page.get_by_role("heading", level=2)).to_have_count(7)
            await page.context.close()
