"""Dashboards drawn by the libraries that Grafana publishes on npm, in Debian's chromium."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.patience import PATIENCE

SOURCES: Final = Path(__file__).parents[1] / "dashboards" / "drawn"
WIDTH: Final = 1400
MILLISECONDS: Final = 1000 * PATIENCE
"""Milliseconds."""


def bundle(folder: Path) -> None:
    """Make the page that draws, in `folder`; libraries come from npm once, into a cache.

    Raises
    ------
    subprocess.CalledProcessError
        If npm or the bundler fails: its output says why.
    """
    lock = (SOURCES / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = cache / "poolscope" / f"drawn-{hashlib.sha256(lock).hexdigest()[:16]}"
    shutil.copytree(SOURCES, home, dirs_exist_ok=True)
    if not (home / "node_modules").exists():
        install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        subprocess.run(install, cwd=home, check=True)
    subprocess.run(("node", "build.mjs", folder), cwd=home, check=True)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A dashboard in the browser, and what the browser complained about."""

    page: Page
    complaints: list[str]

    def texts(self, script: str) -> list[str]:
        """Return what a script of the page yields."""
        found: list[str] = self.page.evaluate(script)
        return found


class Drawer:
    """Opens dashboards with their answers; the browser's clock stands at their end."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    @contextmanager
    def draw(self, asked: dict[str, Any]) -> Iterator[Drawn]:
        page = self._browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.set_default_timeout(MILLISECONDS)
        page.clock.set_fixed_time(asked["to"])
        drawn = Drawn(page, [])
        page.on(
            "console",
            lambda message: (
                drawn.complaints.append(message.text)
                if message.type in {"error", "warning"}
                else None
            ),
        )
        page.on("pageerror", lambda error: drawn.complaints.append(str(error)))
        page.on("requestfailed", lambda request: drawn.complaints.append(request.url))
        script = f"window.ASKED = {json.dumps(asked)}"
        page.route(
            "**/asked.js",
            lambda route: route.fulfill(body=script, content_type="text/javascript"),
        )
        try:
            page.goto((self._folder / "index.html").as_uri())
            page.wait_for_selector("body[data-drawn=yes]")
            yield drawn
        finally:
            page.close()


@contextmanager
def drawer(folder: Path) -> Iterator[Drawer]:
    """Start the browser on the page that `bundle` made."""
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--allow-file-access-from-files"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        yield Drawer(browser, folder)
        browser.close()
