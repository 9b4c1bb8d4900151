"""Eras: dates from headers where there are any, and bounds for blocks of nobody known."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from analyzers.eras import DIVISIONS, by_division, change, eras
from analyzers.history import load_history
from analyzers.windows import CountTable, table_of
from hashing.params import MAINNET

DAY = 86_400


def test_halvings_are_those_of_the_chain() -> None:
    # Header times of blocks 0, 210000, 420000, 630000 and 840000.
    found = eras("subsidy")
    assert [era.start for era in found] == [
        1231006505,
        1354116278,
        1468082773,
        1589225023,
        1713571767,
    ]
    paid = [MAINNET.subsidy(210_000 * i) / 1e8 for i in range(5)]
    assert [era.name for era in found] == [f"{subsidy:g} BTC" for subsidy in paid]


def test_eras_have_sources_and_order() -> None:
    for division in DIVISIONS:
        found = eras(division)
        assert all(era.source for era in found)
        assert [era.start for era in found] == sorted(era.start for era in found)
    assert datetime.fromtimestamp(eras("hardware")[-1].start, UTC).year == 2013


def era_table(early: dict[str | None, int], late: dict[str | None, int]) -> CountTable:
    """Thirty windows of one mix among CPUs, and thirty of another among ASICs."""
    starts = [1262304000 + i * DAY for i in range(30)] + [1420070400 + i * DAY for i in range(30)]
    rows = [early] * 30 + [late] * 30
    return table_of(rows, [0] * 60, range(60), starts)


def test_concentration_by_era() -> None:
    first, last = by_division(era_table({"a": 20, "b": 24, "c": 100}, {"a": 144}), "hardware")
    assert (first.era.name, last.era.name) == ("CPU", "ASIC")
    assert first.interval.low < first.hhi < first.interval.high
    assert last.hhi == 1
    moved = change(first, last)
    assert moved.difference == pytest.approx(1 - first.hhi)
    assert moved.probability_up > 0.999
    assert moved.interval.low > 0


def test_unknown_miners_leave_the_change_open() -> None:
    # In the first era nobody is known: one miner, or as many as blocks.
    first, last = by_division(era_table({None: 144}, {"a": 72, "b": 72}), "hardware")
    assert first.unattributed == 1
    assert first.bounds.low == 0
    assert first.bounds.high == 1
    moved = change(first, last)
    assert moved.bounds.low < 0 < moved.bounds.high


def test_an_era_without_blocks() -> None:
    empty = era_table({}, {"a": 5})
    first, _ = by_division(empty, "hardware")
    assert first.windows == 0
    assert np.isnan(first.hhi)


def test_the_history_lies_in_one_hardware_era() -> None:
    assert [found.era.name for found in by_division(load_history().merged(7), "hardware")] == [
        "ASIC"
    ]
