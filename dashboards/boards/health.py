"""Agent health: sources, ingest, and what the process costs."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.board import Panels, Section, agent_variables, board, marks
from dashboards.panels import (
    AGO,
    BYTES,
    COUNT,
    GREEN,
    HASHRATE,
    HEIGHT,
    ORANGE,
    PER_SECOND,
    RATIO,
    RED,
    SECONDS,
    chart,
    figures,
    steps,
)
from dashboards.queries import AGENT, Query, metric, refused_blocks
from dashboards.tables import Column, listing

RATE = "$__rate_interval"
STEP = metric("step_processing_seconds_bucket")


def health() -> Dashboard:
    """Return the dashboard of the agent itself."""
    return board(
        "poolscope-health",
        "Poolscope / Agent health",
        "Whether the agent is well: sources, ingest, alerts, and what the process costs.",
        [
            Section("Now", _now()),
            Section("Sources", _sources()),
            Section("Ingest", _ingest()),
            Section("Process and scrapes", _process()),
        ],
        variables=agent_variables(),
        marks=marks(),
        since="now-24h",
    )


def _now() -> Panels:
    return [
        figures(
            "Scrape",
            "Whether Prometheus reached the agent at the last scrape.",
            [Query(f"up{{{AGENT}}}")],
            COUNT,
            width=3,
            texts={"0": ("down", RED), "1": ("up", GREEN)},
        ),
        figures(
            "Agent",
            "Whether the agent has caught up with its source and can write its store.",
            [Query(metric("ready"))],
            COUNT,
            width=3,
            texts={"0": ("behind", ORANGE), "1": ("caught up", GREEN)},
            empty="No agent",
        ),
        figures(
            "Role",
            "Of several agents on one store one writes; the others follow it, and one takes over "
            "when it dies.",
            [Query(metric("writer"))],
            COUNT,
            width=3,
            texts={"0": ("follows", "text"), "1": ("writes", GREEN)},
            empty="No agent",
        ),
        figures(
            "Sources",
            "Sources that answered when last asked; the others are tried again and again.",
            [Query(f"sum({metric('source_up')})")],
            COUNT,
            width=3,
            thresholds=steps(RED, (1, GREEN)),
            empty="None yet",
        ),
        figures(
            "Age of the tip",
            "Time since the timestamp in the tip's header. Miners set it and may be wrong by up "
            "to two hours.",
            [Query(f"time() - {metric('tip_timestamp_seconds')}")],
            SECONDS,
            width=3,
            thresholds=steps(GREEN, (3600, ORANGE), (7200, RED)),
        ),
        figures(
            "Refused blocks",
            "Blocks since the start that sources offered and that do not prove themselves.",
            [Query(f"sum({metric('blocks_refused_total')})")],
            COUNT,
            width=3,
            thresholds=steps(GREEN, (1, RED)),
        ),
        figures(
            "Started",
            "When the process began; counters begin at 0 then.",
            [Query(f"process_start_time_seconds{{{AGENT}}} * 1000")],
            AGO,
            width=3,
        ),
        figures(
            "Version",
            "The version of the program that runs.",
            [Query(metric("build_info"), "{{version}}")],
            COUNT,
            width=3,
            names=True,
        ),
        listing(
            "Alerts",
            "Poolscope's alerts of all agents: pending ones have begun, firing ones have lasted. "
            "docs/runbooks.md says what to do about each.",
            {"alertname": "Alert", "alertstate": "State", "severity": "Severity"},
            [
                Column(
                    "Series",
                    'count by (alertname, alertstate, severity) (ALERTS{alertname=~"Poolscope.*"})',
                )
            ],
            height=5,
            empty="No alert",
        ),
    ]


def _sources() -> Panels:
    asked, failed = metric("source_requests_total"), metric("source_failures_total")
    return [
        chart(
            "Answering",
            "1 while a source answers. The first in order that does is followed.",
            [Query(metric("source_up"), "{{source}}")],
            COUNT,
            width=8,
            decimals=0,
            stepped=True,
            lowest=0,
            highest=1,
        ),
        chart(
            "Requests a second",
            "Questions to each source. Between blocks this is the polling.",
            [Query(f"sum by (source) (rate({asked}[{RATE}]))", "{{source}}")],
            PER_SECOND,
            width=8,
            lowest=0,
        ),
        chart(
            "Failed requests",
            "Part of the requests that failed. Empty while nothing is asked.",
            [
                Query(
                    f"sum by (source) (rate({failed}[{RATE}]))"
                    f" / (sum by (source) (rate({asked}[{RATE}])) > 0)",
                    "{{source}}",
                )
            ],
            RATIO,
            width=8,
            lowest=0,
            highest=1,
        ),
        chart(
            "Since the last answer",
            "Seconds since each source last answered. It grows between questions.",
            [
                Query(
                    f"time() - {metric('source_last_success_timestamp_seconds')}",
                    "{{source}}",
                )
            ],
            SECONDS,
            lowest=0,
        ),
        chart(
            "Refused blocks",
            "Blocks that do not prove themselves, in an hour. They are not stored.",
            refused_blocks(),
            COUNT,
            lowest=0,
        ),
    ]


def _ingest() -> Panels:
    return [
        chart(
            "From a new tip to published figures",
            "Time from the first request for new blocks to the metrics with them in. From a "
            "histogram: as exact as its buckets.",
            [
                Query(
                    f"histogram_quantile({quantile}, sum by (le) (rate({STEP}[{RATE}])))",
                    f"{quantile:.0%} of steps",
                )
                for quantile in (0.5, 0.99)
            ],
            SECONDS,
            lowest=0,
            empty="No data: no block in this time",
        ),
        chart(
            "Blocks stored",
            "In an hour. On the live chain six, plus what is caught up with.",
            [Query(f"increase({metric('blocks_stored_total')}[1h])", "blocks")],
            COUNT,
            lowest=0,
        ),
        chart(
            "Height",
            "The stored tip. It stands still for ten minutes on average; an hour is rare.",
            [Query(metric("tip_height"), "height")],
            HEIGHT,
            stepped=True,
        ),
        chart(
            "Reorgs seen",
            "Since the process began, by depth in blocks. Depth 1 is ordinary, 2 rare, 3 and more "
            "want an explanation.",
            [Query(metric("reorgs_seen_total"), "depth {{depth}}")],
            COUNT,
            decimals=0,
            stepped=True,
            lowest=0,
        ),
    ]


def _process() -> Panels:
    return [
        chart(
            "Memory",
            "Resident memory of the process.",
            [Query(f"process_resident_memory_bytes{{{AGENT}}}", "resident")],
            BYTES,
            width=8,
            lowest=0,
        ),
        chart(
            "CPU",
            "Processor time over time: 100 % is one core.",
            [Query(f"rate(process_cpu_seconds_total{{{AGENT}}}[{RATE}])", "of a core")],
            RATIO,
            width=8,
            lowest=0,
        ),
        chart(
            "Open files",
            "File descriptors, readers of the page among them. At the limit of the system nobody "
            "more is let in.",
            [Query(f"process_open_fds{{{AGENT}}}", "open")],
            COUNT,
            width=8,
            lowest=0,
        ),
        chart(
            "Time of a scrape",
            "How long Prometheus waits for the metrics.",
            [Query(f"scrape_duration_seconds{{{AGENT}}}", "scrape")],
            SECONDS,
            width=8,
            lowest=0,
        ),
        chart(
            "Series of a scrape",
            "Samples that a scrape brings. They follow from pools, windows and lenses, and do not "
            "grow with the chain.",
            [Query(f"scrape_samples_scraped{{{AGENT}}}", "samples")],
            COUNT,
            width=8,
            lowest=0,
        ),
        chart(
            "Local hash rate",
            "SHA-256d on one thread of this machine, by the agent's own measurement once a day. "
            "Some 10^13 times less than the network's.",
            [Query(metric("local_hashes_per_second"), "one thread")],
            HASHRATE,
            width=8,
            lowest=0,
            empty="Not measured yet, or switched off",
        ),
    ]
