from __future__ import annotations

import numpy as np
import pytest

from analyzers import concentration as c
from analyzers import intervals as iv
from analyzers.history import load_history
from analyzers.series import series
from analyzers.windows import table_of


def test_each_row_agrees_with_the_scalar_functions() -> None:
    history = load_history()
    rows = series(history, threshold=1 / 3)
    for i in range(0, len(history), 211):
        named, own = list(history.row(i).values()), int(history.unattributed[i])
        everyone = named + [1] * own
        assert rows.hhi[i] == pytest.approx(c.hhi_unbiased(everyone))
        assert rows.hhi_plug_in[i] == pytest.approx(c.hhi(everyone))
        assert rows.hhi_sd[i] == pytest.approx(iv.hhi_unbiased_sd(everyone))
        with_all = sorted(named, reverse=True)
        with_all[0] += own
        low = iv.hhi_interval(named, unattributed=own).low
        high = iv.hhi_interval(with_all).high
        assert (rows.hhi_low[i], rows.hhi_high[i]) == pytest.approx((low, high))
        assert rows.nakamoto[i] == c.nakamoto(everyone, 1 / 3)
        assert rows.nakamoto_of_largest[i] == c.nakamoto(with_all, 1 / 3)
        low = iv.share_interval(max(named), sum(everyone)).low
        high = iv.share_interval(max(named) + own, sum(everyone)).high
        assert (rows.largest_low[i], rows.largest_high[i]) == pytest.approx((low, high))


def test_degenerate_rows() -> None:
    rows = [{}, {"a": 1}, {"a": 7}, {"a": 1, "b": 1}, {}]
    found = series(table_of(rows, [0, 0, 0, 0, 6], range(5), range(5)))
    assert found.nakamoto.tolist() == [-1, 1, 1, 2, 4]
    assert np.isnan(found.hhi[:2]).all()
    assert found.hhi[2] == 1
    assert found.hhi_low[2] < 0.7
    assert np.isnan(found.hhi_low[0])
    assert np.isnan(found.effective_number[3])
    assert np.isnan(found.largest[0])


def test_no_rows() -> None:
    assert series(load_history().between(0, 1)).hhi.shape == (0,)
