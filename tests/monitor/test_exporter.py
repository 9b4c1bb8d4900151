import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.exporter import MAX_POOLS, Exporter
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
        if key["pool"] in {"other", "unknown"}:
            continue
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
