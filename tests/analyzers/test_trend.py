from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzers import trend as tr
from analyzers.history import load_history


def autoregressive(phi: float, length: int, seed: int) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).standard_normal(length + 100)
    values = np.zeros_like(noise)
    for t in range(1, len(noise)):
        values[t] = phi * values[t - 1] + noise[t]
    return values[100:]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (list(range(1, 11)), (45, 125, 3.935480, 8.303e-5, 1.0)),
        ([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], (25, 207, 1.668115, 0.095293, 0.378788)),
        ([5, 5, 5, 5], (0, 0, 0, 1, 0)),
    ],
)
def test_mann_kendall(values: list[int], expected: tuple[float, ...]) -> None:
    assert tr.mann_kendall(values) == pytest.approx(expected, abs=5e-7)


def test_theil_sen() -> None:
    assert tr.theil_sen(range(1, 11)).value == 1
    slope = tr.theil_sen([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8])
    assert (slope.value, *slope.interval) == pytest.approx((0.366667, 0, 0.8), abs=1e-6)
    assert tr.theil_sen([0, 10], [0, 5]).value == 2
    assert math.isnan(tr.theil_sen([1], [5]).value)
    assert math.isnan(tr.theil_sen([1, 2], [5, 5]).value)


def test_theil_sen_agrees_with_scipy() -> None:
    from scipy.stats import theilslopes

    values = autoregressive(0.3, 80, 9)
    theirs = theilslopes(values, alpha=0.95)
    ours = tr.theil_sen(values)
    assert ours.value == pytest.approx(theirs.slope)
    assert ours.interval == pytest.approx((theirs.low_slope, theirs.high_slope), abs=2e-3)


def test_autocorrelation_around_the_line_is_recovered() -> None:
    for phi in (0.0, 0.5, 0.8):
        found = [
            tr.lag_one(autoregressive(phi, 120, seed) + 0.05 * np.arange(120))
            for seed in range(100)
        ]
        assert np.mean(found) == pytest.approx(phi, abs=0.04)


@pytest.mark.parametrize("phi", [0.0, 0.6, 0.8, 0.9])
@pytest.mark.parametrize("windows", [12, 30])
def test_the_verdict_errs_seldom_even_on_few_windows_that_are_much_alike(
    phi: float, windows: int
) -> None:
    runs = [tr.trend(autoregressive(phi, windows, seed)) for seed in range(400)]
    assert np.mean([run.direction() != "none" for run in runs]) <= 0.15
    assert np.mean([run.p < 0.05 for run in runs]) >= np.mean(
        [run.direction() != "none" for run in runs]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "low", "high"), [(0.0, 0.02, 0.09), (0.6, 0.02, 0.10), (0.8, 0.04, 0.15)]
)
def test_false_positives_without_a_trend(phi: float, low: float, high: float) -> None:
    runs = [tr.trend(autoregressive(phi, 60, seed)) for seed in range(500)]
    assert low <= np.mean([run.p < 0.05 for run in runs]) <= high
    if phi >= 0.6:
        assert np.mean([run.p_naive < 0.05 for run in runs]) > 0.25


def test_a_trend_is_found_in_correlated_series() -> None:
    ramp = 0.1 * np.arange(120)
    runs = [tr.trend(autoregressive(0.6, 120, seed) + ramp) for seed in range(100)]
    assert np.mean([run.direction() == "rising" for run in runs]) > 0.95
    covered = [run.slope.interval.low <= 0.1 <= run.slope.interval.high for run in runs]
    assert np.mean(covered) >= 0.88


def test_short_empty_and_constant_series_have_no_trend() -> None:
    assert tr.trend([]).direction() == "unknown"
    assert tr.trend([1, 2, 3]).direction() == "unknown"
    assert tr.trend([math.nan] * 50).n == 0
    assert tr.trend([2.0] * 50).direction() == "none"
    assert tr.trend(np.arange(50.0)).direction() == "rising"
    assert tr.trend(-np.arange(50.0)).direction() == "falling"


def test_empty_windows_are_left_out() -> None:
    values = np.arange(30.0) + np.sin(np.arange(30))
    gaps = values.copy()
    gaps[::7] = math.nan
    assert tr.trend(gaps).n == 25
    assert tr.trend(gaps).slope.value == pytest.approx(1, abs=0.05)


def test_eras_cut_the_history_without_loss() -> None:
    history = load_history()
    parts = tr.by_era(history)
    assert sum(len(part) for _, part in parts) == len(history)
    assert all(era.source for era in tr.ERAS)
    assert tr.by_era(history, []) == []


@pytest.mark.parametrize("sign", [1, -1])
def test_a_curve_that_flattens_is_never_said_to_turn(sign: int) -> None:
    curve = [sign * (24 - i) ** 2 for i in range(24)]
    found = tr.trend(curve)
    assert sign * found.slope.value < 0
    assert sign * found.z > 0  # the whitened steps shrink
    assert found.direction() == "none"
