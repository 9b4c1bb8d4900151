from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers import concentration as c
from analyzers.intervals import hhi_unbiased_sd
from tests.analyzers.vectors import load, pool_mix, read_rows

counts_lists = st.lists(st.integers(0, 500), min_size=1, max_size=30)
THEIRS = load("consensus_decentralization_metrics.json")
BTL = THEIRS["cases"]


MEASURES: dict[str, Callable[[list[int], float], float | None]] = {
    "cr": lambda counts, top: c.concentration_ratio(counts, int(top)),
    "entities": lambda counts, _: c.effective_number(counts, 0),
    "entropy_bits": lambda counts, order: c.renyi(counts, order) / math.log(2),
    "entropy_percent_of_largest": lambda counts, order: c.renyi(counts, order) / c.renyi(counts, 0),
    "gini": lambda counts, _: c.gini(counts),
    "hhi_points": lambda counts, _: c.hhi(counts) * c.POINTS,
    "nakamoto": lambda counts, threshold: c.nakamoto(counts, threshold, strict=False),
    "theil": lambda counts, _: c.theil(counts),
}
"""Their measures in their tie mode, from counts and what else they take."""


@pytest.mark.parametrize(("name", "counts", "parameter", "expected"), BTL)
def test_reproduces_consensus_decentralization_in_its_tie_mode(
    name: str, counts: list[int], parameter: object, expected: float | None
) -> None:
    found = MEASURES[name](counts, float(str(parameter)) if parameter is not None else math.nan)
    if expected is None:
        assert found is None or math.isnan(found)
    else:
        digits = max(len(str(expected).partition(".")[2]), 1)
        assert found == pytest.approx(expected, abs=0.5001 * 10**-digits)


@pytest.mark.parametrize(("counts", "threshold", "theirs", "strict"), THEIRS["ties"])
def test_strict_mode_beside_theirs(
    counts: list[int], threshold: float, theirs: int | None, strict: int | None
) -> None:
    assert c.nakamoto(counts, threshold, strict=False) == theirs
    assert c.nakamoto(counts, threshold) == strict


def test_where_we_differ_from_consensus_decentralization_on_purpose() -> None:
    """They say 0 where nothing is there, and shift negative counts; we do neither."""
    assert math.isnan(c.theil([]))
    assert math.isnan(c.concentration_ratio([], 1))
    with pytest.raises(c.CountsError, match="negative"):
        c.gini([11, 2, -1])


@pytest.mark.parametrize(
    ("counts", "threshold", "strict", "tie_mode"),
    [
        ([3, 2, 1], Fraction(1, 2), 2, 1),
        ([4, 2, 2], Fraction(1, 2), 2, 1),
        ([1, 1], Fraction(1, 2), 2, 1),
        ([3, 2, 1, 1, 1, 1], Fraction(1, 3), 2, 1),
        ([1] * 10, 0.8, 9, 8),
        ([1, 2, 3], 0.5, 2, 1),
    ],
)
def test_ties_are_decided_in_integers_and_strictly_unless_asked(
    counts: list[int], threshold: Fraction | float, strict: int, tie_mode: int
) -> None:
    assert c.nakamoto(counts, threshold) == strict
    assert c.nakamoto(counts, threshold, strict=False) == tie_mode


@pytest.mark.parametrize(
    ("counts", "points", "entropies", "sizes"),
    [
        ([3, 2, 1], (3888.8889, 2666.6667), (1.011404, 1.178071, 1.257316, 1.395456), (2, 1)),
        ([8, 6, 3, 3], (2950, 2578.9474), (1.296844, 1.371844, 1.320095, 1.405143), (2, 2)),
        (
            [368, 156, 20, 7, 10, 49, 22, 1],
            (4072.8595, 4063.4811),
            (1.210003, 1.215532, 1.215647, 1.215201),
            (1, 1),
        ),
        ([4, 2, 2, 1], (3086.4198, 2222.2222), (1.273028, 1.439695, 1.490428, 1.393513), (2, 2)),
    ],
)
def test_check_values(
    counts: list[int],
    points: tuple[float, float],
    entropies: tuple[float, ...],
    sizes: tuple[int, int],
) -> None:
    found_points = (c.hhi(counts) * c.POINTS, c.hhi_unbiased(counts) * c.POINTS)
    assert found_points == pytest.approx(points, abs=5e-5)
    estimators: tuple[c.EntropyEstimator, ...] = (
        "plug-in",
        "miller-madow",
        "chao-shen",
        "grassberger",
    )
    found = tuple(c.shannon(counts, estimator) for estimator in estimators)
    assert found == pytest.approx(entropies, abs=5e-7)
    assert (c.nakamoto(counts), c.nakamoto(counts, strict=False)) == sizes


