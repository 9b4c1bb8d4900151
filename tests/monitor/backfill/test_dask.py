"""A backfill on real Dask workers, each with a folder of its own; one is killed with a range."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.daskcluster import DaskCluster
from tests.support.patience import PATIENCE
from tests.support.sparse import write_sparse

BLOCKS = 3000


def program(*arguments: str | Path) -> list[str]:
    words = (sys.executable, "-m", "monitor", "backfill", "--network", "regtest", "--range", "250")
    return [*words, *map(str, arguments)]


def wait_for_reader(fifo: Path) -> int:
    """Return the descriptor of a FIFO that somebody has begun to read."""
    until = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError):  # nobody reads it yet
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        assert time.monotonic() < until, "the worker took no range"
        time.sleep(0.02)


@pytest.mark.slow
def test_a_killed_worker_loses_no_range(tmp_path: Path) -> None:
    here, there, stuck = (tmp_path / name for name in ("here", "there", "stuck"))
    write_sparse(here, BLOCKS)
    write_sparse(there, BLOCKS, order=-1)
    stuck.mkdir()
    os.mkfifo(stuck / "xor.dat")  # whoever reads it waits for ever

    calm, killed = tmp_path / "calm.parquet", tmp_path / "killed.parquet"
    subprocess.run(program("--blocks-dir", here, "--workers", "1", "--out", calm), check=True)

    with DaskCluster(tmp_path) as cluster:
        cluster.add_worker(POOLSCOPE_BLKFILES__DIR=str(there))
        victim = cluster.add_worker(POOLSCOPE_BLKFILES__DIR=str(stuck))
        with subprocess.Popen(
            program(
                *("--blocks-dir", here, "--out", killed),
                *("--scheduler", cluster.address, "--workers", "2"),
            )
        ) as backfill:
            descriptor = wait_for_reader(stuck / "xor.dat")
            assert backfill.poll() is None
            victim.kill()
            assert backfill.wait(PATIENCE) == 0
            os.close(descriptor)
    # the last block of each file is whole, and in the other order that is another one
    mine, theirs = (
        pq.read_table(file).drop_columns(["size", "tx_count"]) for file in (calm, killed)
    )
    assert theirs.equals(mine)


@pytest.mark.slow
def test_no_scheduler_is_said(tmp_path: Path) -> None:
    write_sparse(tmp_path, 3)
    words = program("--blocks-dir", tmp_path, "--scheduler", "tcp://127.0.0.1:9", "--out", "x")
    said = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert said.returncode == 1
    assert "no Dask scheduler at tcp://127.0.0.1:9" in said.stderr
    assert said.stderr.count("\n") == 1
