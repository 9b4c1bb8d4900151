"""What the agent costs: a start, a scrape, a block, memory; beside what its libraries cost."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
from pytest_benchmark.fixture import BenchmarkFixture

LIBRARIES = "aiohttp, alembic, numpy, prometheus_client, pydantic, scipy.special, zmq"
BLOCKS_A_SECOND = 2


def seconds_to_import() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True)
    return time.perf_counter() - begin


def test_the_agent(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["run", "--source", "sample", "--no-hashrate", "--port", str(port)]
    command += ["--data-dir", str(tmp_path), "--set", f"sample.speed={BLOCKS_A_SECOND}"]

    def get(path: str) -> bytes:
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                    body: bytes = answer.read()
                    return body
            except OSError:
                time.sleep(0.01)

    libraries = min(seconds_to_import() for _ in range(3))
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", *command], stderr=subprocess.DEVNULL
    ) as agent:
        try:
            get("/-/healthy")
            serving = time.perf_counter() - begin
            get("/-/ready")
            ready = time.perf_counter() - begin
            process = psutil.Process(agent.pid)
            before, since = process.cpu_times(), time.perf_counter()
            time.sleep(10)
            after, blocks = process.cpu_times(), BLOCKS_A_SECOND * (time.perf_counter() - since)
            scrape = benchmark(get, "/metrics")
            memory = process.memory_info().rss
        finally:
            agent.terminate()
    stats = benchmark.stats.stats.data if benchmark.stats else [0.0]
    benchmark.extra_info |= {
        "seconds to import the libraries": round(libraries, 2),
        "seconds until it serves": round(serving, 2),
        "seconds until 2016 blocks are stored, proved and analysed": round(ready, 2),
        "processor seconds a block": round(
            (after.user + after.system - before.user - before.system) / blocks, 4
        ),
        "resident MB": round(memory / 1e6),
        "metrics, kB": round(len(scrape) / 1e3),
        "median scrape, ms": round(1e3 * statistics.median(stats), 1),
    }
