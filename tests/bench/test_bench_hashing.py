"""Hashing and header validation beside hashlib and Bitcoin Core's own code, in the same run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hashing import choice
from hashing.hashrate import measure, measure_hashlib
from hashing.merkle import merkle_root
from hashing.params import MAINNET, REGTEST
from hashing.sha256d import Bytes, sha256d_headers, sha256d_nodes
from hashing.target import decode_nbits
from hashing.validate import validate_headers
from hashing.wire import merkle_root as merkle_root_by_hashlib
from tests.support.headers import Judge, real_runs

REAL = real_runs()[0]
THREADS = (1, 2)


def best_of(run: Callable[[], Any], times: int = 15) -> float:
    """Return the seconds of the quickest of some runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def rows(headers: list[bytes]) -> Bytes:
    return np.frombuffer(b"".join(headers), np.uint8).reshape(-1, 80)


@pytest.mark.parametrize("kernel", choice.runnable())
@pytest.mark.parametrize("threads", THREADS)
def test_nonce_scan(benchmark: BenchmarkFixture, kernel: str, threads: int) -> None:
    loop = measure_hashlib(0.3)
    rate = benchmark.pedantic(measure, (kernel, threads, 0.5), rounds=1, warmup_rounds=1)
    benchmark.extra_info["megahashes_per_second"] = rate.max / 1e6
    benchmark.extra_info["x_hashlib_loop"] = rate.max / loop.max
    benchmark.extra_info["x_one_thread"] = rate.max / measure(kernel, 1, 0.5).max


@pytest.mark.parametrize("kernel", choice.runnable())
@pytest.mark.parametrize(("size", "digest"), [(80, sha256d_headers), (64, sha256d_nodes)])
def test_digests(
    benchmark: BenchmarkFixture, kernel: str, size: int, digest: Callable[..., Bytes]
) -> None:
    messages = np.random.default_rng(1).integers(0, 256, (20_000, size), dtype=np.uint8)
    parts = [message.tobytes() for message in messages]
    loop = best_of(lambda: [sha256d(part) for part in parts], 5)
    benchmark.pedantic(
        digest, (messages,), {"kernel": kernel}, rounds=40, warmup_rounds=2, iterations=1
    )
    stats: Any = benchmark.stats
    benchmark.extra_info["million_per_second"] = len(messages) / stats["min"] / 1e6
    benchmark.extra_info["x_hashlib_loop"] = loop / stats["min"]


def test_merkle_root_of_a_full_block(benchmark: BenchmarkFixture) -> None:
    txids = np.random.default_rng(2).integers(0, 256, (4_000, 32), dtype=np.uint8)
    parts = [txid.tobytes() for txid in txids]
    loop = best_of(lambda: merkle_root_by_hashlib(parts), 5)
    benchmark.pedantic(merkle_root, (txids,), rounds=40, warmup_rounds=2, iterations=1)
    stats: Any = benchmark.stats
    benchmark.extra_info["x_hashlib_loop"] = loop / stats["min"]


def by_hashlib(data: bytes) -> None:
    """Check links and proof of work alone: the least that a loop in Python does."""
    previous = bytes(32)
    for offset in range(0, len(data), 80):
        header = data[offset : offset + 80]
        assert header[4:36] == previous
        previous = sha256d(header)
        nbits = int.from_bytes(header[72:76], "little")
        assert int.from_bytes(previous, "little") <= decode_nbits(nbits)


@pytest.mark.parametrize("threads", THREADS)
def test_real_headers(benchmark: BenchmarkFixture, threads: int, tmp_path: Path) -> None:
    def ask_core() -> None:
        for header in REAL:
            assert judge.accept(header)

    core = float("inf")
    for attempt in range(3):
        judge = Judge(MAINNET, tmp_path / str(attempt))
        core = min(core, best_of(ask_core, 1))
    joined, headers = b"".join(REAL), rows(REAL)
    loop = best_of(lambda: by_hashlib(joined), 5)
    benchmark.pedantic(
        validate_headers, (headers, MAINNET), {"threads": threads}, rounds=60, warmup_rounds=2
    )
    stats: Any = benchmark.stats
    benchmark.extra_info["headers"] = len(REAL)
    benchmark.extra_info["million_per_second"] = len(REAL) / stats["min"] / 1e6
    benchmark.extra_info["x_bitcoin_core"] = core / stats["min"]
    benchmark.extra_info["x_hashlib_loop"] = loop / stats["min"]


@pytest.fixture(scope="module")
def long_chain() -> Bytes:
    """As many headers as the main chain had in 2025, at regtest's difficulty."""
    chance = np.random.default_rng(3)
    gaps = chance.integers(300, 900, 900_000).tolist()
    data, previous, now = (
        bytearray(REGTEST.genesis_header),
        sha256d(REGTEST.genesis_header),
        1_400_000_000,
    )
    for gap in gaps[1:]:
        now += gap
        stem = b"\4\0\0\0" + previous + bytes(32) + now.to_bytes(4, "little") + b"\xff\xff\x7f\x20"
        for nonce in range(1 << 32):
            header = stem + nonce.to_bytes(4, "little")
            previous = sha256d(header)
            if previous[31] < 0x7F:
                break
        data += header
    return np.frombuffer(bytes(data), np.uint8).reshape(-1, 80)


@pytest.mark.parametrize("threads", THREADS)
def test_nine_hundred_thousand_headers(
    benchmark: BenchmarkFixture, long_chain: Bytes, threads: int
) -> None:
    report = benchmark.pedantic(
        validate_headers, (long_chain, REGTEST), {"threads": threads}, rounds=15, warmup_rounds=2
    )
    assert report.count == len(long_chain)
    stats: Any = benchmark.stats
    benchmark.extra_info["milliseconds"] = stats["min"] * 1e3
