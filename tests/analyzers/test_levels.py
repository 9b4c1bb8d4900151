"""The trend test on histories as poolscope believes them; `tests.support.levels` has it all."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.levels import LONG, Wander, part_found, verdicts

HISTORIES = 40


@pytest.mark.slow
@pytest.mark.parametrize(
    "wander", [Wander(0.9, 0.10), Wander(0.95, 0.15), Wander(0.98, 0.15)], ids=str
)
def test_wander_is_seldom_called_a_trend_at_any_window(wander: Wander) -> None:
    *said, differ = part_found(verdicts(wander, LONG, HISTORIES, (7, 28)))
    assert max(said) <= 0.13  # the old test: 24 to 43 % at 7 days
    assert differ <= 0.08


@pytest.mark.slow
def test_a_true_trend_is_found_at_any_window() -> None:
    found = verdicts(Wander(0.9, 0.10), LONG, HISTORIES, (7, 28), drift=0.1)
    *said, differ = part_found(found)
    assert min(said) >= 0.8
    assert differ <= 0.1
    slopes = np.array([[trend.slope.value for trend in row] for row in found])
    assert np.abs(np.diff(slopes, axis=1)).mean() < 0.05 * slopes.mean()
