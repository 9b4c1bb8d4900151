"""Country shares: bounds against figures worked by hand, and series that stay apart."""

from __future__ import annotations

from itertools import combinations

import pytest

from analyzers import geography
from analyzers.compare import ShareError, hhi_points, one_series


@pytest.mark.parametrize(
    ("series", "date", "low", "high"),
    [
        # Worked by hand from the shares of each source: known shares squared, the rest as
        # nothing or in pieces of the smallest listed.
        ("CBECI map", "2020-04", 4407, 4428),
        ("CBECI map", "2021-08", 1798, 2025),
        ("CBECI map", "2022-01", 2141, 2147),
        ("CCAF survey", "2024-06/2024-09", 5762, 5783),
        ("Hashrate Index", "2025-Q2", 1759, 1821),
        ("Hashrate Index", "2025-Q3", 1795, 1854),
        ("Hashrate Index", "2025-Q4", 1903, 1955),
    ],
)
def test_concentration_over_countries(series: str, date: str, low: float, high: float) -> None:
    (found,) = (
        measures
        for shares, measures in geography.concentration_of(series)
        if str(shares.period) == date
    )
    assert [round(end * 10_000) for end in found.hhi] == [low, high]


def test_no_two_series_are_ever_chained() -> None:
    names = geography.series_names()
    assert len(names) > 3
    for first, second in combinations(names, 2):
        both = [*geography.country_shares(first), *geography.country_shares(second)]
        with pytest.raises(ShareError, match="cannot be chained"):
            one_series(both)
    with pytest.raises(ShareError, match="cannot be chained"):
        hhi_points(geography.country_shares())


def test_why_not_two_series_disagree_on_the_united_states() -> None:
    survey = geography.country_shares("CCAF survey")[0].share_of("United States")
    heatmap = geography.country_shares("Hashrate Index")[0].share_of("United States")
    assert survey is not None
    assert heatmap is not None
    assert survey > 2 * heatmap


def test_every_series_says_what_it_is_made_of() -> None:
    assert set(geography.LIMITS) == set(geography.series_names())


def test_lists_that_leave_out_a_large_country_have_no_bounds() -> None:
    for series, date in geography.INCOMPLETE:
        listed = [str(shares.period) for shares in geography.country_shares(series)]
        assert date in listed
        assert date not in [str(shares.period) for shares in geography.lists(series)]


def test_concentration_fell_until_2022_and_rose_in_2025() -> None:
    assert geography.movement_of("CBECI map").change == "fell"
    assert geography.movement_of("Hashrate Index").change == "rose"
    assert geography.movement_of("CCAF survey").change == "unknown"
    assert geography.movement_of("CBECI map").direction == "unknown"


def test_hash_rates_and_shares_of_a_date_agree() -> None:
    # January 2022: 187.6 EH/s by three countries; July 2025: 903 to 904 by five.
    january = [
        total for date, _, total in geography.implied_hash_rate("CBECI map") if date == "2022-01"
    ]
    assert january == pytest.approx([187.6] * 3, rel=0.001)
    summer = [
        total
        for date, _, total in geography.implied_hash_rate("Hashrate Index")
        if date == "2025-Q3"
    ]
    assert summer == pytest.approx([903.5] * len(summer), rel=0.002)


def test_change_of_a_country() -> None:
    change = geography.country_change("Hashrate Index", "Paraguay")
    assert change is not None
    assert change.difference == pytest.approx(0.00398)
    assert change.rounding > change.difference
    assert geography.country_change("Hashrate Index", "Ethiopia") is None
    with pytest.raises(ShareError, match="no series 'nope'"):
        geography.country_shares("nope")
