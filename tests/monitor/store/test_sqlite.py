"""What only a SQLite file does: damaged, locked, full, read-only, in odd places."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.errors import StoreError
from monitor.store import engine
from monitor.store.base import Step
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs

NOBODY = 65534


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dir" / "store.sqlite"


@pytest.fixture
def store(path: Path, chain: list[Mined]) -> Iterator[SqlStore]:
    with closing(open_store(path, "regtest")) as store:
        store.apply(Step([block.stored() for block in chain]))
        yield store


@contextmanager
def as_nobody(*folders: Path) -> Iterator[None]:
    """Be somebody whom file permissions bind, with a way to these folders."""
    if os.geteuid() != 0:
        yield
        return
    modes = {folder: folder.stat().st_mode for folder in folders}
    for folder, mode in modes.items():
        folder.chmod(mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)


def test_no_store_yet(path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_store(path, "regtest", read_only=True)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{path}", "regtest", read_only=True)


def test_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"surely no database" * 100)
    with pytest.raises(StoreError, match="no SQLite database"):
        open_store(path, "regtest")


def test_a_database_of_something_else(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StoreError, match="has schema none"):
        open_store(path, "regtest", read_only=True)


def test_a_damaged_file(store: SqlStore, path: Path) -> None:
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match="damaged; move it away"):
        open_store(path, "regtest")


def test_memory_is_no_place_for_a_store() -> None:
    with pytest.raises(StoreError, match="must be a file"):
        open_store("sqlite://", "regtest")


@pytest.mark.parametrize("name", ["a b?c#d%20e.sqlite", "größe&mode=ro.sqlite"])
def test_any_file_name_will_do(tmp_path: Path, chain: list[Mined], name: str) -> None:
    with closing(open_store(tmp_path / name, "regtest")) as store:
        store.apply(Step([chain[0].stored()]))
    assert (tmp_path / name).exists()
    with closing(open_store(tmp_path / name, "regtest", read_only=True)) as store:
        assert store.tip() == chain[0].ref


def test_permissions_that_forbid_writing(store: SqlStore, path: Path, chain: list[Mined]) -> None:
    store.close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    closed = [folder for folder in path.parents if not folder.stat().st_mode & 0o001]
    try:
        with (
            as_nobody(*closed),
            pytest.raises(StoreError, match=r"cannot be (written|opened); check"),
        ):
            open_store(path, "regtest")
    finally:
        path.parent.chmod(0o755)
    path.chmod(0o644)
    with closing(open_store(path, "regtest")) as again:
        assert again.tip() == chain[-1].ref


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="folder cannot be made"):
        open_store(tmp_path / "file" / "store.sqlite", "regtest")


def test_another_process_that_holds_it(
    path: Path, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    with closing(open_store(path, "regtest")) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process holds it"):
            store.apply(Step([chain[0].stored()]))
        assert store.tip() is None
        other.rollback()
        store.apply(Step([chain[0].stored()]))
        assert store.tip() == chain[0].ref


@pytest.mark.slow
def test_a_full_disk_loses_nothing_and_heals(store: SqlStore, chain: list[Mined]) -> None:
    more = extend(chain[-1], 400)
    with store._database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(StoreError, match="disk is full"):
        store.apply(Step([block.stored() for block in more]))
    assert [block.ref for block in store.blocks(0, 999)] == refs(chain)
    with store._database.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    store.apply(Step([block.stored() for block in more]))
    assert [block.ref for block in store.blocks(0, 999)] == refs(chain + more)


def test_the_agent_can_be_read_while_it_writes(
    store: SqlStore, path: Path, chain: list[Mined]
) -> None:
    with closing(open_store(path, "regtest", read_only=True)) as reader:
        with store._database.writing():
            assert reader.tip() == chain[-1].ref
        assert reader.counts().blocks == 12


def test_columns_are_read_from_an_index_alone(store: SqlStore, path: Path) -> None:
    queries: list[str] = []
    sa.event.listen(
        store._database._engine, "before_cursor_execute", lambda *told: queries.append(told[2])
    )
    store.arrays(("height", "time", "pool", "tx_count", "size", "first_seen"), 3, 9)
    (query,) = (text for text in queries if "block.height" in text)
    with closing(sqlite3.connect(path)) as raw:
        (plan,) = raw.execute(f"EXPLAIN QUERY PLAN {query}", (-1,) * 4 + (3, 9)).fetchall()
    assert "USING COVERING INDEX ix_block_columns (stale=? AND height>? AND height<?)" in plan[3]
