"""Store: the same questions to a store in PostgreSQL, as far back as it reaches."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    VariableOption,
    VariableRefresh,
)

from dashboards.board import Panels, Section, board
from dashboards.panels import (
    AGO,
    COUNT,
    HEIGHT,
    RATIO,
    RULE_COLORS,
    chart,
    composition,
    figures,
)
from dashboards.sql import STORE, Sql, SqlTarget
from dashboards.tables import Column, rows

ACTIVE = """
FROM block LEFT JOIN pool ON pool.id = block.pool_id
WHERE NOT block.stale AND $__unixEpochFilter(block.time)
"""
POOL = "coalesce(pool.name, 'unknown')"
BUCKET = "$__unixEpochGroup(block.time, '$bucket')"
ISO = "dateTimeAsIso"
BLOCK = (
    Column("Height", unit=HEIGHT, width=90),
    Column("Header time", unit=ISO, width=170),
    Column("Pool", width=130),
)
"""Columns that lists of blocks begin with."""
Z2 = 3.841459
"""The square of 1.96, the normal quantile behind 95 %."""


def hash_hex(column: str) -> str:
    """Return SQL for a hash in the usual reversed hex; the store keeps it the other way round."""
    digits = f"substr(encode({column}, 'hex'), place, 2)"
    return (
        f"(SELECT string_agg({digits}, '' ORDER BY place DESC)"
        " FROM generate_series(1, 63, 2) AS place)"
    )


def everywhere(found: str, value: str) -> str:
    """Return SQL for the rows of `found`, with 0 where a metric has none at a time.

    Else a pool without a block in a day would leave a gap, and what is stacked on it fall.
    """
    return f"""
SELECT time, metric, coalesce({value}, 0) AS {value}
FROM (SELECT DISTINCT time FROM {found}) AS times
CROSS JOIN (SELECT DISTINCT metric FROM {found}) AS metrics
LEFT JOIN {found} USING (time, metric) ORDER BY 1, 2
""".strip()


def store() -> Dashboard:
    """Return the dashboard that reads the store itself."""
    return board(
        "poolscope-store",
        "Poolscope / Store (PostgreSQL)",
        "What the store in PostgreSQL holds, by header time: all its history, not just what "
        "Prometheus has scraped.",
        [
            Section("Chosen time", _totals()),
            Section("Over time, in steps of $bucket", _over_time()),
            Section("Blocks", _blocks()),
            Section("Stale blocks, reorgs, changed attributions", _changes()),
        ],
        variables=_variables(),
        marks=_marks(),
        since="now-30d",
        refresh="5m",
    )


def _variables() -> list[Builder[Any]]:
    pools = f"SELECT {POOL} FROM block LEFT JOIN pool ON pool.id = block.pool_id GROUP BY 1"
    return [
        dashboard.DatasourceVariable("store")
        .label("PostgreSQL")
        .description("The database that poolscope stores in.")
        .type("grafana-postgresql-datasource"),
        dashboard.CustomVariable("bucket")
        .label("Step")
        .description("How much time a point of a chart sums up. A day has about 144 blocks.")
        .values("1d,7d,30d")
        .current(VariableOption(True, "1d", "1d"))
        .options([VariableOption(step == "1d", step, step) for step in ("1d", "7d", "30d")]),
        dashboard.QueryVariable("pool")
        .label("Pool")
        .description("Pools whose blocks are listed; 'unknown' names none.")
        .datasource(STORE)
        .query(f"{pools} ORDER BY count(*) DESC")
        .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        .multi(True)
        .include_all(True)
        .current(VariableOption(True, ["All"], ["$__all"])),
    ]


class _SqlMark(AnnotationQuery):
    """An event on every chart, from rows of time and text."""

    def __init__(self, name: str, text: str, color: str) -> None:
        super().__init__(name=name, datasource=STORE, icon_color=color)
        self._query = SqlTarget(Sql(text), as_table=True)

    def to_json(self) -> dict[str, object]:
        """Return it with its query."""
        return super().to_json() | {"target": self._query}


def _marks() -> list[_SqlMark]:
    return [
        _SqlMark(
            "Reorgs",
            """
SELECT at AS time, depth || ' block(s) above height ' || fork_height || ' replaced' AS text
FROM reorg WHERE $__unixEpochFilter(at)
""",
            "red",
        ),
        _SqlMark(
            "Retargets",
            """
