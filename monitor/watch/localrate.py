"""The machine's own hash rate, measured in a process of its own at low priority.

Numba and its compiler stay out of the agent: a daemon that runs for months should not carry
them for a second of measurement a day.

The process tells what it knows as soon as it knows it, a loop over hashlib first: so there is a
figure within a minute even where it takes many to compile a kernel. What it learns about
kernels it keeps by itself, so that a measurement that was cut short is not lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from monitor.answers.operating import HashrateReport, KernelRate
from monitor.config import HashrateSettings
from monitor.watch.base import LocalRate, Observed

START_DELAY: Final = 5.0
"""Seconds after the start at which the first measurement begins."""
PATIENCE: Final = 30.0
"""Seconds of the first measurement after which the rate of hashlib is published: where a kernel
is compiled by then, a figure that is many times lower would only puzzle."""
NICENESS: Final = 5
"""Enough to give way to a node, not so much that a busy machine never gets to the end."""
TIMEOUT: Final = 900.0
"""Seconds after which a measurement is given up. It takes a few seconds of processor time."""
RETRY_FIRST: Final = 60.0
"""Seconds after a failure until the next measurement."""
HASHLIB: Final = "hashlib"
_LINE: Final = 1 << 20
"""Most bytes of a line that the measurement may print."""


async def local_rates(seconds: float) -> AsyncGenerator[LocalRate]:
    """Run ``poolscope hashrate`` on one thread and yield the rate each time that more is known.

    The first is that of a loop over hashlib, the last that of the fastest kernel.

    Raises
    ------
    OSError, ValueError
        If the process cannot be started, takes too long, fails, or prints something else.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", "hashrate", "--json-lines", "--threads", "1"),
        *("--kernel", "best", "--seconds", str(seconds)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE,
    )
    assert process.stdout is not None
    kernel = HASHLIB
    deadline = asyncio.get_running_loop().time() + TIMEOUT
    try:
        async with asyncio.timeout_at(deadline):
            line = await _line_of(process.stdout)
        while line:
            rate = read_measurement(line)
            kernel = rate.kernel
            yield rate
            if kernel == HASHLIB:
                # That was short; what follows gives way to who is at work.
                with contextlib.suppress(ProcessLookupError):
                    os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            async with asyncio.timeout_at(deadline):
                line = await _line_of(process.stdout)
        async with asyncio.timeout_at(deadline):
            status = await process.wait()
    except TimeoutError:
        raise ValueError(f"it took more than {TIMEOUT:.0f} s; is the machine busy?") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if status:
        raise ValueError(f"the measurement ended with status {status}")
    if kernel == HASHLIB:
        raise ValueError("the measurement ended before it came to a kernel")


async def _line_of(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:
        raise ValueError("unexpected output of the measurement: a line without end") from None


def read_measurement(output: bytes) -> LocalRate:
    """Return the best rate in the JSON of ``poolscope hashrate``: hashlib's if there is no other.

    Raises
    ------
    ValueError
        If it is not that JSON.
    """
    try:
        report = HashrateReport.model_validate_json(output)
        rates = [_rate(entry) for entry in report.results or [report.hashlib]]
    except ValueError as error:
        first = str(error).partition("\n")[0]
        raise ValueError(f"unexpected output of the measurement: {first}") from None
    return max(rates, key=lambda rate: rate.median)


def _rate(entry: KernelRate) -> LocalRate:
    rate = entry.hashes_per_second
    if rate.value is None or rate.low is None or rate.high is None or rate.value <= 0:
        raise ValueError(f"a rate of {rate.value}")
    return LocalRate(rate.value, rate.low, rate.high, entry.kernel)


class LocalRateWatcher:
    """Measures shortly after the start and then once an interval."""

    name: Final = "local_rate"
    what: Final = "local hash rate"

    def __init__(self, settings: HashrateSettings) -> None:
        self.retry = (min(RETRY_FIRST, settings.interval), settings.interval)
        self._settings = settings
        self._delay = START_DELAY
        self._known = False

    async def open(self) -> None:
        """Leave the first seconds to the chain."""
        delay, self._delay = self._delay, 0.0
        await asyncio.sleep(delay)

    async def run(self, observed: Observed) -> None:
        """Measure for ever.

        Raises
        ------
        OSError, ValueError
            As for `local_rates`; what was found until then stays published.
        """
        while True:
            await self._measure(observed)
            await asyncio.sleep(self._settings.interval)

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _measure(self, observed: Observed) -> None:
        """Tell a new rate; the first ever may be that of hashlib, if a better one is long to come.

        Raises
        ------
        OSError, ValueError
            As for `local_rates`.
        """
        loop = asyncio.get_running_loop()
        late = loop.time() + PATIENCE

        def makeshift(rate: LocalRate) -> None:
            if not self._known:
                observed(rate, partial=True)

        async with aclosing(local_rates(self._settings.seconds)) as rates:
            found = None
            async for rate in rates:
                if rate.kernel == HASHLIB:
                    loop.call_at(late, makeshift, rate)
                else:
                    found, self._known = rate, True
                    observed(rate, partial=True)
        if found is not None:
            observed(found)
