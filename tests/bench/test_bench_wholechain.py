"""A store of 950,000 blocks of real coinbases: filled, counted, exported, attributed anew.

``pytest tests/bench/test_bench_wholechain.py --benchmark-only`` takes some minutes and 1.5 GB.
The peer of each is plain `sqlite3`, with pandas where there is something to count or write.
"""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from analyzers.columns import BlockRow
from analyzers.registry.lenses import load_lenses
from analyzers.windows import Window, partition
from monitor.store.rows import STORED
from monitor.store.sql import open_store
from tests.support import longchain

pytestmark = pytest.mark.timeout(1800)

BATCH = 10_000
DAYS = "SELECT height, time, name FROM block LEFT JOIN pool ON pool.id = pool_id WHERE NOT stale"


def batches() -> Iterator[list[BlockRow]]:
    rows = longchain.rows()
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain") / "store.sqlite"


@pytest.fixture(scope="module")
def filled(path: Path) -> tuple[float, float]:
    """Seconds to fill the store, and a plain table of the same columns and keys."""
    own = plain = 0.0
    columns, marks = ", ".join(STORED), ", ".join("?" for _ in STORED)
    insert = f"INSERT INTO block ({columns}) VALUES ({marks})"
    with (
        closing(open_store(path, "mainnet")) as store,
        closing(sqlite3.connect(path.with_name("plain.sqlite"))) as peer,
    ):
        peer.execute("PRAGMA journal_mode=WAL")
        peer.execute("PRAGMA synchronous=FULL")
        peer.execute(f"CREATE TABLE block (id INTEGER PRIMARY KEY, {columns}, UNIQUE (hash))")
        peer.execute("CREATE UNIQUE INDEX by_height ON block (height)")
        for batch in batches():
            own += seconds(lambda batch=batch: store.append(batch))  # type: ignore[misc]
            with peer:
                plain += seconds(lambda b=batch: peer.executemany(insert, b))  # type: ignore[misc]
    path.with_name("plain.sqlite").unlink()
    return own, plain


def poolscope(path: Path, *words: str) -> None:
    command = [sys.executable, "-m", "monitor", *words, "--network", "mainnet"]
    subprocess.run([*command, "--store", f"sqlite:///{path}"], check=True, capture_output=True)


def processor() -> float:
    """Seconds of processor time so far, of this process and those it waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN))
    )


def note(benchmark: BenchmarkFixture, own: float, peer: float, **more: object) -> None:
    benchmark.extra_info |= {
        "blocks": longchain.BLOCKS,
        "blocks_per_second": round(longchain.BLOCKS / own),
        "ratio_to_peer": round(own / peer, 2),
        **more,
    }


def once(benchmark: BenchmarkFixture, call: Callable[[], object]) -> float:
    before = processor()
    benchmark.pedantic(call, rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["processor_seconds"] = round(processor() - before, 1)
    return float(benchmark.stats.stats.min)  # type: ignore[union-attr]


def test_append(benchmark: BenchmarkFixture, path: Path, filled: tuple[float, float]) -> None:
    """What is timed is the fixture, that the other tests need, too."""
    benchmark.pedantic(lambda: None)  # type: ignore[no-untyped-call]
    size = path.stat().st_size
    note(benchmark, *filled, seconds=round(filled[0], 1), megabytes=round(size / 1e6))


@pytest.mark.usefixtures("filled")
def test_windows_by_day_under_a_lens(benchmark: BenchmarkFixture, path: Path) -> None:
    lens = load_lenses()["template"]

    def windows() -> None:
        with closing(open_store(path, "mainnet", read_only=True)) as store:
            assert len(partition(store.chain(), Window.parse("1d"), lens)) == 6596

    def with_pandas() -> None:
        with closing(sqlite3.connect(path)) as raw:
            frame = pd.read_sql(DAYS, raw)
        frame.groupby([frame["time"] // 86_400, "name"]).size()

    note(benchmark, once(benchmark, windows), seconds(with_pandas))


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_export(benchmark: BenchmarkFixture, path: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "blocks"

    def with_pandas() -> None:
        with closing(sqlite3.connect(path)) as raw:
            frame = pd.read_sql(DAYS, raw)
        if form == "parquet":
            frame.to_parquet(out)
        elif form == "csv":
            frame.to_csv(out, index=False)
        else:
            frame.to_json(out, orient="records", lines=True)

    peer = seconds(with_pandas)
    own = once(benchmark, lambda: poolscope(path, "export", "--format", form, "--out", str(out)))
    note(benchmark, own, peer, megabytes=round(out.stat().st_size / 1e6, 1))


@pytest.mark.usefixtures("filled")
def test_relabel(benchmark: BenchmarkFixture, path: Path) -> None:
    """Last: it changes every row. Its peer only reads and writes them, and judges nothing."""

    def rewrite() -> None:
        with closing(sqlite3.connect(path)) as raw, raw:
            found = raw.execute("SELECT id, coinbase, evidence FROM block").fetchall()
            raw.executemany("UPDATE block SET registry_id = 1 WHERE id = ?", [r[:1] for r in found])

    peer = seconds(rewrite)
    note(benchmark, once(benchmark, lambda: poolscope(path, "relabel")), peer)
