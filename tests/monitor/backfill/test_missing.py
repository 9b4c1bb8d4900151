"""``poolscope backfill --missing``: what is known by its header alone, filled from anywhere."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.backfill import missing
from monitor.cli import cli
from monitor.errors import ConfigError, SourceUnavailable, StoreError
from monitor.sources.each import each_block
from monitor.store.base import Step, StoredBlock
from monitor.store.sql import open_store
from tests.support.esplora import EsploraServer
from tests.support.gaps import served, store_with_gaps, whole
from tests.support.node import CORE_28, CORE_31, RegtestNode
from tests.support.node.flavours import Flavour

HEIGHT = 60
GAPS = {5, *range(20, 31), 59}


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(blocks=HEIGHT, user="u", password="p") as node:
        yield node


@pytest.fixture
def data(node: RegtestNode, tmp_path: Path) -> Path:
    """A data directory whose store has gaps."""
    store_with_gaps(tmp_path / "regtest.sqlite", node, GAPS)
    return tmp_path


def at(node: RegtestNode) -> tuple[str, str]:
    return "--bitcoind", node.url.replace("//", "//u:p@")


def fill(data: Path, *arguments: str | Path, status: int = 0) -> Result:
    words = ["backfill", "--missing", "--network", "regtest", "--data-dir", str(data)]
    result = CliRunner().invoke(cli, [*words, *map(str, arguments)])
    assert result.exit_code == status, (result.output, result.exception)
    return result


def stored(data: Path) -> list[StoredBlock]:
    with closing(open_store(data / "regtest.sqlite", "regtest", read_only=True)) as store:
        return list(store.blocks(0, 1000))


def left(data: Path) -> set[int]:
    return {block.ref.height for block in stored(data) if block.header_only}


def filled(node: RegtestNode, source: str) -> list[StoredBlock]:
    return [
        whole(node, height, source if height in GAPS else "bitcoind")
        for height in range(HEIGHT + 1)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("flavour", "rest"), [(CORE_31, True), (CORE_31, False), (CORE_28, True)])
def test_from_a_node(flavour: Flavour, rest: bool, tmp_path: Path) -> None:
    with RegtestNode(flavour, blocks=HEIGHT, rest=rest, user="u", password="p") as node:
        store_with_gaps(tmp_path / "regtest.sqlite", node, GAPS)
        said = fill(tmp_path, *at(node), "--json")
        assert json.loads(said.stdout) | {"duration_seconds": 0} == {
            "schema_version": 1,
            "missing_blocks": len(GAPS),
            "filled_blocks": len(GAPS),
            "remaining_blocks": 0,
            "duration_seconds": 0,
            "left_out": [],
        }
        assert stored(tmp_path) == filled(node, "bitcoind")


def test_from_block_files(node: RegtestNode, data: Path) -> None:
    said = fill(data, "--blocks-dir", node.chain.directory / "blocks")
    assert f"filled {len(GAPS)} of {len(GAPS)} blocks" in said.stderr
    assert stored(data) == filled(node, "blkfiles")


@pytest.mark.slow
async def test_from_a_public_api(node: RegtestNode, data: Path) -> None:
    async with EsploraServer(served(node)) as server:
        urls = f'esplora.urls=["{server.url}"]'
        await asyncio.to_thread(fill, data, "--source", "esplora", "--set", urls)
        assert len(server.requests) < 5 * len(GAPS)  # of no other block
    assert stored(data) == filled(node, "esplora")


@pytest.mark.slow
def test_from_an_own_node_that_keeps_them_by_now(node: RegtestNode, data: Path) -> None:
    node.faults.pruned_below = 25
    said = fill(data, *at(node), "--json", status=1)
    figures = json.loads(said.stdout)
    assert (figures["missing_blocks"], figures["filled_blocks"], figures["remaining_blocks"]) == (
        13,
        7,
        6,
    )
    assert figures["left_out"] == [
        {
            "kind": "header_only_block",
            "count": 6,
            "why": "bitcoind has no more than the header",
            "examples": ["5", "20", "21", "22", "23"],
        }
    ]
    node.faults.pruned_below = 0
    fill(data, *at(node))
    assert stored(data) == filled(node, "bitcoind")


@pytest.mark.slow
def test_again_changes_nothing(node: RegtestNode, data: Path) -> None:
    fill(data, *at(node))
    before = (data / "regtest.sqlite").read_bytes()
    node.requests.clear()
    said = fill(data, *at(node))
    assert "no block is stored by its header alone" in said.stderr
    assert node.requests == []
    assert (data / "regtest.sqlite").read_bytes() == before


@pytest.mark.slow
def test_several_sources_in_their_order(node: RegtestNode, data: Path, tmp_path: Path) -> None:
    with RegtestNode(datadir=tmp_path / "second", user="u", password="p") as second:
        for height in range(1, 28):
            second.submit(node.chain.raw(node.chain.at(height)))
        node.faults.pruned_below = 22
        said = fill(data, *at(node), *at(second))
    by = {block.ref.height: block.source for block in stored(data)}
    assert {by[height] for height in (5, 20, 21)} == {"bitcoind-2"}
    assert {by[height] for height in (22, 27, 59)} == {"bitcoind"}
    assert "left out" not in said.stderr


@pytest.mark.slow
def test_block_files_and_then_a_node(node: RegtestNode, data: Path, tmp_path: Path) -> None:
    with RegtestNode(datadir=tmp_path / "short") as short:
        for height in range(1, 25):
            short.submit(node.chain.raw(node.chain.at(height)))
        folder = shutil.copytree(short.chain.directory / "blocks", tmp_path / "files")
    fill(data, "--source", "blkfiles,bitcoind", "--blocks-dir", folder, *at(node))
    by = {block.ref.height: block.source for block in stored(data)}
    assert {by[height] for height in (5, 20, 24)} == {"blkfiles"}
    assert {by[height] for height in (25, 30, 59)} == {"bitcoind"}


def test_without_a_named_source_no_stranger_is_asked(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(data))
    monkeypatch.delenv("BITCOIN_DATADIR", raising=False)
    failure = fill(data, status=1).exception
    assert isinstance(failure, ConfigError)
    assert "--source esplora" in str(failure)


def test_a_part_of_the_store(node: RegtestNode, data: Path) -> None:
    fill(data, *at(node), "--from", "6", "--to", "22")
    assert left(data) == GAPS - {20, 21, 22}


def test_a_source_that_is_down_leaves_it_to_the_next(
    node: RegtestNode,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(missing, "_PAUSES", (0.01,))
    with RegtestNode(datadir=tmp_path / "down", user="u", password="p") as down:
        down.stop()
        said = fill(data, *at(down), *at(node), "--source", "bitcoind")
    assert "going on without bitcoind:" in said.stderr
    assert left(data) == set()


def test_sources_that_are_all_down_end_it(
    node: RegtestNode, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "_PAUSES", (0.01,))
    node.stop()
    failure = fill(data, *at(node), "--source", "bitcoind", status=1).exception
    assert isinstance(failure, SourceUnavailable)
    assert "connection refused" in str(failure)
    assert left(data) == GAPS


def test_what_came_before_a_source_went_down_is_kept(
    node: RegtestNode, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing, "_PAUSES", ())

    async def until_24(source: object, refs: list[tuple[int, bytes]], want: object) -> object:
        if refs[0][0] > 24:
            raise SourceUnavailable("gone")
        return await each_block(source, refs, want)  # type: ignore[arg-type]

    monkeypatch.setattr(missing, "each_block", until_24)
    fill(data, *at(node), "--range", "2", status=1)
    assert left(data) == {height for height in GAPS if height > 24}


@pytest.mark.slow
def test_a_node_that_is_busy_is_waited_for(node: RegtestNode, data: Path) -> None:
    asked = 0

    def sometimes(*_: object) -> object:
        nonlocal asked
        asked += 1
        return asked < 4

    kind = type(node.faults)
    busy = property(sometimes, lambda *_: None)
    node.faults = type("Busy", (kind,), {"queue_full": busy})()
    fill(data, *at(node), "--source", "bitcoind")
    assert asked >= 4
    assert left(data) == set()


def test_a_lie_is_refused(node: RegtestNode, data: Path) -> None:
    node.faults.forge = "coinbase"
    figures = json.loads(fill(data, *at(node), "--json", status=1).stdout)
    assert (figures["filled_blocks"], figures["remaining_blocks"]) == (0, len(GAPS))
    (why,) = figures["left_out"]
    assert "does not prove itself" in why["why"]
    assert left(data) == GAPS


@pytest.mark.slow
def test_one_unreadable_block_is_not_all(
    node: RegtestNode, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = node.chain.raw(node.chain.at(21))
    plain = node.faults.on_block
    monkeypatch.setattr(
        type(node.faults), "on_block", lambda _, raw: raw[:90] if raw == bad else plain(raw)
    )
    node.rest = False
    said = fill(data, *at(node), status=1)
    assert "(21): bitcoind gives nothing that can be read" in said.stderr
    assert left(data) == {21}


@pytest.mark.slow
def test_blocks_that_left_the_chain_are_left_out(node: RegtestNode, data: Path) -> None:
    node.reorg(3)
    fill(data, *at(node))  # the node still has the stale block that is stored
    assert left(data) == set()


@pytest.mark.slow
def test_a_node_of_another_chain_fills_nothing(node: RegtestNode, data: Path) -> None:
    with RegtestNode(blocks=HEIGHT, seed=7, user="u", password="p") as other:
        said = fill(data, *at(other), status=1)
    assert "bitcoind does not have it" in said.stderr
    assert left(data) == GAPS


def test_another_writer_keeps_it_out(node: RegtestNode, data: Path) -> None:
    with closing(open_store(data / "regtest.sqlite", "regtest")) as agent:
        agent.lead()
        failure = fill(data, *at(node), status=1).exception
        assert isinstance(failure, StoreError)
        assert "another agent writes to it" in str(failure)
    assert left(data) == GAPS


def test_where_there_is_no_store_none_is_made(node: RegtestNode, tmp_path: Path) -> None:
    failure = fill(tmp_path, *at(node), status=1).exception
    assert "no store at" in str(failure)
    assert not list(tmp_path.glob("*.sqlite"))


@pytest.mark.parametrize("option", [("--out", "x.parquet"), ("--scheduler", "tcp://127.0.0.1:1")])
def test_it_fills_nothing_but_the_store(data: Path, option: tuple[str, str]) -> None:
    assert "--missing" in fill(data, *option, status=2).stderr


@pytest.mark.slow
def test_the_commands_say_what_is_missing(node: RegtestNode, data: Path) -> None:
    def say(*words: str) -> Result:
        return CliRunner().invoke(
            cli, [*words, "--network", "regtest", "--data-dir", str(data)], catch_exceptions=False
        )

    assert f"{len(GAPS)} of them by the header alone; 'poolscope backfill" in say("status").stdout
    assert json.loads(say("status", "--json").stdout)["store"]["header_only_blocks"] == len(GAPS)
    assert "poolscope backfill --missing" in say("block", "21").stdout
    assert "poolscope backfill --missing" not in say("block", "31").stdout
    unknown = say("audit", "unknown", "--by", "shape", "--min-blocks", "1", "--json")
    clusters = json.loads(unknown.stdout)["clusters"]
    assert not GAPS & {height for cluster in clusters for height in cluster["heights"]}
    assert f"left out: {len(GAPS)} blocks" in unknown.stderr
    fill(data, *at(node))
    assert "header alone" not in say("status").stdout
    assert say("audit", "unknown", "--json").stderr.count("left out") == 0


def test_a_stale_header_only_block_is_not_missing(node: RegtestNode, tmp_path: Path) -> None:
    store_with_gaps(tmp_path / "regtest.sqlite", node, {HEIGHT})
    (new,) = node.reorg(1)[-1:]
    with closing(open_store(tmp_path / "regtest.sqlite", "regtest")) as store:
        replaced = [whole(node, height) for height in range(HEIGHT, new.height + 1)]
        store.apply(Step(replaced, rollback_to=HEIGHT - 1))
    assert "no block is stored by its header alone" in fill(tmp_path, *at(node)).stderr
