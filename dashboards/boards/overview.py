"""Overview: who mines, how sure that is, and whether the agent is well."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Panels, Section, board, marks, view_variables
from dashboards.panels import (
    AGO,
    COUNT,
    GREEN,
    HASHRATE,
    ORANGE,
    RATIO,
    RED,
    SECONDS,
    bars,
    chart,
    figures,
    steps,
)
from dashboards.queries import AGENT, VIEW, WINDOW, Query, estimate, largest, metric

SHARES = metric("pool_share_ratio", VIEW)


def overview() -> Dashboard:
    """Return the dashboard that comes first."""
    return board(
        "poolscope-overview",
        "Poolscope / Overview",
        "Who mines Bitcoin by the evidence in the blocks, and how sure that is.",
        [
            Section("Chain and agent", _state()),
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
            COUNT,
            decimals=0,
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


def _shares() -> Panels:
    return [
        bars(
            "Largest pools",
            "Observed shares of the window's blocks. 'unknown' are blocks that name no pool. "
            "A share of n blocks is a sample: of 144 blocks, a pool with 30 % of the work shows "
            "between 22 and 38 % on most days. The table in Pools has the interval of each.",
            [Query(f"sort_desc(topk(12, {SHARES}))", "{{pool}}")],
            RATIO,
            width=10,
            height=12,
        ),
        chart(
            "Shares over time",
            "Observed shares of the eight largest at the end of the time range, over a moving "
            "window: neighbouring points share nearly all of their blocks, so slow waves are to "
            "be expected by chance.",
            [Query(largest(SHARES, 8), "{{pool}}")],
            RATIO,
            width=14,
            height=12,
            lowest=0,
        ),
    ]


def _concentration() -> Panels:
    above = metric("any_above_probability_ratio", VIEW)
    return [
        chart(
            "HHI",
            "Herfindahl-Hirschman index: the chance that two blocks come from one miner. "
            "Unbiased, with its 95 % interval as a band. Blocks of unknown pools count as miners "
            "of their own, so it is a lower bound.",
            estimate("hhi_ratio", "hhi_lower_ratio", "hhi_upper_ratio", VIEW),
            COUNT,
            bands=[""],
        ),
        chart(
            "Does somebody hold more than …?",
            "Probability, given the window, that some entity holds more than a quarter, a third or "
            "a half of the work. From half the chain is decided; from a third selfish mining pays. "
            "Alerts ask 99 % over 1008 blocks.",
            [Query(above, "{{threshold}}")],
            RATIO,
            lowest=0,
            highest=1,
        ),
    ]


def _network() -> Panels:
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
            "as the epoch ends. Empty on chains that never retarget.",
            [Query(f"{query.expr} - 1", query.legend) for query in estimate(*change, AGENT)],
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
            stepped=True,
            lowest=0,
        ),
        chart(
            "Empty and disputed blocks",
            "Of the largest window: blocks with no transaction but the coinbase, and blocks whose "
            "evidence names more than one pool.",
            [
                Query(metric("empty_blocks"), "empty"),
                Query(metric("conflicting_blocks"), "evidence in conflict"),
            ],
            COUNT,
            stepped=True,
            lowest=0,
        ),
    ]
