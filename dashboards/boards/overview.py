"""Overview: who mines, how sure that is, and whether the agent is well."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Panels, Section, board, marks, view_variables
from dashboards.panels import (
    AGO,
    COUNT,
    GREEN,
    HASHRATE,
    HEIGHT,
    ORANGE,
    PLAIN,
    POOL_COLORS,
    RATIO,
    RED,
    SECONDS,
    bars,
    chart,
    figures,
    steps,
)
from dashboards.queries import (
    AGENT,
    ALONE,
    NAMED,
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

SHARES = metric("pool_share_ratio", VIEW)
DAY = 144
"""Blocks."""


def overview() -> Dashboard:
    """Return the dashboard that comes first."""
    return board(
        "poolscope-overview",
        "Poolscope / Overview",
        "Who mines Bitcoin by the evidence in the blocks, and how sure that is.",
        [
            Section("Chain and agent", _state()),
            Section("Mining by the last $window blocks", _glance()),
            Section("Shares of the last $window blocks under the lens $lens", _shares()),
            Section("Concentration", _concentration()),
            Section("Network", _network()),
        ],
        variables=view_variables(),
        marks=marks(),
    )


def _state() -> Panels:
    age = f"time() - {metric('tip_timestamp_seconds')}"
    return [
        figures(
            "Chain",
            "Which chain the agent follows. 'sample' is a replay of real old blocks and "
            "'rehearsal' is mined on this machine: neither says anything about today.",
            [Query(metric("network_info"), "{{network}} {{synthetic}}")],
            COUNT,
            names=True,
        ),
        figures(
            "Tip",
            "Height of the newest block of the stored chain.",
            [Query(metric("tip_height"))],
            HEIGHT,
        ),
        figures(
            "Age of the tip",
            "Time since the timestamp in the tip's header. Miners set it and may be wrong by up "
            "to two hours. One gap in 403 exceeds an hour by chance, one in 160,000 two hours.",
            [Query(age)],
            SECONDS,
            thresholds=steps(GREEN, (3600, ORANGE), (7200, RED)),
        ),
        figures(
            "Agent",
            "Whether the agent has caught up with its source and can write its store.",
            [Query(metric("ready"))],
            COUNT,
            texts={"0": ("behind", ORANGE), "1": ("caught up", GREEN)},
            empty="No agent",
        ),
        figures(
            "Alerts that fire",
            "Poolscope's alerts that fire now, of all agents: see Agent health for which.",
            [Query('count(ALERTS{alertname=~"Poolscope.*", alertstate="firing"}) or vector(0)')],
            COUNT,
            thresholds=steps(GREEN, (1, RED)),
        ),
        figures(
            "Next retarget",
            "When the difficulty is expected to change, at the pace of the running epoch. "
            "Empty on chains that never retarget and right after a retarget.",
            [Query(metric("epoch_retarget_timestamp_seconds") + " * 1000")],
            AGO,
        ),
    ]


def _glance() -> Panels:
    return [
        figures(
            "Network hash rate",
            "From the work and the time of the window's blocks. The chart below has its interval.",
            [Query(metric("network_hashes_per_second", WINDOW))],
            HASHRATE,
            decimals=0,
            empty="Too few blocks yet",
        ),
        figures(
            "Difficulty",
            "Of the newest block: how many times harder than the easiest target of all.",
            [Query(metric("difficulty"))],
            PLAIN,
            decimals=1,
        ),
        figures(
            "Largest share",
            "Observed share of the largest pool, or group, that the lens names. A country or a "
            "custodian found nothing itself: the pools that it stands for did.",
            [Query(f"topk(1, {metric('pool_share_ratio', VIEW, NAMED)})", "{{pool}}")],
            RATIO,
            decimals=1,
            both=True,
        ),
        figures(
            "Nakamoto number",
            "The fewest that together found more than a half of the window's "
            "blocks. The first if the unknown ones are the largest's, the second if they are of a "
            "miner each. How sure that is stands in Concentration.",
            [
                Query(metric("nakamoto_entities_reading", VIEW, 'threshold="half"', reading), words)
                for reading, words in ((OF_LARGEST, "fewest"), (ALONE, "most"))
            ],
            COUNT,
            both=True,
        ),
        figures(
            "Effective number",
            "1/HHI: as many equal miners would be as concentrated.",
            [Query(metric("effective_entities", VIEW))],
            COUNT,
            decimals=1,
            empty="Over a tenth of the blocks are unknown",
        ),
        figures(
            "Unknown",
            "Part of the window's blocks that name no pool.",
            [Query(metric("pool_share_ratio", VIEW, 'pool="unknown"'))],
            RATIO,
            decimals=1,
        ),
    ]


def _shares() -> Panels:
    return [
        bars(
            "Largest pools",
            "Observed shares of the window's blocks. 'unknown' are blocks that name no pool. "
            "A share of n blocks is a sample: of 144 blocks, a pool with 30 % of the work shows "
            "between 22 and 38 % on most days. The table in Pools has the interval of each.",
            [Query(f"sort_desc(topk(12, {SHARES}))", "{{pool}}")],
            RATIO,
            colors=POOL_COLORS,
            decimals=1,
            width=9,
            height=12,
        ),
        chart(
            "Shares over time",
            "Observed shares of the eight largest at the end of the time range, over a moving "
            "window: neighbouring points share nearly all of their blocks, so slow waves are to "
            "be expected by chance.",
            [Query(largest(SHARES, 8), "{{pool}}")],
            RATIO,
            width=15,
            height=12,
            ranked=True,
            colors=POOL_COLORS,
            decimals=1,
            lowest=0,
        ),
    ]


def _concentration() -> Panels:
    return [
        chart(
            "HHI",
            "Herfindahl-Hirschman index: the chance that two blocks come from one miner. "
            "Unbiased, with its 95 % interval as a band, whoever found the unknown blocks. No line "
            "where more than a tenth of the blocks are unknown.",
            estimate("hhi_ratio", "hhi_lower_ratio", "hhi_upper_ratio", VIEW),
            COUNT,
            bands=[""],
        ),
        chart(
            "Does somebody hold more than …?",
            "Probability, given the window, that some entity holds more than a quarter, a third or "
            "a half of the work: at least if unknown blocks are of a miner each, at most if they "
            "are the largest's. From half the chain is decided; from a third selfish mining pays. "
            "Alerts ask 99 % of the former over 1008 blocks, under the lens tag alone.",
            any_above(),
            RATIO,
            decimals=1,
            lowest=0,
            highest=1,
            empty=NOT_OF_CONTROL,
        ),
    ]


def _network() -> Panels:
    told = f"{metric('epoch_blocks')} > {DAY}"
    change = ("epoch_change_ratio", "epoch_change_lower_ratio", "epoch_change_upper_ratio")
    return [
        chart(
            "Network hash rate",
            "From the work and the time of the window's blocks, with its 95 % interval: the fewer "
            "blocks, the wider. Nobody measures it; blocks are all there is.",
            estimate(
                "network_hashes_per_second",
                "network_hashes_per_second_lower",
                "network_hashes_per_second_upper",
                WINDOW,
            ),
            HASHRATE,
            bands=[""],
            empty="No data: too few blocks yet",
        ),
        chart(
            "Expected change of difficulty",
            "New difficulty over old, less one, if the epoch goes on at its pace; the band narrows "
            "as the epoch ends. Empty in an epoch's first 144 blocks, which tell too little, and "
            "on chains that never retarget.",
            [
                Query(f"{query.expr} - 1 and on (job, instance) {told}", query.legend)
                for query in estimate(*change, AGENT)
            ],
            RATIO,
            bands=[""],
            empty="No data: no retarget is foreseen",
        ),
        chart(
            "Stale blocks and reorgs",
            "What the store has seen since it began. A block that lost a race is stale; a reorg "
            "replaced blocks that the agent had taken for final so far. One source sees only the "
            "stale blocks that reach it, so these are lower bounds.",
            [
                Query(metric("stale_blocks"), "stale blocks"),
                Query(metric("reorgs"), "reorgs"),
                Query(metric("reorg_depth_max_blocks"), "deepest reorg (blocks)"),
            ],
            COUNT,
            decimals=0,
            stepped=True,
            lowest=0,
        ),
        chart(
            "Empty, disputed and unread blocks",
            "Of the largest window: blocks with no transaction but the coinbase, and blocks whose "
            "evidence names more than one pool. Of the whole store: blocks of which no source had "
            "more than the header, so that nobody knows who mined them.",
            [
                Query(metric("empty_blocks"), "empty"),
                Query(metric("conflicting_blocks"), "evidence in conflict"),
                Query(metric("header_only_blocks"), "header only"),
            ],
            COUNT,
            decimals=0,
            stepped=True,
            lowest=0,
        ),
    ]
