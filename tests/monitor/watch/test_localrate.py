"""The machine's own hash rate, as the agent measures it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from monitor.answers.base import Range
from monitor.answers.operating import HashrateReport, KernelRate
from monitor.commands.output import json_of
from monitor.config import HashrateSettings
from monitor.metrics.exporter import AgentMetrics
from monitor.metrics.watched import watched_metrics
from monitor.watch import localrate
from monitor.watch.base import LocalRate, Part
from monitor.watch.localrate import (
    HASHLIB,
    LocalRateWatcher,
    local_rates,
    read_measurement,
)
from monitor.watch.supervise import Supervised
from tests.support.polling import until
from tests.support.prometheus import fetch

NAME = "poolscope_local_hashes_per_second"
SPREAD = "poolscope_local_hashes_per_second_spread"


def entry(median: float, kernel: str = "k") -> KernelRate:
    return KernelRate(
        kernel=kernel,
        threads=1,
        hashes_per_second=Range(value=median, low=median - 1, high=median + 2),
        stdev_hashes_per_second=1,
        repetitions=9,
        hashlib_ratio=median / 5,
    )


def report(*results: KernelRate) -> str:
    told = HashrateReport(processor="p", cores=1, hashlib=entry(5, HASHLIB), results=list(results))
    return json_of(told)


def line(*rates: float) -> str:
    return report(*map(entry, rates))


def spoilt(**rate: object) -> bytes:
    """A report of one kernel whose rate is not as it should be."""
    told = json.loads(line(10))
    told["results"][0]["hashes_per_second"] |= rate
    return json.dumps(told).encode()


@dataclass
class Seen:
    """What the watcher told, and its metrics."""

    task: asyncio.Task[None]
    rates: list[LocalRate] = field(default_factory=list)

    @property
    def rate(self) -> LocalRate | None:
        assert not self.task.done()
        return self.rates[-1] if self.rates else None


@asynccontextmanager
async def watching(settings: HashrateSettings) -> AsyncIterator[Seen]:
    def publish(name: str, part: Part) -> None:
        assert name == "local_rate"
        assert isinstance(part, LocalRate)
        seen.rates.append(part)

    watched = Supervised(LocalRateWatcher(settings), publish, AgentMetrics())
    seen = Seen(asyncio.create_task(watched.run()))
    try:
        yield seen
    finally:
        seen.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await seen.task


async def measure_local_rate(seconds: float) -> LocalRate:
    """The last rate that a measurement comes to."""
    return [rate async for rate in local_rates(seconds)][-1]


@pytest.fixture
def measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that measures in place of ours: write it before it is started."""
    program = tmp_path / "measure"
    monkeypatch.setattr(localrate, "START_DELAY", 0.0)
    monkeypatch.setattr(sys, "executable", str(program))
    return program