SELECT time, 'difficulty epoch ' || height / 2016 || ' begins' AS text
FROM block WHERE NOT stale AND height % 2016 = 0 AND $__unixEpochFilter(time)
""",
            "blue",
        ),
        _SqlMark(
            "Registry changes",
            """
SELECT min(replaced_at) AS time, count(*) || ' block(s) attributed anew' AS text
FROM former_attribution WHERE $__unixEpochFilter(replaced_at) GROUP BY replaced_at / 3600
""",
            "purple",
        ),
    ]


def _totals() -> Panels:
    def figure(title: str, description: str, value: str, unit: str) -> Builder[Any]:
        decimals = 1 if unit == RATIO else None
        return figures(
            title, description, [Sql(f"SELECT {value} {ACTIVE}")], unit, decimals=decimals
        )

    of_all = "::float8 / nullif(count(*), 0)"
    return [
        figure("Blocks", "Blocks of the active chain in the chosen time.", "count(*)", COUNT),
        figure(
            "Pools",
            "Different pools that found one of them.",
            "count(DISTINCT block.pool_id)",
            COUNT,
        ),
        figure(
            "Unknown",
            "Part of them that names no pool.",
            f"(count(*) - count(block.pool_id)){of_all}",
            RATIO,
        ),
        figure(
            "In conflict",
            "Part of them with evidence for more than one pool.",
            f"count(*) FILTER (WHERE block.conflicts > 0){of_all}",
            RATIO,
        ),
        figure(
            "Empty",
            "Part of those whose size is known that hold no transaction but the coinbase.",
            "count(*) FILTER (WHERE block.tx_count = 1)::float8 / nullif(count(block.tx_count), 0)",
            RATIO,
        ),
        figure("Newest", "Header time of the newest block.", "max(block.time) * 1000", AGO),
    ]


def _over_time() -> Panels:
    shares = f"""
WITH counted AS (
  SELECT {BUCKET} AS time, {POOL} AS name, count(*) AS blocks {ACTIVE} GROUP BY 1, 2
), largest AS (
  SELECT name FROM counted GROUP BY name ORDER BY sum(blocks) DESC, name LIMIT 12
), found AS (
  SELECT time, CASE WHEN name IN (SELECT name FROM largest) THEN name ELSE 'other' END AS metric,
    (sum(blocks) / sum(sum(blocks)) OVER (PARTITION BY time))::float8 AS share
  FROM counted GROUP BY 1, 2
)
{everywhere("found", "share")}
"""
    unknown = f"""
WITH counted AS (
  SELECT {BUCKET} AS time, count(*)::float8 AS n,
    (count(*) - count(block.pool_id)) / count(*)::float8 AS p
  {ACTIVE} GROUP BY 1
), middle AS (
  SELECT time, p, p + {Z2} / (2 * n) AS centre, 1 + {Z2} / n AS scale,
    sqrt({Z2} * (p * (1 - p) / n + {Z2} / (4 * n * n))) AS half
  FROM counted
)
SELECT time, p AS "estimate", greatest(0, (centre - half) / scale) AS "lower 95 %",
  least(1, (centre + half) / scale) AS "upper 95 %"
FROM middle ORDER BY 1
"""
    hhi = f"""
WITH counted AS (
  SELECT {BUCKET} AS time, block.pool_id, count(*)::float8 AS blocks {ACTIVE} GROUP BY 1, 2
)
SELECT time,
  sum(blocks * (blocks - 1)) FILTER (WHERE pool_id IS NOT NULL)
    / nullif(sum(blocks) * (sum(blocks) - 1), 0) AS "HHI"
FROM counted GROUP BY 1 ORDER BY 1
"""
    rules = f"""
WITH found AS (
  SELECT {BUCKET} AS time, block.rule AS metric, count(*) AS blocks {ACTIVE} GROUP BY 1, 2
)
{everywhere("found", "blocks")}
"""
    return [
        composition(
            "Shares",
            "Observed shares of the blocks of each step; the twelve largest of the chosen time. A "
            "day has about 144 blocks: a pool with 30 % of the work shows between 22 and 38 % on "
            "most days. The first and last step may be incomplete.",
            [Sql(shares)],
            width=24,
        ),
        chart(
            "Unknown share",
            "Part of each step's blocks that names no pool, with its 95 % interval (Wilson's).",
            [Sql(unknown)],
            RATIO,
            width=8,
            bands=[""],
            lowest=0,
        ),
        chart(
            "HHI",
            "The chance that two blocks of a step come from one pool; unbiased, unknown blocks "
            "taken as miners of their own. Of 144 blocks, one of 0.18 scatters by some 0.02 from "
            "day to day; the dashboard Concentration has intervals.",
            [Sql(hhi)],
            COUNT,
            width=8,
        ),
        chart(
            "Blocks by rule",
            "Which rule named the pool, by the registry that attributed last.",
            [Sql(rules)],
            COUNT,
            width=8,
            colors=RULE_COLORS,
            stacked=True,
            lowest=0,
        ),
    ]


def _blocks() -> Panels:
    listed = f"""
