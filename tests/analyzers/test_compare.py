"""Shares as bounds, movements within one series, and tables from outside."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers import tables
from analyzers.compare import (
    GRAIN,
    Point,
    ShareError,
    Shares,
    divergence,
    from_rows,
    full_lists,
    growth,
    hhi_points,
    measure,
    measure_part,
    movement,
    one_series,
    shares_of,
)
from analyzers.concentration import hhi, nakamoto
from analyzers.intervals import Interval
from analyzers.sharefile import read_shares
from analyzers.tables import Period


def shares(*percent: float, series: str = "s", date: str = "2025") -> Shares:
    parts = [(f"#{i}", Decimal(str(share)) / 100) for i, share in enumerate(percent)]
    return shares_of(parts, series, Period.parse(date))


def market(series: str, date: str) -> Shares:
    (found,) = (
        dated
        for dated in from_rows(tables.load("markets"))
        if dated.series == series and str(dated.period) == date
    )
    return found


@pytest.mark.parametrize(
    ("series", "date", "low", "high", "top3"),
    [
        # Synergy Research: worked by hand from the shares of each quarter.
        ("cloud infrastructure", "2022-Q4", 1790, 1826, 0.67),
        ("cloud infrastructure", "2025-Q2", 1506, 1554, 0.63),
        ("cloud infrastructure", "2025-Q3", 1410, 1892, 0.62),
        # Menlo Ventures, end of 2025: 40, 27, 21.
        ("enterprise LLM API", "2025-12", 2770, 2914, 0.88),
    ],
)
def test_bounds_of_published_shares(
    series: str, date: str, low: float, high: float, top3: float
) -> None:
    found = measure(market(series, date))
    assert [round(end * 10_000) for end in found.hhi] == [low, high]
    assert found.top3.low == found.top3.high == pytest.approx(top3)


def test_a_whole_list_has_no_bounds() -> None:
    found = measure(shares(50, 30, 20))
    assert found.hhi.low == pytest.approx(found.hhi.high) == pytest.approx(0.38)
    assert found.nakamoto == (2, 2)
    assert found.covered == 1


def test_a_half_that_the_listed_do_not_reach_is_open() -> None:
    assert measure(shares(20, 10)).nakamoto == (5, None)
    assert measure(shares(40, 20)).nakamoto == (2, 2)


def test_nobody_listed() -> None:
    found = measure(shares_of([("rest", Decimal("0.48"))]))
    assert found.listed == 0
    assert math.isnan(found.hhi.low)


@pytest.mark.slow
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=12).filter(lambda parts: sum(parts) <= 1000)
)
def test_every_rest_of_smaller_firms_lies_within_the_bounds(parts: list[int]) -> None:
    listed = shares_of([(str(i), Decimal(part) / 1000) for i, part in enumerate(parts)])
    found = measure(listed)
    rest = 1000 - sum(parts)
    draw = random.Random(sum(parts))
    others: list[int] = []
    while rest:
        others.append(min(rest, draw.randint(1, min(parts))))
        rest -= others[-1]
    true = sum(part**2 for part in [*parts, *others]) / 1000**2
    assert found.hhi.low - 1e-6 <= true <= found.hhi.high + 1e-6


def test_shares_that_cannot_be() -> None:
    with pytest.raises(ShareError, match="exceed the whole"):
        shares(60, 50)
    with pytest.raises(ShareError, match="twice"):
        shares_of([("a", Decimal("0.1")), ("a", Decimal("0.2"))])
    with pytest.raises(ShareError, match="not within"):
        shares_of([("a", Decimal("-0.1"))])


def test_a_list_without_the_largest_has_no_upper_bound() -> None:
    found = measure_part(shares(22, date="2021-09"))
    assert found.hhi.low == pytest.approx(0.22**2)
    assert math.isnan(found.hhi.high)
    assert found.effective_number.high == pytest.approx(1 / 0.22**2)
    assert math.isnan(found.effective_number.low)
    assert found.nakamoto == (None, None)


def test_full_lists_name_four_or_cover_the_whole() -> None:
    kept = full_lists([shares(30, 20, 10), shares(60, 40), shares(20, 10, 5, 1), shares(30, 0, 0)])
    assert [len(dated.parts) for dated in kept] == [2, 4]


def test_different_series_are_never_chained() -> None:
    with pytest.raises(ShareError, match="cannot be chained: a, b"):
        hhi_points([shares(50, date="2020", series="a"), shares(40, date="2021", series="b")])
    with pytest.raises(ShareError, match="without dates"):
        one_series([shares_of([("a", Decimal("0.1"))])])
    backwards = [shares(40, date="2021"), shares(50, date="2020")]
    assert [str(dated.period) for dated in one_series(backwards)] == ["2020", "2021"]


def points(values: list[float], width: float = 0.0) -> list[Point]:
    return [Point(2000 + i, Interval(v - width, v + width)) for i, v in enumerate(values)]


def test_ends_move_only_beyond_their_bounds() -> None:
    assert movement(points([0.2, 0.3], 0.04)).change == "rose"
    assert movement(points([0.3, 0.2], 0.04)).change == "fell"
    assert movement(points([0.2, 0.3], 0.06)).change == "within its bounds"
    assert movement(points([0.2])).change == "unknown"
    assert movement([]).first is None


def noisy(slope: float, size: int = 40) -> list[float]:
    rng = np.random.default_rng(7)
    return [0.2 + slope * i + float(rng.normal(0, 0.002)) for i in range(size)]


def test_divergence_needs_two_opposite_trends() -> None:
    up, down, flat = points(noisy(0.001)), points(noisy(-0.001)), points(noisy(0))
    assert divergence(up, down).opposite is True
    assert divergence(up, up).opposite is False
    assert divergence(up, flat).opposite is False
    assert divergence(up, down).unsaid == ()


def test_divergence_says_what_keeps_it_open() -> None:
    up = points(noisy(0.001))
    found = divergence(up, points([0.3, 0.2]))
    assert found.opposite is None
    assert found.second.change == "fell"
    assert "2 points" in found.unsaid[0]
    later = [Point(point.year + 100, point.value) for point in points(noisy(-0.001))]
    assert divergence(up, later).unsaid == ("the two series have no time in common",)


@pytest.mark.slow
def test_divergence_rarely_errs_on_series_that_stand_still() -> None:
    rng = np.random.default_rng(3)
    errors = 0
    for _ in range(200):
        one, two = (points((0.2 + rng.normal(0, 0.01, 30)).tolist()) for _ in range(2))
        errors += divergence(one, two).opposite is True
    assert errors <= 4


def test_growth_of_the_edge_market() -> None:
    # Grand View Research: 24.91 (2025), 29.98 (2026), 118.69 (2033) billion dollars.
    assert growth(25, 119, 8) == pytest.approx(0.2153, abs=5e-5)
    assert growth(24.91, 118.69, 8) == pytest.approx(0.2155, abs=5e-5)
    assert growth(29.98, 118.69, 7) == pytest.approx(0.2172, abs=5e-5)
    with pytest.raises(ShareError):
        growth(0, 1, 1)


@pytest.mark.parametrize(
    ("text", "largest"),
    [
        ("entity,share\nAWS,30%\nAzure,20 %\n", 0.3),
        ("AWS,30\nAzure,20\n", 0.3),
        ("AWS,0.3\nAzure,0.2\nrest,0.5\n", 0.3),
        ("# a comment\n\n2025-Q2,AWS,30\n2025-Q2,Azure,20\n", 0.3),
        ("a,0.5%\nb,0.3%\n", 0.005),
    ],
)
def test_tables_of_shares(text: str, largest: float) -> None:
    given = read_shares(text)
    assert measure(given.shares[0]).largest == pytest.approx(largest)
    assert given.counts == ()


@pytest.mark.slow
@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=8), st.integers(0, 10**9))
def test_bounds_are_those_of_the_list_filled_up(parts: list[int], rest: int) -> None:
    """The rest is as many firms of the smallest size as it holds, and one that is smaller."""
    whole = sum(parts) + rest
    shares = shares_of([(str(i), Decimal(part) / whole) for i, part in enumerate(parts)])
    listed = [max(1, round(share * GRAIN)) for _, share in shares.parts]
    alike, last = divmod(max(0, GRAIN - sum(listed)), listed[-1])
    found = measure(shares)
    if alike > 100_000:  # too many to list one by one
        assert found.hhi.low <= found.hhi.high <= 1
        return
    full = [*listed, *[listed[-1]] * alike, last]
    assert found.hhi.high == pytest.approx(hhi(full))
    assert found.nakamoto[0] == nakamoto(full)
    assert found.top3.high == pytest.approx(sum(sorted(full)[-3:]) / sum(full))


@pytest.mark.parametrize("share", ["5e-324", "1e-400", "0.0000001", "2.4761187344038047e-07"])
def test_the_smallest_share_is_one(share: str) -> None:
    found = measure(read_shares(f"a,{share}\n").shares[0])
    assert (found.listed, found.nakamoto[1]) == (1, None)
    assert 0 < found.hhi.low < found.hhi.high < 1e-6


def test_tables_of_counts() -> None:
    given = read_shares("2024,a,60\n2024,b,84\n2024,a,1\n2025,a,200\n")
    assert given.shares == ()
    assert [(str(date), counts) for date, counts in given.counts] == [
        ("2024", {"a": 61, "b": 84}),
        ("2025", {"a": 200}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no row"),
        ("entity,share\n", "no row"),
        ("a,1\nb\n", "line 2: expected entity,share"),
        ("a,1\nb,much\n", "line 2: the last field is no number"),
        ("a,1\nb,-1\n", "line 2: '-1' is no share"),
        ("a,1\nb,inf\n", "line 2: 'inf' is no share"),
        ("soon,a,1\n", "line 1: 'soon' is no date"),
        ("a,60%\nb,50%\n", "exceed the whole"),
        (",1\n", "line 1"),
    ],
)
def test_bad_tables_are_named(text: str, message: str) -> None:
    with pytest.raises(ShareError, match=message):
        read_shares(text)


@given(st.text(max_size=200))
def test_any_text_is_shares_counts_or_a_share_error(text: str) -> None:
    try:
        given = read_shares(text)
    except ShareError:
        return
    assert given.shares or given.counts


@given(st.text("0123456789.,%-eE\nab", max_size=60))
def test_anything_like_a_table_is_read_or_refused(text: str) -> None:
    try:
        given = read_shares(text)
    except ShareError:
        return
    for dated in given.shares:
        found = measure(dated)
        assert not found.listed or 0 <= found.hhi.low <= found.hhi.high <= 1 + 1e-9
