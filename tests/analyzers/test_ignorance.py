"""What unknown blocks leave open: bounds held against everybody who may have found them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import betaincc

from analyzers.figures import MEASURES, Figure, Measure, figure_of, figures_of
from analyzers.history import load_history
from analyzers.ignorance import UNKNOWN_LIMIT, Bounds, Cause, withheld
from analyzers.intervals import hhi_interval
from analyzers.series import series
from analyzers.summary import HALF, THIRD, Reading, Summary, summarize
from tests.analyzers.vectors import pool_mix

TABLES: tuple[tuple[list[int], int], ...] = (
    ([], 5),
    ([1], 5),
    ([1, 1, 1], 5),
    ([5, 2], 3),
    ([3, 3], 4),
    ([9, 1], 5),
    ([4, 1, 1], 4),
    ([2, 2, 2], 3),
    ([20, 10, 5], 5),
    ([30, 28, 3], 4),
    ([7, 6, 5, 1], 4),
    ([24, 21], 3),
    ([12, 11, 10, 9], 3),
)
DRAWS = 60


def partitions(total: int, most: int | None = None) -> Iterator[list[int]]:
    """Yield every way to deal `total` blocks out to new miners."""
    if total == 0:
        yield []
    for first in range(min(total, most or total), 0, -1):
        for rest in partitions(total - first, first):
            yield [first, *rest]


def added(unknown: int, miners: int) -> Iterator[tuple[list[int], int]]:
    """Yield every way to give some of the unknown blocks to the known, and what is left."""
    if not miners:
        yield [], unknown
        return
    for own in range(unknown + 1):
        for rest, left in added(unknown - own, miners - 1):
            yield [own, *rest], left


def assignments(numbers: list[int], unknown: int) -> set[tuple[int, ...]]:
    """Return every table that may be true: who found each of the unknown blocks."""
    return {
        tuple(sorted([*(a + b for a, b in zip(numbers, more, strict=True)), *new], reverse=True))
        for more, left in added(unknown, len(numbers))
        for new in partitions(left)
    }


def of(numbers: list[int] | tuple[int, ...], unknown: int = 0) -> Summary:
    named = {f"pool{i:02}": blocks for i, blocks in enumerate(numbers)}
    return summarize(named, unattributed=unknown, draws=DRAWS)


EVERY = [
    (of(numbers, unknown), [of(table) for table in assignments(numbers, unknown)])
    for numbers, unknown in TABLES
]
"""A window with unknown blocks, and the same with each way that these may have been found."""
EXACT = [m for m in MEASURES if m.bounded and not m.name.startswith("any_above")]
READ = [m for m in MEASURES if not m.bounded]


def beyond(measure: Measure, low: float, high: float, tables: list[Summary]) -> float:
    """How far the measure of any of `tables` lies outside of `low` and `high`."""
    values = [measure.value(table) for table in tables]
    return max(max(low - value, value - high) for value in values if not math.isnan(value))


@pytest.mark.parametrize("measure", EXACT, ids=lambda m: m.name)
def test_nobody_who_found_the_unknown_blocks_takes_a_measure_beyond_its_bounds(
    measure: Measure,
) -> None:
    for window, tables in EVERY:
        bounds = figure_of(measure, window).bounds
        if math.isnan(bounds.low):
            continue
        assert beyond(measure, bounds.low, bounds.high, tables) < 1e-9, window.counts
        values = [measure.value(table) for table in tables]
        assert bounds.low == pytest.approx(min(values))  # and both ends are possible
        assert bounds.high == pytest.approx(max(values))


@pytest.mark.parametrize("measure", READ, ids=lambda m: m.name)
def test_measures_without_bounds_do_go_beyond_their_readings(measure: Measure) -> None:
    found = []
    for window, tables in EVERY:
        figure = figure_of(measure, window)
        assert math.isnan(figure.bounds.low)
        ends = figure.readings.alone, figure.readings.as_one, figure.readings.of_largest
        found.append(beyond(measure, min(ends), max(ends), tables))
    assert max(found) > 1e-3


@pytest.mark.parametrize("threshold", [HALF, THIRD])
def test_nobody_takes_the_probability_of_one_above_a_threshold_beyond_its_bounds(
    threshold: Fraction,
) -> None:
    """To what `any_exceeds` is exact: its marginals do not know how many entities there are."""
    for window, tables in EVERY:
        if not window.entities:
            continue
        bounds = window.any_above_bounds(threshold)
        chances = [table.any_above[threshold] for table in tables]
        assert bounds.low - 0.01 < min(chances)
        assert max(chances) < bounds.high + 0.01


@pytest.mark.parametrize(("numbers", "unknown"), TABLES)
def test_the_exact_probability_of_one_above_half_is_bounded(
    numbers: list[int], unknown: int
) -> None:
    """No two exceed a half at once, so the sum over all is exact under one Dirichlet prior."""
    parts, prior = len(numbers) + unknown, 0.5
    total = sum(numbers) + unknown + prior * parts

    def above_half(table: tuple[int, ...]) -> float:
        alphas = np.array([*table, *[0] * (parts - len(table))]) + prior
        return float(betaincc(alphas, total - alphas, 0.5).sum())

    chances = {table: above_half(table) for table in assignments(numbers, unknown)}
    first = numbers[0] if numbers else 0
    assert min(chances.values()) == pytest.approx(chances[*numbers, *[1] * unknown])
    assert max(chances.values()) == pytest.approx(chances[first + unknown, *numbers[1:]])


def test_the_posterior_of_the_nakamoto_coefficient_is_bounded_draw_by_draw() -> None:
    for window, _ in EVERY:
        for sizes in (lambda r: r.nakamoto_half, lambda r: r.nakamoto_third):
            alone, _, largest = window.readings.each(sizes)
            for size in range(1, 8):
                assert alone.at_most(size) <= largest.at_most(size) + 1e-9


def test_intervals_hold_the_bounds_and_the_interval_of_every_reading() -> None:
    for window, _ in EVERY:
        for measure in MEASURES:
            figure = figure_of(measure, window)
            if math.isnan(figure.interval.low):
                continue
            for reading in window.readings:
                low, high = measure.interval(reading)
                assert figure.interval.low <= low <= high <= figure.interval.high
            if measure.bounded and not math.isnan(figure.bounds.low):
                assert figure.interval.low <= figure.bounds.low + 1e-9
                assert figure.bounds.high <= figure.interval.high + 1e-9


def test_the_share_of_a_pool_goes_up_to_all_unknown_blocks() -> None:
    window = summarize({"a": 30, "b": 14}, unattributed=100 - 44)
    share = window.shares[1]
    assert share.bounds == Bounds(0.14, 0.70, (Cause.UNKNOWN_BLOCKS,))
    assert share.interval.low == summarize({"b": 14, "x": 86}).shares[1].interval.low
    assert share.interval.high == summarize({"b": 70, "x": 30}).shares[0].interval.high
    assert share.above_half < 0.001
    assert share.above_half_most > 0.999
    group = window.group({"a", "b"})
    assert (group.bounds.low, group.bounds.high) == (0.44, 1.0)


def test_without_unknown_blocks_every_reading_is_the_same() -> None:
    for figure in figures_of(summarize({"a": 43, "b": 25, "c": 20})):
        assert len({str(reading) for reading in figure.readings}) == 1
        assert figure.bounds.causes == ()
        assert figure.bounds.low == figure.readings.alone or math.isnan(figure.readings.alone)


def december() -> Summary:
    """The thirty days to December 2021, in which Poolin's tag was not known: 935 of 4,377."""
    table = load_history().between(end=1638316800).merged(30)
    window = summarize(table.row(-1), unattributed=int(table.unattributed[-1]))
    assert (window.blocks, window.unattributed) == (4377, 935)
    return window


