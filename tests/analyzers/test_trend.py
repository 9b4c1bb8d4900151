from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from analyzers import trend as tr
from analyzers.history import load_history
from analyzers.windows import CountTable
from tests.analyzers.vectors import pool_mix


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


def test_known_noise_is_taken_off_the_autocorrelation() -> None:
    """Noise of the variance of the level itself halves the correlation that is seen."""
    plain, known = [], []
    for seed in range(60):
        level = autoregressive(0.9, 300, seed)
        spread = float(level.var())
        noise = np.random.default_rng(1000 + seed).standard_normal(300) * spread**0.5
        plain.append(tr.lag_one(level + noise))
        known.append(tr.lag_one(level + noise, spread))
    assert np.mean(plain) == pytest.approx(0.44, abs=0.06)
    assert np.mean(known) == pytest.approx(0.88, abs=0.06)
    assert tr.lag_one(np.random.default_rng(1).standard_normal(50), 9.0) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phi", "windows"), [(0.0, 12), (0.3, 30), (0.6, 60), (0.8, 60), (0.9, 120)]
)
def test_false_positives_without_a_trend(phi: float, windows: int) -> None:
    runs = [tr.trend(autoregressive(phi, windows, seed)) for seed in range(200)]
    assert np.mean([run.direction() != "none" for run in runs]) <= 0.11
    if phi >= 0.6:
        assert np.mean([run.p_naive < 0.05 for run in runs]) > 0.25


@pytest.mark.slow
def test_a_trend_is_found_in_correlated_series() -> None:
    ramp = 0.1 * np.arange(120)
    years = np.arange(120) / 20
    runs = [tr.trend(autoregressive(0.6, 120, seed) + ramp, years) for seed in range(100)]
    assert np.mean([run.direction() == "rising" for run in runs]) > 0.9
    covered = [run.slope.interval.low <= 2 <= run.slope.interval.high for run in runs]
    assert np.mean(covered) >= 0.88


def test_p_and_the_interval_of_the_slope_say_the_same() -> None:
    for seed in range(20):
        found = tr.trend(autoregressive(0.5, 40, seed) + 0.05 * np.arange(40))
        low, high = found.slope.interval
        assert low <= found.slope.value <= high
        assert (found.p < 0.05) == (not low <= 0 <= high)
        assert (found.z > 0) == (found.slope.value > 0)


def test_a_verdict_needs_longer_windows_to_agree() -> None:
    rising = tr.trend(np.arange(50.0))
    falling = tr.trend(-np.arange(50.0))
    flat = tr.trend([2.0] * 50)
    assert replace(rising, longer=(rising, rising)).direction() == "rising"
    for other in (falling, flat, tr.trend([1])):
        assert replace(rising, longer=(rising, other)).direction() == "none"


def test_times_that_stand_still_or_run_back_a_little() -> None:
    values = autoregressive(0.5, 30, 1) + 0.3 * np.arange(30)
    times = np.arange(30.0) / 10
    back = times.copy()
    back[[7, 8]] = back[[8, 7]]
    assert tr.trend(values, back).slope.value == pytest.approx(
        tr.trend(values, times).slope.value, rel=0.1
    )
    assert tr.trend(values, np.zeros(30)).direction() == "unknown"


def test_figures_have_the_variance_of_their_draws() -> None:
    rng = np.random.default_rng(8)
    mix = pool_mix("tags")
    found = rng.multinomial(1008, mix, 4000)
    places = np.arange(4000, dtype=np.int64)
    names = tuple(str(i) for i in range(len(mix)))
    table = CountTable(names, found, np.zeros_like(places), places, places)
    for figure in (tr.hhi_figure, tr.effective_figure):
        values, variances = figure(table)
        assert values.var() == pytest.approx(variances.mean(), rel=0.1)
    values, variances = tr.share_figure(found[:, 0], table.blocks)
    assert values.var() == pytest.approx(variances.mean(), rel=0.1)


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


@pytest.mark.parametrize(("sign", "turned"), [(1, "rising"), (-1, "falling")])
def test_a_curve_that_flattens_is_never_said_to_turn(sign: int, turned: str) -> None:
    found = tr.trend([sign * (24 - i) ** 2 for i in range(24)])
    assert sign * found.slope.value < 0
    assert found.direction() != turned
