"""Alert rules on simulated chains: loud about a true change, silent in a year without one.

docs/methods.md states the rates, from a thousand years (`python -m tests.support.alarm_rates`);
here fewer years hold them. Prometheus' own promtool runs the shipped files on some of these
chains, and must fire exactly as often as the simulation says.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzers.summary import HALF, THIRD, summarize
from tests.analyzers.vectors import pool_mix
from tests.support import alarms
from tests.support.alarms import DAY, RULES, WEEK, Chain, mine, moved
from tests.support.patience import PATIENCE

HOUR = 3600
THIRD_RULE, HALF_RULE = "PoolscopeProbablyAboveThird", "PoolscopeProbablyAboveHalf"
CHANGED, UNKNOWN_RULE = "PoolscopePoolShareChanged", "PoolscopeUnknownShareRising"
TAGS = {f"pool{i}": share for i, share in enumerate(pool_mix("tags"))} | {"unknown": 0.01}
FRIENDS = {f"pool{i}": share for i, share in enumerate(pool_mix("friends"))} | {"unknown": 0.01}
MERGED = {"pool1": "group", "pool2": "group", "pool3": "group"}
"""Pools of 17.5, 13.5 and 10.5 % that are held to be one, of 41.5 %."""


def years_with_alarms(mix: Mapping[str, float], years: int, seed: int) -> Counter[str]:
    """Return in how many years each rule fires at least once (looked at every ten minutes)."""
    loud: Counter[str] = Counter()
    for year in range(years):
        chain = mine([(365, mix)], seed + year)
        loud.update({name for name, _, fires in alarms.alarms(chain, 365, 600) if fires.any()})
    return loud


def first_alarm(chain: Chain, days: float, name: str, entity: str = "") -> float:
    """Return the day of the first alarm, infinite if there is none."""
    for rule, who, fires in alarms.alarms(chain, days, 600):
        if (rule, who) == (name, entity) and fires.any():
            return float(fires.argmax()) * 600 / DAY
    return np.inf


@pytest.mark.slow
@pytest.mark.parametrize("mix", [TAGS, FRIENDS], ids=["tags", "friends"])
def test_years_without_a_change_are_silent(mix: Mapping[str, float]) -> None:
    years = 40
    loud = years_with_alarms(mix, years, seed=100)
    assert loud[HALF_RULE] == 0
    for name in (THIRD_RULE, CHANGED, UNKNOWN_RULE):
        assert loud[name] <= 0.1 * years, name


def test_the_observed_share_would_alarm_in_every_year() -> None:
    for year in range(5):
        found = mine([(365, TAGS)], year).rolling(144)
        assert (found.max(axis=0) * 3 > 144).any()


@pytest.mark.slow
def test_a_pool_that_rises_from_25_to_38_percent_is_seen() -> None:
    before = moved(TAGS, "pool1", 0.25)
    after = moved(before, "pool1", 0.38)
    delays = {THIRD_RULE: "", CHANGED: "pool1"}
    for name, entity in delays.items():
        seen = [
            first_alarm(mine([(14, before), (16, after)], s), 30, name, entity) - 14
            for s in range(30)
        ]
        assert np.median(seen) < 8, name
        assert np.mean(np.isfinite(seen)) >= 0.9, name
        assert min(seen) > 0, name


@pytest.mark.slow
def test_pools_that_merge_into_half_of_the_work_are_seen() -> None:
    """Three pools' miners go over to the largest: 30 % become 60 %."""
    joined = {"pool1": "pool0", "pool2": "pool0"}
    after = {name: share for name, share in TAGS.items() if name not in joined}
    after["pool0"] += TAGS["pool1"] + TAGS["pool2"]
    seen = [first_alarm(mine([(14, TAGS), (16, after)], s), 30, HALF_RULE) - 14 for s in range(20)]
    assert np.isfinite(seen).all()
    assert 3 < np.median(seen) < 8


def test_a_new_tag_of_five_percent_is_seen_as_unknown() -> None:
    after = moved(TAGS, "unknown", 0.06)
    seen = [
        first_alarm(mine([(14, TAGS), (10, after)], s), 24, UNKNOWN_RULE, "unknown") - 14
        for s in range(30)
    ]
    assert np.median(seen) < 6
    assert np.mean(np.isfinite(seen)) >= 0.9


def test_the_probability_is_the_one_that_the_agent_exports() -> None:
    chain = mine([(20, FRIENDS)], 3)
    found = chain.rolling()
    for threshold in (HALF, THIRD):
        chances = alarms.any_above(chain, threshold)
        for block in range(WEEK - 1, len(chain.times), 397):
            counts = dict(zip(chain.names, found[:, block].tolist(), strict=True))
            unknown = counts.pop("unknown")
            summary = summarize(counts, unattributed=unknown, draws=1)
            assert chances[block] == pytest.approx(summary.any_above[threshold], abs=1e-6)


