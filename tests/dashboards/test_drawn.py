"""Dashboards as their users see them, drawn by Grafana's own libraries from a real Prometheus.

The libraries are 400 packages of npm, and 160 MB to fetch: this runs when it is asked for,
``pytest tests/dashboards/test_drawn.py --drawn docs/images``, and needs node and npm beside
what other tests need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from PIL import Image
from sqlalchemy.engine import make_url

from monitor.store.base import BlockStore
from monitor.store.sql import open_store
from tests.support import grafana
from tests.support.asked import FromPostgres, FromPrometheus, Source, Span, drawable
from tests.support.drawing import WIDTH, Drawer, Drawn, bundle, drawer
from tests.support.history import Past
from tests.support.postgres import new_database, postgres, server_programs
from tests.support.prometheus import Prometheus, prometheus_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MINUTE, HOUR, DAY = 60, 3600, 86_400
SINCE = {"now-24h": DAY, "now-7d": 7 * DAY, "now-30d": 30 * DAY}
PAGES = ((30 * DAY, 3 * HOUR), (7 * DAY, 30 * MINUTE), (DAY, 5 * MINUTE))
"""Up to how long ago, and how often, Prometheus scraped."""
EMPTY = {"health": {"Alerts", "Local hash rate"}}
"""What has nothing to show, and says why."""
SCROLLED = {"store": {"Last blocks of the chosen pools"}}
"""Tables that are wider than their panel."""
COLORS = 160
FIRST_ROWS = 970
"""Pixels from the top of the overview that the tour shows."""


@dataclass(frozen=True, slots=True)
class World:
    """What dashboards read: a Prometheus and a PostgreSQL, both of the same past."""

    server: Prometheus
    connection: psycopg.Connection[tuple[Any, ...]]
    store: BlockStore
    now: int

    def asked(self, name: str) -> dict[str, Any]:
        """Return a dashboard with its answers, as one who opens it first gets them."""
        board = grafana.load(grafana.ROOT / "grafana" / f"{name}.json")
        back = SINCE[board["time"]["from"]]
        interval = next(each for ago, each in reversed(PAGES) if back <= ago)
        span = Span(self.now - back, self.now)
        source: Source = (
            FromPostgres(self.connection, span)
            if name == "store"
            else FromPrometheus(self.server, span, interval)
        )
        return drawable(board, source, span)


@pytest.fixture(scope="module")
def pictures(request: pytest.FixtureRequest) -> Path:
    directory = request.config.getoption("--drawn", default=None)
    if directory is None:
        pytest.skip("dashboards are drawn with --drawn DIR")
    return Path(directory)


@pytest.fixture(scope="module")
def world(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    programs = server_programs()
    assert programs is not None, "on Debian: apt-get install postgresql"
    with postgres(programs) as socket:
        url = new_database(socket)
        store = open_store(url, "mainnet", synthetic="sample")
        past = Past(store)
        now = past.last + 400
        ends = [ago for ago, _ in PAGES[1:]] + [-1]
        times = [
            now - ago
            for (start, gap), end in zip(PAGES, ends, strict=True)
            for ago in range(start, end, -gap)
        ]
        changes = now - 3 * DAY - 2 * HOUR
        pages = past.pages(times, changes)
        directory = tmp_path_factory.mktemp("prometheus")
        with (
            prometheus_of(directory, pages, times[0], now, PAGES[0][1]) as server,
            psycopg.connect(
                host=str(socket), user="postgres", dbname=make_url(url).database, autocommit=True
            ) as connection,
        ):
            # The store's own clock is today's.
            connection.execute(
                "UPDATE reorg SET at = block.time FROM block WHERE height = fork_height + 1"
            )
            connection.execute("UPDATE former_attribution SET replaced_at = %s", (changes,))
            yield World(server, connection, store, now)
        store.close()


@pytest.fixture(scope="module")
def draw(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawer]:
    folder = tmp_path_factory.mktemp("page")
    bundle(folder)
    with drawer(folder) as made:
        yield made


def clipped(drawn: Drawn) -> list[str]:
    """Return titles that are cut off."""
    return drawn.texts(
        "[...document.querySelectorAll('[data-panel] h2')]"
        ".filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.textContent)"
    )


def blank(drawn: Drawn) -> set[str]:
    """Return the panels that say that they have no data, or show nothing at all."""
    return set(
        drawn.texts(
            "[...document.querySelectorAll('[data-panel]')].filter((panel) => {"
            "  const content = panel.querySelector('[data-testid$=\"panel content\"]');"
            "  return panel.querySelector('[data-empty]')"
            "    || !content || !(content.innerText.trim() || content.querySelector('canvas'))"
            "}).map((panel) => panel.dataset.panel)"
        )
    )


def cut(drawn: Drawn) -> set[str]:
    """Return the tables that are wider than their panel."""
    return set(
        drawn.texts(
            "[...document.querySelectorAll('[data-type=table]')]"
            ".filter((panel) => [...panel.querySelectorAll('[role=columnheader]')].some((head) =>"
            "  head.getBoundingClientRect().right > panel.getBoundingClientRect().right + 1"
            ")).map((panel) => panel.dataset.panel)"
        )
    )


def without_figure(drawn: Drawn, board: grafana.Board) -> set[str]:
    """Return the panels of figures that show what stands for no value."""
    shown = {
        panel.get_attribute("data-panel"): panel.inner_text()
        for panel in drawn.page.query_selector_all("[data-type=stat]")
    }
    return {
        panel["title"]
        for panel in grafana.panels(board)
        if panel["type"] == "stat"
        and panel["fieldConfig"]["defaults"]["noValue"] in shown[panel["title"]]
    }


@pytest.mark.parametrize("name", [file.stem for file in grafana.FILES])
def test_every_panel_is_drawn(name: str, world: World, draw: Drawer, pictures: Path) -> None:
    asked = world.asked(name)
    with draw.draw(asked) as drawn:
        titles = [panel["title"] for panel in grafana.panels(asked["board"])]
        assert (
            drawn.texts(
                "[...document.querySelectorAll('[data-panel]')].map((each) => each.dataset.panel)"
            )
            == titles
        )
        assert drawn.complaints == []
        assert (
            drawn.texts(
                "[...document.querySelectorAll('[data-error]')].map((each) => each.textContent)"
            )
            == []
        )
        assert clipped(drawn) == []
        assert blank(drawn) == EMPTY.get(name, set())
        assert without_figure(drawn, asked["board"]) == set()
        assert cut(drawn) <= SCROLLED.get(name, set())
        assert asked["marks"]
        picture = pictures / f"grafana-{name}.png"
        drawn.page.screenshot(path=picture, full_page=True)
    with Image.open(picture) as image:
        small = image.convert("RGB").quantize(COLORS)
    small.save(picture, optimize=True)
    assert picture.stat().st_size < 200_000
    if name == "overview":
        small.crop((0, 0, WIDTH, FIRST_ROWS)).save(pictures / "grafana.png", optimize=True)


def test_figures_are_those_of_the_store(world: World, draw: Drawer) -> None:
    tip = world.store.tip()
    assert tip is not None
    with draw.draw(world.asked("overview")) as drawn:
        panel = drawn.page.locator("[data-panel=Tip]")
        assert f"{tip.height:,}" in panel.inner_text()
    with draw.draw(world.asked("store")) as drawn:
        first = drawn.page.locator("[data-panel='Last blocks of the chosen pools'] [role=row]")
        assert f"{tip.height:,}" in first.nth(1).inner_text()
