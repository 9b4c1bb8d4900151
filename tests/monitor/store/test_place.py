"""The file of a SQLite store that is moved, replaced or written past SQLite: by the store alone."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.errors import StoreChanged, StoreError
from monitor.store.base import Step
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "backup.sqlite"


@pytest.fixture
def store(path: Path, backup: Path, chain: list[Mined]) -> Iterator[SqlStore]:
    """Twelve blocks that are watched; the backup has six of them."""
    with closing(open_store(path, "regtest")) as store:
        store.apply(Step([block.stored() for block in chain[:6]]))
        with closing(sqlite3.connect(path)) as raw, closing(sqlite3.connect(backup)) as copy:
            raw.backup(copy)
        store.apply(Step([block.stored() for block in chain[6:]]))
        store.watch()
        yield store


def put(backup: Path, path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copyfile(backup, copy)
    copy.replace(path)


HARMS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "moved": (lambda path, _: path.rename(path.with_name("away")), "its file is gone"),
    "deleted": (lambda path, _: path.unlink(), "its file is gone"),
    "replaced": (lambda path, backup: put(backup, path), "replaced by another one"),
    "overwritten": (lambda path, backup: shutil.copyfile(backup, path), "wrote into its file"),
    "emptied": (lambda path, _: path.write_bytes(b""), "wrote into its file"),
    "log deleted": (lambda path, _: Path(f"{path}-wal").unlink(), r"log \(-wal\) was moved"),
}


@pytest.mark.parametrize("name", HARMS)
def test_nothing_is_written_to_what_was_harmed(
    store: SqlStore, path: Path, backup: Path, chain: list[Mined], name: str
) -> None:
    more = Step([block.stored() for block in extend(chain[-1], 2)])
    harm, said = HARMS[name]
    harm(path, backup)
    for use in (lambda: store.apply(more), store.untouched, store.leads, store.tip):
        with pytest.raises(StoreChanged, match=said):
            use()


def test_a_moved_file_has_all_blocks_and_no_new_one_is_made(
    store: SqlStore, path: Path, chain: list[Mined]
) -> None:
    away = path.rename(path.with_name("away"))
    for _ in range(2):
        with pytest.raises(StoreError, match="its file is gone"):
            store.renew()
    assert not path.exists()
    with closing(open_store(away, "regtest")) as moved:
        assert [block.ref for block in moved.blocks(0, 99)] == refs(chain)
    away.rename(path)
    store.renew()
    assert store.tip() == chain[-1].ref
    store.watch()
    store.apply(Step([block.stored() for block in extend(chain[-1], 2)]))


def test_the_log_of_the_former_file_does_not_get_into_the_one_that_replaces_it(
    store: SqlStore, path: Path, backup: Path, chain: list[Mined]
) -> None:
    put(backup, path)
    with pytest.raises(StoreChanged):
        store.untouched()
    store.renew()
    assert [block.ref for block in store.blocks(0, 99)] == refs(chain[:6])
    store.watch()
    store.apply(Step([block.stored() for block in chain[6:]]))
    store.close()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_log_that_cannot_be_emptied_does_not_get_into_it_either(
    store: SqlStore, path: Path, backup: Path, chain: list[Mined]
) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint")
    store.renew()
    store.apply(Step([extend(chain[-1], 1)[0].stored()]))  # the log holds a part of the pages now
    store.watch()
    path.write_bytes(b"")
    # held open, so that the log that SQLite begins in its place is not given its inode
    refused = pytest.raises(StoreError, match=r"damaged|no SQLite database|holds nothing")
    with Path(f"{path}-wal").open("rb"), refused:
        store.renew()
    put(backup, path)
    store.renew()
    assert [block.ref for block in store.blocks(0, 99)] == refs(chain[:6])


def test_the_blocks_of_a_deleted_log_are_kept(
    store: SqlStore, path: Path, chain: list[Mined]
) -> None:
    Path(f"{path}-wal").unlink()
    store.renew()
    store.close()
    with closing(open_store(path, "regtest")) as again:
        assert [block.ref for block in again.blocks(0, 99)] == refs(chain)


def test_a_reader_opens_what_is_there_when_it_is_told_to(
    store: SqlStore, path: Path, backup: Path, chain: list[Mined]
) -> None:
    with closing(open_store(path, "regtest", read_only=True)) as reader:
        assert reader.tip() == chain[-1].ref
        put(backup, path)
        with pytest.raises(StoreChanged, match="replaced"):
            reader.tip()
        store.renew()
        reader.renew()
        assert reader.tip() == chain[5].ref


def test_a_lock_on_a_file_that_others_do_not_see_is_none(store: SqlStore, path: Path) -> None:
    lock = Path(f"{path}.lock")
    assert store.lead()
    lock.unlink()
    assert not store.leads()
    with closing(open_store(path, "regtest")) as other:
        assert other.lead()
        with pytest.raises(StoreError, match="another agent writes to it"):
            store.lead()
    assert store.lead()
    assert store.leads()


@pytest.mark.parametrize("left", ["", "no number\n", "\xff"])
def test_a_lock_without_a_number_is_no_trouble(store: SqlStore, path: Path, left: str) -> None:
    assert store.lead()
    Path(f"{path}.lock").write_text(left, "latin-1")
    with (
        closing(open_store(path, "regtest")) as other,
        pytest.raises(StoreError, match=r"\(which did not leave its number\); wait"),
    ):
        other.claim("wait")
