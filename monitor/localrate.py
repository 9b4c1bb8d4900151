"""The machine's own hash rate, measured in a process of its own at low priority.

Numba and its compiler stay out of the agent: a daemon that runs for months should not carry
them for a second of measurement a day.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from dataclasses import dataclass
from typing import Final

from monitor.config import HashrateSettings
from monitor.exporter import AgentMetrics

log = logging.getLogger(__name__)

START_DELAY: Final = 5.0
"""Seconds after the start at which the first measurement begins."""
NICENESS: Final = 19
TIMEOUT: Final = 120.0
"""Seconds for compiling the kernels (first use only) and measuring."""


@dataclass(frozen=True, slots=True)
class LocalRate:
    """Double hashes per second on one thread: median, lowest and highest repetition."""

    median: float
    lowest: float
    highest: float


async def measure_local_rate(seconds: float) -> LocalRate:
    """Run ``poolscope hashrate`` on one thread for about `seconds`.

    Raises
    ------
    OSError, ValueError
        If the process cannot be started, takes too long, fails, or prints something else.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", "hashrate", "--json", "--threads", "1"),
        *("--kernel", "best", "--seconds", str(seconds)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT)
    except TimeoutError:
        raise ValueError(f"it took more than {TIMEOUT:.0f} s; is the machine busy?") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ValueError(f"the measurement ended with status {process.returncode}")
    return read_measurement(output)


def read_measurement(output: bytes) -> LocalRate:
    """Return the best kernel's rate from the JSON of ``poolscope hashrate``.

    Raises
    ------
    ValueError
        If it is not that JSON.
    """
    try:
        rates = [entry["hashes_per_second"] for entry in json.loads(output)["results"]]
        best = max(rates, key=lambda rate: float(rate["median"]))
        return LocalRate(*(float(best[name]) for name in ("median", "min", "max")))
    except (KeyError, TypeError) as error:
        raise ValueError(f"unexpected output of the measurement: {error!r}") from None


async def watch_local_rate(settings: HashrateSettings, metrics: AgentMetrics) -> None:
    """Measure shortly after the start and then once an interval, for ever."""
    await asyncio.sleep(START_DELAY)
    while True:
        try:
            rate = await measure_local_rate(settings.seconds)
        except (OSError, ValueError) as error:
            log.warning("cannot measure the local hash rate: %s", error)
        else:
            metrics.local_rate.set(rate.median)
            metrics.local_rate_spread.set(rate.highest - rate.lowest)
        await asyncio.sleep(settings.interval)
