from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from analyzers import network as net
from analyzers.security import double_spend


@pytest.mark.parametrize(
    ("difficulty", "exahashes"), [(126.4e12, 904.82), (148.26e12, 1061.30), (123.23e12, 882.13)]
)
def test_hash_rate_of_a_difficulty(difficulty: float, exahashes: float) -> None:
    rate = net.hashes_from_difficulty(difficulty) / 600
    assert rate / 1e18 == pytest.approx(exahashes, abs=0.01)


@pytest.mark.parametrize(
    ("intervals", "low", "high"),
    [
        (6, 0.367, 1.945),
        (36, 0.700, 1.352),
        (144, 0.843343, 1.169805),
        (1008, 0.939, 1.063),
        (2016, 0.956820, 1.044120),
    ],
)
def test_relative_interval_of_the_hash_rate(intervals: int, low: float, high: float) -> None:
    rate = net.hash_rate(600.0 * intervals, intervals, 600.0 * intervals)
    assert rate.value == 1
    assert rate.interval == pytest.approx((low, high), abs=6e-4)


def test_the_hash_rate_interval_covers() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for seconds in rng.gamma(144, 600, 4000).tolist():
        low, high = net.hash_rate(144 * 600.0, 144, seconds).interval
        hits += low <= 1 <= high
    assert 0.94 <= hits / 4000 <= 0.96


def test_a_pools_hash_rate_covers() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for found in rng.poisson(14, 4000).tolist():
        low, high = net.pool_hash_rate(found, 1.0, 1.0).interval
        hits += low <= 14 <= high
    assert 0.945 <= hits / 4000 <= 0.985


@pytest.mark.parametrize(
    ("intervals", "spacing", "percent"),
    [
        (144, 612, (-1.91, -16.8, 14.1)),
        (1008, 590, (1.745, -2.69, 6.18)),
        (1900, 590, (1.745, 0.61, 2.79)),
    ],
)
def test_forecast(intervals: int, spacing: int, percent: tuple[float, float, float]) -> None:
    factor = net.forecast(intervals, intervals * spacing).factor
    found = [100 * (figure - 1) for figure in (factor.value, *factor.interval)]
    assert found == pytest.approx(percent, abs=0.06)


def test_forecast_at_the_ends_of_an_epoch() -> None:
    done = net.forecast(2015, 2015 * 600.0)
    assert done.factor.value == pytest.approx(1.000496, abs=1e-6)
    assert done.factor.interval == (done.factor.value, done.factor.value)
    assert done.seconds_left.value == done.blocks_left == 0
    begun = net.forecast(0, 0)
    assert math.isnan(begun.factor.value)
    assert begun.blocks_left == 2015
    assert net.forecast(100, 10.0).factor == (4, (4, 4))
    with pytest.raises(ValueError, match="2015"):
        net.forecast(2016, 1)


def test_a_constant_hash_rate_makes_difficulty_wander() -> None:
    """The timespan has 2015 intervals: a factor of sd .0223, and a mean interval of 600.6 s."""
    timespans = np.random.default_rng(9).gamma(2015, 600, 20_000)
    factors = np.array([net.forecast(2015, float(t)).factor.value for t in timespans])
    assert factors.std() == pytest.approx(0.0223, abs=4e-4)
    assert np.quantile(factors, (0.025, 0.975)) == pytest.approx((0.9582, 1.0457), abs=2e-3)
    assert 600 * factors.mean() == pytest.approx(1_209_600 / 2014, abs=0.4)


def test_forecast_covers() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for past, rest in zip(
        rng.gamma(300, 600, 3000).tolist(), rng.gamma(1715, 600, 3000).tolist(), strict=True
    ):
        low, high = net.forecast(300, past).factor.interval
        hits += low <= 1_209_600 / (past + rest) <= high
    assert 0.935 <= hits / 3000 <= 0.965


@pytest.mark.parametrize(
    ("blocks", "run", "share", "chance"),
    [
        (10, 3, 0.5, 0.5078125),
        (144, 6, 0.3, 0.068894),
        (1008, 8, 0.3, 0.044968),
        (2016, 7, 0.3, 0.265180),
        (52_560, 8, 0.3, 0.910594),
        (52_560, 10, 0.3, 0.195253),
        (144, 6, 0.4, 0.294419),
    ],
)
def test_streaks(blocks: int, run: int, share: float, chance: float) -> None:
    assert net.streak_probability(blocks, run, share) == pytest.approx(chance, abs=6e-7)
    assert net.any_streak_probability(blocks, run, [share]) == pytest.approx(chance, rel=0.16)


def test_six_in_a_row_are_not_a_double_spend_at_six_confirmations() -> None:
    assert net.streak_probability(6, 6, 0.4) == pytest.approx(0.0041, abs=5e-5)
    assert double_spend(0.4, 6) == pytest.approx(0.4930, abs=5e-5)
    assert double_spend(0.4, 6, "nakamoto") == pytest.approx(0.5040, abs=5e-5)


def test_streak_probability_by_enumeration() -> None:
    for blocks, run in ((5, 2), (7, 3), (4, 4), (3, 4)):
        hits = sum(
            0.3 ** sum(draw) * 0.7 ** (blocks - sum(draw))
            for draw in itertools.product((0, 1), repeat=blocks)
            if "1" * run in "".join(map(str, draw))
        )
        assert net.streak_probability(blocks, run, 0.3) == pytest.approx(hits)