def test_december_2021_is_told_without_certainty() -> None:
    window = december()
    found: dict[str, Figure] = {figure.name: figure for figure in figures_of(window)}
    assert all(math.isnan(figure.value) for figure in found.values())
    assert "935 of 4377 blocks are unknown" in window.withheld
    half, largest, entropy = (
        found[name] for name in ("nakamoto_half", "cr1", "effective_number_entropy")
    )
    assert list(half.readings) == [4, 3, 2]
    assert (half.bounds.low, half.bounds.high) == (2, 4)
    assert list(largest.readings) == pytest.approx([703 / 4377, 935 / 4377, 1638 / 4377])
    assert largest.interval.low == pytest.approx(0.150, abs=5e-4)
    assert largest.interval.high == pytest.approx(0.389, abs=5e-4)
    assert list(entropy.readings) == pytest.approx([47.0, 8.3, 6.4], abs=0.1)
    assert found["hhi"].bounds.high == pytest.approx(0.211, abs=5e-4)
    assert "if one 3: over 99%" in half.note
    assert "100%" not in half.note
    third = window.any_above_bounds(THIRD)
    assert third.low < 0.001
    assert third.high > 0.99


def test_single_figures_end_at_one_part_of_unknown_blocks() -> None:
    assert Fraction(1, 10) == UNKNOWN_LIMIT
    assert not withheld(100, 1000)
    assert withheld(101, 1000)
    for unknown, given in ((10, True), (11, False)):
        figures = figures_of(summarize({"a": 100 - unknown}, unattributed=unknown))
        assert all(math.isnan(figure.value) != given for figure in figures)


