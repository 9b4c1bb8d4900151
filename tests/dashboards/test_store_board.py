"""The dashboard of the store: every query of it on a real PostgreSQL, against counts by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy.engine import make_url

from analyzers.attribution import attribute
from analyzers.registry import load_registry
from analyzers.registry.loader import make_registry
from hashing.header import hash_to_hex
from hashing.wire import parse_coinbase
from monitor.relabel import relabel
from monitor.store.base import Step, StoredBlock
from monitor.store.sql import open_store
from tests.support import grafana
from tests.support.blocks import Mined, extend, genesis
from tests.support.postgres import new_database, postgres, server_programs

pytestmark = pytest.mark.postgres

BOARD: Final = grafana.load(grafana.ROOT / "grafana" / "store.json")
PANELS: Final = {panel["title"]: panel for panel in grafana.panels(BOARD)}
REGISTRY: Final = load_registry()
TAGS: Final = (b"/Foundry USA Pool #dropgold/", b"/ViaBTC/", b"/LUXOR/", b"nobody known")
"""Of each 20 blocks: 9, 6, 4 and 1."""
OFTEN: Final = (9, 6, 4, 1)
BLOCKS: Final = 400
DEPTH: Final = 2

Row = dict[str, Any]


class Store:
    """A filled store, asked as Grafana asks."""

    def __init__(self, url: str, chain: Sequence[Mined], stale: Sequence[Mined]) -> None:
        self.chain, self.stale = chain, stale
        parts = make_url(url)
        self._connection = psycopg.connect(
            host=str(parts.query["host"]), user=parts.username, dbname=parts.database
        )
        self._connection.read_only = True

    def close(self) -> None:
        self._connection.close()

    def ask(self, text: str, **values: str) -> list[Row]:
        """Return the rows of a query over all time."""
        pools = ", ".join(f"'{row['coalesce']}'" for row in self._rows(pool_query()))
        known = {"bucket": "1d", "pool": pools} | values
        return self._rows(grafana.sql(text, known, 0, 1 << 40))

    def panel(self, title: str, **values: str) -> list[Row]:
        (target,) = PANELS[title]["targets"]
        return self.ask(target["rawSql"], **values)

    def _rows(self, text: str) -> list[Row]:
        assert "$" not in text, text
        cursor = self._connection.execute(text.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def pool_query() -> str:
    (query,) = (v["query"] for v in grafana.variables(BOARD) if v["name"] == "pool")
    return str(query)


def stored(block: Mined) -> StoredBlock:
    found = attribute(parse_coinbase(block.coinbase_tx), REGISTRY, height=block.height)
    return replace(block.stored(), attribution=found)


def mined(parent: Mined, count: int) -> list[Mined]:
    twenty = [tag for tag, times in zip(TAGS, OFTEN, strict=True) for _ in range(times)]
    chain: list[Mined] = []
    for place in range(count):
        chain += extend((chain or [parent])[-1], 1, tag=twenty[7 * place % 20])
    return chain


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Four hundred blocks, two of them replaced, judged by another registry before."""
    programs = server_programs()
    if programs is None and not os.environ.get("CI"):
        pytest.skip("no PostgreSQL server here; on Debian: apt-get install postgresql")
    assert programs is not None
    chain = mined(genesis(), BLOCKS)
    fork = chain[-DEPTH - 1]
    branch = extend(fork, DEPTH + 1, tag=TAGS[1], spacing=601)
    with postgres(programs) as socket:
        url = new_database(socket)
        writing = open_store(url, "regtest", synthetic="rehearsal")
        try:
            writing.apply(Step([stored(block) for block in chain]))
            writing.apply(Step([stored(block) for block in branch], rollback_to=fork.height))
            fewer = [pool for slug, pool in REGISTRY.pools.items() if slug != "luxor"]
            for registry in (make_registry(fewer, REGISTRY.sources), REGISTRY):
                list(relabel(writing, registry))
        finally:
            writing.close()
        reading = Store(url, chain[:-DEPTH] + branch, chain[-DEPTH:])
        try:
            yield reading
        finally:
            reading.close()


@pytest.mark.slow
@pytest.mark.parametrize("title", PANELS)
def test_every_panel_finds_rows(store: Store, title: str) -> None:
    rows = store.panel(title)
    assert rows
    if PANELS[title]["targets"][0]["format"] == "time_series":
        times = [row.pop("time") for row in rows]
        assert times == sorted(times)
        for row in rows:
            row.pop("metric", None)
            assert row
            assert all(isinstance(value, int | float) for value in row.values()), row


@pytest.mark.parametrize("mark", grafana.marks(BOARD), ids=lambda mark: mark["name"])
def test_every_mark_is_a_query_of_times_and_texts(store: Store, mark: Row) -> None:
    rows = store.ask(mark["target"]["rawSql"])
    # 400 blocks hold no retarget: the statement runs, and there is nothing to mark.
    assert rows or mark["name"] == "Retargets"
    for row in rows:
        assert set(row) == {"time", "text"}
        assert row["time"] > 1_000_000_000
        assert "block(s)" in row["text"]


def test_shares_of_a_day_add_up_and_agree_with_a_count(store: Store) -> None:
    rows = store.panel("Shares", bucket="30d")
    days = {row["time"] for row in rows}
    for day in days:
        assert sum(row["share"] for row in rows if row["time"] == day) == pytest.approx(1)
    (blocks,) = (row["count"] for row in store.panel("Blocks"))
    assert blocks == BLOCKS + 1
    if len(days) == 1:  # the chain's days may lie in two of the thirty-day steps
        found = {row["metric"]: row["share"] for row in rows}
        assert found["unknown"] == pytest.approx(BLOCKS / 20 / blocks, abs=0.003)
        assert max(found, key=lambda name: found[name]) == "foundryusa"


def test_the_band_holds_the_estimate(store: Store) -> None:
    for row in store.panel("Unknown share"):
        assert 0 <= row["lower 95 %"] <= row["estimate"] <= row["upper 95 %"] <= 1
        assert row["upper 95 %"] - row["lower 95 %"] > 0.02


def test_hashes_are_in_the_usual_order(store: Store) -> None:
    newest = store.panel("Last blocks of the chosen pools")[0]
    assert newest["Height"] == BLOCKS + 1
    assert newest["Hash"] == hash_to_hex(store.chain[-1].header.hash)
    stale = {row["Hash"] for row in store.panel("Stale blocks")}
    assert stale == {hash_to_hex(block.header.hash) for block in store.stale}
    (reorg,) = store.panel("Reorgs")
    assert (reorg["Depth"], reorg["Fork height"]) == (DEPTH, BLOCKS - DEPTH)
    assert reorg["Former tip"] == hash_to_hex(store.stale[-1].header.hash)


def test_pools_are_offered_largest_first_and_narrow_the_list(store: Store) -> None:
    assert [row["coalesce"] for row in store.ask(pool_query())] == [
        "foundryusa",
        "viabtc",
        "luxor",
        "unknown",
    ]
    rows = store.panel("Last blocks of the chosen pools", pool="'unknown'")
    assert {row["Pool"] for row in rows} == {"unknown"}
    assert len(rows) == BLOCKS / 20
