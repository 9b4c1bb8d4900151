"""A backfill from files to Parquet and to SQLite, from a node, and a history on Dask workers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import psutil
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from analyzers.history import load_history
from analyzers.simulate import simulate
from hashing.params import REGTEST
from monitor.backfill.core import Span
from monitor.backfill.files import FileReader, chain_of, scan
from monitor.sources.blkfiles_index import joined
from monitor.sources.blkfiles_left import Remains
from monitor.sources.blkfiles_records import BlkFolder
from tests.support.daskcluster import DaskCluster
from tests.support.node import RegtestNode
from tests.support.sparse import BODY, KEY, write_sparse

BLOCKS = 100_000
WHOLE = 200
"""Blocks that the peer reads, which reads bodies, too."""
NODE_BLOCKS = 5000
NODE = f"""
from tests.support.node import __main__, chain
chain._CONTENTS_KEPT = {2 * NODE_BLOCKS}  # as a node's blocks are in the page cache
__main__.main()
"""
DRAWS = 10_000
WINDOWS = 6200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    write_sparse(folder, BLOCKS)
    return folder


class Run:
    """A run of ``poolscope backfill``: its own figures, and the memory of all its processes."""

    def __init__(self, *arguments: str | Path) -> None:
        words = (sys.executable, "-m", "monitor", "backfill", "--network", "regtest", "--json")
        self.memory = 0
        with subprocess.Popen([*words, *map(str, arguments)], stdout=subprocess.PIPE) as process:
            family = psutil.Process(process.pid)
            while process.poll() is None:
                self.memory = max(self.memory, _memory(family))
                time.sleep(0.1)
            assert process.returncode == 0
            assert process.stdout
            figures = json.load(process.stdout)
        self.rate = figures["fetched_blocks"] / figures["duration_seconds"]

    def tell(self, benchmark: BenchmarkFixture) -> None:
        benchmark.extra_info["blocks_per_second"] = round(self.rate)
        benchmark.extra_info["peak_memory_mb"] = self.memory >> 20


def _memory(family: psutil.Process) -> int:
    """Return the proportional memory of a process and its children, in bytes."""
    total = 0
    for process in (family, *family.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def seconds_of_a_whole_block(folder: Path) -> float:
    """Read whole blocks, as block parsers do that have no index."""
    mask = int.from_bytes(KEY * (BODY // 8 + 2), "little")
    started = time.perf_counter()
    with (folder / "blk00000.dat").open("rb") as file:
        for _ in range(WHOLE // 4):
            data = file.read(BODY + 8)
            (int.from_bytes(data, "little") ^ mask).to_bytes(BODY + 16, "little")
    return (time.perf_counter() - started) / (WHOLE // 4)


@pytest.mark.parametrize("kind", ["parquet", "sqlite"])
def test_from_files(benchmark: BenchmarkFixture, folder: Path, tmp_path: Path, kind: str) -> None:
    rounds = iter(range(10))

    def run() -> Run:
        where = tmp_path / str(next(rounds))
        target = ("--out", where / "all.parquet") if kind == "parquet" else ("--data-dir", where)
        where.mkdir()
        return Run("--blocks-dir", folder, *target)

    best: Run = benchmark.pedantic(run, rounds=2)  # type: ignore[no-untyped-call]
    best.tell(benchmark)
    peer = seconds_of_a_whole_block(folder)
    benchmark.extra_info["times_as_fast_as_whole_blocks"] = round(peer * best.rate, 1)


def test_bytes_read(benchmark: BenchmarkFixture, folder: Path) -> None:
    opened = BlkFolder(folder, REGTEST)
    reader = FileReader(folder, "regtest", prove=False)
    me = psutil.Process()

    def read() -> float:
        before = me.io_counters().read_chars
        numbers = opened.numbers()[0][:50]
        scans = (scan(folder, "regtest", number, False) for number in numbers)
        chain, _ = chain_of(opened, joined(records for records, _ in scans), Remains(numbers))
        list(reader.read(chain.piece(Span(chain.start, chain.tip))))
        return (me.io_counters().read_chars - before) / len(chain.headers)

    read_a_block = benchmark.pedantic(read, rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["bytes_read_a_block"] = round(read_a_block)


@pytest.fixture(scope="module")
def datadir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node's datadir with blocks of over a kilobyte."""
    datadir = tmp_path_factory.mktemp("node")
    with RegtestNode(datadir=datadir, blocks=101) as node:
        node.mine(NODE_BLOCKS, transactions=15)
    return datadir


@pytest.mark.parametrize(
    "way",
    {
        "blockpart": ("--flavour", "core-31"),
        "whole blocks by REST": ("--flavour", "core-28"),
        "whole blocks by RPC": ("--flavour", "core-31", "--no-rest"),
    }.items(),
    ids=lambda way: way[0].replace(" ", "-"),
)
def test_from_a_node(
    benchmark: BenchmarkFixture, datadir: Path, tmp_path: Path, way: tuple[str, tuple[str, ...]]
) -> None:
    words = [sys.executable, "-c", NODE, "--datadir", str(datadir), "--no-zmq"]
    login = ("--user", "u", "--password", "p")
    with subprocess.Popen(
        [*words, *login, *way[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as node:
        assert node.stdout
        url = json.loads(node.stdout.readline())["url"].replace("//", "//u:p@")
        rounds = iter(range(10))
        best: Run = benchmark.pedantic(  # type: ignore[no-untyped-call]
            lambda: Run("--bitcoind", url, "--out", tmp_path / f"{next(rounds)}.parquet"),
            rounds=2,
        )
        node.kill()
    best.tell(benchmark)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path) as cluster:
        yield cluster


def test_history_on_dask(benchmark: BenchmarkFixture, cluster: DaskCluster) -> None:
    history = load_history()
    rows = np.arange(WINDOWS) % len(history)
    counts, nobody = history.counts[rows], history.unattributed[rows]

    def seconds(executor: Executor) -> float:
        started = time.perf_counter()
        simulate(counts, nobody, draws=DRAWS, executor=executor, parts=62)
        return time.perf_counter() - started

    took: list[float] = []
    connect: Any = distributed.Client
    with connect(cluster.address, set_as_default=False) as client:
        for workers in (1, 2):
            cluster.add_worker(NUMBA_NUM_THREADS="1")
            client.wait_for_workers(workers, timeout=60)
            executor = client.get_executor(pure=False)
            simulate(counts[:16], draws=10, executor=executor, parts=16)
            took.append(seconds(executor))
    benchmark.pedantic(lambda: None, rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info["seconds_of_one_worker"] = round(took[0], 2)
    benchmark.extra_info["seconds_of_two_workers"] = round(took[1], 2)
    benchmark.extra_info["times_as_fast"] = round(took[0] / took[1], 2)
