from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzers.changepoints import change_points, dispersion
from analyzers.windows import CountTable
from tests.analyzers.vectors import pool_mix


def table(counts: NDArray[np.int64]) -> CountTable:
    rows = np.arange(len(counts), dtype=np.int64)
    names = tuple(f"pool{i}" for i in range(counts.shape[1]))
    return CountTable(names, counts, np.zeros_like(rows), rows * 1008, rows * 604_800)


def weeks(rng: np.random.Generator, shares: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    return rng.multinomial(1008, shares, count)


def test_finds_changes_where_they_are() -> None:
    rng = np.random.default_rng(1)
    before, after = pool_mix("tags"), pool_mix("tags").copy()
    after[0] -= 0.06
    after[1] += 0.06
    counts = np.concatenate([weeks(rng, before, 30), weeks(rng, after, 20), weeks(rng, before, 30)])
    found = change_points(table(counts))
    assert [change.index for change in found.changes] == pytest.approx([30, 50], abs=1)
    assert {name for name, _ in found.changes[0].shifts[:2]} == {"pool0", "pool1"}
    assert found.changes[0].gain > found.penalty
    assert found.changes[0].start_time == found.changes[0].index * 604_800
    assert found.dispersion < 1.5


def test_a_swap_that_hhi_cannot_see_is_found() -> None:
    rng = np.random.default_rng(2)
    shares = np.array([0.3, 0.2, 0.5])
    counts = np.concatenate([weeks(rng, shares, 20), weeks(rng, shares[[1, 0, 2]], 20)])
    assert [change.index for change in change_points(table(counts)).changes] == [20]


FEW = pytest.param(60, 0.14, id="few")
MANY = pytest.param(200, 0.10, id="many", marks=pytest.mark.slow)
"""Histories to simulate, and the part of them that may report a change at a nominal 5 %."""


@pytest.mark.slow
@pytest.mark.parametrize(("histories", "most"), [FEW, MANY])
def test_false_positives_without_a_change(histories: int, most: float) -> None:
    rng = np.random.default_rng(3)
    mix = pool_mix("tags")
    hits = sum(
        bool(change_points(table(weeks(rng, mix, 52)), replicates=200, seed=i).changes)
        for i in range(histories)
    )
    assert hits / histories <= most


@pytest.mark.slow
@pytest.mark.parametrize(
    ("histories", "most"), [FEW, pytest.param(200, 0.13, id="many", marks=MANY.marks)]
)
def test_false_positives_when_shares_jitter(histories: int, most: float) -> None:
    """Shares that vary around a constant mean: dispersion is measured and taken out."""
    rng = np.random.default_rng(4)
    mix = pool_mix("tags")
    hits, spreads = 0, []
    for i in range(histories):
        jittered = rng.dirichlet(mix * 1000, 52)
        counts = np.array([rng.multinomial(1008, row) for row in jittered])
        found = change_points(table(counts), replicates=200, seed=i)
        hits += bool(found.changes)
        spreads.append(found.dispersion)
    assert hits / histories <= most
    assert np.mean(spreads) == pytest.approx(2, abs=0.3)


def test_dispersion_of_plain_sampling_is_one() -> None:
    rng = np.random.default_rng(5)
    found = [dispersion(weeks(rng, pool_mix("tags"), 60).astype(float)) for _ in range(50)]
    assert np.mean(found) == pytest.approx(1.05, abs=0.08)
    assert dispersion(np.array([[5.0, 0.0], [4.0, 0.0]])) == 1


def test_the_same_seed_gives_the_same_result() -> None:
    counts = weeks(np.random.default_rng(6), pool_mix("tags"), 40)
    assert change_points(table(counts)) == change_points(table(counts))


def test_degenerate_tables() -> None:
    none = np.zeros((0, 3), dtype=np.int64)
    assert change_points(table(none)).changes == ()
    assert change_points(table(none[:, :0])).changes == ()
    assert change_points(table(np.array([[3, 4, 5]]))).changes == ()
    empty_weeks = np.array([[0, 0], *[[60, 40]] * 4, [0, 0], *[[20, 80]] * 4])
    assert [change.index for change in change_points(table(empty_weeks)).changes] == [6]
    with pytest.raises(ValueError, match="false-positive"):
        change_points(table(none), alpha=0)
