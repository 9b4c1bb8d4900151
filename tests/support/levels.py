"""How often the inferences err, and what they find, on chains as poolscope believes them to be.

    python -m tests.support.levels --histories 400

draws histories whose shares wander, whose blocks are multinomial and of which a part is of nobody
known, runs them through the product's own functions at every window, and prints the tables of
docs/methods.md. Four hundred histories take some twenty minutes on one core. The test suite
holds a small part of it (``tests/analyzers/test_levels.py``).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.signal import lfilter

from analyzers.network import luck, share_luck
from analyzers.trend import YEAR, Trend, window_trend
from analyzers.windows import CountTable
from tests.analyzers.vectors import pool_mix

DAY: Final = 86_400
A_DAY: Final = 144
WINDOWS: Final = (1, 7, 14, 28, 61, 91)
"""Days."""
LONG, SHORT = 2303, 730
"""Days of the history that ships, and of two years."""
ALPHA: Final = 0.05


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
    wander: Wander, days: int, seed: int, *, drift: float = 0.0, unknown: float = 0.03
) -> CountTable:
    """Return days of blocks; the log share of the largest moves by `drift` a year on top."""
    rng = np.random.default_rng([seed, days])
    base = np.append(pool_mix("tags") * (1 - unknown), unknown)
    state = np.zeros((days, len(base)))
    if wander.spread:
        daily = wander.weekly ** (1 / 7)
        noise = rng.standard_normal(state.shape) * wander.spread
        noise[1:] *= np.sqrt(1 - daily**2)
        state = np.asarray(lfilter([1], [1, -daily], noise, axis=0))
    state[:, 0] += drift * (np.arange(days) - days / 2) * DAY / YEAR
    shares = base * np.exp(state)
    found = rng.multinomial(A_DAY, shares / shares.sum(axis=1, keepdims=True))
    places = np.arange(days, dtype=np.int64)
    names = tuple(f"pool{i}" for i in range(len(base) - 1))
    return CountTable(names, found[:, :-1], found[:, -1], places * A_DAY, places * DAY)


def verdicts(
    wander: Wander, days: int, histories: int, windows: Sequence[int], drift: float = 0.0
) -> list[list[Trend]]:
    """Return the trend of HHI of each history (row) in each window."""
    drawn = (history(wander, days, seed, drift=drift) for seed in range(histories))
    return [[window_trend(table.merged(window)) for window in windows] for table in drawn]


def part_found(found: Sequence[Sequence[Trend]]) -> list[float]:
    """Return for each window the part of histories with a verdict; last, that differ by window."""
    said = np.array([[trend.direction(ALPHA) != "none" for trend in row] for row in found])
    differ = [len({trend.direction(ALPHA) for trend in row}) > 1 for row in found]
    return [*said.mean(axis=0).tolist(), float(np.mean(differ))]


def _row(label: str, parts: Sequence[float]) -> str:
    return f"| {label} | {' | '.join(f'{part:.1%}' for part in parts)} |"


def trends(days: int, histories: int, windows: Sequence[int]) -> None:
    """Print how often a trend is found, without one and with some, at each window."""
    heads = [f"{window} d" for window in windows]
    for drift in (0.0, 0.05, 0.1):
        print(f"\n{days} days, log share of the largest {drift:+g} a year")
        print(f"| weekly correlation, spread | {' | '.join(heads)} | differs by window |")
        for wander in WANDERS:
            found = verdicts(wander, days, histories, windows, drift)
            print(_row(str(wander), part_found(found)), flush=True)


def luck_of_shares(histories: int) -> None:
    """Print how often a true claim is refused, by binomial and by Poisson tails."""
    rng = np.random.default_rng(1)
    print("\n| true share, blocks | binomial | Poisson |")
    for share, blocks in ((0.05, 144), (0.31, 144), (0.31, 2016)):
        drawn = rng.binomial(blocks, share, 20 * histories).tolist()
        judged = (
            [share_luck(found, blocks, share) for found in drawn],
            [luck(found, share * blocks) for found in drawn],
        )
        refused = [
            float(np.mean([min(each.at_most, each.at_least) <= ALPHA / 2 for each in way]))
            for way in judged
        ]
        print(_row(f"{share:.0%}, {blocks}", refused))


def main() -> None:
    """Print all tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--histories", type=int, default=400)
    given = arguments.parse_args()
    luck_of_shares(given.histories)
    trends(LONG, given.histories, WINDOWS)
    trends(SHORT, given.histories, WINDOWS[:4])


if __name__ == "__main__":
    main()
