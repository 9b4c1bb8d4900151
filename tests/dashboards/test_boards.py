"""The dashboards' files: as the code makes them, and as Grafana and its users need them."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import build
from dashboards.board import TAG
from tests.support import grafana
from tests.support.grafana import Board

BUILT_IN = {"__rate_interval", "__interval", "__range", "__unixEpochFilter", "__unixEpochGroup"}
SOURCES = {"${datasource}": "prometheus", "${store}": "grafana-postgresql-datasource"}
UNITS = {value for name, value in vars(units).items() if name[0].isupper()}


@pytest.fixture(params=grafana.FILES, ids=lambda file: file.stem)
def board(request: pytest.FixtureRequest) -> Board:
    return grafana.load(request.param)


def everything(value: Any) -> Any:
    """Yield every object within a JSON value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from everything(part)


def test_the_files_are_what_the_code_makes() -> None:
    made = {f"{name}.json": build.as_json(make()) for name, make in build.BOARDS.items()}
    kept = {file.name: file.read_text("utf-8") for file in grafana.FILES}
    assert set(kept) == set(made), "run: python -m dashboards.build"
    for name, text in made.items():
        assert kept[name] == text, f"{name} is not what the code makes; python -m dashboards.build"


def test_grafanas_own_types_read_it(board: Board) -> None:
    read = Dashboard.from_json({**board, "panels": [], "annotations": {"list": []}})
    assert (read.uid, read.title, read.schema_version) == (
        board["uid"],
        board["title"],
        board["schemaVersion"],
    )


def test_addresses_are_fixed_and_names_differ() -> None:
    boards = [grafana.load(file) for file in grafana.FILES]
    assert len({board["uid"] for board in boards}) == len(boards)
    assert len({board["title"] for board in boards}) == len(boards)
    for file, board in zip(grafana.FILES, boards, strict=True):
        assert board["uid"] == f"poolscope-{file.stem}"
        assert "id" not in board, "an id belongs to one Grafana"


def test_it_imports_without_questions_and_links_to_the_others(board: Board) -> None:
    assert "__inputs" not in board
    assert board["timezone"] == "browser"
    assert TAG in board["tags"]
    (link,) = board["links"]
    assert (link["type"], link["tags"], link["keepTime"]) == ("dashboards", [TAG], True)


def test_data_sources_are_chosen_not_named(board: Board) -> None:
    kinds = {v["query"] for v in grafana.variables(board) if v["type"] == "datasource"}
    for part in everything(board):
        if isinstance(source := part.get("datasource"), dict) and source:
            assert SOURCES[source["uid"]] == source["type"]
            assert source["type"] in kinds


def test_every_panel_says_what_it_means(board: Board) -> None:
    for panel in grafana.panels(board):
        assert panel["title"], panel
        assert re.match(r".{30,}[.]$", panel["description"], re.DOTALL), panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]
    for variable in grafana.variables(board):
        assert variable["label"], variable["name"]
        assert variable["description"].endswith("."), variable["name"]


def test_every_figure_has_a_unit_that_grafana_knows(board: Board) -> None:
    for panel in grafana.panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        given = [defaults["unit"]] if "unit" in defaults else []
        for override in panel["fieldConfig"].get("overrides", ()):
            given += [part["value"] for part in override["properties"] if part["id"] == "unit"]
        assert given or panel["type"] == "table", panel["title"]
        assert all(unit in UNITS or unit.startswith("suffix:") for unit in given), given


def test_variables_are_declared_before_they_are_used(board: Board) -> None:
    known = set(BUILT_IN)
    for variable in grafana.variables(board):
        assert grafana.used(str(variable.get("query"))) <= known, variable["name"]
        known.add(variable["name"])
    texts = [asked.text for asked in grafana.questions(board)]
    texts += [part["rawSql"] for part in everything(board) if "rawSql" in part]
    texts += [part["title"] for part in board["panels"]]
    for text in texts:
        assert grafana.used(text) <= known, text


def test_panels_lie_side_by_side(board: Board) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_bands_lie_between_series_that_are_there(board: Board) -> None:
    for panel in grafana.panels(board):
        names = {target.get("legendFormat", "") for target in panel["targets"]}
        names |= set(re.findall(r'AS "([^"]+)"', " ".join(map(str, panel["targets"]))))
        names |= set(re.findall(r'AS \\"([^"]+)\\"', str(panel["targets"])))
        for override in panel["fieldConfig"].get("overrides", ()):
            for part in override["properties"]:
                if part["id"] == "custom.fillBelowTo":
                    assert {override["matcher"]["options"], part["value"]} <= names, panel["title"]


def test_every_interval_that_is_asked_for_is_drawn_as_a_band(board: Board) -> None:
    for panel in grafana.panels(board):
        upper = {
            target["legendFormat"]
            for target in panel["targets"]
            if "upper 95 %" in target.get("legendFormat", "")
        }
        drawn = {
            override["matcher"]["options"]
            for override in panel["fieldConfig"].get("overrides", ())
            for part in override["properties"]
            if part["id"] == "custom.fillBelowTo"
        }
        assert upper <= drawn, panel["title"]


def test_rates_go_over_what_grafana_says_or_a_fixed_time(board: Board) -> None:
    for asked in grafana.questions(board):
        for call, span in re.findall(r"\b(rate|increase)\([^\[]*\[([^\]]+)\]", asked.text):
            assert span == "$__rate_interval" or (call == "increase" and span == "1h"), asked


def test_provisioning_offers_what_the_dashboards_ask_for() -> None:
    folder = grafana.ROOT / "provisioning"
    (sources,) = (yaml.safe_load(f.read_text()) for f in (folder / "datasources").iterdir())
    assert {(s["uid"], s["type"]) for s in sources["datasources"]} == {
        ("prometheus", "prometheus"),
        ("poolscope-postgres", "grafana-postgresql-datasource"),
    }
    assert set(SOURCES.values()) == {s["type"] for s in sources["datasources"]}
    (boards,) = (yaml.safe_load(f.read_text()) for f in (folder / "dashboards").iterdir())
    (provider,) = boards["providers"]
    assert provider["folder"] == "Poolscope"
    compose = yaml.safe_load((grafana.ROOT.parent / "docker-compose.yml").read_text())
    mounted = compose["services"]["grafana"]["volumes"]
    assert f"./dashboards/grafana:{provider['options']['path']}:ro" in mounted
    home = compose["services"]["grafana"]["environment"]
    shown = Path(home["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert shown.parent == Path(provider["options"]["path"])
    assert shown.name in {file.name for file in grafana.FILES}