def test_the_unbiased_hhi_is_unbiased_by_enumeration() -> None:
    shares = (0.5, 0.3, 0.2)
    plug_in = unbiased = 0.0
    for draw in itertools.product(range(3), repeat=3):
        chance = math.prod(shares[i] for i in draw)
        counts = [draw.count(i) for i in range(3)]
        plug_in += chance * c.hhi(counts)
        unbiased += chance * c.hhi_unbiased(counts)
    assert unbiased == pytest.approx(0.38)
    assert plug_in == pytest.approx(0.38 + 0.62 / 3)


@pytest.mark.parametrize("empty", [[], [0, 0], {}])
def test_nothing_is_measured_where_there_is_nothing(empty: c.Counts) -> None:
    for function in (
        c.hhi,
        c.hhi_unbiased,
        c.effective_number,
        c.shannon,
        c.gini,
        c.theil,
        c.max_power_ratio,
    ):
        assert math.isnan(function(empty)), function
    assert c.nakamoto(empty) is None


def test_a_single_entity_is_all_there_is() -> None:
    assert c.hhi([5]) == c.hhi_unbiased([5]) == c.max_power_ratio([5]) == 1
    assert c.shannon([5]) == c.theil([5]) == c.gini([5]) == 0
    assert c.effective_number([5]) == c.nakamoto([5]) == 1
    assert math.isnan(c.hhi_normalised([5]))
    assert math.isnan(c.hhi_unbiased([1]))
    assert c.shannon([1], "chao-shen") == 0


def test_all_tied() -> None:
    assert c.hhi([3] * 4) == 0.25
    assert c.effective_number([3] * 4, 1) == pytest.approx(4)
    assert c.gini([3] * 4) == c.hhi_normalised([3] * 4) == 0
    assert c.nakamoto([3] * 4) == 3
    assert c.nakamoto([3] * 4, strict=False) == 2


def test_zero_blocks_only_count_in_measures_of_a_population() -> None:
    assert c.hhi([2, 1, 0]) == c.hhi([2, 1])
    assert c.shannon([2, 1, 0]) == c.shannon([2, 1])
    assert c.gini([2, 1, 0]) > c.gini([2, 1])
    assert c.theil([2, 1, 0]) > c.theil([2, 1])


def test_thresholds_at_the_ends() -> None:
    assert c.nakamoto([2, 1], 0) == 1
    assert c.nakamoto([2, 1], 1) is None
    assert c.nakamoto([2, 1], 1, strict=False) == 2
    with pytest.raises(ValueError, match="threshold"):
        c.nakamoto([2, 1], 1.5)


@pytest.mark.parametrize("bad", [[-1], [1.5], ["x"], [None], [math.nan], [math.inf]])
def test_refuses_what_is_no_count(bad: list[int]) -> None:
    with pytest.raises(c.CountsError):
        c.hhi(bad)


def test_refuses_arguments_out_of_range() -> None:
    with pytest.raises(ValueError, match="order"):
        c.renyi([1], -1)
    with pytest.raises(ValueError, match="one entity"):
        c.concentration_ratio([1], 0)


def test_bands_of_the_merger_guidelines() -> None:
    assert c.hhi_band(0.19) == "highly concentrated"
    assert c.hhi_band(0.19, "2010") == "moderately concentrated"
    assert c.hhi_band(math.nan) == "unknown"


@pytest.mark.slow
@given(counts_lists)
def test_order_and_names_do_not_matter(counts: list[int]) -> None:
    named = {str(i): count for i, count in enumerate(reversed(counts))}
    for function in (c.hhi, c.gini, c.shannon, c.theil):
        assert function(counts) == pytest.approx(function(named), nan_ok=True)
    assert c.nakamoto(counts) == c.nakamoto(named)