def write(program: Path, code: str) -> None:
    program.write_text(f"#!{PYTHON}\nimport os, sys, time\n{textwrap.dedent(code)}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


PYTHON = sys.executable


def test_the_best_kernel_counts() -> None:
    output = report(entry(10, "a"), entry(30, "b"), entry(20, "c"))
    assert read_measurement(output.encode()) == LocalRate(30, 29, 32, "b")


def test_before_a_kernel_is_compiled_there_is_hashlib() -> None:
    assert read_measurement(line().encode()) == LocalRate(5, 4, 7, HASHLIB)


@pytest.mark.parametrize(
    "output",
    [
        *(b"", b"null", b"[]", b"{}", b"\xff", b'{"results": []}', b'{"results": [{}]}'),
        *(b'{"results": 5}', b'{"results": [{"hashes_per_second": 7}]}', b"[" * 100_000),
        *(b'{"results": [5]}', b'{"results": {"a": 1}}', b'{"results": [], "hashlib": 3}'),
        *(spoilt(value="much"), spoilt(low=None), spoilt(value=float("nan"))),
        *(spoilt(high=float("inf")), spoilt(value=-1), spoilt(value=0, low=0, high=0)),
        *(spoilt(value=10**400), spoilt(median=1), spoilt(value=None)),
    ],
)
def test_other_output_is_refused(output: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any kind of it
        read_measurement(output)


def test_until_it_is_measured_there_is_no_rate() -> None:
    nothing = {metric.name: metric.samples for metric in watched_metrics({})}
    assert nothing[NAME] == nothing[SPREAD] == []
    known = {
        metric.name: [sample.value for sample in metric.samples]
        for metric in watched_metrics({"local_rate": LocalRate(50, 49, 52, "k")})
    }
    assert (known[NAME], known[SPREAD]) == ([50], [3])


@pytest.mark.slow
async def test_the_agent_measures_and_publishes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(localrate, "START_DELAY", 0.0)
    monkeypatch.setenv("POOLSCOPE_DATA_DIR", str(tmp_path))
    async with watching(HashrateSettings(seconds=0.05)) as seen:
        await until(lambda: seen.rate is not None)
        rate = seen.rate
    assert rate is not None
    assert 1e5 < rate.median < 1e12
    assert rate.kernel


@pytest.mark.slow
def test_the_first_start_of_an_agent_comes_to_a_rate(tmp_path: Path) -> None:
    """Nothing is compiled, nothing remembered; the rate is that of a kernel in the end."""
    cache = {"XDG_CACHE_HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    command = [sys.executable, "-m", "monitor", "run", "--source", "sample", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path / "data")],
        env=os.environ | cache | {"POOLSCOPE_HASHRATE__SECONDS": "0.2"},
        stderr=subprocess.PIPE,
        text=True,
    ) as agent:
        try:
            assert agent.stderr is not None
            found = (re.search(r"serving (http://\S+)", text) for text in agent.stderr)
            address = next(match[1] for match in found if match).rstrip("/")
            metrics = fetch(f"{address}/metrics").decode()
            assert f"# TYPE {NAME} gauge" in metrics
            assert f"\n{NAME} " not in metrics
            assert json.loads(fetch(f"{address}/api/v1/status"))["local_rate"] is None

            kernels = {HASHLIB}
            while kernels == {HASHLIB}:
                assert agent.poll() is None
                time.sleep(0.1)
                if rate := json.loads(fetch(f"{address}/api/v1/status"))["local_rate"]:
                    kernels.add(rate["kernel"])
            metrics = fetch(f"{address}/metrics").decode()
            assert re.search(rf"^{NAME} [1-9]", metrics, re.MULTILINE)
            assert re.search(rf"^{SPREAD} [0-9]", metrics, re.MULTILINE)
        finally:
            agent.terminate()
            agent.communicate()


async def test_where_kernels_are_long_to_come_there_is_hashlib_until_then(
    measuring: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(localrate, "PATIENCE", 0.0)
    go = tmp_path / "go"
    write(
        measuring,
        f"""
        print({line()!r}, flush=True)
        while not os.path.exists({str(go)!r}):
            time.sleep(0.01)
        print({line(50)!r}, flush=True)
    """,
    )
    async with watching(HashrateSettings()) as seen:
        await until(lambda: seen.rate == LocalRate(5, 4, 7, HASHLIB))
        go.touch()
        await until(lambda: seen.rate == LocalRate(50, 49, 52, "k"))


async def test_a_rate_that_is_known_does_not_fall_to_that_of_hashlib(
    measuring: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(localrate, "PATIENCE", 0.0)
    monkeypatch.setattr(localrate, "RETRY_FIRST", 0.0)
    runs = tmp_path / "runs"
    write(
        measuring,
        f"""
        with open({str(runs)!r}, "a") as file:
            file.write("x")
        print({line()!r}, flush=True)
        print({line(50)!r}, flush=True)
        sys.exit(1)
    """,
    )
    async with watching(HashrateSettings()) as seen:
        while not runs.exists() or runs.stat().st_size < 4:
            assert not seen.task.done()
            await asyncio.sleep(0.001)
    kernels = [rate.kernel for rate in seen.rates]
    assert HASHLIB not in kernels[kernels.index("k") :]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("sys.exit(3)", "status 3"),
        (f"print({line()!r})", "before it came to a kernel"),
        (f"print({line()!r}); sys.exit(1)", "status 1"),
        ("os.kill(os.getpid(), 9)", "status -9"),
        ("print('not JSON')", "unexpected output of the measurement"),
        ("print('x' * 3_000_000)", "unexpected output of the measurement"),
        ("pass", "before it came to a kernel"),
    ],
)
async def test_a_process_that_fails_is_no_measurement(
    measuring: Path, code: str, says: str
) -> None:
    write(measuring, code)
    with pytest.raises(ValueError, match=says):
        await measure_local_rate(0.05)


async def test_a_program_that_cannot_be_started_is_no_measurement(measuring: Path) -> None:
    with pytest.raises(OSError, match="measure"):
        await measure_local_rate(0.05)


async def test_what_fails_is_tried_again_soon_and_then_later_each_time(
    measuring: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 6:
            enough.set()
            await asyncio.Event().wait()

    write(measuring, "sys.exit(1)")
    monkeypatch.setattr(asyncio, "sleep", sleep)
    async with watching(HashrateSettings(interval=600)):
        await enough.wait()
    pauses = [pause for at, pause in enumerate(pauses) if pause or not at]
    assert pauses == [0.0, 60, 120, 240, 480, 600][: len(pauses)]
    assert len(pauses) > 3
    assert caplog.text.count("local hash rate: the measurement ended with status 1") == 1


@pytest.mark.slow
async def test_a_measurement_that_fails_is_told_and_the_agent_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("POOLSCOPE_NETWORK", "no such network")
    with pytest.raises(ValueError, match="ended with status"):
        await measure_local_rate(0.05)
    monkeypatch.setattr(localrate, "START_DELAY", 0.0)
    async with watching(HashrateSettings()) as seen:
        while "local hash rate: the measurement ended with status" not in caplog.text:
            assert not seen.task.done()
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_measurement_that_takes_too_long_is_ended_and_what_it_told_is_kept(
    measuring: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = tmp_path / "pid"
    write(
        measuring,
        f"""
        with open({str(left)!r}, "w") as file:
            file.write(str(os.getpid()))
        print({line()!r}, flush=True)
        time.sleep(1000)
    """,
    )
    told: list[LocalRate] = []

    async def measure() -> None:
        async for rate in local_rates(60):
            told.append(rate)
            monkeypatch.setattr(localrate, "TIMEOUT", 0.0)

    monkeypatch.setattr(localrate, "TIMEOUT", 2.0)
    with pytest.raises(ValueError, match="more than"):
        await measure()
    assert [rate.kernel for rate in told] in ([HASHLIB], [])
    if left.exists() and left.read_text():
        with pytest.raises(ProcessLookupError):
            os.kill(int(left.read_text()), 0)


async def test_who_stops_the_agent_stops_the_measurement(measuring: Path, tmp_path: Path) -> None:
    left = tmp_path / "pid"
    write(
        measuring,
        f"""
        with open({str(left)!r} + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename({str(left)!r} + ".new", {str(left)!r})
        time.sleep(1000)
    """,
    )
    async with watching(HashrateSettings()) as seen:
        while not left.exists():
            assert not seen.task.done()
            await asyncio.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(int(left.read_text()), 0)