def test_streaks_at_the_edges() -> None:
    assert net.streak_probability(10, 3, 0) == 0
    assert net.streak_probability(10, 3, 1) == 1
    assert net.any_streak_probability(2, 3, [1]) == 0
    assert net.any_streak_probability(1, 1, [1]) == 1
    assert net.any_streak_probability(10, 3, []) == 0
    assert net.longest_streaks([]) == {}
    assert net.longest_streaks([None, None]) == {}
    with pytest.raises(ValueError, match="run of 1"):
        net.streak_probability(10, 0, 0.5)


@pytest.mark.slow
def test_any_streak_counts_all_pools() -> None:
    rng = np.random.default_rng(4)
    shares = [0.3, 0.175, 0.135, 0.39]
    hits = 0
    for row in rng.choice(4, size=(2000, 1008), p=shares):
        streaks = net.longest_streaks(row.tolist())
        hits += any(streaks[i].length >= 6 for i in range(3) if i in streaks)
    assert net.any_streak_probability(1008, 6, shares[:3]) == pytest.approx(hits / 2000, abs=0.03)


def test_luck() -> None:
    few, many = net.luck(30, 43.2), net.luck(58, 43.2)
    assert few.at_most == pytest.approx(0.022008, abs=1e-6)
    assert many.at_least == pytest.approx(0.018136, abs=1e-6)
    assert many.ratio.interval.low > 1
    assert net.luck(0, 1).at_least == 1
    assert math.isnan(net.luck(3, 0).ratio.value)


@pytest.mark.parametrize(
    ("found", "blocks", "share"),
    [
        (30, 144, 0.3),
        (58, 144, 0.3),
        (0, 144, 0.02),
        (144, 144, 0.9),
        (5, 5, 1.0),
        (600, 2016, 0.31),
    ],
)
def test_luck_against_a_share_is_binomial(found: int, blocks: int, share: float) -> None:
    judged = net.share_luck(found, blocks, share)
    assert judged.at_most == pytest.approx(binom.cdf(found, blocks, share), rel=1e-9)
    assert judged.at_least == pytest.approx(binom.sf(found - 1, blocks, share), rel=1e-9)
    exact = binomtest(found, blocks).proportion_ci(0.95, "exact")
    assert judged.ratio.value == pytest.approx(found / blocks / share)
    assert judged.ratio.interval == pytest.approx((exact.low / share, exact.high / share))


def test_luck_against_a_share_errs_as_often_as_it_says() -> None:
    """Exact sums over all outcomes: two-sided 5 %, where Poisson tails gave 1.6 %."""
    outcomes = np.arange(145)
    chance = binom.pmf(outcomes, 144, 0.31)
    judged = [net.share_luck(int(found), 144, 0.31) for found in outcomes]
    refused = np.array([min(each.at_most, each.at_least) <= 0.025 for each in judged])
    covers = np.array([each.ratio.interval.low <= 1 <= each.ratio.interval.high for each in judged])
    assert 0.03 < chance[refused].sum() <= 0.05
    assert 0.95 <= chance[covers].sum() < 0.97
    loose = [net.luck(int(found), 144 * 0.31) for found in outcomes]
    refused = np.array([min(each.at_most, each.at_least) <= 0.025 for each in loose])
    assert chance[refused].sum() < 0.02


def test_luck_against_no_share_or_an_impossible_one() -> None:
    assert math.isnan(net.share_luck(0, 0, 0.3).at_most)
    assert math.isnan(net.share_luck(0, 144, 0.0).ratio.value)
    assert net.share_luck(0, 144, 0.3).at_least == 1
    assert net.share_luck(143, 144, 1.0).at_most == 0
    for found, blocks, share in ((1, 144, 1.5), (1, 144, -0.1), (5, 4, 0.5), (1, 4, math.nan)):
        with pytest.raises(ValueError, match="within"):
            net.share_luck(found, blocks, share)


@pytest.mark.parametrize(("rate", "delay"), [(0.00333, 2.0), (0.001665, 1.0), (0.0169, 10.2)])
def test_stale_rate_and_delay(rate: float, delay: float) -> None:
    assert net.stale_rate_from_delay(delay) == pytest.approx(rate, rel=3e-3)
    assert net.delay_from_stale_rate(net.stale_rate_from_delay(delay)) == pytest.approx(delay)


def test_stale_rate_from_few_events() -> None:
    assert net.event_rate(0, 100).interval.low == 0
    assert net.event_rate(0, 100).interval.high > 0.03
    assert math.isnan(net.event_rate(0, 0).value)


def test_nothing_to_measure() -> None:
    assert math.isnan(net.hash_rate(1, 0, 600).value)
    assert math.isnan(net.hash_rate(1, 1, -5).value)
    assert math.isnan(net.pool_hash_rate(1, 1, 0).value)
    assert math.isnan(net.first_seen_delays([]).median)


def test_first_seen_delays() -> None:
    delays = net.first_seen_delays([(100, 101), (200, 205), (300, 298), (400, None)])
    assert delays[:2] == (3, 1)
