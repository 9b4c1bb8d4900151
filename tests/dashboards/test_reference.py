"""The reference of metrics: which names there are, and that nothing speaks of others.

That the page is what a running agent exports is held by tests/monitor/metrics/test_prometheus.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dashboards import reference
from dashboards.reference import Entry
from tests.support import grafana
from tests.support.metrics_page import PAGE

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks.md"
TEXT = PAGE.read_text("utf-8")
METRICS = set(re.findall(r"^\| `(poolscope_\w+)` \|", TEXT, re.MULTILINE))
RECORDED = set(re.findall(r"^\| `(poolscope:\w+)` \|", TEXT, re.MULTILINE))
HISTOGRAM_PARTS = re.compile(r"(?<=_seconds)_(bucket|sum|count)$")

SCRAPE = """\
# HELP poolscope_tip_height Height of the stored tip.
# TYPE poolscope_tip_height gauge
poolscope_tip_height 7
# HELP poolscope_pool_share_ratio A share.
# TYPE poolscope_pool_share_ratio gauge
poolscope_pool_share_ratio{lens="tag",pool="a"} 1
# HELP poolscope_blocks_stored_total Blocks.
# TYPE poolscope_blocks_stored_total counter
poolscope_blocks_stored_total 7
# HELP poolscope_blocks_stored_created Blocks.
# TYPE poolscope_blocks_stored_created gauge
poolscope_blocks_stored_created 1
# HELP poolscope_step_seconds A time.
# TYPE poolscope_step_seconds histogram
poolscope_step_seconds_bucket{le="+Inf"} 1
poolscope_step_seconds_count 1
poolscope_step_seconds_sum 1
# HELP process_open_fds Files.
# TYPE process_open_fds gauge
process_open_fds 7
"""


def files() -> list[Path]:
    """Return what speaks of metrics to people or to machines."""
    rules = (grafana.ROOT / "prometheus").rglob("*.yml")
    return [*grafana.FILES, *rules, *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]


@pytest.mark.parametrize("file", files(), ids=lambda file: file.name)
def test_only_metrics_that_exist_are_spoken_of(file: Path) -> None:
    text = file.read_text("utf-8")
    named = {HISTOGRAM_PARTS.sub("", name) for name in re.findall(r"\bpoolscope_[a-z0-9_]+", text)}
    assert {name for name in named if not name.endswith("_")} <= METRICS
    assert set(re.findall(r"(?<!/)\bpoolscope:[a-z0-9_]+", text)) <= RECORDED


def test_every_recorded_series_is_documented() -> None:
    groups = yaml.safe_load((grafana.ROOT / "prometheus" / "recording.yml").read_text())["groups"]
    assert {rule["record"] for group in groups for rule in group["rules"]} == RECORDED


def test_every_alert_has_its_runbook() -> None:
    groups = yaml.safe_load((grafana.ROOT / "prometheus" / "alerts.yml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"]]
    headings = re.findall(r"^## (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(rule["alert"] for rule in alerts)
    more = yaml.safe_load((grafana.ROOT / "prometheus" / "opt-in" / "lenses.yml").read_text())
    optional = [rule for group in more["groups"] for rule in group["rules"]]
    below = re.findall(r"^### (Poolscope\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert sorted(below) == sorted(rule["alert"] for rule in optional)
    for rule in (*alerts, *optional):
        assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_every_alert_is_tried_by_promtool() -> None:
    tests = "".join(f.read_text() for f in (grafana.ROOT / "prometheus" / "tests").iterdir())
    folder = grafana.ROOT / "prometheus"
    rules = "".join((folder / name).read_text() for name in ("alerts.yml", "opt-in/lenses.yml"))
    for name in re.findall(r"- alert: (\w+)", rules):
        assert re.search(rf"alertname: {name}\s+exp_alerts", tests), name


def test_a_scrape_becomes_entries() -> None:
    found = {entry.name: entry for entry in reference.entries(SCRAPE)}
    assert set(found) == {
        "poolscope_tip_height",
        "poolscope_pool_share_ratio",
        "poolscope_blocks_stored_total",
        "poolscope_step_seconds",
    }
    assert found["poolscope_pool_share_ratio"] == Entry(
        "poolscope_pool_share_ratio", "gauge", ("lens", "pool"), "A share."
    )
    assert found["poolscope_step_seconds"].labels == ()
    assert found["poolscope_blocks_stored_total"].group == "The agent"
    tables = reference.tables(found.values())
    assert "| `poolscope_tip_height` | gauge |  | height | Height of the stored tip. |" in tables


def test_a_name_without_a_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="poolscope_speed says no unit"):
        Entry("poolscope_speed", "gauge", (), "Fast.").row()


def test_the_tables_are_put_between_their_marks() -> None:
    empty = "before\n<!-- metrics -->\nold\n<!-- end of metrics -->\nafter\n"
    found = reference.entries(SCRAPE)
    once = reference.page(empty, found)
    assert reference.page(once, found) == once
    assert once.startswith("before\n<!-- metrics -->\n\n### ")
    assert once.endswith("<!-- end of metrics -->\nafter\n")
    assert "old" not in once


def test_an_agent_that_has_values_says_the_labels() -> None:
    without = "\n".join(line for line in SCRAPE.splitlines() if line.startswith("#"))
    assert reference.entries(without, SCRAPE) == reference.entries(SCRAPE)


def test_the_guide_lists_every_dashboard_and_alert() -> None:
    guide = (ROOT / "docs" / "grafana.md").read_text("utf-8")
    shown = re.findall(r"^\| ([A-Z][\w ()]+) \|", guide, re.MULTILINE)
    titles = {str(grafana.load(file)["title"]).partition(" / ")[2] for file in grafana.FILES}
    assert titles == set(shown)
    groups = yaml.safe_load((grafana.ROOT / "prometheus" / "alerts.yml").read_text())["groups"]
    alerts = {
        (rule["alert"], rule["labels"]["severity"]) for group in groups for rule in group["rules"]
    }
    assert set(re.findall(r"^\| `(\w+)` \| (\w+) \|", guide, re.MULTILINE)) == alerts
