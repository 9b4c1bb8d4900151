"""Panels in the form that all dashboards share: described, with units, at ease without data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    MatcherConfig,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.queries import ESTIMATE, Query
from dashboards.sql import STORE, Sql, SqlTarget

PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
RATIO: Final = units.PercentUnit
HASHRATE: Final = units.HashesPerSecond
SECONDS: Final = units.Seconds
BYTES: Final = units.BytesIEC
COUNT: Final = units.Number
PER_SECOND: Final = units.RequestsPerSecond
AGO: Final = units.DateTimeFromNow
"""Wants milliseconds of Unix time."""
PLAIN: Final = units.Short

EMPTY: Final = "No data"
GREEN, ORANGE, RED = "green", "orange", "red"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, the query of its values, their unit."""

    name: str
    expr: str
    unit: str = COUNT
    decimals: int | None = None


def steps(base: str, *above: tuple[float, str]) -> Builder[Any]:
    """Return thresholds: `base` is the colour below the first of (value, colour)."""
    found = [Threshold(value=None, color=base)]
    found += [Threshold(value=value, color=color) for value, color in above]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def words(texts: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Return a mapping of values to (text, colour)."""
    results = {
        value: ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(texts.items())
    }
    return ValueMap(options=results)


def _source(queries: Sequence[Query | Sql]) -> DataSourceRef:
    return STORE if isinstance(queries[0], Sql) else PROMETHEUS


def _targets(
    queries: Sequence[Query | Sql], *, instant: bool, as_table: bool = False
) -> list[Builder[Any]]:
    return [
        SqlTarget(query, as_table=as_table or instant)
        if isinstance(query, Sql)
        else _promql(query, chr(ord("A") + place), instant=instant, as_table=as_table)
        for place, query in enumerate(queries)
    ]


def _promql(query: Query, name: str, *, instant: bool, as_table: bool) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(name).expr(query.expr)
    target = target.datasource(PROMETHEUS).legend_format(query.legend)
    target = target.instant() if instant else target.range()
    return target.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)


def figures(
    title: str,
    description: str,
    queries: Sequence[Query | Sql],
    unit: str,
    *,
    width: int = 4,
    decimals: int | None = None,
    thresholds: Builder[Any] | None = None,
    texts: Mapping[str, tuple[str, str]] | None = None,
    names: bool = False,
    empty: str = EMPTY,
) -> stat.Panel:
    """Return the latest values, large. `names` shows the series' names instead of values."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(_source(queries))
        .targets(_targets(queries, instant=True))
        .unit(unit)
        .no_value(empty)
        .graph_mode(options.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds or steps("text"))
        .span(width)
        .height(4)
    )
    if names:
        panel.text_mode(options.BigValueTextMode.NAME)
    elif len(queries) > 1:
        panel.text_mode(options.BigValueTextMode.VALUE_AND_NAME)
    if decimals is not None:
        panel.decimals(decimals)
    if texts:
        panel.mappings([words(texts)])
    return panel


def chart(
    title: str,
    description: str,
    queries: Sequence[Query | Sql],
    unit: str,
    *,
    width: int = 12,
    height: int = 8,
    bands: Sequence[str] = (),
    stacked: bool = False,
    stepped: bool = False,
    lowest: float | None = None,
    highest: float | None = None,
    empty: str = EMPTY,
) -> timeseries.Panel:
    """Return series over time.

    `bands` names estimates (see `dashboards.queries.estimate`) whose interval becomes a
    coloured band; an empty name stands for the one that has none. `stepped` is for whole
    numbers that hold until they change.
    """
    legend = common.VizLegendOptions().show_legend(True)
    legend = legend.display_mode(options.LegendDisplayMode.LIST)
    legend = legend.placement(options.LegendPlacement.BOTTOM).calcs(["lastNotNull"])
    tooltip = common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(_source(queries))
        .targets(_targets(queries, instant=False))
        .unit(unit)
        .no_value(empty)
        .legend(legend)
        .tooltip(tooltip.sort(options.SortOrder.DESCENDING))
        .line_width(1.5)
        .fill_opacity(60 if stacked else 0)
        .show_points(options.VisibilityMode.NEVER)
        .span_nulls(False)
        .span(width)
        .height(height)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL))
    if stepped:
        panel.line_interpolation(options.LineInterpolation.STEP_AFTER)
    if lowest is not None:
        panel.min(lowest)
    if highest is not None:
        panel.max(highest)
    for color, name in zip(_BAND_COLORS, bands, strict=False):
        _band(panel, name, color)
    return panel


_BAND_COLORS: Final = ("blue", "orange", "green", "purple")


def _band(panel: timeseries.Panel, name: str, color: str) -> None:
    """Draw the interval of the estimate `name` as a band, its ends without lines."""
    middle, low, high = (f"{name} {part}".strip() for part in ESTIMATE)
    fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
    edge = [fixed, DynamicConfigValue("custom.lineWidth", 0)]
    panel.override_by_name(middle, [fixed, DynamicConfigValue("custom.lineWidth", 2)])
    panel.override_by_name(low, edge)
    fill = [
        DynamicConfigValue("custom.fillBelowTo", low),
        DynamicConfigValue("custom.fillOpacity", 20),
    ]
    panel.override_by_name(high, [*edge, *fill])


def bars(
    title: str,
    description: str,
    queries: Sequence[Query | Sql],
    unit: str,
    *,
    width: int = 12,
    height: int = 10,
    highest: float | None = None,
    thresholds: Builder[Any] | None = None,
    empty: str = EMPTY,
) -> bargauge.Panel:
    """Return the latest values as bars that lie."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(_source(queries))
        .targets(_targets(queries, instant=True))
        .unit(unit)
        .no_value(empty)
        .min(0)
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(thresholds or steps("blue"))
        .span(width)
        .height(height)
    )
    if highest is not None:
        panel.max(highest)
    return panel


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
    targets = _targets(queries, instant=True, as_table=True)
    sources = (
        [f"Value #{chr(ord('A') + place)}" for place in range(len(columns))]
        if len(columns) > 1
        else ["Value"]
    )
    headings = dict(keys) | {
        source: column.name for source, column in zip(sources, columns, strict=True)
    }
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .targets(targets)
        .no_value(empty)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(organized(headings, hidden=("Time",)))
        .overrides([_column_style(column) for column in columns])
        .span(width)
        .height(height)
    )
    if sort:
        panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return panel


def rows(
    title: str,
    description: str,
    query: Sql,
    columns: Mapping[str, str],
    *,
    width: int = 24,
    height: int = 10,
    empty: str = EMPTY,
) -> table.Panel:
    """Return the rows that a SQL query yields; `columns` gives units to some of its columns."""
    styles = [_column_style(Column(name, "", unit)) for name, unit in columns.items()]
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(STORE)
        .targets(_targets([query], instant=True))
        .no_value(empty)
        .overrides(styles)
        .span(width)
        .height(height)
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
    matcher = MatcherConfig(id_val="byName", options=column.name)
    return dashboard.DashboardFieldConfigSourceOverrides().matcher(matcher).properties(properties)
