"""Tables: of the latest values by label, and of the rows that SQL yields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, table
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DataTransformerConfig,
    DynamicConfigValue,
    MatcherConfig,
)

from dashboards.panels import COUNT, EMPTY, begun
from dashboards.queries import Query
from dashboards.sql import Sql

MIN_WIDTH: Final = 80
"""Pixels of a column; Grafana's own least cuts wide tables off."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, the query of its values, their unit.

    `gauge` draws the values as bars too, `full` is what fills one; `width` is in pixels, for
    what needs more or less than its part of the table.
    """

    name: str
    expr: str = ""
    unit: str = COUNT
    decimals: int | None = None
    gauge: bool = False
    full: float | None = None
    width: int | None = None


def listing(
    title: str,
    description: str,
    keys: Mapping[str, str],
    columns: Sequence[Column],
    *,
    sort: str = "",
    width: int = 24,
    height: int = 10,
    empty: str = EMPTY,
) -> table.Panel:
    """Return a table of the latest values: a row for each value of the labels `keys`.

    `keys` maps labels to headings; each column's query must yield just these labels.
    `sort` names the column that orders the rows, the largest first.
    """
    queries = [Query(column.expr) for column in columns]
    sources = (
        [f"Value #{chr(ord('A') + place)}" for place in range(len(columns))]
        if len(columns) > 1
        else ["Value"]
    )
    headings = dict(keys) | {
        source: column.name for source, column in zip(sources, columns, strict=True)
    }
    panel = (
        begun(table.Panel(), title, description, queries, size=(width, height), empty=empty)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(organized(headings, hidden=("Time",)))
        .min(0)
        .min_width(MIN_WIDTH)
        .overrides([_column_style(column) for column in columns])
    )
    if sort:
        panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return panel


def rows(
    title: str,
    description: str,
    query: Sql,
    columns: Sequence[Column],
    *,
    width: int = 24,
    height: int = 10,
    empty: str = EMPTY,
) -> table.Panel:
    """Return the rows that a SQL query yields; `columns` are those that want a style."""
    return (
        begun(table.Panel(), title, description, [query], size=(width, height), empty=empty)
        .min_width(MIN_WIDTH)
        .overrides([_column_style(column) for column in columns])
    )


def organized(headings: Mapping[str, str], hidden: Sequence[str] = ()) -> DataTransformerConfig:
    """Return the transformation that names and orders fields; `hidden` ones are left out."""
    return DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {field: place for place, field in enumerate(headings)},
            "renameByName": dict(headings),
        },
    )


def _column_style(column: Column) -> Builder[DashboardFieldConfigSourceOverrides]:
    properties = [DynamicConfigValue("unit", column.unit)]
    if column.decimals is not None:
        properties.append(DynamicConfigValue("decimals", column.decimals))
    if column.full is not None:
        properties.append(DynamicConfigValue("max", column.full))
    if column.gauge:
        bar = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
        properties.append(DynamicConfigValue("custom.cellOptions", bar))
        color = {"mode": "fixed", "fixedColor": "blue"}
        properties.append(DynamicConfigValue("color", color))
    if column.width:
        properties.append(DynamicConfigValue("custom.width", column.width))
    matcher = MatcherConfig(id_val="byName", options=column.name)
    return dashboard.DashboardFieldConfigSourceOverrides().matcher(matcher).properties(properties)