def test_a_condition_must_hold_at_every_evaluation() -> None:
    condition = np.array([0, 1, 1, 1, 0, 1, 1], bool)
    assert alarms.firing(condition, 600, 1200).tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert alarms.firing(condition, 600, 0).tolist() == condition.tolist()
    assert alarms.episodes(condition, 1) == 2
    assert alarms.episodes(condition, 2) == 1


def test_the_levels_are_read_from_the_file_that_ships() -> None:
    assert alarms.rule(THIRD_RULE) == alarms.Rule(THIRD_RULE, 0.99, HOUR)
    assert alarms.rule(CHANGED) == alarms.Rule(CHANGED, 5, HOUR)


def series_of(chain: Chain, lens: str, days: float, step: int) -> Iterator[dict[str, str]]:
    """Yield what an agent on this chain exports, as promtool's input series."""
    blocks = chain.at(np.arange(0, days * DAY + 1, step))
    labels = f'job="poolscope", instance="a", window="{WEEK}", lens="{lens}"'

    def series(name: str, more: str, values: Any) -> dict[str, str]:
        return {
            "series": f"poolscope_{name}{{{labels}{more}}}",
            "values": " ".join("_" if np.isnan(value) else f"{value:.9g}" for value in values),
        }

    yield series("window_blocks", "", np.full(len(blocks), WEEK))
    for name, threshold in (("half", HALF), ("third", THIRD)):
        above = alarms.any_above(chain, threshold)[blocks]
        yield series("any_above_probability_ratio", f', threshold="{name}"', above)
    for entity, row in zip(chain.names, chain.rolling()[:, blocks] / WEEK, strict=True):
        shares = row if entity == "unknown" else np.where(row > 0, row, np.nan)
        yield series("pool_share_ratio", f', pool="{entity}"', shares)


def promtool_case(chains: Mapping[str, Chain], days: int, step: int) -> dict[str, Any]:
    """Return a promtool test: `chains` by lens, every evaluation at which an alert must fire."""
    live = 'poolscope_network_info{job="poolscope", instance="a", network="mainnet", synthetic=""}'
    ones = " ".join(["1"] * (days * DAY // step + 1))
    inputs = [{"series": live, "values": ones}]
    wanted = []
    for lens, chain in chains.items():
        inputs += series_of(chain, lens, days, step)
        for name, entity, fires in alarms.alarms(chain, days, step):
            if fires.any() and not (name == UNKNOWN_RULE and lens != "tag"):
                labels = f'{{alertname="{name}", lens="{lens}"'
                labels += f', pool="{entity}"}}' if entity else "}"
                wanted.append({"labels": labels, "value": int(fires.sum())})
    firing = 'ALERTS{alertstate="firing", alertname!~"PoolscopeDown|PoolscopeTipBehind"}'
    query = f"sum by (alertname, lens, pool) (count_over_time({firing}[{days}d]))"
    return {
        "interval": f"{step}s",
        "input_series": inputs,
        "promql_expr_test": [
            {"expr": query, "eval_time": f"{days * DAY - step}s", "exp_samples": wanted}
        ],
    }


def promtool(path: Path, case: dict[str, Any], step: int) -> None:
    """Run promtool on the shipped rules; its answer must be what `case` expects."""
    files = [RULES / name for name in ("recording.yml", "alerts.yml")]
    groups = [found for file in files for found in re.findall(r"- name: (\S+)", file.read_text())]
    path.write_text(
        json.dumps(
            {
                "rule_files": [str(file) for file in files],
                "evaluation_interval": f"{step}s",
                "group_eval_order": groups,
                "tests": [case],
            }
        )
    )
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[:4000]


@pytest.mark.prometheus
@pytest.mark.heavy
def test_promtool_is_silent_in_a_year_without_a_change(tmp_path: Path) -> None:
    case = promtool_case({"tag": mine([(365, TAGS)], 1)}, 365, 3 * HOUR)
    assert case["promql_expr_test"][0]["exp_samples"] == []
    promtool(tmp_path / "silent.json", case, 3 * HOUR)


@pytest.mark.prometheus
@pytest.mark.slow
def test_promtool_fires_as_often_as_the_simulation_says(tmp_path: Path) -> None:
    """One pool rises from 25 to 42 %; what is one group by the lens passes a half."""
    before = moved(TAGS, "pool1", 0.25)
    after = moved(moved(before, "unknown", 0.06), "pool1", 0.42)
    chain = mine([(14, before), (20, after)], 2)
    case = promtool_case({"tag": chain, "template": chain.under(MERGED)}, 34, HOUR)
    rules = {row["labels"].split('"')[1] for row in case["promql_expr_test"][0]["exp_samples"]}
    assert rules == {THIRD_RULE, HALF_RULE, CHANGED, UNKNOWN_RULE}
    promtool(tmp_path / "loud.json", case, HOUR)
