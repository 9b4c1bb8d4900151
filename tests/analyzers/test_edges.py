"""Every public function of the statistics says what it does with nothing, one and ties.

`EDGES` has a row for each; a function without one fails `test_every_public_function_has_a_row`.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from analyzers import (
    changepoints,
    concentration,
    differences,
    ignorance,
    intervals,
    mined,
    nakamoto,
    network,
    observed,
    security,
    series,
    simulate,
    summary,
    trend,
    windows,
)

MODULES = (
    "changepoints",
    "concentration",
    "differences",
    "ignorance",
    "intervals",
    "mined",
    "nakamoto",
    "network",
    "observed",
    "security",
    "series",
    "simulate",
    "summary",
    "trend",
    "windows",
)
ANY = object()
"""Defined and finite, whatever it is."""
NAN = math.nan


def table(*rows: dict[str, int]) -> windows.CountTable:
    places = range(len(rows))
    return windows.table_of(rows, [0] * len(rows), places, places)


def chain(*pools: str | None) -> list[mined.Mined]:
    return [mined.Mined(height, 600 * height, pool) for height, pool in enumerate(pools)]


def seen(*pools: str | None) -> list[observed.Seen]:
    return [observed.Seen(height, 600 * height, 1.0, pool) for height, pool in enumerate(pools)]


def first(values: Any) -> float:
    return float(np.asarray(values, dtype=float).ravel()[0])


Case = tuple[str, Callable[[Any], Any], tuple[Any, Any], tuple[Any, Any], tuple[Any, Any]]
c, iv = concentration, intervals
NONE: list[int] = []
ONE, TIED = [4], [2, 2]
NAMED: tuple[dict[str, int], dict[str, int], dict[str, int]] = ({}, {"a": 4}, {"a": 2, "b": 2})
EDGES: list[Case] = [
    # name, call, then (input, expected) for nothing, a single entity or block, and ties
    ("concentration.population", c.population, (NONE, []), (ONE, [4]), (TIED, [2, 2])),
    ("concentration.present", c.present, ([0], []), ([0, 4], [4]), (TIED, [2, 2])),
    ("concentration.as_fraction", c.as_fraction, (0, 0), (1, 1), (0.5, 0.5)),
    ("concentration.hhi", c.hhi, (NONE, NAN), (ONE, 1), (TIED, 0.5)),
    ("concentration.hhi_unbiased", c.hhi_unbiased, (NONE, NAN), (ONE, 1), (TIED, 1 / 3)),
    ("concentration.hhi_normalised", c.hhi_normalised, (NONE, NAN), (ONE, NAN), (TIED, 0)),
    ("concentration.hhi_band", c.hhi_band, (NAN, "unknown"), (1, ANY), (0.5, ANY)),
    ("concentration.effective_number", c.effective_number, (NONE, NAN), (ONE, 1), (TIED, 2)),
    ("concentration.renyi", lambda x: c.renyi(x, 3), (NONE, NAN), (ONE, 0), (TIED, math.log(2))),
    ("concentration.shannon", c.shannon, (NONE, NAN), (ONE, 0), (TIED, math.log(2))),
    ("concentration.chao_shen_terms", c.chao_shen_terms, (NONE, []), (ONE, [(1, 1)]), (TIED, ANY)),
    ("concentration.gini", c.gini, (NONE, NAN), (ONE, 0), (TIED, 0)),
    ("concentration.theil", c.theil, (NONE, NAN), (ONE, 0), (TIED, 0)),
    (
        "concentration.concentration_ratio",
        lambda x: c.concentration_ratio(x, 1),
        (NONE, NAN),
        (ONE, 1),
        (TIED, 0.5),
    ),
    ("concentration.max_power_ratio", c.max_power_ratio, (NONE, NAN), (ONE, 1), (TIED, 0.5)),
    ("concentration.nakamoto", c.nakamoto, (NONE, None), (ONE, 1), (TIED, 2)),
    (
        "concentration.centralisation_index",
        c.centralisation_index,
        ([], []),
        ([ONE], [1]),
        ([TIED, TIED], [1, 1]),
    ),
    (
        "intervals.share_intervals",
        lambda n: first(iv.share_intervals(0, n)),
        (0, NAN),
        (1, 0),
        (2, 0),
    ),
    ("intervals.share_interval", lambda n: iv.share_interval(n, n).high, (0, NAN), (1, 1), (2, 1)),
    (
        "intervals.share_exceeds",
        lambda n: first(iv.share_exceeds(n, 2 * n, 0.5)),
        (0, NAN),
        (1, 0.5),
        (2, 0.5),
    ),
    ("intervals.any_exceeds", lambda x: iv.any_exceeds(x, 0.5), (NONE, NAN), (ONE, ANY), (TIED, 1)),
    (
        "intervals.group_exceeds",
        lambda x: iv.group_exceeds(x, 1, 0.5),
        (NONE, NAN),
        (ONE, 1),
        (TIED, 0.5),
    ),
    (
        "intervals.posterior",
        lambda x: iv.posterior(x).tolist(),
        ([], []),
        (ONE, [4.5]),
        (TIED, ANY),
    ),
    ("intervals.alone", lambda n: iv.alone(n, 0.95).high, (1, 1), (2, 1), (1 << 50, 1)),
    (
        "intervals.told_apart",
        lambda x: iv.told_apart(x, 1),
        (NONE, True),
        (ONE, True),
        (TIED, False),
    ),
    ("intervals.seen_once", iv.seen_once, (NONE, NAN), (ONE, ANY), ([1, 1], 1)),
    (
        "intervals.hhi_interval",
        lambda x: iv.hhi_interval(x).low,
        (NONE, NAN),
        (ONE, ANY),
        (TIED, ANY),
    ),
    ("intervals.hhi_unbiased_sd", iv.hhi_unbiased_sd, (NONE, NAN), (ONE, 0), (TIED, ANY)),
    (
        "intervals.entropy_interval",
        lambda x: iv.entropy_interval(x).low,
        (NONE, NAN),
        (ONE, 0),
        (TIED, ANY),
    ),
    (
        "intervals.effective_number_interval",
        lambda x: iv.effective_number_interval(x).low,
        (NONE, NAN),
        (ONE, 1),
        (TIED, ANY),
    ),
    (
        "intervals.inverse",
        lambda x: iv.inverse(x).high,
        (iv.UNKNOWN, NAN),
        (iv.Interval(1, 1), 1),
        (iv.Interval(0, 0), math.inf),
    ),
    (
        "differences.hhi_change",
        lambda x: differences.hhi_change(x, x).difference,
        (NONE, NAN),
        (ONE, 0),
        (TIED, 0),
    ),
    (
        "differences.share_change",
        lambda n: differences.share_change((n, n), (n, n)).difference,
        (0, NAN),
        (1, 0),
        (2, 0),
    ),
    (
        "differences.homogeneity",
        lambda x: differences.homogeneity(x, x),
        (NONE, NAN),
        ([40], NAN),
        ([40, 40], 1),
    ),
    (
        "differences.compare_windows",
        lambda x: differences.compare_windows(x, x).hhi.difference,
        (NAMED[0], NAN),
        (NAMED[1], 0),
        (NAMED[2], 0),
    ),
    (
        "summary.summarize",
        lambda x: summary.summarize(x).hhi,
        (NAMED[0], NAN),
        (NAMED[1], 1),
        (NAMED[2], 1 / 3),
    ),
    (
        "nakamoto.nakamoto_at",
        lambda x: nakamoto.nakamoto_at(x, [0.5])[0].alone.observed,
        (NAMED[0], None),
        (NAMED[1], 1),
        (NAMED[2], 2),
    ),
    (
        "nakamoto.draw_parts",
        lambda x: nakamoto.draw_parts(x, 0, 3, 0).shape,
        ([], (3, 2)),
        (ONE, (3, 3)),
        (TIED, (3, 4)),
    ),
    (
        "ignorance.tables",
        lambda x: list(ignorance.tables(x, 2)),
        ([], [[1, 1], [2], [2]]),
        ([4], [[4, 1, 1], [4, 2], [6]]),
        (TIED, ANY),
    ),
    (
        "ignorance.share_bounds",
        lambda n: ignorance.share_bounds(0, n, n).high,
        (0, NAN),
        (1, 1),
        (2, 1),
    ),
    (
        "ignorance.union",
        lambda x: ignorance.union([(0.0, x)]).high,
        (NAN, NAN),
        (1, 1),
        (2, 2),
    ),
    (
        "ignorance.bounds_of",
        lambda x: ignorance.bounds_of(ignorance.Readings(*x), 1).low,
        ((NAN, 1, 1), NAN),
        ((1, 1, 1), 1),
        ((3, 1, 2), 1),
    ),
    (
        "ignorance.causes_of",
        ignorance.causes_of,
        (0, ()),
        (1, (ignorance.Cause.UNKNOWN_BLOCKS,)),
        (2, ANY),
    ),
    ("ignorance.withheld", lambda n: ignorance.withheld(n, 10), (0, ""), (1, ""), (2, ANY)),
    (
        "series.readings_of",
        lambda x: [part.counts.tolist() for part in series.readings_of(table(x))],
        (NAMED[0], [[[]]] * 3),
        (NAMED[1], ANY),
        (NAMED[2], ANY),
    ),
    (
        "series.series",
        lambda x: series.series(table(x)).hhi.tolist(),
        (NAMED[0], [NAN]),
        (NAMED[1], [1]),
        (NAMED[2], [1 / 3]),
    ),
    (
        "simulate.simulate",
        lambda x: first(simulate.simulate(x, draws=50).hhi),
        (np.zeros((1, 2)), NAN),
        ([[4, 0]], ANY),
        ([[2, 2]], ANY),
    ),
    ("network.hashes_from_difficulty", network.hashes_from_difficulty, (0, 0), (1, ANY), (2, ANY)),
    (
        "network.hash_rate",
        lambda n: network.hash_rate(n, n, 1.0).value,
        (0, NAN),
        (1, 1),
        (2, 2),
    ),
    (
        "network.poisson_interval",
        lambda n: network.poisson_interval(n).low,
        (0, 0),
        (1, ANY),
        (2, ANY),
    ),
    (
        "network.pool_hash_rate",
        lambda t: network.pool_hash_rate(1, 1.0, t).value,
        (0, NAN),
        (1, 1),
        (2, 0.5),
    ),
    (
        "network.forecast",
        lambda n: network.forecast(n, 600.0 * n).factor.value,
        (0, NAN),
        (1, ANY),
        (2015, ANY),
    ),
    ("network.luck", lambda x: network.luck(1, x).ratio.value, (0, NAN), (1, 1), (2, 0.5)),
    (
        "network.share_luck",
        lambda n: network.share_luck(min(n, 1), n, 0.5).ratio.value,
        (0, NAN),
        (1, 2),
        (2, 1),
    ),
    (
        "network.streak_probability",
        lambda n: network.streak_probability(n, 1, 0.5),
        (0, 0),
        (1, 0.5),
        (2, 0.75),
    ),
    (
        "network.any_streak_probability",
        lambda x: network.any_streak_probability(10, 2, x),
        ([], 0),
        ([1.0], ANY),
        ([0.5, 0.5], ANY),
    ),
    (
        "network.longest_streaks",
        lambda x: {name: run.length for name, run in network.longest_streaks(x).items()},
        ([], {}),
        (["a"], {"a": 1}),
        (["a", "b"], {"a": 1, "b": 1}),
    ),
    ("network.event_rate", lambda n: network.event_rate(0, n).value, (0, NAN), (1, 0), (2, 0)),
    ("network.stale_rate_from_delay", network.stale_rate_from_delay, (0, 0), (1, ANY), (2, ANY)),
    (
        "network.delay_from_stale_rate",
        network.delay_from_stale_rate,
        (0, 0),
        (0.1, ANY),
        (0.2, ANY),
    ),
    (
        "network.first_seen_delays",
        lambda x: network.first_seen_delays(x).median,
        ([], NAN),
        ([(5, 6)], 1),
        ([(5, 6), (5, 6)], 1),
    ),
    (
        "observed.observe",
        lambda x: observed.observe(x).stale.value,
        ([], NAN),
        (seen("a"), 0),
        (seen("a", "b"), 0),
    ),
    (
        "observed.judge_claims",
        lambda x: (
            observed.judge_claims(observed.observe(x), {"a": observed.Claim(1.0)})["a"].ratio.value
        ),
        ([], NAN),
        (seen("a"), 1),
        (seen("a", "b"), 0.5),
    ),
    ("security.double_spend", lambda q: security.double_spend(q, 6), (0, 0), (1, 1), (0.5, 1)),
    (
        "security.confirmations_needed",
        security.confirmations_needed,
        (0, 1),
        (1, None),
        (0.5, None),
    ),
    (
        "security.confirmations_against",
        lambda x: security.confirmations_against(*x).point,
        ((0, 1), 1),
        ((1, 1), None),
        ((1, 2), None),
    ),
    (
        "security.selfish_revenue",
        lambda q: security.selfish_revenue(q, 0),
        (0, 0),
        (1, 1),
        (0.5, 1),
    ),
    ("security.selfish_threshold", security.selfish_threshold, (0, 1 / 3), (1, 0), (0.5, 0.25)),
    ("trend.mann_kendall", lambda x: trend.mann_kendall(x).p, ([], NAN), ([1], NAN), ([2, 2], 1)),
    ("trend.theil_sen", lambda x: trend.theil_sen(x).value, ([], NAN), ([1], NAN), ([2, 2], 0)),
    ("trend.lag_one", trend.lag_one, ([], 0), ([1], 0), ([2] * 9, 0)),
    ("trend.trend", lambda x: trend.trend(x).p, ([], NAN), ([1], NAN), ([2.0] * 20, 1)),
    (
        "trend.hhi_figure",
        lambda x: trend.hhi_figure(x)[0].tolist(),
        (table(), []),
        (table({"a": 4}), [1.0]),
        (table({"a": 2, "b": 2}), [1 / 3]),
    ),
    (
        "trend.effective_figure",
        lambda x: trend.effective_figure(x)[0].tolist(),
        (table(), []),
        (table({"a": 4}), [1.0]),
        (table({"a": 2, "b": 2}), [3.0]),
    ),
    (
        "trend.largest_figure",
        lambda x: trend.largest_figure(x)[0].tolist(),
        (table(), []),
        (table({"a": 4}), [1.0]),
        (table({"a": 2, "b": 2}), [0.5]),
    ),
    (
        "trend.share_figure",
        lambda x: trend.share_figure(x, [4] * len(x))[0].tolist(),
        ([], []),
        ([4], [1.0]),
        ([2], [0.5]),
    ),
    (
        "trend.window_trend",
        lambda x: trend.window_trend(x).n,
        (table(), 0),
        (table({"a": 4}), 1),
        (table({"a": 2, "b": 2}), 1),
    ),
    (
        "trend.by_era",
        lambda x: len(trend.by_era(x)),
        (table(), 0),
        (table({"a": 1}), 0),
        (table({"a": 1}, {"a": 1}), 0),
    ),
    (
        "changepoints.change_points",
        lambda x: changepoints.change_points(x).changes,
        (table(), ()),
        (table({"a": 9}), ()),
        (table({"a": 9, "b": 9}, {"a": 9, "b": 9}), ()),
    ),
    (
        "changepoints.dispersion",
        lambda x: changepoints.dispersion(np.array(x, float)),
        (np.zeros((0, 2)), 1),
        ([[5, 5]], 1),
        ([[5, 5], [5, 5]], 1),
    ),
    ("mined.by_tag", lambda x: mined.by_tag(x, 0, 0), ("", ""), ("a", "a"), ("b", "b")),
    (
        "intervals.scaled",
        lambda x: iv.scaled(x, sum(x))[1],
        (NONE, 0),
        (ONE, 4),
        (TIED, 4),
    ),
    (
        "mined.lens_from",
        lambda x: mined.lens_from(x)("a", 0, 0),
        ({}, "a"),
        ({"a": "b"}, "b"),
        ({"a": "a"}, "a"),
    ),
    (
        "windows.tally",
        lambda x: dict(windows.tally(x).counts),
        (chain(None), {}),
        (chain("a"), {"a": 1}),
        (chain("a", "b"), {"a": 1, "b": 1}),
    ),
    (
        "windows.latest",
        lambda x: len(windows.latest(x, windows.Window(blocks=5))),
        ([], 0),
        (chain("a"), 1),
        (chain("a", "b"), 2),
    ),
    (
        "windows.between",
        lambda x: len(windows.between(mined.Chain.of(x))),
        ([], 0),
        (chain("a"), 1),
        (chain("a", "b"), 2),
    ),
    ("windows.table_of", lambda x: len(table(*x)), ([], 0), ([{}], 1), ([{"a": 1}, {"b": 1}], 2)),
    (
        "windows.partition",
        lambda x: len(windows.partition(x, windows.Window(blocks=1))),
        ([], 0),
        (chain("a"), 1),
        (chain("a", "b"), 2),
    ),
]


def same(found: Any, expected: Any) -> bool:
    if expected is ANY:
        return not isinstance(found, float) or math.isfinite(found)
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float) and isinstance(found, float):
        return found == pytest.approx(expected, rel=1e-3, nan_ok=True)
    return bool(found == expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "call", "nothing", "single", "ties"),
    EDGES,
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_nothing_one_and_ties(
    name: str,
    call: Callable[[Any], Any],
    nothing: tuple[Any, Any],
    single: tuple[Any, Any],
    ties: tuple[Any, Any],
) -> None:
    for given_value, expected in (nothing, single, ties):
        found = call(given_value)
        assert same(found, expected), (name, given_value, found)


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module_name in MODULES:
        module = importlib.import_module(f"analyzers.{module_name}")
        for name, found in vars(module).items():
            own = inspect.isfunction(found) and found.__module__ == module.__name__
            if own and not name.startswith("_"):
                yield f"{module_name}.{name}", found


def test_every_public_function_has_a_row_and_an_example() -> None:
    functions = dict(public_functions())
    assert set(functions) == {name for name, *_ in EDGES}
    for name, function in functions.items():
        assert ">>>" in (function.__doc__ or ""), name


def test_a_window_without_blocks_is_not_counted() -> None:
    with pytest.raises(ValueError, match="without blocks"):
        windows.tally([])
