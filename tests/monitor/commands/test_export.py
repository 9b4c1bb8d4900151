"""Exports of a real store, read back with the tools that they are for."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from analyzers.frames import BLOCKS, blocks_frame, mined_from
from analyzers.mined import Mined
from monitor import __version__
from monitor.cli import cli
from monitor.export import ARROW
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

POOLS = ("antpool", "viabtc", None)
PROGRAM = (sys.executable, "-m", "monitor", "export", "--network", "regtest")
CHAIN = extend(genesis(), 30)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    opened = open_store(path, "regtest")
    rival = extend(CHAIN[19], 1, tag=b"/rival/")[0]
    blocks = [block.stored(pool=POOLS[i % 3]) for i, block in enumerate(CHAIN)]
    opened.apply(Step(blocks, stale=[rival.stored(stale=True)]))
    opened.close()
    return f"sqlite:///{path}"


def export(store: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["export", "--network", "regtest", "--store", store, *arguments])


def test_parquet_gives_the_frame_that_analyses_take(store: str, tmp_path: Path) -> None:
    out = tmp_path / "blocks.parquet"
    result = export(store, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert result.stderr == "30 blocks, 1 to 30\n"
    frame = pd.read_parquet(out)
    assert list(frame.columns) == ARROW.names
    mined = [Mined(b.height, b.header.time, POOLS[i % 3]) for i, b in enumerate(CHAIN)]
    assert mined_from(frame) == mined
    expected = blocks_frame(mined)
    assert frame[list(BLOCKS)].astype(BLOCKS).equals(expected)
    assert frame["size"].tolist() == [len(block.raw) for block in CHAIN]
    assert frame["first_seen"].isna().all()
    assert [path.name for path in tmp_path.iterdir()] == ["blocks.parquet"]


def test_parquet_says_what_it_is_of(store: str, tmp_path: Path) -> None:
    out = tmp_path / "blocks.parquet"
    export(store, "--out", str(out))
    metadata = pq.read_schema(out).metadata
    assert metadata[b"poolscope.version"].decode() == __version__
    assert metadata[b"poolscope.network"] == b"regtest"
    assert metadata[b"poolscope.synthetic"] == b""
    assert metadata[b"poolscope.registry"] == b"registry-1"


def test_csv_and_json_lines_say_the_same(store: str) -> None:
    as_csv = export(store, "--format", "csv", "--from", "3", "--to", "4", "--out", "-")
    as_json = export(store, "--format", "jsonl", "--from", "3", "--to", "4", "--out", "-")
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    objects = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert [row["height"] for row in rows] == ["3", "4"]
    assert objects[0]["pool"] is None
    known = {
        "height": 4,
        "time": pd.Timestamp(CHAIN[3].header.time, unit="s").strftime("%Y-%m-%dT%H:%M:%SZ"),
        "pool": "antpool",
        "proof": "coinbase",
        "tx_count": 1,
        "size": len(CHAIN[3].raw),
        "first_seen": None,
        "conflicts": 0,
    }
    assert list(objects[1]) == ARROW.names
    assert {name: objects[1][name] for name in known} == known
    texts = [{k: "" if v is None else str(v) for k, v in row.items()} for row in objects]
    assert rows == texts


@pytest.mark.slow
@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_a_pipe_gets_what_the_file_gets(store: str, tmp_path: Path, form: str) -> None:
    out = tmp_path / "blocks"
    export(store, "--format", form, "--out", str(out))
    words = [*PROGRAM, "--store", store, "--format", form, "--out", "-"]
    piped = subprocess.run(words, capture_output=True, check=True).stdout
    assert piped == out.read_bytes()


def test_a_span_is_cut_to_what_is_there(store: str) -> None:
    result = export(store, "--format", "csv", "--from", "29", "--to", "99", "--out", "-")
    assert len(result.stdout.splitlines()) == 1 + 2
    beside = export(store, "--from", "31", "--out", "-")
    assert beside.exit_code == 2
    assert "the store holds 1 to 30" in beside.stderr


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_named(store: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [*PROGRAM, "--store", store, "--out", str(tmp_path / "no" / "where.parquet")],
        capture_output=True,
        check=False,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("poolscope: cannot write ")
    assert len(result.stderr.splitlines()) == 1


def test_what_is_no_file_is_never_replaced(store: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    result = export(store, "--out", str(pipe))
    assert "it is not a regular file; choose another --out" in str(result.exception)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_help_teaches() -> None:
    assert "Examples:" in CliRunner().invoke(cli, ["export", "--help"]).output
