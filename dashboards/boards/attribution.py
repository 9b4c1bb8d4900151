"""Attribution audit: how blocks got their pool, and how much of it is doubtful."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Panels, Section, board, marks, view_variables
from dashboards.panels import (
    AGO,
    COUNT,
    GREEN,
    ORANGE,
    RATIO,
    RED,
    RULE_COLORS,
    bars,
    chart,
    figures,
    steps,
)
from dashboards.queries import AGENT, VIEW, WINDOW, Query, estimate, ever, metric, refused_blocks

LENS = AGENT + ', lens="$lens"'
UNKNOWN = 'pool="unknown"'
DAY = 86_400


def attribution() -> Dashboard:
    """Return the dashboard of the attribution's quality."""
    return board(
        "poolscope-attribution",
        "Poolscope / Attribution audit",
        "By which rules blocks get their pool, what stays unknown or in conflict, what is proved.",
        [
            Section("Registry and doubts", _state()),
            Section("Unknown blocks", _unknown()),
            Section("Evidence and proof, largest window", _evidence()),
        ],
        variables=view_variables(),
        marks=marks(),
    )


def _of_all(blocks: str) -> str:
    """Return `blocks` of the largest window as a ratio of its blocks."""
    return f"{blocks} / on (job, instance) sum by (job, instance) ({metric('proved_blocks')})"


def _state() -> Panels:
    share = metric("pool_share_ratio", VIEW, UNKNOWN)
    return [
        figures(
            "Registry",
            "Pools in the registry that attributes blocks. A purple mark on the charts shows when "
            "another one came into use.",
            [Query(metric("registry_info"), "{{pools}} pools ({{hash}})")],
            COUNT,
            width=5,
            names=True,
        ),
        figures(
            "Pools known up to",
            "How old the oldest list is that the registry follows. A pool that is newer than that "
            "may be counted as unknown.",
            [Query(metric("registry_updated_timestamp_seconds") + " * 1000")],
            AGO,
            width=5,
            empty="Its file does not say",
        ),
        figures(
            "Unknown",
            "Part of the window's blocks that names no pool, or a pool that the lens knows "
            "nothing of.",
            [Query(share)],
            RATIO,
            width=5,
            decimals=2,
            thresholds=steps(GREEN, (0.05, ORANGE), (0.15, RED)),
        ),
        figures(
            "Evidence in conflict",
            "Part of the largest window's blocks with evidence for more than one pool. The rule "
            "still names one; the conflict is kept with the block.",
            [Query(_of_all(metric("conflicting_blocks")))],
            RATIO,
            width=5,
            decimals=2,
            thresholds=steps(GREEN, (0.05, ORANGE)),
        ),
        figures(
            "Coinbase proved",
            "Part of the largest window's blocks whose coinbase is proved to belong to the header. "
            "Of the rest, the header is proved, and the pool is hearsay.",
            [Query(_of_all(metric("proved_blocks", AGENT, 'proof="coinbase"')))],
            RATIO,
            width=4,
            decimals=2,
            empty="None",
        ),
    ]


def _unknown() -> Panels:
    return [
        chart(
            "Unknown share",
            "Part of the window's blocks that name no pool, with its 95 % interval.",
            estimate(
                "pool_share_ratio",
                "pool_share_lower_ratio",
                "pool_share_upper_ratio",
                VIEW,
                UNKNOWN,
            ),
            RATIO,
            bands=[""],
            lowest=0,
        ),
        chart(
            "Unknown share by lens",
            "A lens that knows a pool's tag but not who stands behind it has more unknown blocks.",
            [Query(metric("pool_share_ratio", WINDOW, UNKNOWN), "{{lens}}")],
            RATIO,
            lowest=0,
        ),
        chart(
            "Unknown share in windows of all sizes",
            "A new pool, or a pool with a new tag, shows first in the small window. "
            "'poolscope audit unknown' groups such blocks and proposes registry entries.",
            [Query(metric("pool_share_ratio", LENS, UNKNOWN), "{{window}} blocks")],
            RATIO,
            lowest=0,
        ),
        chart(
            "Unknown share against a week before",
            "How far it lies above that of the 1008 blocks a week before, in standard deviations "
            "of the difference. The alert asks 4.5, the dashed line, under the lens tag.",
            [
                Query(
                    'poolscope:week_share_change_sigmas{job="$job", instance="$instance", '
                    + UNKNOWN
                    + "}",
                    "{{lens}}",
                )
            ],
            COUNT,
            decimals=1,
            levels=(4.5,),
            empty="No data: it takes a week of scrapes",
        ),
    ]


def _evidence() -> Panels:
    return [
        bars(
            "Blocks by rule",
            "Which rule named the pool. tag+payout: text and payout agree. tag, payout: one of "
            "them. label: a published list, where the bytes say nothing. ambiguous: evidence is "
            "even. weak: only a software's default text or an output's. none: nothing.",
            [Query(f"sort_desc({metric('attributed_blocks')} > 0)", "{{rule}}")],
            COUNT,
            colors=RULE_COLORS,
        ),
        chart(
            "Blocks by rule, over time",
            "A step between rules with no change of pools is a change of tags, payouts or the "
            "registry.",
            [Query(ever(metric("attributed_blocks"), "rule"), "{{rule}}")],
            COUNT,
            height=10,
            stacked=True,
            ranked=True,
            colors=RULE_COLORS,
            lowest=0,
        ),
        chart(
            "Blocks by proof",
            "coinbase: the Merkle branch or all transaction ids tie the coinbase to the header. "
            "header: proof of work, link, difficulty and time are right, the coinbase is missing.",
            [Query(metric("proved_blocks"), "{{proof}}")],
            COUNT,
            stacked=True,
            lowest=0,
        ),
        chart(
            "Refused blocks",
            "Blocks that sources offered and that do not prove themselves, by the reason, in an "
            "hour. None is ever stored; a source that does this is broken or lies.",
            refused_blocks(),
            COUNT,
            lowest=0,
        ),
    ]
