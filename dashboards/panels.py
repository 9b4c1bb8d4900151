"""Panels in the form that all dashboards share: described, with units, at ease without data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

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
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
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
HEIGHT: Final = units.LocaleFormat
PER_SECOND: Final = units.RequestsPerSecond
AGO: Final = units.DateTimeFromNow
"""Wants milliseconds of Unix time."""
PLAIN: Final = units.Short

EMPTY: Final = "No data"
LAST: Final = "lastNotNull"
POOL_COLORS: Final = {
    "foundryusa": "blue",
    "antpool": "orange",
    "viabtc": "green",
    "f2pool": "red",
    "spiderpool": "purple",
    "marapool": "yellow",
    "luxor": "light-blue",
    "secpool": "light-orange",
    "binancepool": "super-light-yellow",
    "ocean": "dark-blue",
    "braiinspool": "light-red",
    "sbicrypto": "light-green",
    "btccom": "light-purple",
    "poolin": "dark-green",
    "unknown": "#8e8e8e",
    "other": "#5a5a5a",
}
"""The same pool has the same colour on every panel; those that are not here get any."""
RULE_COLORS: Final = {
    "tag+payout": "green",
    "tag": "blue",
    "payout": "purple",
    "label": "yellow",
    "ambiguous": "orange",
    "weak": "light-orange",
    "none": "red",
}
GREEN, ORANGE, RED = "green", "orange", "red"


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


AnyPanel = TypeVar("AnyPanel", stat.Panel, timeseries.Panel, bargauge.Panel, table.Panel)


def begun(
    panel: AnyPanel,
    title: str,
    description: str,
    queries: Sequence[Query | Sql],
    *,
    size: tuple[int, int],
    empty: str,
) -> AnyPanel:
    """Return `panel` with what all have; `size` is width and height in Grafana's grid."""
    width, height = size
    return (
        panel.title(title)
        .description(description)
        .datasource(STORE if isinstance(queries[0], Sql) else PROMETHEUS)
        .targets([*_targets(queries, type(panel))])
        .no_value(empty)
        .span(width)
        .height(height)
    )


def _targets(queries: Sequence[Query | Sql], kind: type) -> Iterator[Builder[Any]]:
    """Yield queries: charts ask over time, all others for the latest values."""
    for place, query in enumerate(queries):
        if isinstance(query, Sql):
            yield SqlTarget(query, as_table=kind is not timeseries.Panel)
        else:
            shape = PromQueryFormat.TABLE if kind is table.Panel else PromQueryFormat.TIME_SERIES
            target = prometheus.Dataquery().ref_id(chr(ord("A") + place)).expr(query.expr)
            target = target.datasource(PROMETHEUS).legend_format(query.legend).format(shape)
            yield target.range() if kind is timeseries.Panel else target.instant()


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
    both: bool = False,
    empty: str = EMPTY,
) -> stat.Panel:
    """Return the latest values, large.

    `names` shows the series' names instead of values, `both` names and values.
    """
    panel = (
        begun(stat.Panel(), title, description, queries, size=(width, 4), empty=empty)
        .unit(unit)
        .graph_mode(options.BigValueGraphMode.NONE)
        .justify_mode(options.BigValueJustifyMode.CENTER)
        .reduce_options(common.ReduceDataOptions().calcs([LAST]))
        .thresholds(thresholds or steps("text"))
    )
    if names:
        panel.text_mode(options.BigValueTextMode.NAME)
    elif both:
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
    ranked: bool = False,
    colors: Mapping[str, str] | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    decimals: int | None = None,
    levels: Sequence[float] = (),
    empty: str = EMPTY,
) -> timeseries.Panel:
    """Return series over time.

    `bands` names estimates (see `dashboards.queries.estimate`) whose interval becomes a
    coloured band; an empty name stands for the one that has none. `stepped` is for whole
    numbers that hold until they change. `ranked` is for many series: a table beside the chart
    names them, the largest first. `colors` are those of names. `levels` are drawn as dashed lines.
    """
    tooltip = common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI)
    panel = (
        begun(timeseries.Panel(), title, description, queries, size=(width, height), empty=empty)
        .unit(unit)
        .legend(_ranking() if ranked else _names())
        .tooltip(tooltip.sort(options.SortOrder.DESCENDING))
        .line_width(1.5)
        .fill_opacity(60 if stacked else 0)
        .show_points(options.VisibilityMode.NEVER)
        .span_nulls(False)
    )
    if levels:
        panel.thresholds(steps("transparent", *((level, ORANGE) for level in levels)))
        style = common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(style)
    if decimals is not None:
        panel.decimals(decimals)
    if unit == COUNT and lowest == 0:
        panel.axis_soft_max(1)
    if stacked:
        panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL))
    if stepped:
        panel.line_interpolation(options.LineInterpolation.STEP_AFTER)
    if lowest is not None:
        panel.min(lowest)
    if highest is not None:
        panel.max(highest)
    _color(panel, colors)
    for color, name in zip(_BAND_COLORS, bands, strict=False):
        _band(panel, name, color)
    return panel


def _color(panel: timeseries.Panel | bargauge.Panel, colors: Mapping[str, str] | None) -> None:
    for name, color in (colors or {}).items():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
        panel.override_by_name(name, [fixed])


def _names() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.BOTTOM)
        .calcs([LAST])
    )


def _ranking() -> common.VizLegendOptions:
    return (
        _names()
        .display_mode(options.LegendDisplayMode.TABLE)
        .placement(options.LegendPlacement.RIGHT)
        .sort_by("Last *")
        .sort_desc(True)
    )


_BAND_COLORS: Final = ("blue", "orange", "green", "purple")


def _band(panel: timeseries.Panel, name: str, color: str) -> None:
    """Draw the interval of the estimate `name` as a band, its ends without lines or names."""
    middle, low, high = (f"{name} {part}".strip() for part in ESTIMATE)
    fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
    unnamed = {"legend": True, "tooltip": False, "viz": False}
    edge = [
        fixed,
        DynamicConfigValue("custom.lineWidth", 0),
        DynamicConfigValue("custom.hideFrom", unnamed),
    ]
    panel.override_by_name(middle, [fixed, DynamicConfigValue("custom.lineWidth", 2)])
    panel.override_by_name(low, edge)
    fill = [
        DynamicConfigValue("custom.fillBelowTo", low),
        DynamicConfigValue("custom.fillOpacity", 20),
    ]
    panel.override_by_name(high, [*edge, *fill])


def composition(
    title: str, description: str, queries: Sequence[Query | Sql], *, width: int = 12
) -> timeseries.Panel:
    """Return the shares of pools over time, one upon the other up to the whole."""
    return chart(
        title,
        description,
        queries,
        RATIO,
        width=width,
        height=12,
        stacked=True,
        ranked=True,
        colors=POOL_COLORS,
        decimals=1,
        lowest=0,
        highest=1,
    )


def bars(
    title: str,
    description: str,
    queries: Sequence[Query | Sql],
    unit: str,
    *,
    width: int = 12,
    height: int = 10,
    colors: Mapping[str, str] | None = None,
    decimals: int | None = None,
    empty: str = EMPTY,
) -> bargauge.Panel:
    """Return the latest values as bars that lie; `colors` are those of names."""
    panel = (
        begun(bargauge.Panel(), title, description, queries, size=(width, height), empty=empty)
        .unit(unit)
        .min(0)
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs([LAST]))
        .text(common.VizTextDisplayOptions().value_size(16))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
    )
    _color(panel, colors)
    if decimals is not None:
        panel.decimals(decimals)
    return panel
