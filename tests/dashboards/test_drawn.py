"""Dashboards as their users see them, drawn by Grafana's own libraries from a real Prometheus.

The libraries are 400 packages of npm, and 160 MB to fetch: this runs when it is asked for,
``pytest tests/dashboards/test_drawn.py --drawn docs/images``, and needs node and npm beside
what other tests need.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support import grafana
from tests.support.drawing import WIDTH, Drawer, Drawn, bundle, drawer
from tests.support.postgres import server_programs
from tests.support.world import DAY, HOUR, World, world

pytestmark = pytest.mark.slow

SCRAPES = ((30 * DAY, 3 * HOUR), (7 * DAY, HOUR // 2), (DAY, HOUR // 12))
EMPTY = {"health": {"Alerts", "Local hash rate"}}
"""What has nothing to show, and says why."""
SCROLLED = {"store": {"Last blocks of the chosen pools"}}
"""Tables that are wider than their panel."""
COLORS = 160
FIRST_ROWS = 970
"""Pixels from the top of the overview that the tour shows."""


@pytest.fixture(scope="module")
def pictures(request: pytest.FixtureRequest) -> Path:
    directory = request.config.getoption("--drawn", default=None)
    if directory is None:
        pytest.skip("dashboards are drawn with --drawn DIR")
    return Path(directory)


@pytest.fixture(scope="module")
def past(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    programs = server_programs()
    assert programs is not None, "on Debian: apt-get install postgresql"
    with world(tmp_path_factory.mktemp("past"), programs, SCRAPES) as made:
        yield made


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
def test_every_panel_is_drawn(name: str, past: World, draw: Drawer, pictures: Path) -> None:
    asked = past.asked(name)
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


def test_figures_are_those_of_the_store(past: World, draw: Drawer) -> None:
    height = f"{past.tip.height:,}"
    with draw.draw(past.asked("overview")) as drawn:
        panel = drawn.page.locator("[data-panel=Tip]")
        assert height in panel.inner_text()
    with draw.draw(past.asked("store")) as drawn:
        first = drawn.page.locator("[data-panel='Last blocks of the chosen pools'] [role=row]")
        assert height in first.nth(1).inner_text()
