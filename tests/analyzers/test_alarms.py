"""What the rule "probability over 1/3 above 0.95 in 1008 blocks" does on simulated chains.

The rate at which it errs in a year, and how soon it sees a true change, stand in
docs/methods.md; here they are held. The naive rule compares the observed share.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzers.intervals import share_exceeds
from tests.analyzers.vectors import pool_mix

YEAR = 52_560
WINDOW = 1008
SURE = 0.95
FOUND = np.arange(WINDOW + 1)
CHANCE = share_exceeds(FOUND, WINDOW, 1 / 3)


def rolling(blocks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Blocks found in each window that ends with a block."""
    total = np.concatenate([[0], np.cumsum(blocks)])
    found: NDArray[np.int64] = total[WINDOW:] - total[:-WINDOW]
    return found


def alarms(mix: NDArray[np.float64], years: int, seed: int) -> tuple[float, float]:
    """Return the parts of years in which the rule, and the naive rule, fire at least once.

    The probability of any pool is bounded by the sum over the three largest.
    """
    rng = np.random.default_rng(seed)
    rule = naive = 0
    for _ in range(years):
        miners = rng.choice(len(mix), YEAR, p=mix)
        found = [rolling(miners == pool) for pool in range(3)]
        rule += bool((np.sum(CHANCE[np.array(found)], axis=0) > SURE).any())
        naive += bool((np.max(found, axis=0) * 3 > WINDOW).any())
    return rule / years, naive / years


@pytest.mark.parametrize(("lens", "most"), [("tags", 0.10), ("friends", 0.30)])
def test_a_year_without_change_stays_silent(lens: str, most: float) -> None:
    mix = np.sort(pool_mix(lens))[::-1]
    assert mix[0] < 0.31
    rule, naive = alarms(mix, years=60, seed=1)
    assert rule <= most
    assert naive >= 0.8


def test_a_true_change_is_seen() -> None:
    """A pool rises from 30 to 38 % of the hash rate."""
    rng = np.random.default_rng(2)
    delays = []
    for _ in range(200):
        before, after = rng.random(WINDOW) < 0.30, rng.random(4 * WINDOW) < 0.38
        chance = CHANCE[rolling(np.concatenate([before, after]))]
        fired = np.flatnonzero(chance > SURE)
        delays.append(int(fired[0]) if fired.size else 4 * WINDOW)
    assert np.median(delays) < 1.3 * WINDOW
    assert np.mean(np.array(delays) < 3 * WINDOW) > 0.97