def test_at_the_limit_ignorance_is_as_wide_as_chance_in_a_day() -> None:
    """Why it is a tenth: beyond, a single HHI says less than its ends even in 144 blocks."""
    counts = sorted(np.round(pool_mix("tags") * 144).astype(int).tolist(), reverse=True)
    total = sum(counts)

    def widths(part: float) -> tuple[float, float]:
        known = [round(blocks * (1 - part)) for blocks in counts]
        window = of(known, total - sum(known))
        chance = hhi_interval(known, unattributed=total - sum(known))
        found = {figure.name: figure for figure in figures_of(window)}
        return found["hhi"].bounds.width, chance.high - chance.low

    for part, wider in ((0.05, False), (0.15, True)):
        ignorance, chance = widths(part)
        assert (ignorance > chance) is wider


def test_a_series_has_the_figures_of_each_window() -> None:
    table = load_history().merged(30)
    rows = series(table)
    for i in range(0, len(table), 7):
        window = summarize(table.row(i), unattributed=int(table.unattributed[i]), draws=1)
        figures = {figure.name: figure for figure in figures_of(window)}
        assert bool(rows.withheld[i]) is bool(window.withheld)
        assert (rows.hhi_low[i], rows.hhi_high[i]) == pytest.approx(tuple(figures["hhi"].interval))
        assert (rows.largest_low[i], rows.largest_high[i]) == pytest.approx(
            tuple(figures["cr1"].interval)
        )
        for name, column in (
            ("hhi", "hhi"),
            ("hhi_plug_in", "hhi_plug_in"),
            ("effective_number", "effective_number"),
            ("nakamoto_half", "nakamoto"),
            ("cr1", "largest"),
        ):
            found = [getattr(rows, f"{column}{end}")[i] for end in ("", "_as_one", "_of_largest")]
            assert found == pytest.approx(list(figures[name].readings))


def test_bounds_carry_every_cause() -> None:
    unknown = Bounds(0.2, 0.25, (Cause.UNKNOWN_BLOCKS,))
    both = unknown.joined(Bounds(0.15, 0.22, (Cause.SOURCE_ERROR, Cause.UNKNOWN_BLOCKS)))
    assert both == Bounds(0.15, 0.25, (Cause.UNKNOWN_BLOCKS, Cause.SOURCE_ERROR))
    change = unknown.less(Bounds(0.1, 0.12, (Cause.SOURCE_AGE,)))
    assert (change.low, change.high) == pytest.approx((0.08, 0.15))
    assert change.causes == (Cause.UNKNOWN_BLOCKS, Cause.SOURCE_AGE)
    assert math.isnan(unknown.joined(Bounds(math.nan, 1)).low)


def test_a_reading_is_never_told_of_as_the_figure() -> None:
    """A summary is its own first reading; what is shown comes from all of them."""
    window = december()
    assert isinstance(window, Reading)
    assert window.readings.alone is window
    assert window.readings.as_one.counts[0] == 935
    assert window.readings.of_largest.counts[0] == 703 + 935
