"""Hashing and header validation beside hashlib and Bitcoin Core's own code, in the same run.

Figures are of the quickest of many short runs, so that other work on the machine counts
little. Set ``BENCH_HEADERS`` to a file of raw mainnet headers from genesis on to judge by
these rather than by the 4,100 that come with the tests.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hashing import choice
from hashing.chain import retarget
from hashing.hashrate import measure, measure_hashlib
from hashing.merkle import merkle_root
from hashing.params import MAINNET, RETARGET_INTERVAL
from hashing.sha256d import Bytes, sha256d_headers, sha256d_nodes
from hashing.target import decode_nbits
from hashing.validate import validate_headers
from hashing.wire import merkle_root as merkle_root_by_hashlib
from tests.support.headers import EASY, Judge, real_runs

THREADS = (1, 2)
LESSER = {
    "none": "",
    "avx2": "+sse4.1,+avx,+avx2",
    "sha-ni": "+sse4.1,+sha",
    "avx2 and sha-ni": "+sse4.1,+sha,+avx,+avx2",
    "avx512": "+sse4.1,+avx,+avx2,+avx512f,+avx512vl,+avx512bw",
}
"""Features that are left to the compiler, to see how fast other processors' kernels are."""


def best_of(run: Callable[[], Any], times: int) -> float:
    """Return the seconds of the quickest of some runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def benched(benchmark: BenchmarkFixture, run: Callable[[], Any], rounds: int) -> float:
    """Return the seconds of the quickest of some runs, which go into the benchmark's table."""
    benchmark.pedantic(run, rounds=rounds, warmup_rounds=2)  # type: ignore[no-untyped-call]
    stats: Any = benchmark.stats
    return float(stats["min"])


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


@pytest.mark.parametrize("kernel", choice.runnable())
@pytest.mark.parametrize("threads", THREADS)
def test_nonce_scan(benchmark: BenchmarkFixture, kernel: str, threads: int) -> None:
    rates: dict[str, list[float]] = {"hashlib": [], "one": [], "all": []}

    def measure_all() -> None:
        rates["hashlib"].append(measure_hashlib(0.1, 40).max)
        rates["one"].append(measure(kernel, 1, 0.2, 40).max)
        rates["all"].append(measure(kernel, threads, 0.2, 20).max)

    benched(benchmark, measure_all, 5)
    loop, one, together = (max(rates[name]) for name in ("hashlib", "one", "all"))
    benchmark.extra_info["megahashes_per_second"] = together / 1e6
    benchmark.extra_info["x_hashlib_loop"] = together / loop
    benchmark.extra_info["x_one_thread"] = together / one


@pytest.mark.parametrize("features", LESSER)
def test_nonce_scan_on_a_lesser_processor(benchmark: BenchmarkFixture, features: str) -> None:
    environment = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": LESSER[features]}
    command = (sys.executable, "-m", "monitor", "hashrate", "--json", "--threads", "1")
    reports: list[Any] = []

    def ask() -> None:
        told = subprocess.check_output(
            (*command, "--kernel", "best"), env=os.environ | environment, stderr=subprocess.DEVNULL
        )
        reports.append(json.loads(told))

    benched(benchmark, ask, 3)
    rate = max(report["results"][0]["hashes_per_second"]["high"] for report in reports)
    loop = max(report["hashlib"]["hashes_per_second"]["high"] for report in reports)
    benchmark.extra_info["kernel"] = reports[0]["best_kernel"]
    benchmark.extra_info["megahashes_per_second"] = rate / 1e6
    benchmark.extra_info["x_hashlib_loop"] = rate / loop


@pytest.mark.parametrize("kernel", choice.runnable())
@pytest.mark.parametrize(("size", "digest"), [(80, sha256d_headers), (64, sha256d_nodes)])
def test_digests(
    benchmark: BenchmarkFixture, kernel: str, size: int, digest: Callable[..., Bytes]
) -> None:
    messages = np.random.default_rng(1).integers(0, 256, (20_000, size), dtype=np.uint8)
    parts = [message.tobytes() for message in messages]
    loop = best_of(lambda: [sha256d(part) for part in parts], 20)
    taken = benched(benchmark, lambda: digest(messages, kernel=kernel), 200)
    benchmark.extra_info["million_per_second"] = len(messages) / taken / 1e6
    benchmark.extra_info["x_hashlib_loop"] = loop / taken


