"""A dashboard as a whole: sections of panels under the variables and marks that all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    RowPanel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.panels import PROMETHEUS
from dashboards.queries import AGENT, NAMED, VIEW, metric

TAG: Final = "poolscope"
"""Dashboards link to all that carry it."""


Panels: TypeAlias = list[Builder[Panel]]


@dataclass(frozen=True, slots=True)
class Section:
    """A titled row of panels; with `repeat`, one for each chosen value of that variable."""

    title: str
    panels: Panels
    repeat: str = ""


def board(
    uid: str,
    title: str,
    description: str,
    sections: Sequence[Section],
    *,
    variables: Sequence[Builder[Any]],
    marks: Sequence[AnnotationQuery],
    since: str = "now-7d",
    refresh: str = "1m",
) -> Dashboard:
    """Return a dashboard; `uid` is its address for ever, `since` how far back it looks at first."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG, "bitcoin"])
        .timezone("browser")
        .time(since, "now")
        .refresh(refresh)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables(list(variables))
        .link(
            dashboard.DashboardLink("Poolscope")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )
    for section in sections:
        row = dashboard.Row(section.title)
        if section.repeat:
            row.repeat(section.repeat)
        made.with_row(row)
        for panel in section.panels:
            made.with_panel(panel)
    built = made.build()
    for number, part in enumerate(built.panels or (), 1):
        part.id_val = number
    for mark in marks:
        made.annotation(_Ready(mark))
    return built


class _Ready(Builder[Any]):
    """A part that is already built, where the library asks for a builder."""

    def __init__(self, part: object) -> None:
        self._part = part

    def build(self) -> Any:
        return self._part


def panels_of(built: Dashboard) -> list[Panel]:
    """Return the panels of a dashboard, without its rows."""
    return [part for part in built.panels or () if not isinstance(part, RowPanel)]


# -- variables

_LABEL_VALUES: Final = 1
_QUERY_RESULT: Final = 3


def agent_variables() -> list[Builder[Any]]:
    """Return what every dashboard asks: which Prometheus, which agent."""
    return [
        dashboard.DatasourceVariable("datasource")
        .label("Prometheus")
        .description("The Prometheus that scrapes poolscope.")
        .type("prometheus"),
        _labels("job", "Job", "The scrape job of the agents.", "poolscope_build_info", "job"),
        _labels(
            "instance",
            "Agent",
            "One agent: figures of two are never mixed.",
            'poolscope_build_info{job="$job"}',
            "instance",
        ),
    ]


def view_variables() -> list[Builder[Any]]:
    """Return the choice of agent, of window and of lens."""
    sizes = metric("window_blocks", AGENT)
    window = _labels(
        "window",
        "Window (blocks)",
        "How many blocks back figures count: 144 are about a day, 1008 a week, 2016 two weeks. "
        "Small windows follow faster and are less sure.",
        sizes,
        "window",
    )
    lens = _labels(
        "lens",
        "Lens",
        "Who is counted as one: tag is the pool as the block names it; the others group pools "
        "by dated tables with sources, which nothing on the chain proves, and of which only "
        "owner says who directs work.",
        sizes,
        "lens",
    )
    return [
        *agent_variables(),
        window.sort(VariableSort.NUMERICAL_ASC).current(VariableOption(True, "1008", "1008")),
        lens.current(VariableOption(True, "tag", "tag")),
    ]


def pool_variable() -> Builder[Any]:
    """Return the choice of pools, the largest first."""
    pools = metric("pool_blocks", VIEW, NAMED)
    return (
        dashboard.QueryVariable("pool")
        .label("Pool")
        .description("One section for each; groups, under a lens other than tag.")
        .datasource(PROMETHEUS)
        .query(_question(_QUERY_RESULT, f"query_result(sort_desc({pools} > 0))"))
        .regex('/pool="([^"]+)"/')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
    )


def _labels(
    name: str, label: str, description: str, series: str, of: str
) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(PROMETHEUS)
        .query(_question(_LABEL_VALUES, f"label_values({series}, {of})"))
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _question(kind: int, query: str) -> dict[str, object]:
    return {"qryType": kind, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}


# -- marks on the time axis


class Mark(AnnotationQuery):
    """An event on every chart: the value of `expr` is its time in milliseconds."""

    def __init__(self, name: str, expr: str, color: str, text: str) -> None:
        super().__init__(name=name, datasource=PROMETHEUS, icon_color=color, expr=expr)
        self.text = text

    def to_json(self) -> dict[str, object]:
        """Return it with the fields that Prometheus' annotations have beside the common ones."""
        return super().to_json() | {
            "titleFormat": self.name,
            "textFormat": self.text,
            "tagKeys": "",
            "useValueForTime": True,
            "step": "60s",
        }


def marks() -> list[Mark]:
    """Return the events that change what figures mean: reorgs, retargets, other registries."""
    began = f"min_over_time(timestamp({metric('registry_info')})[$__range:$__interval] @ end())"
    return [
        Mark(
            "Reorgs",
            metric("reorg_last_seen_timestamp_seconds") + " * 1000 > 0",
            "red",
            "Blocks were replaced by a branch with more work.",
        ),
        Mark(
            "Retargets",
            metric("epoch_start_timestamp_seconds") + " * 1000",
            "blue",
            "The first block of a difficulty epoch, at the time in its header.",
        ),
        Mark(
            "Registry changes",
            f"{began} * 1000 > on (job, instance) group_left"
            f" min by (job, instance) ({began}) * 1000",
            "purple",
            "Blocks are attributed by another registry since then: {{pools}} pools ({{hash}}).",
        ),
    ]
