"""What Grafana does between a dashboard's file and a data source, as far as tests need it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2] / "dashboards"
FILES: Final = sorted((ROOT / "grafana").glob("*.json"))

Board = dict[str, Any]

_VARIABLE: Final = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a dashboard: where it stands, and its text."""

    place: str
    text: str


def load(file: Path) -> Board:
    board: Board = json.loads(file.read_text("utf-8"))
    return board


def panels(board: Board) -> list[dict[str, Any]]:
    """Return the panels that show data; rows only hold them together."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def variables(board: Board) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = board["templating"]["list"]
    return found


def marks(board: Board) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = board["annotations"]["list"]
    return found


def questions(board: Board) -> Iterator[Asked]:
    """Yield what a dashboard's panels and marks ask Prometheus."""
    for panel in panels(board):
        for target in panel["targets"]:
            if "expr" in target:
                yield Asked(panel["title"], target["expr"])
    for mark in marks(board):
        if "expr" in mark:
            yield Asked(f"mark {mark['name']}", mark["expr"])


def used(text: str) -> set[str]:
    """Return the names of the variables in `text`."""
    return {name or other for name, other in _VARIABLE.findall(text)}


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with its variables replaced."""
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], text)


def sql(text: str, values: Mapping[str, str], start: int, end: int) -> str:
    """Return SQL as the plug-in for PostgreSQL sends it: variables and macros filled in."""
    text = re.sub(
        r"\$__unixEpochFilter\(([^)]*)\)", rf"\1 >= {start} AND \1 <= {end}", known(text, values)
    )
    return re.sub(r"\$__unixEpochGroup\(([^,]*), '(\d+)d'\)", _grouped, text)


def known(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with those of its variables replaced that have a value."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)


def _grouped(found: re.Match[str]) -> str:
    seconds = int(found[2]) * 86_400
    return f"floor(({found[1]})/{seconds})*{seconds}"