SELECT block.height AS "Height", to_timestamp(block.time) AS "Header time", {POOL} AS "Pool",
  block.rule AS "Rule", block.conflicts AS "Conflicts",
  CASE block.proof WHEN 0 THEN 'header' ELSE 'coinbase' END AS "Proved",
  block.label AS "Label of a list", source.name AS "Source", block.tx_count AS "Transactions",
  block.size AS "Size", {hash_hex("block.hash")} AS "Hash"
FROM block LEFT JOIN pool ON pool.id = block.pool_id JOIN source ON source.id = block.source_id
WHERE NOT block.stale AND $__unixEpochFilter(block.time) AND {POOL} IN ($pool)
ORDER BY block.height DESC LIMIT 200
"""
    return [
        rows(
            "Last blocks of the chosen pools",
            "The 200 newest of the chosen time. 'poolscope block HEIGHT' shows the evidence of "
            "one, with the bytes that matched. The label is what a published list says; it decides "
            "only where the bytes say nothing.",
            Sql(listed),
            [
                *BLOCK,
                Column("Rule", width=100),
                Column("Conflicts", width=85),
                Column("Proved", width=85),
                Column("Label of a list", width=120),
                Column("Source", width=85),
                Column("Transactions", width=105),
                Column("Size", unit="decbytes", width=80),
            ],
            height=14,
        ),
    ]


def _changes() -> Panels:
    stale = f"""
SELECT block.height AS "Height", to_timestamp(block.time) AS "Header time", {POOL} AS "Pool",
  {hash_hex("block.hash")} AS "Hash"
FROM block LEFT JOIN pool ON pool.id = block.pool_id
WHERE block.stale AND $__unixEpochFilter(block.time) ORDER BY block.height DESC LIMIT 100
"""
    reorgs = f"""
SELECT to_timestamp(at) AS "Seen", fork_height AS "Fork height", depth AS "Depth",
  {hash_hex("old_tip")} AS "Former tip"
FROM reorg WHERE $__unixEpochFilter(at) ORDER BY at DESC LIMIT 100
"""
    former = """
SELECT to_timestamp(former.replaced_at) AS "When", coalesce(before.name, 'unknown') AS "Before",
  coalesce(now.name, 'unknown') AS "After", count(*) AS "Blocks",
  left(registry.name, 16) AS "Former registry"
FROM former_attribution AS former
JOIN block ON block.id = former.block_id
JOIN registry ON registry.id = former.registry_id
LEFT JOIN pool AS before ON before.id = former.pool_id
LEFT JOIN pool AS now ON now.id = block.pool_id
WHERE $__unixEpochFilter(former.replaced_at) AND former.pool_id IS DISTINCT FROM block.pool_id
GROUP BY former.replaced_at, 2, 3, 5 ORDER BY former.replaced_at DESC, 4 DESC LIMIT 100
"""
    return [
        rows(
            "Stale blocks",
            "Blocks that lost their race, as far as the sources showed them.",
            Sql(stale),
            BLOCK,
            height=6,
            empty="No stale block in this time",
        ),
        rows(
            "Reorgs",
            "When blocks of the stored chain were replaced, and how many.",
            Sql(reorgs),
            [
                Column("Seen", unit=ISO, width=170),
                Column("Fork height", unit=HEIGHT, width=110),
                Column("Depth", width=130),
            ],
            height=6,
            empty="No reorg in this time",
        ),
        rows(
            "Blocks whose pool changed with the registry",
            "Former attributions are kept: who lost and who gained blocks when another registry "
            "came into use.",
            Sql(former),
            [
                Column("When", unit=ISO, width=170),
                Column("Before", width=200),
                Column("After", width=200),
                Column("Blocks", width=110),
            ],
            height=6,
            empty="No change in this time",
        ),
    ]
