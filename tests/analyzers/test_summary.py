from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction

import pytest

from analyzers import concentration as c
from analyzers.summary import HALF, QUARTER, THIRD, summarize
from tests.analyzers.vectors import EXAMPLE

COUNTS = {f"pool{i:02}": blocks for i, blocks in enumerate(EXAMPLE)}


def test_a_day() -> None:
    day = summarize(COUNTS, draws=20_000)
    assert (day.blocks, day.entities, day.unattributed) == (144, 17, 0)
    assert day.hhi * c.POINTS == pytest.approx(1534, abs=0.5)
    assert day.hhi_plug_in * c.POINTS == pytest.approx(1592, abs=0.5)
    assert day.hhi_interval.low < day.hhi < day.hhi_interval.high
    assert day.effective_number == pytest.approx(1 / day.hhi)
    assert day.nakamoto_half.observed == 3
    assert day.nakamoto_half.posterior == pytest.approx({2: 0.133, 3: 0.861, 4: 0.006}, abs=0.006)
    assert day.nakamoto_half.most_probable == 3
    assert day.nakamoto_half.at_most(2) == day.nakamoto_half.posterior[2]
    assert [share.blocks for share in day.shares] == EXAMPLE
    assert day.shares[0].above_third == pytest.approx(0.188977, abs=1e-6)
    assert day.shares[0].above_third <= day.any_above[THIRD] <= 1
    assert day.any_above[HALF] <= day.any_above[THIRD] <= day.any_above[QUARTER]
    assert [ratio.top for ratio in day.ratios] == [1, 2, 3, 4, 5, 6]
    assert day.ratios[1].value == pytest.approx(68 / 144)


def test_the_same_seed_gives_the_same_figures_in_any_order() -> None:
    backwards = dict(reversed(COUNTS.items()))
    assert summarize(COUNTS, seed=3) == summarize(backwards, seed=3)
    assert summarize(COUNTS, seed=3) != summarize(COUNTS, seed=4)


def test_groups_named_beforehand() -> None:
    day = summarize(COUNTS)
    group = day.group({"pool00", "pool01", "absent"})
    assert group.blocks == 68
    assert group.above_half == pytest.approx(0.253, abs=2e-3)
    assert day.share_of("pool01") == day.shares[1]
    assert day.share_of("absent") is None


def test_unattributed_blocks_are_miners_of_their_own() -> None:
    day = summarize({"a": 60, "b": 44}, unattributed=40)
    assert day.shares[0].share == pytest.approx(60 / 144)
    assert day.hhi == c.hhi_unbiased([60, 44] + [1] * 40)
    assert day.hhi < day.readings.as_one.hhi < day.readings.of_largest.hhi
    assert day.nakamoto_half.observed == 2
    alone = summarize({"a": 10}, unattributed=134)
    assert alone.nakamoto_half.observed == 64
    assert alone.nakamoto_half.most_probable == pytest.approx(63, abs=10)
    nobody = summarize({}, unattributed=10)
    assert nobody.nakamoto_half.observed == 6
    assert nobody.hhi == 0
    assert nobody.shares == ()


def test_an_empty_window() -> None:
    nothing = summarize({})
    assert nothing.blocks == nothing.entities == 0
    assert nothing.nakamoto_half.observed is None
    assert nothing.nakamoto_half.most_probable is None
    assert math.isnan(nothing.nakamoto_half.at_most(1))
    assert math.isnan(nothing.hhi)
    assert math.isnan(nothing.hhi_interval.low)
    assert math.isnan(nothing.any_above[Fraction(1, 2)])


def test_a_single_entity_is_not_certain() -> None:
    alone = summarize({"a": 6})
    assert alone.hhi == 1
    assert alone.hhi_interval.low < 0.7
    assert alone.nakamoto_half.observed == 1
    assert alone.any_above[HALF] > 0.98


def test_ties_do_not_depend_on_names() -> None:
    first, second = summarize({"a": 5, "b": 5}), summarize({"x": 5, "y": 5})
    assert first.nakamoto_half == second.nakamoto_half
    assert first.any_above[HALF] == pytest.approx(1)


def test_refuses_what_is_no_count() -> None:
    for counts, unattributed in (({"a": -1}, 0), ({"a": 1}, -1)):
        with pytest.raises(c.CountsError):
            summarize(counts, unattributed=unattributed)


@pytest.mark.slow
def test_the_agents_path_stays_small() -> None:
    """Neither Numba nor pandas nor scipy.stats: the daemon's memory is counted."""
    code = (
        "import sys, analyzers.summary, analyzers.network, analyzers.windows;"
        "print({'numba', 'pandas', 'scipy.stats', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
