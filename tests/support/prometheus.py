"""Debian's Prometheus on a real agent: started, asked, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.support.patience import PATIENCE

RULES: Final = Path(__file__).parents[2] / "dashboards" / "prometheus"
REFUSED: Final = {400, 422}
"""How Prometheus answers a query that it cannot parse, or not carry out."""
JOB: Final = "poolscope"
LONG: Final = "256h"
"""Time that a block of a past holds: promtool reads the pages anew for each."""
RULES_UPON_RULES: Final = 3
"""Recording rules that stand on each other; what a run of promtool writes, the next one sees."""

Answer = TypeVar("Answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        body: bytes = answer.read()
    return body


def wait_for(what: Callable[[], Answer], lacking: Callable[[], str] = str) -> Answer:
    """Return the first true answer of `what`; connections may fail until then.

    If none comes, `lacking` says what was waited for.
    """
    deadline = time.monotonic() + PATIENCE
    last = ""
    while time.monotonic() < deadline:
        try:
            if answer := what():
                return answer
            last = repr(answer)
        except (urllib.error.URLError, ConnectionError) as error:
            last = repr(error)  # kept whole, it would keep its socket, too
        time.sleep(0.1)
    raise AssertionError(
        f"waited {PATIENCE:.0f} s for {lacking() or what}; the last answer was {last}"
    )


@contextmanager
def agent(directory: Path, source: str, settings: Mapping[str, str]) -> Iterator[str]:
    """Start an agent on a synthetic source; give its address. It must stop in order, and soon."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "monitor", "run", "--source", source, "--no-hashrate"]
    command += ["--port", address.partition(":")[2]]
    env = {**os.environ, **settings, "POOLSCOPE_DATA_DIR": str(directory)}
    with (
        directory.with_suffix(".log").open("w") as log,
        subprocess.Popen(command, env=env, stderr=log) as process,
    ):
        try:
            yield address
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


@contextmanager
def agents(directory: Path) -> Iterator[tuple[str, str]]:
    """Run an agent on the sample and one on the rehearsal; together they export every metric.

    The sample has real retargets, and a price to ask for; the rehearsal has coinbases and so
    fees, and forks that become reorgs.
    """
    (directory / "btc.json").write_text('{"USD": 90000}')
    serve = partial(_Quiet, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as prices:
        threading.Thread(target=prices.serve_forever, daemon=True).start()
        priced = {
            "POOLSCOPE_SAMPLE__SPEED": "2",
            "POOLSCOPE_ECONOMICS__PRICE_URL": f"http://127.0.0.1:{prices.server_port}/btc.json",
        }
        forked = {
            "POOLSCOPE_REHEARSAL__SPEED": "2",
            "POOLSCOPE_REHEARSAL__FORK_PROBABILITY": "0.3",
            "POOLSCOPE_REHEARSAL__FORK_DEPTH": "4",
        }
        with (
            agent(directory / "sample", "sample", priced) as sample,
            agent(directory / "rehearsal", "rehearsal", forked) as rehearsal,
        ):
            for each in (sample, rehearsal):
                wait_for(partial(fetch, f"http://{each}/-/ready"))
            for late in (b"bitcoin_price_dollars{", b"source_left_out{"):
                wait_for(lambda late=late: late in fetch(f"http://{sample}/metrics"))  # type: ignore[misc]
            yield sample, rehearsal
        prices.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    address: str

    def query(self, text: str, at: float | None = None) -> list[dict[str, Any]]:
        """Return the vector that `text` is now, or `at`; a scalar is one without labels."""
        when = {} if at is None else {"time": f"{at}"}
        answer = self._ask("query", {"query": text, **when})
        if answer["resultType"] == "scalar":
            return [{"metric": {}, "value": answer["result"]}]
        vector: list[dict[str, Any]] = answer["result"]
        return vector

    def found(self, text: str) -> list[dict[str, Any]]:
        """Return the vector that `text` is as soon as it has a value.

        A scrape that a busy machine ends too late is a failed one: until the next, there is none.
        """
        return wait_for(lambda: self.query(text))

    def over_time(self, text: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Return the series that `text` is from `start` to `end`."""
        parameters = {"query": text, "start": f"{start}", "end": f"{end}", "step": f"{step}"}
        series: list[dict[str, Any]] = self._ask("query_range", parameters)["result"]
        return series

    def label_values(self, label: str, series: str) -> list[str]:
        """Return the values of a label among the series that a selector chooses."""
        values: list[str] = self._ask(f"label/{label}/values", {"match[]": series})
        return values

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its state."""
        return [rule for group in self._ask("rules", {})["groups"] for rule in group["rules"]]

    def _ask(self, what: str, parameters: Mapping[str, str]) -> Any:
        url = f"http://{self.address}/api/v1/{what}?" + urllib.parse.urlencode(parameters)
        try:
            return json.loads(fetch(url))["data"]
        except urllib.error.HTTPError as error:
            if error.code not in REFUSED:
                raise  # it has not started yet
            reason = json.loads(error.read())["error"]
            raise AssertionError(f"Prometheus refuses {parameters}: {reason}") from None


@contextmanager
def prometheus(
    directory: Path, targets: Sequence[str], history: str = "", options: Sequence[str] = ()
) -> Iterator[Prometheus]:
    """Run Prometheus with the rules that ship, scraping `targets` each two seconds.

    `history` is what it already holds, as OpenMetrics text with times.
    """
    config = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "*.yml")],
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": targets}]}],
    }
    (directory / "prometheus.yml").write_text(json.dumps(config))
    data = directory / "data"
    if history:
        (directory / "history").write_text(history)
        backfill = ("promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet")
        subprocess.run((*backfill, directory / "history", data), check=True)
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={directory / 'prometheus.yml'}"]
    command += [f"--storage.tsdb.path={data}", f"--web.listen-address={address}", *options]
    server = Prometheus(address)
    with (
        (directory / "log").open("w") as log,
        subprocess.Popen(command, stderr=log, stdout=log) as process,
    ):
        try:
            up = f'sum(up{{job="{JOB}"}}) == {len(targets)}' if targets else "vector(1)"
            wait_for(lambda: server.query(up))
            yield server
        finally:
            process.kill()


@contextmanager
def prometheus_of(
    directory: Path, pages: Iterable[str], start: int, end: int, gap: int
) -> Iterator[Prometheus]:
    """Run Prometheus on a past: pages of OpenMetrics with times from `start` to `end`.

    Recording rules are applied to it. `gap` is the most seconds between two pages.
    """
    past, data = directory / "past", directory / "data"
    with past.open("w") as file:
        file.writelines(pages)
        file.write("# EOF\n")
    backfill = ("promtool", "tsdb", "create-blocks-from", f"--max-block-duration={LONG}")
    subprocess.run((*backfill, "openmetrics", "--quiet", past, data), check=True)
    past.unlink()
    options = (f"--query.lookback-delta={gap}s", "--storage.tsdb.retention.time=400d")
    for _ in range(RULES_UPON_RULES):
        with prometheus(directory, [], options=options) as server:
            where = (f"--url=http://{server.address}", f"--output-dir={data}")
            when = (f"--start={start}", f"--end={end}", f"--eval-interval={gap}s")
            rules = (*backfill, "rules", *where, *when, RULES / "recording.yml")
            subprocess.run(rules, check=True, capture_output=True)
    with prometheus(directory, [], options=options) as server:
        yield server