@pytest.mark.slow
@given(counts_lists.filter(any))
def test_ranges_and_relations(counts: list[int]) -> None:
    k = len(c.present(counts))
    assert 1 / k - 1e-12 <= c.hhi(counts) <= 1
    assert -1e-12 <= c.gini(counts) <= 1
    assert c.effective_number(counts, 2) <= c.effective_number(counts, 1) * (1 + 1e-9)
    assert c.effective_number(counts, 1) <= c.effective_number(counts, 0) * (1 + 1e-9)
    assert c.effective_number(counts, math.inf) == pytest.approx(1 / c.max_power_ratio(counts))
    assert c.theil(counts) >= -1e-12
    strict, tied = c.nakamoto(counts), c.nakamoto(counts, strict=False)
    assert strict is not None
    assert tied is not None
    assert tied <= strict <= tied + 1
    held = c.concentration_ratio(counts, strict)
    assert held > 0.5


@pytest.mark.slow
@given(st.lists(st.integers(1, 500), min_size=2, max_size=20))
def test_merging_two_entities_never_lowers_concentration(counts: list[int]) -> None:
    merged = [counts[0] + counts[1], *counts[2:]]
    assert c.hhi(merged) >= c.hhi(counts)
    assert c.shannon(merged) <= c.shannon(counts) + 1e-12
    before, after = c.nakamoto(counts), c.nakamoto(merged)
    assert before is not None
    assert after is not None
    assert after <= before


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", read_rows("sampling_bias.csv"), ids=lambda row: f"{row['mix']}-{row['blocks']}"
)
def test_measures_of_samples_are_biased_as_simulated_elsewhere(row: dict[str, str]) -> None:
    mix, blocks, windows = pool_mix(row["mix"]), int(row["blocks"]), 1500
    wanted = {name: float(text) for name, text in row.items() if name != "mix"}
    drawn = np.random.default_rng(blocks).multinomial(blocks, mix, windows).tolist()
    bits = math.log(2)

    def mean(measure: Callable[[list[int]], float]) -> tuple[float, float]:
        """Return the mean over the windows and four of its standard errors."""
        values = np.array([measure(counts) for counts in drawn])
        return float(values.mean()), 4 * float(values.std()) / windows**0.5 + 1e-3

    true = c.hhi((mix * 1e6).round().astype(int).tolist())
    assert true * c.POINTS == pytest.approx(wanted["hhi"], abs=0.01)
    exact = wanted["hhi"] + (c.POINTS - wanted["hhi"]) / blocks
    assert wanted["hhi_plug_in_mean"] == pytest.approx(exact, abs=5)
    checks: dict[str, Callable[[list[int]], float]] = {
        "hhi_plug_in_mean": lambda counts: c.hhi(counts) * c.POINTS,
        "hhi_unbiased_mean": lambda counts: c.hhi_unbiased(counts) * c.POINTS,
        "hhi_sd": lambda counts: hhi_unbiased_sd(counts) * c.POINTS,
        "nakamoto_low": lambda counts: (c.nakamoto(counts) or 0) < wanted["nakamoto"],
        "nakamoto_right": lambda counts: c.nakamoto(counts) == wanted["nakamoto"],
        "largest_mean": c.max_power_ratio,
        "largest_over_third": lambda counts: c.max_power_ratio(counts) > 1 / 3,
        "gini_mean": lambda counts: c.gini(c.present(counts)),
        "entities_mean": lambda counts: len(c.present(counts)),
    }
    for name, measure_of in checks.items():
        found, error = mean(measure_of)
        allowed = 0.02 * wanted[name] if name == "hhi_sd" else error
        assert found == pytest.approx(wanted[name], abs=allowed), name
    estimators: dict[str, c.EntropyEstimator] = {
        "entropy_bias": "plug-in",
        "miller_madow_bias": "miller-madow",
        "chao_shen_bias": "chao-shen",
        "grassberger_bias": "grassberger",
    }
    for name, estimator in estimators.items():
        found, error = mean(lambda counts, e=estimator: c.shannon(counts, e) / bits)  # type: ignore[misc]
        assert found - wanted["entropy"] == pytest.approx(wanted[name], abs=error), name
