import datetime
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from analyzers.attribution import RULES
from analyzers.summary import summarize
from monitor.metrics.exporter import Exporter
from monitor.metrics.state import MAX_POOLS, READINGS
from monitor.snapshot import Board, WindowView
from tests.support.webagent import WebAgent, mixed

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[WebAgent]:
    with WebAgent(tmp_path) as agent:
        agent.mine(mixed(5))
        yield agent


@pytest.fixture
def exporter(agent: WebAgent) -> Exporter:
    return Exporter(agent.board, agent.metrics)


def test_both_formats_parse_and_agree(exporter: Exporter) -> None:
    text, text_type = exporter.render("")
    openmetrics, open_type = exporter.render(OPENMETRICS)
    assert text_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics-text")
    assert openmetrics.endswith(b"# EOF\n")
    assert openmetrics.count(b"# EOF") == 1
    parsed = parse_openmetrics(openmetrics.decode())  # type: ignore[no-untyped-call]
    names = {family.name for family in parsed}
    assert {family.name for family in parse_text(text.decode())} >= {"poolscope_tip_height"}
    assert "poolscope_pool_blocks" in names
    assert "poolscope_blocks_refused" in names


def test_shares_come_with_bounds_and_size(exporter: Exporter) -> None:
    families = {f.name: f for f in parse_text(exporter.render("")[0].decode())}
    shares = families["poolscope_pool_share_ratio"].samples
    assert sum(s.value for s in shares if s.labels["window"] == "144") == pytest.approx(1)
    for sample in shares:
        key = sample.labels
        (low,) = [
            s.value for s in families["poolscope_pool_share_lower_ratio"].samples if s.labels == key
        ]
        (high,) = [
            s.value for s in families["poolscope_pool_share_upper_ratio"].samples if s.labels == key
        ]
        assert low <= sample.value <= high
    sizes = {s.labels["window"]: s.value for s in families["poolscope_window_blocks"].samples}
    assert set(sizes) == {"144", "1008", "2016"}


def test_no_label_holds_a_hash_or_a_height(exporter: Exporter) -> None:
    body = exporter.render("")[0].decode()
    labels = re.findall(r'(\w+)="([^"]*)"', body)
    allowed = {"hash"}  # of the registry, in its info metric
    assert all(not re.fullmatch(r"[0-9a-f]{64}", value) for _, value in labels)
    assert not {name for name, _ in labels} & ({"height", "block", "address"} - allowed)
    pools = {value for name, value in labels if name == "pool"}
    assert len(pools) <= MAX_POOLS + 2


def test_a_new_snapshot_is_rendered_ahead(agent: WebAgent, exporter: Exporter) -> None:
    before = exporter.render("")[0]
    agent.mine(mixed(1))
    exporter.refresh()
    after = exporter.render("")[0]
    height = re.compile(rb"^poolscope_tip_height (\S+)", re.MULTILINE)
    assert float(height.search(after)[1]) == float(height.search(before)[1]) + 1  # type: ignore[index]


def values(exporter: Exporter, name: str) -> dict[str, float]:
    """Return the samples of a metric by the value of its only label, or by nothing."""
    families = {family.name: family for family in parse_text(exporter.render("")[0].decode())}
    if name not in families:
        return {}
    return {"".join(sample.labels.values()): sample.value for sample in families[name].samples}


def test_rules_and_proofs_are_there_while_they_are_0(agent: WebAgent, exporter: Exporter) -> None:
    agent.mine(mixed(100))
    rules = values(exporter, "poolscope_attributed_blocks")
    assert set(rules) == set(RULES)
    assert rules["none"] > 0
    assert rules["label"] == 0
    proofs = values(exporter, "poolscope_proved_blocks")
    assert proofs == {"header": 0, "coinbase": sum(rules.values())}


def test_a_reorg_is_counted_and_its_time_noted(exporter: Exporter, agent: WebAgent) -> None:
    noted = "poolscope_reorg_last_seen_timestamp_seconds"
    assert values(exporter, noted) == {"": 0}
    before = time.time()
    agent.metrics.saw_reorg(4)
    assert before <= values(exporter, noted)[""] <= time.time()
    assert values(exporter, "poolscope_reorgs_seen") == {"1": 0, "2": 0, "3-5": 1, "6+": 0}


def test_the_day_of_the_registry_is_midnight_of_it(agent: WebAgent) -> None:
    name = "poolscope_registry_updated_timestamp_seconds"
    assert values(Exporter(agent.board, agent.metrics), name) == {}
    dated = replace(agent.board.snapshot, registry_date=datetime.date(2026, 2, 28))
    assert values(Exporter(Board(dated), agent.metrics), name) == {"": 1_772_236_800}


@pytest.mark.parametrize(("unknown", "withheld"), [(0, 0), (20, 0), (216, 1)])
def test_measures_say_what_unknown_blocks_leave_open(
    agent: WebAgent, unknown: int, withheld: int
) -> None:
    known = {"a": 300, "b": 250, "c": 242}
    window = summarize(known, unattributed=unknown)
    board = Board(replace(agent.board.snapshot, windows=(WindowView(1008, "tag", window),)))
    families = {
        family.name: family
        for family in parse_text(Exporter(board, agent.metrics).render("")[0].decode())
    }

    def read(name: str, **labels: str) -> list[float]:
        return [
            sample.value
            for sample in families[f"poolscope_{name}"].samples
            if labels.items() <= sample.labels.items()
        ]

    assert read("figures_withheld") == [withheld]
    for name in ("hhi_ratio", "effective_entities", "nakamoto_entities"):
        assert bool(read(name)) is not bool(withheld)
    assert bool(read("any_above_probability_ratio")) is not bool(withheld)
    readings = [read("hhi_reading_ratio", unknown=each) for each in READINGS]
    assert readings == [[reading.hhi] for reading in window.readings]
    assert read("hhi_lower_ratio")[0] <= min(readings)[0]
    assert max(readings)[0] <= read("hhi_upper_ratio")[0]
    sizes = [read("nakamoto_entities_reading", threshold="half", unknown=each) for each in READINGS]
    assert sizes == [[2], [2], [1 if withheld else 2]]
    at_most = {
        each: read("nakamoto_at_most_probability_reading_ratio", threshold="half", unknown=each)
        for each in READINGS
    }
    for least, most in zip(at_most["alone"], at_most["of_largest"], strict=True):
        assert least <= most
    (upper,) = read("pool_share_upper_ratio", pool="c")
    assert upper > (242 + unknown) / window.blocks
