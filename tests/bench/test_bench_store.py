"""The store beside plain sqlite3 with a table of the same columns."""

import dataclasses
import itertools
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hashing.header import BlockHeader, BlockRef
from monitor.store.base import Step, StoredBlock
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import extend, genesis

BLOCKS = 20_000
COLUMNS = "height, hash, header, coinbase, pool, evidence"


def linked_blocks() -> Iterator[StoredBlock]:
    """Blocks of the usual size that link, without work: the store does not judge that."""
    pattern = extend(genesis(), 1)[0].stored()
    parent = bytes(32)
    for height in itertools.count():
        header = struct.pack("<i32s32sIII", 4, parent, bytes(32), height, 0x207FFFFF, height)
        parent = BlockHeader.parse(header).hash
        yield dataclasses.replace(
            pattern,
            ref=BlockRef(height, parent),
            header=header,
            coinbase_tx=(pattern.coinbase_tx or b"") + bytes(150),
        )


@pytest.fixture(scope="module")
def blocks() -> list[StoredBlock]:
    return list(itertools.islice(linked_blocks(), BLOCKS))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "store.sqlite", "regtest")) as store:
        yield store


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "plain.sqlite")) as plain:
        plain.execute("PRAGMA journal_mode=WAL")
        plain.execute("PRAGMA synchronous=FULL")
        plain.execute(f"CREATE TABLE block (id INTEGER PRIMARY KEY, {COLUMNS})")
        plain.execute("CREATE UNIQUE INDEX by_hash ON block (hash)")
        plain.execute("CREATE UNIQUE INDEX by_height ON block (height)")
        yield plain


def insert(plain: sqlite3.Connection, blocks: list[StoredBlock]) -> None:
    rows = [
        (b.ref.height, b.ref.hash, b.header, b.coinbase_tx, 1, repr(b.attribution.evidence))
        for b in blocks
    ]
    with plain:
        plain.executemany(f"INSERT INTO block ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def note(benchmark: BenchmarkFixture, items: int, peer: float) -> None:
    best = benchmark.stats.stats.min  # type: ignore[union-attr]
    benchmark.extra_info |= {
        "per_item_us": round(best / items * 1e6, 2),
        "ratio_to_plain_sqlite3": round(best / peer, 2),
    }


def test_append_a_batch(
    benchmark: BenchmarkFixture,
    store: SqlStore,
    plain: sqlite3.Connection,
    blocks: list[StoredBlock],
) -> None:
    batches = [blocks[start : start + 2000] for start in range(0, BLOCKS, 2000)]
    waiting = iter(batches)
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        store.apply, setup=lambda: ((Step(next(waiting)),), {}), rounds=len(batches)
    )
    note(benchmark, 2000, min(seconds(lambda b=b: insert(plain, b)) for b in batches))  # type: ignore[misc]


def test_append_one_block(
    benchmark: BenchmarkFixture,
    store: SqlStore,
    plain: sqlite3.Connection,
    blocks: list[StoredBlock],
) -> None:
    waiting = iter(blocks)
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        store.apply, setup=lambda: ((Step([next(waiting)]),), {}), rounds=200
    )
    note(benchmark, 1, min(seconds(lambda b=b: insert(plain, [b])) for b in blocks[:200]))  # type: ignore[misc]


def test_read_columns(
    benchmark: BenchmarkFixture,
    store: SqlStore,
    plain: sqlite3.Connection,
    blocks: list[StoredBlock],
) -> None:
    store.apply(Step(blocks))
    insert(plain, blocks)
    assert len(benchmark(store.chain)) == BLOCKS
    query = "SELECT height, pool FROM block ORDER BY height"
    note(benchmark, BLOCKS, min(seconds(plain.execute(query).fetchall) for _ in range(5)))


def test_read_blocks(
    benchmark: BenchmarkFixture,
    store: SqlStore,
    plain: sqlite3.Connection,
    blocks: list[StoredBlock],
) -> None:
    store.apply(Step(blocks))
    insert(plain, blocks)
    found = benchmark(lambda: list(store.blocks(BLOCKS - 2016, BLOCKS)))
    assert found == blocks[-2016:]
    query = f"SELECT {COLUMNS} FROM block WHERE height >= {BLOCKS - 2016} ORDER BY height"
    note(benchmark, 2016, min(seconds(plain.execute(query).fetchall) for _ in range(5)))


def test_open(
    benchmark: BenchmarkFixture, store: SqlStore, tmp_path: Path, blocks: list[StoredBlock]
) -> None:
    store.apply(Step(blocks))
    benchmark(lambda: open_store(tmp_path / "store.sqlite", "regtest").close())
    store.close()
    size = (tmp_path / "store.sqlite").stat().st_size
    benchmark.extra_info["bytes_per_block"] = round(size / BLOCKS)
