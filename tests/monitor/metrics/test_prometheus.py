"""The running agent under a real Prometheus: every query of dashboards and rules is asked there."""

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import grafana
from tests.support.metrics_page import PAGE, exported
from tests.support.prometheus import JOB, RULES, Prometheus, agents, fetch, prometheus, wait_for

pytestmark = pytest.mark.prometheus

MINUTE: Final = 60
REPLACED: Final = 20 * MINUTE
"""So long after its beginning the history has another registry."""

EMPTY_UNLESS: Final = {
    "poolscope:week_share_change_sigmas": "a week of scrapes lies behind; see shares_test.yml",
    "poolscope:week_share_before_ratio": "a week of scrapes lies behind; see shares_test.yml",
    "ALERTS{": "an alert is pending or fires; the sample raises none",
    "poolscope:live": "the chain is the live one; the sample is not",
    'poolscope_network_info{synthetic=""}': "the chain is the live one; the sample is not",
    "poolscope_local_hashes_per_second": "it is measured; this agent was told not to",
    "min by (job, instance) (min_over": "the registry changed in the time shown; see below",
    "[1h])) > 0": "a source lied; the query beside it counts that none did",
}
"""Why a query that holds this text may find nothing on the sample."""


def explained(expr: str) -> bool:
    return any(text in expr for text in EMPTY_UNLESS)


