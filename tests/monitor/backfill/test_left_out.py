"""What a backfill of block files does not have, it says: in text, in JSON, and block by block."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analyzers.frames import read_export
from monitor.cli import cli
from monitor.store.sql import open_store
from tests.support.blkfiles import KEY, chain, records, write_all

LENGTH = 79
R = records(LENGTH)


def backfill(folder: Path, *arguments: str | Path, status: int = 0) -> Result:
    words = ["backfill", "--network", "regtest", "--workers", "1", "--blocks-dir", folder]
    result = CliRunner().invoke(cli, [*map(str, words), *map(str, arguments)])
    assert result.exit_code == status, (result.output, result.exception)
    return result


def in_files(parts: list[bytes]) -> list[bytes]:
    return [b"".join(parts[at : at + 20]) for at in range(0, len(parts), 20)]


def test_a_missing_file_is_said_with_the_range_that_is_there(tmp_path: Path) -> None:
    files = in_files(R)
    files[1] = b""
    write_all(tmp_path / "blocks", files, KEY)
    said = backfill(tmp_path / "blocks", "--data-dir", tmp_path, "--json")
    figures = json.loads(said.stdout)
    assert (figures["first_height"], figures["last_height"], figures["blocks"]) == (40, LENGTH, 40)
    assert figures["left_out"] == [
        {
            "kind": "unlinked_block",
            "count": 20,
            "why": "is blk00001.dat missing?",
            "examples": ["heights 0 to 19"],
        }
    ]
    assert (
        "left out: 20 blocks that do not link (heights 0 to 19): is blk00001.dat missing?"
        in said.stderr
    )
    asked = backfill(tmp_path / "blocks", "--data-dir", tmp_path, "--from", "0", status=1)
    assert "the source has 40 to 79" in str(asked.exception)
    assert "is blk00001.dat missing?" in str(asked.exception)


@pytest.mark.slow
@pytest.mark.parametrize("prove", [False, True])
@pytest.mark.parametrize("form", ["store", "parquet"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda r: r[:150],  # half of it: the next record is where it should not be
        lambda r: r[:150].ljust(len(r), b"\0"),  # a lost sector: everything is in its place
        lambda r: r[:92] + b"\xff" * 9 + r[101:],  # no coinbase any more
        lambda r: r[:131] + b"\x07" + r[132:],  # another height in it
    ],
    ids=["cut", "zeros", "no coinbase", "height"],
)
def test_one_damaged_block_costs_one_block(
    tmp_path: Path, damage: object, form: str, prove: bool
) -> None:
    assert callable(damage)
    at = 33
    parts = list(R)
    parts[at] = damage(R[at])
    write_all(tmp_path / "blocks", in_files(parts), KEY)
    out = ("--out", tmp_path / "all.parquet") if form == "parquet" else ("--data-dir", tmp_path)
    words = ["--json", "--range", "10", *(["--prove"] if prove else [])]
    if prove and len(parts[at]) == len(R[at]) and parts[at][92:101] == R[at][92:101]:
        pytest.skip("what reads and does not prove is refused by --prove")
    said = backfill(tmp_path / "blocks", *out, *words)
    figures = json.loads(said.stdout)
    assert (figures["first_height"], figures["last_height"], figures["fetched_blocks"]) == (
        0,
        LENGTH,
        LENGTH + 1,
    )
    offset = sum(map(len, R[20:at])) + 8
    assert figures["left_out"] == [
        {
            "kind": "blk_record",
            "count": 1,
            "why": "the block cannot be read whole",
            "examples": [f"blk00001.dat, offset {offset}"],
        }
    ]
    if form == "parquet":
        frame = read_export(tmp_path / "all.parquet")
        assert len(frame) == LENGTH + 1
        assert frame["height"][frame["tx_count"].isna()].tolist() == [at]
        return
    store = open_store(tmp_path / "regtest.sqlite", "regtest", read_only=True)
    blocks = list(store.blocks(0, LENGTH + 1))
    store.close()
    assert [block.header for block in blocks] == [block.raw[:80] for block in chain(LENGTH)]
    assert [block.ref.height for block in blocks if block.coinbase_tx is None] == [at]
    assert blocks[at].proof == "header"


def test_nothing_is_said_where_nothing_is_left_out(tmp_path: Path) -> None:
    write_all(tmp_path / "blocks", in_files(R))
    said = backfill(tmp_path / "blocks", "--data-dir", tmp_path, "--json")
    assert json.loads(said.stdout)["left_out"] == []
    assert "left out" not in said.stderr
