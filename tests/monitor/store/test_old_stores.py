"""Stores that a released version really wrote are upgraded without a loss.

The files were written by poolscope 0.1.0: the agent over the rehearsal (reorgs every few blocks),
attributed anew under another registry; and over the sample. No code of today made them.
"""

from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path

from monitor.store.base import Counts
from monitor.store.sql import SqlStore, open_store

STORES = Path(__file__).parents[2] / "vectors" / "stores"
NETWORKS = {"rehearsal": "regtest", "sample": "mainnet"}


def stored(name: str, version: str, folder: Path) -> Path:
    path = folder / f"{name}.sqlite"
    path.write_bytes(gzip.decompress((STORES / f"{name}-{version}.sqlite.gz").read_bytes()))
    return path


def upgraded(name: str, folder: Path) -> SqlStore:
    path = stored(name, "0.1.0", folder)
    return open_store(path, NETWORKS[name], synthetic=name)


def test_the_rehearsal_of_0_1_0(tmp_path: Path) -> None:
    with closing(upgraded("rehearsal", tmp_path)) as store:
        assert store.counts() == Counts(
            blocks=170, stale=53, reorgs=5, deepest_reorg=1, header_only=0
        )
        tip = store.tip()
        assert tip is not None
        assert (tip.height, store.first_height()) == (2217, 2101)
        block = store.block(tip.hash)
        assert block is not None
        assert block.proof == "coinbase"
        assert block.attribution.evidence
        assert block.coinbase_tx
        last = block.attribution
        assert last.registry_version.startswith("271c6b142fddbcbe")
        assert (last.pool, last.rule) == ("foundryx", "tag+payout")


def test_the_sample_of_0_1_0(tmp_path: Path) -> None:
    with closing(upgraded("sample", tmp_path)) as store:
        assert store.counts().blocks == 30
        blocks = list(store.blocks(0, 1_000_000))
        assert [block.proof for block in blocks] == ["header"] * 30
        assert all(block.label and block.attribution.pool for block in blocks)
