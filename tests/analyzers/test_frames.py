from __future__ import annotations

import numpy as np
import pytest

from analyzers import frames
from analyzers.history import load_history
from analyzers.intervals import share_interval
from analyzers.mined import Mined
from analyzers.windows import table_of

CHAIN = [Mined(7, 1_230_000_000, "a"), Mined(8, 1_229_999_999, None), Mined(9, 1_230_000_600, "b")]


@pytest.mark.parametrize("chain", [CHAIN, []])
def test_blocks_come_back_as_they_were(chain: list[Mined]) -> None:
    frame = frames.blocks_frame(chain)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == frames.BLOCKS
    assert frames.mined_from(frame.iloc[::-1]) == chain


def test_concentration() -> None:
    frame = frames.concentration_frame(load_history().merged(7))
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == frames.CONCENTRATION
    assert (frame["hhi_low"] < frame["hhi_alone"]).all()
    assert (frame["hhi_alone"] <= frame["hhi_of_largest"]).all()
    assert (frame["hhi_of_largest"] < frame["hhi_high"]).all()
    assert frame["withheld"].sum() == (frame["unknown"] * 10 > frame["blocks"]).sum() > 0
    for name in ("hhi", "effective_number", "nakamoto", "largest"):
        assert (frame[name].isna() == frame["withheld"]).all()
        assert (frame[name] == frame[f"{name}_alone"])[~frame["withheld"]].all()
    assert frame["start"].diff().dropna().dt.days.eq(7).all()


def test_an_empty_window_is_missing_not_minus_one() -> None:
    frame = frames.concentration_frame(table_of([{}, {"a": 3}], [0, 0], [0, 1], [0, 600]))
    assert frame["nakamoto"].isna().tolist() == [True, False]


def test_shares() -> None:
    table = load_history().merged(30)
    frame = frames.shares_frame(table)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == frames.SHARES
    assert frame["blocks"].sum() == table.counts.sum()
    row = frame.iloc[100]
    place = np.flatnonzero(table.first_height == row["first_height"])[0]
    total, blocks = int(table.blocks[place]), int(row["blocks"])
    most = blocks + int(table.unattributed[place])
    assert row["share_most"] == pytest.approx(most / total)
    assert row["share_low"] == pytest.approx(share_interval(blocks, total).low)
    assert row["share_high"] == pytest.approx(share_interval(most, total).high)
