"""How fast the statistics are, each beside a peer that does the same with NumPy or SciPy."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analyzers.changepoints import change_points
from analyzers.history import load_history
from analyzers.series import series
from analyzers.simulate import simulate
from analyzers.summary import summarize
from analyzers.windows import CountTable
from tests.analyzers.vectors import pool_mix

WINDOWS = 6200
"""Days of seventeen years."""


def days(count: int) -> CountTable:
    counts = np.random.default_rng(1).multinomial(144, pool_mix("tags"), count)
    places = np.arange(count, dtype=np.int64)
    names = tuple(f"pool{i}" for i in range(counts.shape[1]))
    return CountTable(names, counts, np.full_like(places, 2), places * 144, places * 86_400)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def numpy_posterior(counts: NDArray[np.int64], draws: int) -> None:
    """The same figures of one window with NumPy's vectorised calls."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(counts[counts > 0] + 0.5, draws)
    np.quantile((shares**2).sum(axis=1), (0.025, 0.975))
    largest = shares.max(axis=1)
    np.quantile(largest, (0.025, 0.975))
    held = np.cumsum(-np.sort(-shares, axis=1), axis=1)
    for threshold in (1 / 2, 1 / 3, 1 / 4):
        (largest > threshold).mean()
        np.bincount((held <= threshold).sum(axis=1))


def test_bench_agent_block(benchmark) -> None:  # type: ignore[no-untyped-def]
    """What the agent does for a block: three windows under five lenses, one in 70 unknown."""
    rng = np.random.default_rng(2)
    mix = pool_mix("tags")
    windows = [
        {f"pool{i}": int(c) for i, c in enumerate(rng.multinomial(size, mix))}
        for size in (144, 1008, 2016)
        for _lens in range(5)
    ]
    benchmark(
        lambda: [summarize(counts, unattributed=sum(counts.values()) // 70) for counts in windows]
    )

    def peer() -> None:
        from scipy import stats

        for counts in windows:
            numbers = np.array(list(counts.values()))
            stats.beta.interval(0.95, numbers + 0.5, numbers.sum() - numbers + 0.5)
            numpy_posterior(numbers, 1000)

    peer()
    benchmark.extra_info["peer"] = "scipy.stats.beta and numpy dirichlet"
    benchmark.extra_info["peer_over_ours"] = seconds(peer) / benchmark.stats["median"]


def test_bench_history_in_closed_form(benchmark) -> None:  # type: ignore[no-untyped-def]
    table = days(WINDOWS)
    benchmark.pedantic(lambda: series(table), rounds=3)
    part = [table.row(i) for i in range(200)]
    one_by_one = seconds(lambda: [summarize(row, unattributed=2, draws=1) for row in part]) / 200
    benchmark.extra_info["peer"] = "one window at a time"
    benchmark.extra_info["peer_over_ours"] = one_by_one * WINDOWS / benchmark.stats["median"]


def test_bench_history_simulated(benchmark) -> None:  # type: ignore[no-untyped-def]
    """6,200 windows with 10,000 draws each, after compilation."""
    table = days(WINDOWS)
    simulate(table.counts[:2], draws=10)
    benchmark.pedantic(lambda: simulate(table.counts, draws=10_000), rounds=1)

    def peer() -> None:
        for row in table.counts[:40]:
            numpy_posterior(row, 10_000)

    whole = seconds(peer) / 40 * WINDOWS
    benchmark.extra_info["peer"] = "numpy dirichlet, one core"
    benchmark.extra_info["peer_over_ours"] = whole / benchmark.stats["median"]


def test_bench_change_points(benchmark) -> None:  # type: ignore[no-untyped-def]
    """Six years of days, with the penalty simulated."""
    table = load_history()
    benchmark.pedantic(lambda: change_points(table), rounds=1)
    benchmark.extra_info["windows"] = len(table)
