"""Concentration: how few could decide, by several measures, lens by lens, and how surely."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Panels, Section, board, marks, view_variables
from dashboards.panels import COUNT, RATIO, Column, chart, listing
from dashboards.queries import AGENT, VIEW, WINDOW, Query, estimate, largest, metric

LENS = AGENT + ', lens="$lens"'
HALF, THIRD = 'threshold="half"', 'threshold="third"'


def concentration() -> Dashboard:
    """Return the dashboard of concentration measures."""
    return board(
        "poolscope-concentration",
        "Poolscope / Concentration",
        "How concentrated mining is, with intervals, and what grouping by a lens changes.",
        [
            Section("Lenses side by side, last $window blocks", _lenses()),
            Section("Under the lens $lens, over time", _over_time()),
            Section("How few hold more than …", _nakamoto()),
        ],
        variables=view_variables(),
        marks=marks(),
    )


def _by_lens(name: str, *more: str) -> str:
    return f"sum by (lens) ({metric(name, WINDOW, *more)})"


def _lenses() -> Panels:
    above = "any_above_probability_ratio"
    return [
        listing(
            "What each lens says",
            "The same blocks, counted by who stands behind a pool. tag takes pools as blocks name "
            "them. The other lenses group them by dated tables with sources: nothing on the chain "
            "proves that two pools are one. HHI with its 95 % interval; the Nakamoto number is of "
            "the window's blocks; probabilities are of the true parts of the work.",
            {"lens": "Lens"},
            [
                Column("Entities", _by_lens("entities")),
                Column("HHI", _by_lens("hhi_ratio"), COUNT, 3),
                Column("HHI at least", _by_lens("hhi_lower_ratio"), COUNT, 3),
                Column("HHI at most", _by_lens("hhi_upper_ratio"), COUNT, 3),
                Column("Effective number", _by_lens("effective_entities"), COUNT, 1),
                Column("Nakamoto (half)", _by_lens("nakamoto_entities", HALF)),
                Column("Nakamoto (third)", _by_lens("nakamoto_entities", THIRD)),
                Column("P(one above a third)", _by_lens(above, THIRD), RATIO, 1),
                Column("P(one above a half)", _by_lens(above, HALF), RATIO, 1),
            ],
            sort="HHI",
            height=8,
        ),
    ]


def _over_time() -> Panels:
    return [
        chart(
            "HHI",
            "The chance that two blocks come from one miner: 1/n for n equals. Unbiased, with its "
            "95 % interval. Blocks of unknown pools count as miners of their own, so it is a lower "
            "bound.",
            estimate("hhi_ratio", "hhi_lower_ratio", "hhi_upper_ratio", VIEW),
            COUNT,
            bands=[""],
        ),
        chart(
            "Effective number of entities",
            "1/HHI: as many equals would be as concentrated. With its 95 % interval.",
            estimate(
                "effective_entities", "effective_entities_lower", "effective_entities_upper", VIEW
            ),
            COUNT,
            bands=[""],
            lowest=0,
        ),
        chart(
            "HHI in windows of all sizes",
            "The estimate is unbiased in windows of any size; small ones scatter more.",
            [Query(metric("hhi_ratio", LENS), "{{window}} blocks")],
            COUNT,
        ),
        chart(
            "The three largest",
            "Observed shares of the three that are largest at the end of the time range. Intervals "
            "are in Pools.",
            [Query(largest(metric("pool_share_ratio", VIEW, 'pool!="unknown"'), 3), "{{pool}}")],
            RATIO,
            lowest=0,
        ),
    ]


def _nakamoto() -> Panels:
    at_most = "nakamoto_at_most_probability_ratio"
    asked = "Nakamoto number: the fewest entities that together found more than"
    return [
        chart(
            "Nakamoto number of the window",
            f"{asked} a half, or a third, of the window's blocks. A count of this sample; how sure "
            "it is stands beside it.",
            [Query(metric("nakamoto_entities", VIEW), "{{threshold}}")],
            COUNT,
            width=8,
            stepped=True,
            lowest=0,
        ),
        chart(
            "So few hold more than a half",
            "Probability, given the window, that so many entities or fewer hold more than a half "
            "of the work.",
            [Query(metric(at_most, VIEW, HALF), "{{entities}} or fewer")],
            RATIO,
            width=8,
            lowest=0,
            highest=1,
        ),
        chart(
            "So few hold more than a third",
            "Probability, given the window, that so many entities or fewer hold more than a third "
            "of the work.",
            [Query(metric(at_most, VIEW, THIRD), "{{entities}} or fewer")],
            RATIO,
            width=8,
            lowest=0,
            highest=1,
        ),
        chart(
            "One alone holds more than …",
            "Probability, given the window, that some entity holds more than a quarter, a third or "
            "a half of the work. The alerts ask 99 % over 1008 blocks for an hour.",
            [Query(metric("any_above_probability_ratio", VIEW), "{{threshold}}")],
            RATIO,
            width=24,
            lowest=0,
            highest=1,
        ),
    ]
