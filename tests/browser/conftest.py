"""A real browser (Debian's chromium) on a real server; nothing it shows may complain."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

from monitor.config import WebSettings
from monitor.web.server import WebServer
from tests.support.patience import PATIENCE
from tests.support.webagent import WebAgent, mixed

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-precise-memory-info",
)
DESKTOP = (1280, 900)
MILLISECONDS = 1000 * PATIENCE
"""Milliseconds that a browser on a busy machine may take for what takes it none on a quiet one."""

expect.set_options(timeout=MILLISECONDS)
PHONE = (390, 844)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="DIR", help="make the screenshots of the docs here")


@dataclass
class Tab:
    """A page, and everything it complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)


Open = Callable[..., Awaitable[Page]]


async def shown(page: Page) -> None:
    """Wait until figures are there."""
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")
    await expect(page.locator("table tbody tr").first).to_be_visible()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebAgent]:
    with WebAgent(tmp_path_factory.mktemp("agent")) as agent:
        agent.mine(mixed(1300))
        agent.reorg(1, mixed(2))
        yield agent


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(agent: WebAgent) -> AsyncIterator[WebServer]:
    async with WebServer(agent.context(), WebSettings(port=0)) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, server: WebServer) -> AsyncIterator[Open]:
    """Return a function that opens a path; complaints of its pages fail the test."""
    tabs: list[Tab] = []

    async def open_page(
        path: str = "/",
        *,
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
        expect_failure: bool = False,
    ) -> Page:
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=size == PHONE,
        )
        context.set_default_timeout(MILLISECONDS)
        tab = Tab(await context.new_page())
        if not expect_failure:
            tabs.append(tab)

        def on_console(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                tab.complaints.append(f"{message.type}: {message.text}")

        def on_request(request: Request) -> None:
            if urlsplit(request.url).netloc != urlsplit(server.url).netloc:
                tab.complaints.append(f"asked another host: {request.url}")

        tab.page.on("console", on_console)
        tab.page.on("request", on_request)
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.on("dialog", lambda dialog: tab.complaints.append(f"dialog: {dialog.message}"))
        await tab.page.goto(server.url.rstrip("/") + path)
        return tab.page

    yield open_page
    for context in browser.contexts:
        await context.close()
    assert [tab.complaints for tab in tabs] == [[] for _ in tabs]


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path:
    """Return where screenshots go; skip the test where none are asked for."""
    directory = request.config.getoption("--screenshots", default=None)
    if directory is None:
        pytest.skip("screenshots are made with --screenshots DIR")
    return Path(directory)
