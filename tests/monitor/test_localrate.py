"""The machine's own hash rate, as the agent measures it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from monitor import localrate
from monitor.config import HashrateSettings
from monitor.exporter import AgentMetrics
from monitor.localrate import LocalRate, measure_local_rate, read_measurement, watch_local_rate


def entry(median: float) -> dict[str, object]:
    return {"hashes_per_second": {"median": median, "min": median - 1, "max": median + 2}}


def test_the_best_kernel_counts() -> None:
    output = json.dumps({"results": [entry(10), entry(30), entry(20)]})
    assert read_measurement(output.encode()) == LocalRate(30, 29, 32)


@pytest.mark.parametrize(
    "output",
    [
        *(b"", b"null", b"[]", b"{}", b"\xff", b'{"results": []}', b'{"results": [{}]}'),
        *(b'{"results": 5}', b'{"results": [{"hashes_per_second": 7}]}'),
        b'{"results": [{"hashes_per_second": {"median": "much"}}]}',
        b'{"results": [{"hashes_per_second": {"median": 1, "min": null, "max": 2}}]}',
    ],
)
def test_other_output_is_refused(output: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any kind of it
        read_measurement(output)


@pytest.mark.slow
async def test_the_agent_measures_and_publishes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(localrate, "START_DELAY", 0.0)
    monkeypatch.setenv("POOLSCOPE_DATA_DIR", str(tmp_path))
    metrics = AgentMetrics()
    watch = asyncio.create_task(watch_local_rate(HashrateSettings(seconds=0.05), metrics))
    name = "poolscope_local_hashes_per_second"
    while not (rate := metrics.registry.get_sample_value(name)):
        assert not watch.done()
        await asyncio.sleep(0.05)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    assert 1e5 < rate < 1e12


async def test_a_measurement_that_fails_is_told_and_the_agent_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("POOLSCOPE_NETWORK", "no such network")
    with pytest.raises(ValueError, match="ended with status"):
        await measure_local_rate(0.05)
    monkeypatch.setattr(localrate, "START_DELAY", 0.0)
    watch = asyncio.create_task(watch_local_rate(HashrateSettings(), AgentMetrics()))
    while "cannot measure the local hash rate" not in caplog.text:
        assert not watch.done()
        await asyncio.sleep(0.05)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch


async def test_a_measurement_that_takes_too_long_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(localrate, "TIMEOUT", 0.05)
    with pytest.raises(ValueError, match="more than"):
        await measure_local_rate(60)
