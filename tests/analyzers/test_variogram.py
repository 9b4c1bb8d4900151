from __future__ import annotations

import doctest

import numpy as np
import pytest

from analyzers import variogram
from analyzers.variogram import Pairs, Wander, gain_beyond
from tests.analyzers.vectors import pool_mix
from tests.simulations.histories import Wander as Wandering
from tests.simulations.histories import history


def test_examples() -> None:
    found = doctest.testmod(variogram)
    assert found.attempted
    assert not found.failed


def test_means_of_long_stretches_differ_more_by_slow_wander() -> None:
    wander = Wander(np.array([1.0, 1.0]), np.array([0.2, 20.0]))
    quick, slow = wander.excess(10, 10)
    assert 0.9 < quick < 1.2  # each window is its own: as much as in a single one
    assert slow > 2
    assert wander.excess(1, 1) == pytest.approx([1 - np.exp(-5), 1 - np.exp(-1 / 20)])


def test_wander_is_found_in_shares_that_wander_and_not_in_others() -> None:
    still = np.random.default_rng(1).multinomial(1008, pool_mix("tags"), 104).astype(float)
    wide = history(Wandering(0.9, 0.15), 728, 3).merged(7).counts.astype(float)
    least = [Pairs(counts).wander([]).excess(26, 26).max() for counts in (still, wide)]
    assert least[0] < 3
    assert least[1] > 5


def test_a_jump_is_not_taken_for_wander_where_it_is_looked_for() -> None:
    rng = np.random.default_rng(2)
    after = pool_mix("tags").copy()
    after[:2] += (-0.08, 0.08)
    parts = [rng.multinomial(1008, mix, 26) for mix in (pool_mix("tags"), after)]
    pairs = Pairs(np.concatenate(parts).astype(float))
    assert pairs.wander([26]).excess(26, 26).max() < pairs.wander([]).excess(26, 26).max() / 2


def test_without_pairs_all_may_be_wander() -> None:
    found = Pairs(np.array([[5.0, 4.0], [4.0, 5.0]])).wander([1])
    assert gain_beyond(np.array([50.0, 4.0]), np.array([4.0, 50.0]), found.excess(1, 1)) == 0
