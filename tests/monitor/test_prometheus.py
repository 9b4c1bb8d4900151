"""The running agent under a real Prometheus, with the rules that ship."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.prometheus

RULES = Path(__file__).parents[2] / "dashboards" / "prometheus"
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body: bytes = answer.read()
    return body


def wait_for(what: Callable[[], Any]) -> Any:
    """Return the first true answer of `what`; connections may fail until then."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if answer := what():
                return answer
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    raise AssertionError("nothing came of it in time")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running agent on the sample; yields its address."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "monitor", "run", "--source", "sample", "--no-hashrate"]
    command += ["--port", address.partition(":")[2]]
    env = os.environ | {"POOLSCOPE_DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as process:
        try:
            wait_for(lambda: fetch(f"http://{address}/-/ready"))
            yield address
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            assert time.monotonic() - started < 5
        finally:
            process.kill()


@pytest.fixture(scope="module")
def query(agent: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """A running Prometheus that scrapes the agent; yields a function that asks it."""
    folder = tmp_path_factory.mktemp("prometheus")
    address = f"127.0.0.1:{free_port()}"
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "*.yml")],
        "scrape_configs": [{"job_name": "poolscope", "static_configs": [{"targets": [agent]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]

    def ask(text: str) -> Any:
        url = f"http://{address}/api/v1/query?" + urllib.parse.urlencode({"query": text})
        return json.loads(fetch(url))["data"]["result"]

    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stderr=log, stdout=log) as process,
    ):
        try:
            wait_for(lambda: ask('up{job="poolscope"} == 1'))
            yield ask
        finally:
            process.kill()


def test_prometheus_answers_with_the_shares_of_real_pools(query: Callable[[str], Any]) -> None:
    shares = wait_for(
        lambda: query('topk(3, poolscope_pool_share_ratio{window="2016", lens="tag"})')
    )
    assert {row["metric"]["pool"] for row in shares} == {"foundryusa", "antpool", "f2pool"}
    (total,) = query('sum(poolscope_pool_share_ratio{window="2016", lens="tag"})')
    assert float(total["value"][1]) == pytest.approx(1)


def test_the_rules_run_and_the_sample_raises_no_alarm(query: Callable[[str], Any]) -> None:
    wait_for(lambda: query("poolscope:tip_age_seconds"))
    assert not query("poolscope:live")
    assert not query("ALERTS{alertstate='firing'}")


def test_promtool_finds_the_metrics_clean(agent: str) -> None:
    body = fetch(f"http://{agent}/metrics")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize("check", [["check", "rules"], ["test", "rules"]])
def test_promtool_passes_the_rules(check: list[str]) -> None:
    files = RULES.glob("*.yml") if check[0] == "check" else (RULES / "tests").glob("*.yml")
    done = subprocess.run(["promtool", *check, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