def test_merkle_root_of_a_full_block(benchmark: BenchmarkFixture) -> None:
    txids = np.random.default_rng(2).integers(0, 256, (4_000, 32), dtype=np.uint8)
    parts = [txid.tobytes() for txid in txids]
    loop = best_of(lambda: merkle_root_by_hashlib(parts), 20)
    taken = benched(benchmark, lambda: merkle_root(txids), 200)
    benchmark.extra_info["x_hashlib_loop"] = loop / taken


def by_hashlib(data: bytes) -> None:
    """Check links and proof of work alone: the least that a loop in Python does."""
    previous = bytes(32)
    for offset in range(0, len(data), 80):
        header = data[offset : offset + 80]
        assert header[4:36] == previous
        previous = sha256d(header)
        nbits = int.from_bytes(header[72:76], "little")
        assert int.from_bytes(previous, "little") <= decode_nbits(nbits)


@pytest.fixture(scope="module")
def real_headers() -> bytes:
    file = os.environ.get("BENCH_HEADERS")
    return Path(file).read_bytes() if file else b"".join(real_runs()[0])


@pytest.mark.parametrize("threads", THREADS)
def test_real_headers(
    benchmark: BenchmarkFixture, real_headers: bytes, threads: int, tmp_path: Path
) -> None:
    headers = np.frombuffer(real_headers, np.uint8).reshape(-1, 80)
    raw = [header.tobytes() for header in headers]
    core = float("inf")
    for attempt in range(5):
        judge = Judge(MAINNET, tmp_path / str(attempt))
        core = min(core, best_of(lambda judge=judge: [judge.accept(x) for x in raw], 1))  # type: ignore[misc]
    loop = best_of(lambda: by_hashlib(real_headers), 10)
    assert validate_headers(headers, MAINNET).failure is None
    taken = benched(benchmark, lambda: validate_headers(headers, MAINNET, threads=threads), 200)
    benchmark.extra_info["headers"] = len(headers)
    benchmark.extra_info["million_per_second"] = len(headers) / taken / 1e6
    benchmark.extra_info["x_bitcoin_core"] = core / taken
    benchmark.extra_info["x_hashlib_loop"] = loop / taken


@pytest.fixture(scope="module")
def long_chain() -> Bytes:
    """As many headers as the main chain had in 2025, by its rules but for an easy limit."""
    params = EASY["mainnet"]
    gaps = np.random.default_rng(3).integers(300, 900, 900_000).tolist()
    chain = bytearray(params.genesis_header)
    previous, nbits = sha256d(params.genesis_header), int.from_bytes(chain[72:76], "little")
    time_of = [int.from_bytes(chain[68:72], "little")]
    for height, gap in enumerate(gaps[1:], 1):
        if height % RETARGET_INTERVAL == 0:
            nbits = retarget(params, nbits, time_of[-RETARGET_INTERVAL], time_of[-1])
        time_of.append(time_of[-1] + gap)
        stem = b"\4\0\0\0" + previous + bytes(32)
        stem += time_of[-1].to_bytes(4, "little") + nbits.to_bytes(4, "little")
        target = decode_nbits(nbits)
        for nonce in range(1 << 32):
            header = stem + nonce.to_bytes(4, "little")
            previous = sha256d(header)
            if int.from_bytes(previous, "little") <= target:
                break
        chain += header
    return np.frombuffer(bytes(chain), np.uint8).reshape(-1, 80)


@pytest.mark.parametrize("threads", THREADS)
def test_nine_hundred_thousand_headers(
    benchmark: BenchmarkFixture, long_chain: Bytes, threads: int
) -> None:
    params = EASY["mainnet"]
    report = validate_headers(long_chain, params)
    assert report.count == len(long_chain)
    taken = benched(benchmark, lambda: validate_headers(long_chain, params, threads=threads), 40)
    benchmark.extra_info["milliseconds"] = taken * 1e3
