"""A dashboard with its answers: what Grafana asks to show it, ready to be drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import psycopg

from tests.support import grafana
from tests.support.grafana import Board
from tests.support.prometheus import Prometheus

WIDTH: Final = 1368
"""Pixels of 24 columns."""
MOST_POINTS: Final = 11_000
"""Prometheus refuses to answer with more."""
MARK_STEP: Final = 60
ALL: Final = "$__all"
STEPS: Final = (
    *((12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300)),
    *((750, 600), (1050, 900), (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200)),
    *((16_200, 10_800), (32_400, 21_600), (86_400, 43_200)),
)
"""Seconds below which an interval is taken for a rounder one, as Grafana rounds."""

Row = dict[str, Any]
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Span:
    """The time of a dashboard, Unix seconds."""

    start: int
    end: int

    def step(self, points: int, least: int) -> int:
        """Return the step of a chart of so many points."""
        exact = (self.end - self.start) / points
        return max(least, next((round_ for below, round_ in STEPS if exact < below), 86_400))


class Source(Protocol):
    """Who answers a dashboard's questions."""

    def choices(self, variable: Row, values: Values) -> list[str]:
        """Return what a variable of queries offers."""

    def value(self, chosen: Sequence[str]) -> str:
        """Return how chosen values stand in a query."""

    def answer(self, target: Row, panel: Row, values: Values) -> Row:
        """Return what a target of a panel finds."""

    def marks(self, mark: Row, values: Values) -> Iterator[Row]:
        """Yield the times and texts of a mark."""


@dataclass(frozen=True, slots=True)
class FromPrometheus:
    """Asks Prometheus as if `span.end` were now; it scrapes each `interval` seconds."""

    server: Prometheus
    span: Span
    interval: int

    def choices(self, variable: Row, values: Values) -> list[str]:
        """Return the values of a label, or what a regular expression finds in series."""
        text = grafana.known(variable["query"]["query"], values)
        if found := re.fullmatch(r"label_values\((.*), (\w+)\)", text):
            return sorted(self.server.label_values(found[2], found[1]))
        (query,) = re.fullmatch(r"query_result\((.*)\)", text).groups()  # type: ignore[union-attr]
        series = [_written(each["metric"]) for each in self.server.query(query, self.span.end)]
        matches = (re.search(variable["regex"].strip("/"), each) for each in series)
        return [found[1] for found in matches if found]

    def value(self, chosen: Sequence[str]) -> str:
        """Return values as an alternative of a regular expression."""
        return chosen[0] if len(chosen) == 1 else f"({'|'.join(chosen)})"

    def answer(self, target: Row, panel: Row, values: Values) -> Row:
        """Return a range of points a pixel or so apart, or the latest values."""
        points = WIDTH * panel["gridPos"]["w"] // 24
        step = self.span.step(points, self.interval)
        text = self._text(target["expr"], values, step)
        found = (
            self._range(text, step) if target["range"] else self.server.query(text, self.span.end)
        )
        kind = "table" if target["format"] == "table" else "series"
        legend = target.get("legendFormat", "")
        return {"kind": kind, "legend": legend, "step": step, "result": found}

    def marks(self, mark: Row, values: Values) -> Iterator[Row]:
        """Yield each time that the series of a mark have for a value."""
        least = (self.span.end - self.span.start) // MOST_POINTS + 1
        step = max(MARK_STEP, least)
        seen = set()
        for series in self._range(self._text(mark["expr"], values, step), step):
            for _, time in series["values"]:
                if time not in seen:
                    seen.add(time)
                    yield {
                        "time": float(time),
                        "text": _legend(mark["textFormat"], series["metric"]),
                    }

    def _text(self, text: str, values: Values, step: int) -> str:
        own = {
            "__interval": f"{step}s",
            "__range": f"{self.span.end - self.span.start}s",
            "__rate_interval": f"{max(step + self.interval, 4 * self.interval)}s",
        }
        return grafana.filled(text, {**values, **own})

    def _range(self, text: str, step: int) -> list[Row]:
        start, end = (time // step * step for time in (self.span.start, self.span.end))
        return self.server.over_time(text, start, end, step)


def _written(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def _legend(text: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), text)


@dataclass(frozen=True, slots=True)
class FromPostgres:
    """Asks PostgreSQL as Grafana's plug-in does."""

    connection: psycopg.Connection[tuple[Any, ...]]
    span: Span

    def choices(self, variable: Row, values: Values) -> list[str]:
        """Return the first column."""
        return [str(row[0]) for row in self._rows(variable["query"], values)[1]]

    def value(self, chosen: Sequence[str]) -> str:
        """Return values as SQL's ``IN`` takes them."""
        return ", ".join(f"'{each}'" for each in chosen)

    def answer(self, target: Row, panel: Row, values: Values) -> Row:
        """Return rows; a text ``metric`` of a time series names the columns that it becomes."""
        del panel
        columns, rows = self._rows(target["rawSql"], values)
        if target["format"] == "time_series" and "metric" in columns:
            columns, rows = _pivoted(columns, rows)
        times = [
            name
            for place, name in enumerate(columns)
            if name == "time" or any(isinstance(row[place], datetime) for row in rows)
        ]
        plain = [[*map(_plain, row, columns)] for row in rows]
        return {"kind": "rows", "columns": columns, "times": times, "rows": plain}

    def marks(self, mark: Row, values: Values) -> Iterator[Row]:
        """Yield the rows of a mark."""
        columns, rows = self._rows(mark["target"]["rawSql"], values)
        for row in rows:
            found = dict(zip(columns, row, strict=True))
            yield {"time": float(found["time"]) * 1000, "text": found["text"]}

    def _rows(self, text: str, values: Values) -> tuple[list[str], list[tuple[Any, ...]]]:
        asked = grafana.sql(text, values, self.span.start, self.span.end)
        cursor = self.connection.execute(asked.encode())
        return [column.name for column in cursor.description or ()], cursor.fetchall()


def _pivoted(columns: list[str], rows: Sequence[Sequence[Any]]) -> tuple[list[str], list[Any]]:
    """Return a row for each time, a column for each metric."""
    at, name, value = (columns.index(each) for each in _long(columns))
    names = list(dict.fromkeys(row[name] for row in rows))
    times: dict[Any, dict[str, Any]] = {}
    for row in rows:
        times.setdefault(row[at], {})[row[name]] = row[value]
    return ["time", *names], [[time, *map(found.get, names)] for time, found in times.items()]


def _long(columns: list[str]) -> tuple[str, str, str]:
    (value,) = set(columns) - {"time", "metric"}
    return "time", "metric", value


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, datetime):
        return value.timestamp() * 1000
    if value is None or isinstance(value, str):
        return value
    return float(value) * 1000 if name == "time" else float(value)


