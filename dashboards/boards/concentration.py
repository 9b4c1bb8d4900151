"""Concentration: how few could decide, by several measures, lens by lens, and how surely."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Panels, Section, board, marks, view_variables
from dashboards.panels import COUNT, POOL_COLORS, RATIO, chart
from dashboards.queries import (
    AGENT,
    ALONE,
    NOT_OF_CONTROL,
    OF_LARGEST,
    VIEW,
    WINDOW,
    Query,
    any_above,
    estimate,
    largest,
    metric,
)
from dashboards.tables import Column, listing

LENS = AGENT + ', lens="$lens"'
MOST = 5
"""The most entities that an agent gives the probability of."""
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
    above, size = "any_above_probability_reading_ratio", "nakamoto_entities_reading"
    return [
        listing(
            "What each lens says",
            "The same blocks, counted by who stands behind a pool. tag takes pools as blocks name "
            "them. The other lenses group them by dated tables with sources: nothing on the chain "
            "proves that two pools are one. HHI with its 95 % interval, whoever found the unknown "
            "blocks; no single value where more than a tenth of the blocks are unknown. The "
            "Nakamoto number is of the window's blocks. Only who directs work, a pool or its "
            "owner, has probabilities, of the true parts of the work: the fewest and the least are "
            "what unknown blocks leave possible. A lens is not there while no row of it applies.",
            {"lens": "Lens"},
            [
                Column("Entities", _by_lens("entities")),
                Column("HHI", _by_lens("hhi_ratio"), COUNT, 3),
                Column("at least", _by_lens("hhi_lower_ratio"), COUNT, 3),
                Column("at most", _by_lens("hhi_upper_ratio"), COUNT, 3),
                Column("Effective number", _by_lens("effective_entities"), COUNT, 1),
                Column("Nakamoto ½, fewest", _by_lens(size, HALF, OF_LARGEST)),
                Column("most", _by_lens(size, HALF, ALONE)),
                Column("P(one > ⅓), least", _by_lens(above, THIRD, ALONE), RATIO, 1),
                Column("P(one > ⅓), most", _by_lens(above, THIRD, OF_LARGEST), RATIO, 1),
                Column("P(one > ½), least", _by_lens(above, HALF, ALONE), RATIO, 1),
                Column("P(one > ½), most", _by_lens(above, HALF, OF_LARGEST), RATIO, 1),
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
            "95 % interval, whoever found the unknown blocks. No line where more than a tenth of "
            "the blocks are unknown.",
            estimate("hhi_ratio", "hhi_lower_ratio", "hhi_upper_ratio", VIEW),
            COUNT,
            bands=[""],
        ),
        chart(
            "HHI by who found the unknown blocks",
            "Without chance: if each unknown block is of a miner of its own (alone), if all are of "
            "one more miner (as_one), and if all are of the largest (of_largest). The first and "
            "the last are bounds.",
            [Query(metric("hhi_reading_ratio", VIEW), "{{unknown}}")],
            COUNT,
        ),
        chart(
            "Effective number of entities",
            "1/HHI: as many equals would be as concentrated. With its 95 % interval, whoever found "
            "the unknown blocks.",
            estimate(
                "effective_entities", "effective_entities_lower", "effective_entities_upper", VIEW
            ),
            COUNT,
            bands=[""],
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
            decimals=1,
            colors=POOL_COLORS,
            lowest=0,
        ),
    ]


def _needed(threshold: str, reading: str, words: str) -> timeseries.Panel:
    """Return the distribution of the Nakamoto number of the true parts of the work."""

    def at_most(entities: int) -> str:
        named = (f'threshold="{threshold}"', f'entities="{entities}"', reading)
        return metric("nakamoto_at_most_probability_reading_ratio", VIEW, *named)

    exactly = [
        Query(f"{at_most(count)} - ignoring (entities) {at_most(count - 1)}", f"{count}")
        for count in range(2, MOST + 1)
    ]
    return chart(
        f"More than a {threshold}, unknown blocks {words}",
        f"How many it takes, and how probable that is given the window: the fewest entities that "
        f"together hold more than a {threshold} of the work, if unknown blocks are {words}. The "
        f"probabilities add up to one.",
        [
            Query(at_most(1), "1"),
            *exactly,
            Query(f"1 - {at_most(MOST)}", f"{MOST + 1} or more"),
        ],
        RATIO,
        decimals=1,
        stacked=True,
        lowest=0,
        highest=1,
        empty=NOT_OF_CONTROL,
    )


def _nakamoto() -> Panels:
    asked = "Nakamoto number: the fewest entities that together found more than"
    readings = ((ALONE, "of a miner each"), (OF_LARGEST, "the largest's"))
    return [
        chart(
            "Nakamoto number of the window",
            f"{asked} a half, or a third, of the window's blocks: the fewest and the most that it "
            "may be, as unknown blocks may be the largest's or of a miner each. A count of this "
            "sample; how sure it is stands below.",
            [
                Query(
                    metric("nakamoto_entities_reading", VIEW, reading),
                    f"{{{{threshold}}}}, {words}",
                )
                for reading, words in ((OF_LARGEST, "fewest"), (ALONE, "most"))
            ],
            COUNT,
            width=24,
            decimals=0,
            stepped=True,
            lowest=0,
        ),
        *(
            _needed(threshold, reading, words)
            for threshold in ("half", "third")
            for reading, words in readings
        ),
        chart(
            "One alone holds more than …",
            "Probability, given the window, that some entity holds more than a quarter, a third or "
            "a half of the work: at least if unknown blocks are of a miner each, at most if they "
            "are the largest's. The alerts ask 99 % of the former, over 1008 blocks for an hour, "
            "under the lens tag alone.",
            any_above(),
            RATIO,
            decimals=1,
            width=24,
            lowest=0,
            highest=1,
            empty=NOT_OF_CONTROL,
        ),
    ]
