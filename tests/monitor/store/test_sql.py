import dataclasses
import sqlite3
from pathlib import Path

import pytest

from analyzers.model import Attribution, Label
from monitor.errors import StoreError
from monitor.sources.base import BlockRef
from monitor.store.base import Reorg, Step
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 12)


@pytest.fixture(scope="module")
def branch(chain: list[Mined]) -> list[Mined]:
    """A rival chain that leaves after height 8 and is longer."""
    return extend(chain[7], 6, tag=b"/ViaBTC/")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dir" / "store.sqlite"


@pytest.fixture
def store(path: Path, chain: list[Mined]) -> SqlStore:
    store = open_store(path, "regtest")
    store.apply(Step([block.stored() for block in chain]))
    return store


def active(store: SqlStore) -> list[BlockRef]:
    return [block.ref for block in store.blocks(0, 1000)]


def test_what_is_put_in_comes_out(store: SqlStore, path: Path, chain: list[Mined]) -> None:
    labelled = dataclasses.replace(
        extend(chain[-1], 1)[0].stored(pool=None), label=Label("f2pool", "a list"), first_seen=7
    )
    store.apply(Step([labelled]))
    store.close()
    again = open_store(path, "regtest", read_only=True)
    assert again.tip() == labelled.ref
    assert again.first_height() == 1
    assert again.block(13) == labelled
    assert again.block(labelled.ref.hash) == labelled
    assert again.block(14) is None
    assert list(again.blocks(3, 6)) == [block.stored() for block in chain[2:5]]
    assert again.headers(11, 99) == [chain[10].raw[:80], chain[11].raw[:80], labelled.header]
    assert again.knows(chain[0].ref.hash)
    assert not again.knows(bytes(32))


def test_a_reorg_keeps_the_stale_blocks(
    store: SqlStore, chain: list[Mined], branch: list[Mined]
) -> None:
    store.apply(Step([block.stored() for block in branch], rollback_to=8))
    assert active(store) == refs(chain[:8]) + refs(branch)
    assert [block.ref for block in store.stale_blocks()] == refs(chain[8:])
    assert [block.ref for block in store.stale_blocks(limit=2)] == refs(chain[10:])
    (reorg,) = store.reorgs()
    assert reorg == Reorg(reorg.at, 8, 4, chain[-1].ref.hash)
    assert store.counts() == (18, 4, 1, 4)


def test_the_same_step_twice_changes_nothing_more(
    store: SqlStore, chain: list[Mined], branch: list[Mined]
) -> None:
    step = Step([block.stored() for block in branch], rollback_to=8)
    store.apply(step)
    before = (active(store), store.counts())
    store.apply(step)
    assert (active(store), store.counts()) == before


def test_a_branch_can_come_back(store: SqlStore, chain: list[Mined], branch: list[Mined]) -> None:
    store.apply(Step([block.stored() for block in branch], rollback_to=8))
    back = chain[8:] + extend(chain[-1], 3)
    store.apply(Step([block.stored() for block in back], rollback_to=8))
    assert active(store) == refs(chain[:8]) + refs(back)
    assert [block.ref for block in store.stale_blocks()] == refs(branch)


def test_two_active_blocks_at_a_height_are_refused_whole(
    store: SqlStore, chain: list[Mined], branch: list[Mined]
) -> None:
    before = active(store)
    fresh = extend(chain[-1], 1)[0]
    with pytest.raises(StoreError):
        store.apply(Step([fresh.stored(), branch[0].stored()]))
    assert active(store) == before
    store.apply(Step([fresh.stored()]))
    assert active(store) == [*before, fresh.ref]


def test_columns_come_without_blocks(store: SqlStore, chain: list[Mined]) -> None:
    store.apply(Step([extend(chain[-1], 1)[0].stored(pool=None)]))
    columns = store.columns(["height", "pool", "proof"], start=12)
    assert columns == {
        "height": [12, 13],
        "pool": ["antpool", None],
        "proof": ["coinbase", "coinbase"],
    }
    assert store.columns(["height"], start=99) == {"height": []}


def test_a_new_attribution_keeps_the_former(
    store: SqlStore, path: Path, chain: list[Mined]
) -> None:
    new = Attribution("f2pool", "payout", (), (), "registry-2")
    same = dataclasses.replace(chain[1].stored().attribution, registry_version="registry-2")
    changed = store.reattribute([(chain[0].ref.hash, new), (chain[1].ref.hash, same)])
    assert changed == 1
    first = store.block(1)
    assert first is not None
    assert first.attribution == new
    with sqlite3.connect(path) as raw:
        rows = raw.execute(
            "SELECT b.height, p.name, r.name FROM former_attribution f "
            "JOIN block b ON b.id = f.block_id JOIN pool p ON p.id = f.pool_id "
            "JOIN registry r ON r.id = f.registry_id"
        ).fetchall()
    assert rows == [(1, "antpool", "registry-1")]


class TestRefusals:
    def test_another_network(self, store: SqlStore, path: Path) -> None:
        with pytest.raises(StoreError, match="holds regtest, not mainnet"):
            open_store(path, "mainnet")
        with pytest.raises(StoreError, match=r"holds regtest, not regtest \(rehearsal\)"):
            open_store(path, "regtest", synthetic="rehearsal")

    def test_a_newer_schema(self, store: SqlStore, path: Path) -> None:
        store.close()
        with sqlite3.connect(path) as raw:
            raw.execute("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StoreError, match="newer poolscope"):
            open_store(path, "regtest")

    def test_no_store_yet(self, path: Path) -> None:
        with pytest.raises(StoreError, match="no store at"):
            open_store(path, "regtest", read_only=True)

    def test_no_database(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b"surely no database" * 100)
        with pytest.raises(StoreError, match="no SQLite database"):
            open_store(path, "regtest")

    def test_read_only(self, store: SqlStore, path: Path, chain: list[Mined]) -> None:
        reader = open_store(path, "regtest", read_only=True)
        assert reader.tip() == chain[-1].ref
        with pytest.raises(StoreError, match="cannot be written"):
            reader.apply(Step([extend(chain[-1], 1)[0].stored()]))

    def test_a_full_disk_loses_nothing_and_heals(
        self, store: SqlStore, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        more = extend(chain[-1], 400)
        with store._database.writing() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
        with pytest.raises(StoreError, match="disk is full"):
            store.apply(Step([block.stored() for block in more]))
        assert active(store) == refs(chain)
        with store._database.writing() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        store.apply(Step([block.stored() for block in more]))
        assert active(store) == refs(chain + more)

    def test_a_reader_sees_what_the_writer_commits(
        self, store: SqlStore, path: Path, chain: list[Mined]
    ) -> None:
        reader = open_store(path, "regtest", read_only=True)
        fresh = extend(chain[-1], 1)[0]
        store.apply(Step([fresh.stored()]))
        assert reader.tip() == fresh.ref
