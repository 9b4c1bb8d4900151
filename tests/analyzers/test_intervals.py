from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers import concentration as c
from analyzers import intervals as iv
from tests.analyzers.vectors import EXAMPLE, pool_mix


@pytest.mark.parametrize(
    ("found", "total", "wilson", "clopper", "jeffreys"),
    [
        (43, 144, (0.229888, 0.377800), (0.225267, 0.380448), (0.228423, 0.376802)),
        (302, 1008, (0.272129, 0.328599), (0.271448, 0.328934), (0.271929, 0.328426)),
        (605, 2016, (0.280489, 0.320470), (0.280148, 0.320633), (0.280391, 0.320381)),
        (72, 144, (0.419403, 0.580597), (0.415614, 0.584386), (0.419016, 0.580984)),
        (0, 144, (0.0, 0.025984), (0.0, 0.025292), (0.0, 0.017263)),
    ],
)
def test_share_intervals(
    found: int,
    total: int,
    wilson: tuple[float, float],
    clopper: tuple[float, float],
    jeffreys: tuple[float, float],
) -> None:
    assert iv.share_interval(found, total, method="wilson") == pytest.approx(wilson, abs=1e-6)
    assert iv.share_interval(found, total, method="clopper-pearson") == pytest.approx(
        clopper, abs=1e-6
    )
    assert iv.share_interval(found, total) == pytest.approx(jeffreys, abs=1e-6)


@pytest.mark.parametrize(
    ("found", "total", "third", "half"),
    [
        (43, 144, 0.188977, 4.79e-7),
        (302, 1008, 0.011058, 0),
        (605, 2016, 0.000709, 0),
        (72, 144, 0.99998, 0.5),
    ],
)
def test_share_exceeds(found: int, total: int, third: float, half: float) -> None:
    assert float(iv.share_exceeds(found, total, 1 / 3)) == pytest.approx(third, abs=5e-6)
    assert float(iv.share_exceeds(found, total, 0.5)) == pytest.approx(half, abs=1e-9)


def test_group_check_value() -> None:
    assert iv.group_exceeds(EXAMPLE, 2, 0.5) == pytest.approx(0.119, abs=5e-4)


def test_any_exceeds_lies_between_the_largest_and_the_sum() -> None:
    each = iv.share_exceeds(EXAMPLE, 144, 1 / 3)
    found = iv.any_exceeds(EXAMPLE, 1 / 3)
    assert each.max() <= found <= each.sum()
    assert iv.any_exceeds(EXAMPLE, 1 / 4) >= iv.any_exceeds(EXAMPLE, 1 / 3)
    assert iv.any_exceeds([1], 0.5) == pytest.approx(float(iv.share_exceeds(1, 1, 0.5)))


def test_any_exceeds_agrees_with_draws_from_the_posterior() -> None:
    counts = np.array([50, 46, 20, 15, 13])
    prior = np.array([0.5, 0.5, 1e-3, 1e-3, 1e-3])
    gammas = np.random.default_rng(2).standard_gamma(counts + prior, (200_000, 5))
    largest = (gammas / gammas.sum(axis=1, keepdims=True)).max(axis=1)
    assert iv.any_exceeds(counts.tolist(), 1 / 3) == pytest.approx(
        (largest > 1 / 3).mean(), abs=0.005
    )


def test_empty_and_single() -> None:
    assert math.isnan(iv.share_interval(0, 0).low)
    assert math.isnan(iv.any_exceeds([], 0.5))
    assert math.isnan(iv.group_exceeds([], 1, 0.5))
    assert math.isnan(iv.hhi_interval([]).low)
    assert math.isnan(iv.entropy_interval([1]).low)
    low, high = iv.hhi_interval([6])
    assert 0.3 < low < 0.9 < high <= 1
    low, high = iv.entropy_interval([6])
    assert low == 0 < high < math.log(2)
    assert iv.group_exceeds([6], 1, 0.5) == 1


def test_the_interval_of_a_handful_of_blocks_holds_the_estimate() -> None:
    for counts in ([3, 2, 1], [1, 1, 1], [1], [2, 1]):
        low, high = iv.hhi_interval(counts)
        unbiased = c.hhi_unbiased(counts)
        assert math.isnan(unbiased) or low <= unbiased <= high
    assert iv.effective_number_interval([1, 1, 1]).high == math.inf


def test_unattributed_blocks_lower_the_interval() -> None:
    assert iv.hhi_interval([60, 40], unattributed=50).high < iv.hhi_interval([60, 40]).low


@pytest.mark.parametrize("bad", [(5, 4, 0.95), (-1, 4, 0.95), (1, 4, 1.0)])
def test_refuses_arguments_out_of_range(bad: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match=r"within 0\.\."):
        iv.share_interval(*bad)


@given(st.integers(1, 5000), st.data(), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_a_share_lies_in_its_interval(total: int, data: st.DataObject, level: float) -> None:
    found = data.draw(st.integers(0, total))
    methods: tuple[iv.ShareMethod, ...] = ("jeffreys", "wilson", "clopper-pearson")
    for method in methods:
        low, high = iv.share_interval(found, total, level, method)
        assert 0 <= low <= found / total + 1e-9
        assert found / total - 1e-9 <= high <= 1 + 1e-12


def test_smallest_visible_change_of_hhi() -> None:
    """Two windows of 1008 blocks show 263 points with 80 % power (4 % of 1.96 + 0.84 sd)."""
    counts = (pool_mix("tags") * 1008).round().astype(int).tolist()
    visible = (1.96 + 0.8416) * math.sqrt(2) * iv.hhi_unbiased_sd(counts) * c.POINTS
    assert visible == pytest.approx(263, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("lens", ["tags", "friends"])
@pytest.mark.parametrize("blocks", [144, 1008, 2016])
def test_coverage_of_95_percent_intervals(lens: str, blocks: int) -> None:
    mix = pool_mix(lens)
    windows = 2000
    drawn = np.random.default_rng(blocks).multinomial(blocks, mix, windows)
    hhi, entropy = c.hhi((mix * 1e6).round().astype(int).tolist()), -(mix * np.log(mix)).sum()
    inside = {"hhi": 0, "effective number": 0, "entropy": 0}
    for counts in drawn.tolist():
        low, high = iv.hhi_interval(counts)
        inside["hhi"] += low <= hhi <= high
        low, high = iv.effective_number_interval(counts, 2)
        inside["effective number"] += low <= 1 / hhi <= high
        low, high = iv.effective_number_interval(counts, 1)
        inside["entropy"] += low <= math.exp(entropy) <= high
    for name, hits in inside.items():
        assert 0.93 <= hits / windows <= 0.97, name
    lows, highs = iv.share_intervals(drawn, blocks)
    covered = ((lows <= mix) & (mix <= highs)).mean(axis=0)
    assert 0.93 <= np.average(covered) <= 0.97
    assert (covered[mix * blocks >= 10] >= 0.925).all()
    assert (covered[mix * blocks >= 10] <= 0.975).all()
