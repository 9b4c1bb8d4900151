from __future__ import annotations

import math

import numpy as np
import pytest

from analyzers import differences as df
from analyzers.concentration import hhi
from tests.analyzers.vectors import pool_mix


def test_changes_between_windows() -> None:
    rise = df.share_change((30, 144), (50, 144))
    assert rise.interval.low > 0
    assert rise.probability_up > 0.99
    same = df.share_change((40, 144), (40, 144))
    assert same.interval.low < 0 < same.interval.high
    assert same.probability_up == pytest.approx(0.5, abs=1e-3)
    assert df.hhi_change([50, 50], [50, 50]).probability_up == 0.5
    assert df.hhi_change([90, 10], [50, 50]).probability_up < 0.01


def test_homogeneity_sees_a_shift_and_no_more() -> None:
    assert df.homogeneity([30, 20], [20, 30]) == pytest.approx(0.0455, abs=1e-4)
    assert df.homogeneity({"a": 72, "b": 72}, {"b": 40, "a": 104}) < 1e-3
    assert math.isnan(df.homogeneity([5], [5]))
    rng = np.random.default_rng(4)
    mix = pool_mix("tags")
    values = [
        df.homogeneity(first.tolist(), second.tolist())
        for first, second in zip(
            rng.multinomial(504, mix, 2000), rng.multinomial(504, mix, 2000), strict=True
        )
    ]
    assert 0.03 < np.mean(np.array(values) < 0.05) < 0.07


def test_counts_without_names_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="as many"):
        df.homogeneity([1, 2], [1, 2, 3])


def test_empty_windows() -> None:
    assert math.isnan(df.hhi_change([], [1, 2]).difference)
    assert math.isnan(df.share_change((0, 0), (1, 2)).difference)
    nothing = df.compare_windows({}, {})
    assert nothing.blocks == (0, 0)
    assert nothing.shares == ()
    assert math.isnan(nothing.hhi.difference)
    assert math.isnan(nothing.same)


def test_single_and_tied_windows() -> None:
    alone = df.compare_windows({"a": 10}, {"a": 10})
    assert alone.hhi.difference == 0
    assert alone.hhi.probability_up == 0.5
    assert alone.shares[0].change.interval.low < 0 < alone.shares[0].change.interval.high
    tied = df.compare_windows({"b": 5, "a": 5}, {"a": 5, "b": 5})
    assert [move.entity for move in tied.shares] == ["a", "b"]
    assert tied.same == 1


def test_who_comes_and_who_goes() -> None:
    found = df.compare_windows({"old": 30, "a": 70}, {"new": 40, "a": 70}, (0, 10))
    moves = {move.entity: move for move in found.shares}
    assert found.blocks == (100, 120)
    assert (moves["new"].earlier, moves["new"].later) == (0, 40)
    assert moves["old"].change.difference == pytest.approx(-0.3)
    assert moves["new"].change.probability_up > 0.999
    assert found.same < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [144, 1008])
def test_coverage_of_differences(blocks: int) -> None:
    """Intervals of a change of a share and of HHI hold the true change in 93 to 97 %."""
    before = pool_mix("tags")
    after = before.copy()
    after[:2] += (-0.05, 0.05)
    rng = np.random.default_rng(blocks)
    windows = 1500
    earlier = rng.multinomial(blocks, before, windows).tolist()
    later = rng.multinomial(blocks, after, windows).tolist()
    true = [hhi((mix * 1e6).round().astype(int).tolist()) for mix in (before, after)]
    hits = [0, 0]
    for first, second in zip(earlier, later, strict=True):
        low, high = df.hhi_change(first, second).interval
        hits[0] += low <= true[1] - true[0] <= high
        low, high = df.share_change((first[1], blocks), (second[1], blocks)).interval
        hits[1] += low <= 0.05 <= high
    for covered in hits:
        assert 0.93 <= covered / windows <= 0.97
