"""Dashboards on thirty days of a known past: all panels answer, marks lie where they belong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import grafana
from tests.support.asked import Span
from tests.support.postgres import server_programs
from tests.support.world import DAY, HOUR, World, world

pytestmark = [pytest.mark.slow, pytest.mark.prometheus, pytest.mark.postgres]

SCRAPES = ((30 * DAY, 12 * HOUR), (7 * DAY, 6 * HOUR), (DAY, 2 * HOUR))
EMPTY = {
    "attribution": {"Refused blocks"},  # an hour's, which two scrapes apart do not tell
    "health": {"Alerts", "Blocks stored", "Local hash rate", "Refused blocks"},
}
"""Panels without an answer."""


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    programs = server_programs()
    if programs is None and not os.environ.get("CI"):
        pytest.skip("no PostgreSQL server here; on Debian: apt-get install postgresql")
    assert programs is not None
    with world(tmp_path_factory.mktemp("past"), programs, SCRAPES) as made:
        yield made


def found(answer: dict[str, Any]) -> list[Any]:
    rows: list[Any] = answer["rows"] if answer["kind"] == "rows" else answer["result"]
    return rows


def marked(asked: dict[str, Any], name: str) -> list[float]:
    """Return the times of the marks of a name that lie within the dashboard's time."""
    times = (mark["time"] / 1000 for mark in asked["marks"] if mark["name"] == name)
    return sorted(time for time in times if time >= asked["from"])


@pytest.mark.parametrize("name", [file.stem for file in grafana.FILES])
def test_every_panel_has_an_answer(past: World, name: str) -> None:
    asked = past.asked(name)
    empty = {
        panel["title"]
        for panel in grafana.panels(asked["board"])
        if not any(map(found, asked["answers"][panel["id"]]))
    }
    assert empty == EMPTY.get(name, set())
    for answers in asked["answers"].values():
        for answer in answers:
            assert len(found(answer)) <= 60 or answer["kind"] == "rows"


def test_a_registry_counts_as_changed_only_where_another_was_in_use(past: World) -> None:
    """The first that Prometheus saw, at the start of the thirty days, is no change."""
    (changed,) = marked(past.asked("economics"), "Registry changes")
    assert 0 <= changed - past.registry_changed < SCRAPES[1][1]


def test_reorgs_and_retargets_are_marked_at_their_time(past: World) -> None:
    economics, store = past.asked("economics"), past.asked("store")
    for name in ("Retargets", "Reorgs"):
        assert len(marked(economics, name)) == 2
        assert marked(economics, name) == marked(store, name)


def test_the_expected_change_is_not_told_by_an_epochs_first_day(past: World) -> None:
    asked = past.asked("overview")
    (panel,) = (
        panel
        for panel in grafana.panels(asked["board"])
        if panel["title"] == "Expected change of difficulty"
    )
    for answer in asked["answers"][panel["id"]]:
        (series,) = answer["result"]
        assert all(abs(float(change)) < 1 for _, change in series["values"])


@pytest.mark.parametrize(
    ("days", "points", "step"), [(7, 684, 900), (30, 1368, 1800), (1, 456, 120), (365, 100, 86_400)]
)
def test_steps_are_round_as_grafanas(days: int, points: int, step: int) -> None:
    assert Span(0, days * DAY).step(points, 15) == step
    assert Span(0, days * DAY).step(points, 7 * DAY) == 7 * DAY
