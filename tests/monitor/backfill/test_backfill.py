"""The past by way of ``poolscope backfill``: from every source, into every target, in pieces."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from analyzers.frames import read_export
from hashing.params import REGTEST
from monitor.cli import cli
from monitor.relabel import registry_of
from monitor.store.sql import SqlStore, open_store
from monitor.workers import in_order
from tests.support.blocks import extend, genesis
from tests.support.node import CORE_28, CORE_31, RegtestNode, blocks_folder
from tests.support.node.flavours import Flavour
from tests.support.registries import without_slug
from tests.support.sparse import GENESIS_COINBASE

HEIGHT = 130


@pytest.fixture(scope="module")
def cores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return blocks_folder(tmp_path_factory.mktemp("core"), HEIGHT)


@pytest.fixture
def folder(cores: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cores, tmp_path / "blocks"))


def backfill(*arguments: str | Path, status: int = 0) -> Result:
    words = ["backfill", "--network", "regtest", "--workers", "1", *map(str, arguments)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == status, (result.output, result.exception)
    return result


def stored(directory: Path) -> SqlStore:
    return open_store(directory / "regtest.sqlite", "regtest", read_only=True)


def exported(directory: Path) -> pd.DataFrame:
    out = directory / "exported.parquet"
    words = ["export", "--network", "regtest", "--data-dir", str(directory), "--out", str(out)]
    assert CliRunner().invoke(cli, words).exit_code == 0
    return read_export(out)


@pytest.mark.slow
def test_store_and_files_say_the_same(cores: Path, tmp_path: Path) -> None:
    said = backfill("--blocks-dir", cores, "--data-dir", tmp_path, "--range", "30", "--json")
    figures = json.loads(said.stdout)
    assert (figures["first_height"], figures["last_height"], figures["fetched_blocks"]) == (
        0,
        HEIGHT,
        HEIGHT + 1,
    )
    backfill("--blocks-dir", cores, "--out", tmp_path / "all.parquet", "--range", "30")
    backfill("--blocks-dir", cores, "--out", tmp_path / "parts", "--range", "30")

    whole = read_export(tmp_path / "all.parquet")
    pd.testing.assert_frame_equal(whole, exported(tmp_path), check_categorical=False)
    parts = sorted((tmp_path / "parts").iterdir())
    assert [part.name for part in parts][-1] == "blocks-000000120-000000130.parquet"
    joined = pd.concat([read_export(part) for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(
        joined.astype({"pool": str, "proof": str}), whole.astype({"pool": str, "proof": str})
    )
    assert set(whole["proof"]) == {"header"}
    assert whole.attrs["network"] == "regtest"
    hidden = [path.name for path in tmp_path.rglob(".*")]
    assert not hidden


def test_again_changes_nothing(cores: Path, tmp_path: Path) -> None:
    for arguments in (("--data-dir", tmp_path), ("--out", tmp_path / "all.parquet")):
        backfill("--blocks-dir", cores, *arguments)
        files = [*tmp_path.glob("*.sqlite"), *tmp_path.glob("*.parquet")]
        before = {path: (path.stat().st_ino, path.read_bytes()) for path in files}
        said = backfill("--blocks-dir", cores, *arguments, "--json")
        assert json.loads(said.stdout)["fetched_blocks"] == 0
        assert {path: (path.stat().st_ino, path.read_bytes()) for path in files} == before


def test_the_store_grows_at_both_ends(cores: Path, tmp_path: Path) -> None:
    common = ("--blocks-dir", cores, "--data-dir", tmp_path, "--range", "10")
    backfill(*common, "--from", "57", "--to", "83")
    gap = backfill(*common, "--to", "55", status=1)
    assert "can have no gap" in str(gap.exception)
    backfill(*common)
    store = stored(tmp_path)
    assert [block.ref.height for block in store.blocks(0, 1000)] == list(range(HEIGHT + 1))
    store.close()


@pytest.mark.slow
def test_a_backfill_leaves_one_registry(cores: Path, tmp_path: Path) -> None:
    """Of what was there before under another one, too, and though it was interrupted."""
    mine = without_slug("foundryusa", tmp_path)
    common = ("--blocks-dir", cores, "--data-dir", tmp_path, "--range", "10")
    backfill(*common, "--from", "57", "--to", "83")
    backfill(*common, "--registry", mine)
    store = stored(tmp_path)
    assert store.by_registry() == {registry_of(mine).version: HEIGHT + 1}
    assert "foundryusa" not in store.columns(("pool",))["pool"]
    store.close()
    again = backfill(*common, "--json")
    assert json.loads(again.stdout)["fetched_blocks"] == 0
    store = stored(tmp_path)
    assert store.by_registry() == {registry_of(None).version: HEIGHT + 1}
    store.close()


def test_a_backfill_waits_for_nobody_who_writes(cores: Path, tmp_path: Path) -> None:
    common = ("--blocks-dir", cores, "--data-dir", tmp_path)
    with closing(open_store(tmp_path / "regtest.sqlite", "regtest")) as agent:
        assert agent.lead()
        said = str(backfill(*common, status=1).exception)
        assert f"another agent writes to it (process {os.getpid()}); it must stop" in said
        assert agent.tip() is None
    backfill(*common)


@pytest.mark.slow
def test_files_follow_a_chain_that_grew_and_one_that_changed(folder: Path, tmp_path: Path) -> None:
    parts, whole = tmp_path / "parts", tmp_path / "all.parquet"
    for out in (parts, whole):
        backfill("--blocks-dir", folder, "--out", out, "--range", "50")
    with RegtestNode(datadir=folder.parent / "node", blocks=0) as node:
        longer = node.chain.directory / "blocks"
        node.mine(HEIGHT + 5)
        backfill("--blocks-dir", longer, "--out", parts, "--range", "50")
        backfill("--blocks-dir", longer, "--out", whole, "--range", "50")
    names = sorted(path.name for path in parts.iterdir())
    assert names[-1] == "blocks-000000100-000000135.parquet"
    assert len(names) == 3
    tips = {read_export(path).attrs["tip"] for path in (parts / names[-1], whole)}
    assert len(tips) == 1
    assert len(read_export(whole)) == HEIGHT + 6
    clash = backfill("--blocks-dir", folder, "--out", parts, "--range", "70", status=1)
    assert "of other ranges" in str(clash.exception)


@pytest.mark.slow
def test_bodies_are_proved_where_asked(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    backfill("--blocks-dir", folder, "--out", out)
    backfill("--blocks-dir", folder, "--out", out, "--prove")
    assert set(read_export(out)["proof"]) == {"coinbase"}

    chain = [genesis(), *extend(genesis(), 3)]
    torn = bytearray(chain[2].raw)
    torn[-60] ^= 1  # within the last output: the coinbase still reads
    lies = tmp_path / "lies"
    lies.mkdir()
    first = chain[0].raw + b"\x01" + GENESIS_COINBASE
    raws = [first, chain[1].raw, bytes(torn), chain[3].raw]
    records = [REGTEST.magic + len(raw).to_bytes(4, "little") + raw for raw in raws]
    (lies / "blk00000.dat").write_bytes(b"".join(records))
    said = backfill("--blocks-dir", lies, "--data-dir", tmp_path / "st", "--prove", status=1)
    assert "Merkle root" in str(said.exception)


@pytest.mark.slow
@pytest.mark.parametrize(("flavour", "rest"), [(CORE_31, True), (CORE_31, False), (CORE_28, True)])
def test_a_node_by_every_way(flavour: Flavour, rest: bool, tmp_path: Path) -> None:
    with RegtestNode(flavour, blocks=60, rest=rest, user="u", password="p") as node:
        url = node.url.replace("//", "//u:p@")
        backfill("--bitcoind", url, "--data-dir", tmp_path, "--range", "25")
        backfill("--bitcoind", url, "--data-dir", tmp_path / "proved", "--prove")
        store, proved = stored(tmp_path), stored(tmp_path / "proved")
        assert store.tip() == proved.tip() == node.tip
        for cheap, dear in zip(store.blocks(0, 99), proved.blocks(0, 99), strict=True):
            assert cheap.coinbase_tx == dear.coinbase_tx
            assert cheap.attribution == dear.attribution
            assert dear.proof == "coinbase"
        store.close()
        proved.close()


@pytest.mark.slow
def test_the_sample_has_a_past_too(tmp_path: Path) -> None:
    words = ["backfill", "--source", "sample", "--data-dir", str(tmp_path), "--json"]
    result = CliRunner().invoke(cli, [*words, "--to", "824600"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["fetched_blocks"] == 824_600 - 822_528 + 1
    store = open_store(tmp_path / "sample.sqlite", "mainnet", synthetic="sample", read_only=True)
    assert store.counts().blocks == 824_600 - 822_528 + 1
    store.close()


@pytest.mark.slow
def test_what_a_foreign_list_holds_in_vain_is_logged(tmp_path: Path) -> None:
    list_file = tmp_path / "pools.json"
    tags = ["/FOUNDRY usa pool", "(?=x)"]
    list_file.write_text(json.dumps([{"id": 1, "name": "One", "tags": tags, "addresses": ["x"]}]))
    words = ["backfill", "--source", "sample", "--data-dir", str(tmp_path), "--to", "822600"]
    result = CliRunner().invoke(cli, [*words, "--registry", str(list_file)])
    assert result.exit_code == 0, result.output
    for told in ("One: (?=x)): the expression looks around", "One: x): it is no Bitcoin address"):
        assert f"left out: 1 entry of the pool list ({told}" in result.stderr
    store = open_store(tmp_path / "sample.sqlite", "mainnet", synthetic="sample", read_only=True)
    assert {block.attribution.pool for block in store.blocks(822_528, 822_601)} <= {"one", None}
    store.close()


def test_what_cannot_be_fetched_is_said(cores: Path, tmp_path: Path) -> None:
    common = ("--blocks-dir", cores, "--data-dir", tmp_path)
    assert "the source has 0 to 130" in str(backfill(*common, "--from", "131", status=1).exception)
    other = backfill("--network", "signet", *common, status=1)
    assert "holds regtest" in str(other.exception)
    rehearsal = CliRunner().invoke(cli, ["backfill", "--set", "source=rehearsal"])
    assert "no past to fetch" in str(rehearsal.exception)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def test_results_come_in_order_and_never_far_ahead(executor: ThreadPoolExecutor) -> None:
    submitted = 0
    gate = threading.Event()

    def calls() -> Iterator[tuple[object, ...]]:
        nonlocal submitted
        for number in range(40):
            submitted += 1
            yield (lambda n: gate.wait(30) and n if n == 0 else n, number)
            if submitted == 4:
                gate.set()

    results = []
    for taken, (call, result) in enumerate(in_order(executor, calls(), 5)):
        assert submitted - taken <= 5
        assert result in (call[1], 0)
        results.append(call[1])
    assert results == list(range(40))


@pytest.mark.slow
def test_processes_give_the_same_bytes(cores: Path, tmp_path: Path) -> None:
    for workers in ("1", "2"):
        backfill(
            *("--blocks-dir", cores, "--range", "20", "--workers", workers),
            *("--out", tmp_path / f"{workers}.parquet"),
        )
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".parts")]
