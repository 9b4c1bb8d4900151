"""A watcher in trouble: begun anew, said once, and never in the way of anything else."""

from __future__ import annotations

import asyncio
import logging

import pytest

from monitor.errors import SourceUnavailable
from monitor.metrics.exporter import AgentMetrics
from monitor.watch.base import LocalRate, Observed, Part
from monitor.watch.supervise import Supervised
from tests.support.polling import until


class Scripted:
    """Fails with each of `failures` in turn, then observes, then waits for ever."""

    name = "scripted"
    what = "what is scripted"
    retry = (0.0, 0.0)

    def __init__(self, *failures: Exception, at_open: bool = False) -> None:
        self._failures = list(failures)
        self._at_open = at_open
        self.opened = self.closed = 0

    async def open(self) -> None:
        self.opened += 1
        if self._at_open:
            self._fail()

    async def run(self, observed: Observed) -> None:
        if not self._at_open:
            self._fail()
        observed(LocalRate(1, 1, 1))
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed += 1
        raise OSError("closing fails, too")

    def _fail(self) -> None:
        if self._failures:
            raise self._failures.pop(0)


FAILURES = [
    SourceUnavailable("it is down"),
    OSError("no such device"),
    ValueError("not what it should be"),
    TimeoutError(),
    KeyError("a fault of ours"),
    ZeroDivisionError(),
]


@pytest.mark.parametrize("at_open", [False, True])
@pytest.mark.parametrize("failure", FAILURES, ids=repr)
async def test_it_is_begun_anew_and_said_once(
    failure: Exception, at_open: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watcher, metrics = Scripted(*[failure] * 3, at_open=at_open), AgentMetrics()
    parts: dict[str, Part] = {}
    watched = Supervised(watcher, parts.__setitem__, metrics)
    assert watched.health.up is None
    task = asyncio.create_task(watched.run())
    await until(lambda: bool(watched.health.up))
    assert parts == {"scripted": LocalRate(1, 1, 1)}
    assert (watcher.opened, watcher.closed) == (4, 3)
    labels = {"watcher": "scripted"}
    assert metrics.registry.get_sample_value("poolscope_watcher_failures_total", labels) == 3
    assert metrics.registry.get_sample_value("poolscope_watcher_up", labels) == 1
    lines = [r.getMessage() for r in caplog.records if r.exc_info is None]
    assert len(lines) == 2
    assert lines[0].startswith("what is scripted: ")
    assert "tried again" in lines[0]
    assert lines[1] == "what is scripted: it is observed again"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watcher.closed == 4


async def test_pauses_grow_until_something_is_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Scripted):
        retry = (1.0, 5.0)

    pauses: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            enough.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    watcher = Failing(*[OSError("gone")] * 9)
    task = asyncio.create_task(Supervised(watcher, lambda *_: None, AgentMetrics()).run())
    await enough.wait()
    task.cancel()
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]
