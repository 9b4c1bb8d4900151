"""Figures of any counts at all are defined, within range, and agree with each other."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers import differences, series, summary, windows

any_counts = st.dictionaries(st.text(max_size=3), st.integers(0, 300), max_size=12)


@pytest.mark.slow
@given(any_counts, st.integers(0, 40))
def test_a_summary_of_any_counts_is_consistent(counts: dict[str, int], own: int) -> None:
    found = summary.summarize(counts, unattributed=own, draws=50)
    assert found.blocks == sum(counts.values()) + own
    if found.blocks == 0:
        assert math.isnan(found.hhi)
        return
    assert sum(share.blocks for share in found.shares) + own == found.blocks
    for share in found.shares:
        assert 0 <= share.interval.low <= share.share <= share.interval.high <= 1
        assert 0 <= share.above_half <= share.above_third <= share.above_quarter <= 1
    if found.entities and found.blocks > 1:
        assert 0 <= found.hhi_interval.low <= found.hhi <= found.hhi_interval.high <= 1
    for chance in found.any_above.values():
        assert 0 <= chance <= 1
    if found.nakamoto_half.posterior:
        assert math.fsum(found.nakamoto_half.posterior.values()) == pytest.approx(1)


@pytest.mark.slow
@given(any_counts, any_counts, st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_any_two_windows_compare(
    earlier: dict[str, int], later: dict[str, int], own: tuple[int, int]
) -> None:
    found = differences.compare_windows(earlier, later, own)
    back = differences.compare_windows(later, earlier, own[::-1])
    assert found.hhi.difference == pytest.approx(-back.hhi.difference, nan_ok=True)
    assert found.same == pytest.approx(back.same, nan_ok=True)
    for move in found.shares:
        low, high = move.change.interval
        if not math.isnan(move.change.difference):
            assert low - 1e-12 <= move.change.difference <= high + 1e-12
            assert 0 <= move.change.probability_up <= 1


@pytest.mark.slow
@given(st.lists(any_counts, max_size=6))
def test_a_series_of_any_windows_agrees_with_their_summaries(rows: list[dict[str, int]]) -> None:
    found = series.series(
        windows.table_of(rows, [0] * len(rows), range(len(rows)), range(len(rows)))
    )
    for i, row in enumerate(rows):
        alone = summary.summarize(row, draws=1)
        assert found.hhi[i] == pytest.approx(alone.hhi, nan_ok=True)
        assert found.hhi_low[i] == pytest.approx(alone.hhi_interval.low, nan_ok=True)
        assert found.nakamoto[i] == (alone.nakamoto_half.observed or -1)