def mark(board: grafana.Board, name: str) -> str:
    (expr,) = (mark["expr"] for mark in grafana.marks(board) if mark["name"] == name)
    return str(expr)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two running agents: on the sample, and on the rehearsal."""
    with agents(tmp_path_factory.mktemp("agents")) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def address(both: tuple[str, str]) -> str:
    """Where the agent on the sample answers."""
    return both[0]


@pytest.fixture(scope="module")
def rehearsal(both: tuple[str, str]) -> str:
    """Where the agent on the rehearsal answers."""
    return both[1]


@pytest.fixture(scope="module")
def began() -> float:
    """When the history of another agent began."""
    return time.time() // MINUTE * MINUTE - 7200


@pytest.fixture(scope="module")
def server(
    address: str, rehearsal: str, began: float, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """A running Prometheus that scrapes both agents."""
    directory = tmp_path_factory.mktemp("prometheus")
    with prometheus(directory, [address, rehearsal], _history(began)) as running:
        running.found("count(rate(poolscope_blocks_stored_total[1m]) > 0) == 2")
        running.found("poolscope_reorg_last_seen_timestamp_seconds > 0")
        yield running


def _history(began: float) -> str:
    """Return an hour of an agent that changed its registry and saw a reorg half-way."""
    labels = f'job="{JOB}",instance="history"'
    rows = ["# TYPE poolscope_registry_info gauge"]
    later = ["# TYPE poolscope_reorg_last_seen_timestamp_seconds gauge"]
    for offset in range(0, 60 * MINUTE, MINUTE):
        at = began + offset
        name = "new" if offset >= REPLACED else "old"
        rows.append(f'poolscope_registry_info{{{labels},hash="{name}",pools="9"}} 1 {at}')
        seen = began + REPLACED + 7 if offset > REPLACED else 0
        later.append(f"poolscope_reorg_last_seen_timestamp_seconds{{{labels}}} {seen} {at}")
    return "\n".join([*rows, *later, "# EOF", ""])


def choices(server: Prometheus, board: grafana.Board, address: str) -> dict[str, str]:
    """Return a value for each variable of a dashboard, found as Grafana finds it."""
    values = {"__rate_interval": "1m", "__interval": "15s", "__range": "1h", "instance": address}
    for variable in grafana.variables(board):
        if variable["type"] != "query" or "rawSql" in str(variable["query"]):
            continue
        query = grafana.filled(variable["query"]["query"], values)
        options = wait_for(partial(options_of, server, query, variable))
        wanted = variable.get("current", {}).get("value")
        assert wanted is None or wanted in options, variable["name"]
        values.setdefault(variable["name"], wanted or options[0])
    return values


def options_of(server: Prometheus, query: str, variable: Mapping[str, Any]) -> list[str]:
    if asked := re.fullmatch(r"label_values\((.*), (\w+)\)", query):
        return server.label_values(asked[2], asked[1])
    asked = re.fullmatch(r"query_result\((.*)\)", query)
    assert asked, query
    pattern = re.compile(variable["regex"].strip("/"))
    found = []
    for row in server.query(asked[1]):
        labels = ",".join(f'{name}="{value}"' for name, value in row["metric"].items())
        match = pattern.search(f"{{{labels}}} {row['value'][1]}")
        assert match, labels
        found.append(match[1])
    return found


BOARDS = [file for file in grafana.FILES if any(grafana.questions(grafana.load(file)))]


@pytest.mark.slow
@pytest.mark.parametrize("file", BOARDS, ids=lambda file: file.stem)
def test_every_query_of_a_dashboard_finds_data(
    server: Prometheus, address: str, rehearsal: str, file: Path
) -> None:
    board = grafana.load(file)
    agents = [choices(server, board, instance) for instance in (address, rehearsal)]
    empty = [asked for asked in grafana.questions(board) if not explained(asked.text)]

    def all_answered() -> bool:
        empty[:] = [asked for asked in empty if not any(answers(asked))]
        return not empty

    def answers(asked: grafana.Asked) -> Iterator[list[dict[str, Any]]]:
        return (server.query(grafana.filled(asked.text, values)) for values in agents)

    wait_for(all_answered, lambda: str(empty))


def test_the_pools_to_choose_from_come_largest_first(server: Prometheus, address: str) -> None:
    (file,) = [file for file in BOARDS if file.stem == "pools"]
    assert choices(server, grafana.load(file), address)["pool"] == "foundryusa"


def test_marks_stand_where_the_events_were(server: Prometheus, address: str, began: float) -> None:
    board = grafana.load(BOARDS[0])
    values = {"job": JOB, "instance": "history", "__range": "1h", "__interval": "60s"}

    def events(name: str) -> set[float]:
        text = grafana.filled(mark(board, name), values)
        series = server.over_time(text, began, began + 3600 - MINUTE, MINUTE)
        return {float(value) for row in series for _, value in row["values"]}

    assert events("Registry changes") == {(began + REPLACED) * 1000}
    assert events("Reorgs") == {(began + REPLACED + 7) * 1000}
    values["instance"] = address
    (found,) = server.found(grafana.filled(mark(board, "Retargets"), values))
    sample = f'{{instance="{address}"}}'
    height = int(server.found(f"poolscope_tip_height{sample}")[0]["value"][1])
    blocks = int(server.found(f"poolscope_epoch_blocks{sample}")[0]["value"][1])
    if blocks == height % 2016 + 1:  # no retarget between the three questions
        body = fetch(f"http://{address}/api/v1/blocks/{height - height % 2016}").decode()
        assert f'"time":{int(float(found["value"][1])) // 1000}' in body.replace(" ", "")


def test_every_rule_runs_on_series_that_exist(server: Prometheus) -> None:
    rules = wait_for(server.rules)
    wait_for(lambda: all(rule["health"] != "unknown" for rule in server.rules()))
    asked = [
        (rule["name"], selector)
        for rule in rules
        for selector in re.findall(r"poolscope[\w:]+(?:\{[^}]*\})?", rule["query"])
        if not explained(selector)
    ]
    assert asked

    def all_there() -> bool:
        asked[:] = [(name, text) for name, text in asked if not server.query(text)]
        return not asked

    wait_for(all_there, lambda: str(asked))
    assert {rule["health"] for rule in server.rules()} == {"ok"}


def test_each_explanation_is_still_needed() -> None:
    asked = [a.text for file in BOARDS for a in grafana.questions(grafana.load(file))]
    asked += [file.read_text() for file in RULES.glob("*.yml")]
    unused = {text for text in EMPTY_UNLESS if not any(text in expr for expr in asked)}
    assert not unused


def test_prometheus_answers_with_the_shares_of_real_pools(server: Prometheus, address: str) -> None:
    view = f'{{instance="{address}", window="2016", lens="tag"}}'
    shares = server.found(f"topk(3, poolscope_pool_share_ratio{view})")
    assert {row["metric"]["pool"] for row in shares} == {"foundryusa", "antpool", "f2pool"}
    (total,) = server.found(f"sum(poolscope_pool_share_ratio{view})")
    assert float(total["value"][1]) == pytest.approx(1)


def test_the_sample_raises_no_alarm(server: Prometheus, address: str) -> None:
    server.found("poolscope:tip_age_seconds")
    assert not server.query("poolscope:live")
    assert not server.query(f"ALERTS{{alertstate='firing', instance='{address}'}}")


@pytest.mark.slow
def test_the_reference_is_what_the_agents_export(address: str, rehearsal: str) -> None:
    shown = re.findall(r"^\| `poolscope_.*$", PAGE.read_text("utf-8"), re.MULTILINE)
    rows = [entry.row() for entry in exported(address, rehearsal)]
    assert sorted(rows) == sorted(shown), "run: python -m tests.support.metrics_page"


def test_promtool_finds_the_metrics_clean(address: str) -> None:
    body = fetch(f"http://{address}/metrics")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize("check", [["check", "rules"], ["test", "rules"]])
def test_promtool_passes_the_rules(check: list[str]) -> None:
    files = RULES.glob("*.yml") if check[0] == "check" else (RULES / "tests").glob("*.yml")
    done = subprocess.run(["promtool", *check, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
