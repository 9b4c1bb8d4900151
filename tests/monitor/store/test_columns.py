"""A column is said once: one more in the list is stored, upgraded to, exported and read.

The tests add one to a copy of the program, as docs/contributing.md tells: a field, a migration.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analyzers import columns
from monitor.store import tables

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
STORE = ROOT / "tests" / "vectors" / "stores" / "rehearsal-0.1.0.sqlite.gz"

DERIVATION = '''

def coinbase_size_in(_header: bytes, coinbase: bytes | None) -> int | None:
    """Return how many bytes a coinbase has."""
    from hashing.wire import read_coinbase_parts

    return None if coinbase is None else read_coinbase_parts(coinbase).end


def coinbase_size_of(block: ProvedBlock) -> int | None:
    """Return how many bytes the block's coinbase has."""
    return coinbase_size_in(block.header, block.coinbase)
'''
SINCE = columns.EXPORT_VERSION + 1
FIELD = f"""
    coinbase_size: Annotated[
        int | None, Column(COUNT, coinbase_size_of, "Bytes of the coinbase.", since={SINCE})
    ] = None
"""
MIGRATION = f'''
import sqlalchemy as sa
from alembic import op

from analyzers.columns import coinbase_size_in
from monitor.store.migrations.filling import fill

revision = "9000"
down_revision = "{tables.SCHEMA}"


def upgrade() -> None:
    op.add_column("block", sa.Column("coinbase_size", sa.Integer))
    fill(op.get_bind(), "coinbase_size", coinbase_size_in)
'''
CHILD = """
import json, pickle, sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analyzers.columns import PROOFS, markdown, coinbase_size_in
from analyzers.registry import load_registry
from hashing.wire import read_coinbase_parts
from monitor.backfill.core import Piece
from monitor.backfill.work import Found, Job
from monitor.store.rows import to_row
from monitor.store.sql import open_store


@dataclass
class Stored:
    blocks: list

    def read(self, piece):
        for block in self.blocks:
            parts = read_coinbase_parts(block.coinbase_tx)
            proof = PROOFS.index(block.proof)
            facts = (block.tx_count, block.size, block.label, block.first_seen)
            yield Found(block.coinbase_tx, parts.script_sig, parts.outputs, proof, *facts)


with closing(open_store(Path(sys.argv[1]), "regtest", synthetic="rehearsal")) as store:
    blocks = list(store.blocks(0, 1_000_000))
    stored = store.arrays(("coinbase_size",)).columns["coinbase_size"].tolist()
headers = np.frombuffer(b"".join(block.header for block in blocks), np.uint8).reshape(-1, 80)
piece = Piece(blocks[0].ref.height, headers, None)
registry = pickle.dumps(load_registry())
rows = Job(Stored(blocks), "test", registry, "rows")(piece)
table = Job(Stored(blocks), "test", registry, "table")(piece)
print(json.dumps({
    "truth": [coinbase_size_in(block.header, block.coinbase_tx) for block in blocks],
    "upgraded": stored,
    "one by one": [to_row(block).coinbase_size for block in blocks],
    "backfilled rows": [row.coinbase_size for row in rows],
    "backfilled table": table["coinbase_size"].to_pylist(),
    "documented": "| `coinbase_size` | int32 | Bytes of the coinbase. |" in markdown(exported=True),
}))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program that has one more column."""
    folder = tmp_path_factory.mktemp("program")
    for package in ("hashing", "analyzers", "monitor"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    spec = folder / "analyzers" / "columns.py"
    text = spec.read_text("utf-8")
    row, said = text.index("\n\nclass BlockRow("), text.index("\n\ndef _said(")
    spec.write_text(text[:row] + DERIVATION + text[row:said] + FIELD + text[said:], "utf-8")
    versions = folder / "monitor" / "store" / "migrations" / "versions"
    (versions / "9000_coinbase_size.py").write_text(MIGRATION, "utf-8")
    (folder / "old.sqlite").write_bytes(gzip.decompress(STORE.read_bytes()))
    return folder


def run(program: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=program, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def told(program: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run(program, "-c", CHILD, "old.sqlite"))
    return said


@pytest.mark.parametrize("way", ["upgraded", "one by one", "backfilled rows", "backfilled table"])
def test_every_way_into_a_store_or_a_file_fills_it(told: dict[str, Any], way: str) -> None:
    assert len(told["truth"]) == 117
    assert len(set(told["truth"])) > 2
    assert told[way] == told["truth"]


def test_every_form_of_export_has_it(program: Path, told: dict[str, Any]) -> None:
    place = ("--network", "regtest", "--set", "source=rehearsal", "--store", "sqlite:///old.sqlite")
    words = ("-m", "monitor", "export", *place, "--out", "-", "--format")
    rows = list(csv.DictReader(io.StringIO(run(program, *words, "csv"))))
    assert list(rows[0]) == [*columns.EXPORTED, "coinbase_size"]
    assert [int(row["coinbase_size"]) for row in rows] == told["truth"]
    lines = run(program, *words, "jsonl").splitlines()
    assert [json.loads(line)["coinbase_size"] for line in lines] == told["truth"]
    run(program, *words[:-3], "--out", "blocks.parquet")
    frame = (
        "from analyzers.frames import read_export; f = read_export('blocks.parquet'); "
        "print(f.attrs['schema'], f['coinbase_size'].dtype, f['coinbase_size'].tolist())"
    )
    assert run(program, "-c", frame) == f"{SINCE} Int32 {told['truth']}\n"


def test_the_tables_of_the_documentation_have_it(told: dict[str, Any]) -> None:
    assert told["documented"]
