"""What inferences over time say of histories as poolscope believes them to be.

Log shares wander, blocks are multinomial, and a part is of nobody known. Seeds are not those by
which the tests' constants were chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.signal import lfilter

from analyzers.changepoints import change_points
from analyzers.trend import YEAR, Trend, window_trend
from analyzers.windows import CountTable
from tests.analyzers.vectors import pool_mix

DAY: Final = 86_400
A_DAY: Final = 144
WINDOWS: Final = (7, 14, 28, 61, 91, 182)
"""Days."""
LONG, SHORT = 2303, 730
"""Days of the history that ships, and of two years."""
ALPHA: Final = 0.05
FIRST_SEED: Final = 10_000


FOUND: Final = ("rising", "falling")


class Wander(NamedTuple):
    """Log shares wander with this correlation from week to week, and this deviation."""

    weekly: float
    spread: float

    def __str__(self) -> str:
        return f"{self.weekly:g}, {self.spread:.0%}" if self.spread else "none"


WANDERS: Final = (
    Wander(0, 0),
    Wander(0.8, 0.15),
    Wander(0.9, 0.10),
    Wander(0.95, 0.05),
    Wander(0.95, 0.15),
    Wander(0.98, 0.15),
    Wander(0.98, 0.30),
)


def history(
    wander: Wander,
    days: int,
    seed: int,
    *,
    drift: float = 0.0,
    unknown: float = 0.03,
    jump: float = 0.0,
) -> CountTable:
    """Return days of blocks; the log share of the largest moves by `drift` a year on top.

    Halfway it loses `jump` of all work to the second.
    """
    rng = np.random.default_rng([seed, days])
    base = np.append(pool_mix("tags") * (1 - unknown), unknown)
    state = np.zeros((days, len(base)))
    if wander.spread:
        daily = wander.weekly ** (1 / 7)
        noise = rng.standard_normal(state.shape) * wander.spread
        noise[1:] *= np.sqrt(1 - daily**2)
        state = np.asarray(lfilter([1], [1, -daily], noise, axis=0))
    state[:, 0] += drift * (np.arange(days) - days / 2) * DAY / YEAR
    shares = np.tile(base, (days, 1))
    shares[days // 2 :, :2] += (-jump, jump)
    shares *= np.exp(state)
    found = rng.multinomial(A_DAY, shares / shares.sum(axis=1, keepdims=True))
    places = np.arange(days, dtype=np.int64)
    names = tuple(f"pool{i}" for i in range(len(base) - 1))
    return CountTable(names, found[:, :-1], found[:, -1], places * A_DAY, places * DAY)


def verdicts(
    wander: Wander, days: int, histories: int, windows: Sequence[int], drift: float = 0.0
) -> list[list[Trend]]:
    """Return the trend of HHI of each history (row) in each window."""
    seeds = range(FIRST_SEED, FIRST_SEED + histories)
    drawn = (history(wander, days, seed, drift=drift) for seed in seeds)
    return [[window_trend(table.merged(window)) for window in windows] for table in drawn]


def part_found(found: Sequence[Sequence[Trend]]) -> list[float]:
    """Return for each window the part of histories with a verdict; last, that differ by window."""
    said = np.array([[trend.direction(ALPHA) in FOUND for trend in row] for row in found])
    differ = [len({trend.direction(ALPHA) for trend in row}) > 1 for row in found]
    return [*said.mean(axis=0).tolist(), float(np.mean(differ))]


def changes_found(
    wander: Wander, days: int, window: int, histories: int, jump: float = 0.0
) -> float:
    """Return the part of histories in which a change of shares is found.

    With `jump` the largest loses so much of all work to the second, halfway.
    """
    hits = 0
    for seed in range(FIRST_SEED, FIRST_SEED + histories):
        table = history(wander, days, seed, jump=jump).merged(window)
        hits += bool(change_points(table, replicates=100, seed=seed).changes)
    return hits / histories
