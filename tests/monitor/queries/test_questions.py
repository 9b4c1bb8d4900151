"""The questions of the statistics commands, asked from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzers.assumptions import Assumptions
from analyzers.leftout import Kind, LeftOut
from analyzers.windows import Window
from monitor.config import Settings
from monitor.errors import QuestionError, StoreEmpty, StoreError
from monitor.queries.cost import cost_of, with_store
from monitor.queries.risk import attack, attacker
from monitor.queries.selection import Selection, counted
from monitor.queries.stretch import StretchAsked, network_view
from monitor.queries.trend import trends
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

WINDOW = Window.parse("10")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a store of forty blocks by two pools."""
    path = tmp_path / "store.sqlite"
    store = open_store(path, "regtest")
    chain = extend(genesis(), 40)
    pools = ("antpool", "viabtc", "antpool")
    store.apply(Step([block.stored(pool=pools[i % 3]) for i, block in enumerate(chain)]))
    store.close()
    return Settings(network="regtest", store=f"sqlite:///{path}")


def test_each_question_gives_values(settings: Settings) -> None:
    chosen = Selection(settings, window=WINDOW)
    assert sum(counted(chosen).counts.values()) == 10
    table, window = chosen.table()
    assert (len(table), window) == (3, WINDOW)  # what is cut off lies before the first
    assert trends(chosen, "AntPool").pool == "antpool"
    who = attacker(chosen)
    assert who.share.entity == "antpool"
    found = attack(who.share.share, who.share.interval)
    assert found.double_spend[1].interval.low <= found.double_spend[1].value
    seen = network_view(settings, StretchAsked(WINDOW))
    assert (seen.seen.blocks, seen.stretch.blocks[0].height) == (10, 31)
    assert cost_of(Assumptions()).regions


def test_what_is_left_out_is_told_to_whoever_asks(settings: Settings, tmp_path: Path) -> None:
    lens = tmp_path / "lens.csv"
    lens.write_text("antpool,big\nnonesuch,big\n")
    told: list[LeftOut | str] = []
    heard = Selection(settings, window=WINDOW, lens=str(lens), tell=told.append)
    assert heard.last().counts.keys() == {"big", "viabtc"}
    (left,) = told
    assert isinstance(left, LeftOut)
    assert (left.kind, left.count) == (Kind.LENS_ROW, 1)
    with pytest.warns(UserWarning, match="left out: 1 row of the lens"):
        Selection(settings, window=WINDOW, lens=str(lens)).last()


def test_what_cannot_be_answered_is_an_error_with_advice(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(QuestionError, match="is not before"):
        Selection(settings, start=10, end=10)
    with pytest.raises(QuestionError, match="is not before"):
        StretchAsked(WINDOW, start=10, end=10)
    with pytest.raises(QuestionError, match="try a smaller --window"):
        Selection(settings, window=Window.parse("5000")).table()
    with pytest.raises(QuestionError, match="nor a pool"):
        trends(Selection(settings, window=WINDOW), "nonesuch")
    with pytest.raises(StoreError, match="history needs no store"):
        Selection(Settings(network="regtest", data_dir=tmp_path)).last()
    open_store(tmp_path / "empty.sqlite", "mainnet").close()
    empty = Settings(store=f"sqlite:///{tmp_path / 'empty.sqlite'}")
    for ask in (
        Selection(empty).last,
        Selection(empty).table,
        lambda: network_view(empty, StretchAsked(WINDOW)),
        lambda: with_store(Assumptions(), empty),
    ):
        with pytest.raises(StoreEmpty, match="the store is empty yet"):
            ask()
