"""Pools: every pool's share and hash rate with its interval; chosen pools more closely."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Panels, Section, board, marks, pool_variable, view_variables
from dashboards.panels import COUNT, HASHRATE, POOL_COLORS, RATIO, chart, composition
from dashboards.queries import (
    AGENT,
    ESTIMATE,
    NAMED,
    VIEW,
    WINDOW,
    Query,
    estimate,
    largest,
    metric,
)
from dashboards.tables import Column, listing

LENS = AGENT + ', lens="$lens"'
POOL = 'pool="$pool"'
SHARE = ("pool_share_ratio", "pool_share_lower_ratio", "pool_share_upper_ratio")
RATE = (
    "network_hashes_per_second",
    "network_hashes_per_second_lower",
    "network_hashes_per_second_upper",
)


def pools() -> Dashboard:
    """Return the dashboard of all pools and of chosen ones."""
    return board(
        "poolscope-pools",
        "Poolscope / Pools",
        "Blocks, shares and hash rates of pools, each with its interval.",
        [
            Section("All pools in the last $window blocks under the lens $lens", _all()),
            Section("$pool", _chosen(), repeat="pool"),
        ],
        variables=[*view_variables(), pool_variable()],
        marks=marks(),
    )


def _by_pool(name: str, *more: str) -> str:
    return f"sum by (pool) ({metric(name, VIEW, *more)})"


def _all() -> Panels:
    shares = metric("pool_share_ratio", VIEW)
    rate = f"scalar({metric(RATE[0], WINDOW)})"
    return [
        listing(
            "Pools",
            "A share is a sample of the pool's part of the work: read the interval, not the point. "
            "95 of 100 such intervals hold the true part (Jeffreys' interval), and all unknown "
            "blocks may be the pool's own: the upper end counts them. A full bar is a "
            "half. Two pools whose intervals overlap may well be of one size. 'unknown' names no "
            "pool; 'other' sums up those beyond the sixtieth. Hash rate is share times the "
            "network's.",
            {"pool": "Pool"},
            [
                Column("Blocks", f"{_by_pool('pool_blocks')} > 0"),
                Column(
                    "Share", f"{_by_pool(SHARE[0])} > 0", RATIO, 1, gauge=True, full=0.5, width=420
                ),
                Column("At least", f"{_by_pool(SHARE[1])} and {_by_pool(SHARE[0])} > 0", RATIO, 1),
                Column("At most", f"{_by_pool(SHARE[2])} and {_by_pool(SHARE[0])} > 0", RATIO, 1),
                Column("Hash rate", f"{_by_pool(SHARE[0])} * {rate} > 0", HASHRATE, 1),
            ],
            sort="Blocks",
            height=14,
        ),
        composition(
            "Shares",
            "The twelve largest at the end of the time range, stacked. A moving window: a step "
            "takes as many blocks to pass as the window holds.",
            [Query(largest(shares, 12), "{{pool}}")],
        ),
        chart(
            "Change against a week before",
            "How far shares of the last 1008 blocks lie above those of the 1008 a week before, in "
            "standard deviations of the difference. Beyond 3 is rarely chance; the alert asks 5, "
            "the dashed line, under the lens tag. Only for the lenses tag and template, and only "
            "after a week of scrapes.",
            [
                Query(
                    'poolscope:week_share_change_sigmas{job="$job", instance="$instance", '
                    'lens="$lens", ' + NAMED + "}",
                    "{{pool}}",
                )
            ],
            COUNT,
            height=12,
            decimals=1,
            ranked=True,
            colors=POOL_COLORS,
            levels=(-5, 5),
            empty="No data: it takes a week of scrapes, and the lens tag or template",
        ),
    ]


def _chosen() -> Panels:
    joined = "on (job, instance, window) group_left"
    return [
        chart(
            "Share of $pool",
            "Observed share of the window's blocks, and the 95 % interval of its part of the work, "
            "the upper end with all unknown blocks.",
            estimate(*SHARE, VIEW, POOL),
            RATIO,
            width=8,
            bands=[""],
        ),
        chart(
            "Hash rate of $pool",
            "Share times the network's hash rate; of a group, that of all its pools. The band "
            "multiplies both lower and both upper ends: wider than 95 %, never narrower.",
            [
                Query(f"{metric(share, VIEW, POOL)} * {joined} {metric(rate, WINDOW)}", name)
                for share, rate, name in zip(SHARE, RATE, ESTIMATE, strict=True)
            ],
            HASHRATE,
            width=8,
            bands=[""],
            empty="No data: too few blocks yet",
        ),
        chart(
            "$pool in windows of all sizes",
            "A change shows first in the small window, and surely in the large one.",
            [
                Query(
                    metric("pool_share_ratio", LENS, POOL),
                    "{{window}} blocks",
                )
            ],
            RATIO,
            width=8,
        ),
    ]