def drawable(board: Board, source: Source, span: Span) -> Row:
    """Return a dashboard with its variables filled in, and all that its questions find."""
    values: dict[str, str] = {}
    shown = []
    for variable in grafana.variables(board):
        names = _chosen(variable, source, values)
        values[variable["name"]] = source.value(names) if variable["type"] == "query" else names[0]
        text = "All" if _current(variable) == ALL else " + ".join(names)
        shown.append({"label": variable["label"], "value": text})
    panels = [_named(panel, values) for panel in board["panels"]]
    answers = {
        panel["id"]: [
            {"refId": target["refId"], **source.answer(target, panel, values)}
            for target in panel["targets"]
        ]
        for panel in panels
        if panel["type"] != "row"
    }
    marks = [
        {"name": mark["name"], "color": mark["iconColor"], **found}
        for mark in grafana.marks(board)
        for found in source.marks(mark, values)
    ]
    return {
        "board": {**board, "panels": panels},
        "answers": answers,
        "marks": marks,
        "variables": shown,
        "from": span.start,
        "to": span.end,
    }


def _current(variable: Row) -> str | None:
    value: str | list[str] | None = variable.get("current", {}).get("value")
    return value[0] if isinstance(value, list) else value


def _chosen(variable: Row, source: Source, values: Values) -> list[str]:
    """Return what a variable stands for when the dashboard is opened first."""
    current = _current(variable)
    if variable["type"] == "datasource":
        return [str(variable["label"])]
    if variable["type"] == "custom":
        return [str(current)]
    offered = source.choices(variable, values)
    if current == ALL:
        return offered
    return [current] if current else offered[:1]


def _named(panel: Row, values: Values) -> Row:
    texts = ("title", "description")
    return {
        **panel,
        **{name: grafana.known(panel[name], values) for name in texts if name in panel},
    }
