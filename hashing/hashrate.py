"""How fast this machine hashes, with spread over repetitions.

The loop over hashlib needs neither NumPy nor Numba: its rate is there at once, everywhere.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from hashing.params import MAINNET

REPETITIONS: Final = 9
_FIRST_COUNT: Final = 1 << 14
_LEAST_COUNT: Final = 1 << 11
_LEAST_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Rate:
    """Double hashes per second: over how many repetitions, and how they spread."""

    median: float
    min: float
    max: float
    stdev: float
    repetitions: int


def measure(
    kernel: str | None = None,
    threads: int = 1,
    seconds: float = 1.0,
    repetitions: int = REPETITIONS,
) -> Rate:
    """Return the rate of a nonce scan on `threads` threads, measured for about `seconds`.

    The kernel is compiled before the clock starts; None takes the fastest.

    Raises
    ------
    HashingError
        If `kernel` does not run here.
    """
    import numpy as np

    from hashing import choice
    from hashing.kernels.build import compile_scan
    from hashing.sha256d import scan_job

    scan = compile_scan(choice.checked(kernel, "scan"))
    job, nothing = scan_job(MAINNET.genesis_header), np.uint32(0)
    hits = np.empty(1, np.uint32)

    def run(count: int) -> None:
        scan(job, nothing, count, nothing, hits)

    run(_FIRST_COUNT)
    if threads == 1:
        return _repeat(run, seconds, repetitions)
    with ThreadPoolExecutor(threads) as pool:

        def run_all(count: int) -> None:
            list(pool.map(run, [count // threads] * threads))

        return _repeat(run_all, seconds, repetitions)


def measure_hashlib(seconds: float = 1.0, repetitions: int = REPETITIONS) -> Rate:
    """Return the rate of a Python loop over hashlib: what there was before."""
    header = MAINNET.genesis_header
    sha256 = hashlib.sha256

    def run(count: int) -> None:
        for _ in range(count):
            sha256(sha256(header).digest()).digest()

    return _repeat(run, seconds, repetitions)


def _repeat(run: Callable[[int], None], seconds: float, repetitions: int) -> Rate:
    count = _FIRST_COUNT
    while (taken := _timed(run, count)) < _LEAST_SECONDS:
        count *= 4
    count = max(_LEAST_COUNT, int(count * seconds / repetitions / taken))
    rates = [count / _timed(run, count) for _ in range(repetitions)]
    return Rate(
        statistics.median(rates), min(rates), max(rates), statistics.stdev(rates), repetitions
    )


def _timed(run: Callable[[int], None], count: int) -> float:
    start = time.perf_counter()
    run(count)
    return time.perf_counter() - start
