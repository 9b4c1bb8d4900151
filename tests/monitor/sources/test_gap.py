"""Nodes that do not keep all blocks, and whoever else has them: the agent's way, of real parts."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from analyzers.attribution import attribute
from hashing.params import REGTEST
from monitor.agent.follower import Follower
from monitor.agent.ingest import Ingest
from monitor.metrics.exporter import AgentMetrics
from monitor.sources.base import BlockSource
from monitor.sources.bitcoind import BitcoindSource
from monitor.sources.blkfiles import BlkFilesSource
from monitor.sources.paired import NodeWithFiles
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blkfiles import record
from tests.support.blocks import extend, genesis
from tests.support.esplora import EsploraServer
from tests.support.esplora.following import source_of
from tests.support.gaps import REGISTRY, served
from tests.support.node import CORE_28, CORE_30, CORE_31, RegtestNode
from tests.support.node.flavours import Flavour

HEIGHT = 200
PRUNED = 150
WAYS = [(CORE_28, True), (CORE_30, True), (CORE_31, True), (CORE_31, False)]


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(blocks=HEIGHT) as node:
        yield node


def bitcoind(node: RegtestNode) -> BitcoindSource:
    return BitcoindSource(node.url, cookie=node.cookie, network="regtest")


def archive(node: RegtestNode, folder: Path) -> Path:
    """The node's block files as somebody copied them before it pruned."""
    return Path(shutil.copytree(node.chain.directory / "blocks", folder / "archive"))


async def caught_up(
    sources: Sequence[BlockSource],
    path: Path,
    *,
    catch_up: int = 2016,
    on_step: Callable[[Step, int], None] = lambda _step, _left: None,
) -> None:
    """Follow `sources` until the store is at their tip, as a run of the agent does."""
    store = open_store(path, "regtest")
    tip, first = store.tip(), store.first_height()
    follower = Follower(
        REGTEST,
        lambda coinbase, height, label: attribute(coinbase, REGISTRY, height=height, label=label),
        catch_up,
        None if tip is None or first is None else (first, tip),
        time.time,
    )
    with closing(store), ThreadPoolExecutor(1) as executor:
        ingest = Ingest(
            sources,
            store=store,
            follower=follower,
            metrics=AgentMetrics(),
            executor=executor,
            on_step=on_step,
        )
        running = asyncio.create_task(ingest.run())
        async with AsyncExitStack() as stack:
            for source in sources:
                stack.push_async_callback(source.close)
            while ingest.behind is not None:
                assert not running.done()
                await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.wait({running})


async def away(node: RegtestNode, path: Path) -> None:
    """Leave a store as an agent does that stopped at height 100."""
    node.show(100)
    await caught_up([bitcoind(node)], path, catch_up=20)
    node.show(None)


def kept(path: Path) -> dict[int, str]:
    """Height -> source of the blocks that are stored; empty for one that is header-only."""
    with closing(open_store(path, "regtest", read_only=True)) as store:
        tip = store.tip()
        assert tip is not None
        blocks = list(store.blocks(0, tip.height + 1))
        bare = [block.height for block in store.header_only(0, HEIGHT + 1)]
        assert bare == [block.ref.height for block in blocks if block.header_only]
        assert store.counts().header_only == len(bare)
        return {block.ref.height: "" if block.header_only else block.source for block in blocks}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the agent itself warned of."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("monitor") and record.levelno >= logging.WARNING
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("flavour", "rest"), WAYS)
async def test_a_first_start_on_a_pruned_node(
    flavour: Flavour, rest: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor")
    with RegtestNode(flavour, rest=rest, blocks=HEIGHT) as node:
        node.faults.pruned_below = PRUNED
        await caught_up([bitcoind(node)], tmp_path / "s")
    assert kept(tmp_path / "s") == dict.fromkeys(range(PRUNED, HEIGHT + 1), "bitcoind")
    assert "bitcoind keeps blocks from height 150 on" in caplog.text
    assert warnings(caplog) == []


@pytest.mark.slow
async def test_a_first_start_that_wants_less_than_a_pruned_node_keeps(
    node: RegtestNode, tmp_path: Path
) -> None:
    node.faults.pruned_below = PRUNED
    await caught_up([bitcoind(node)], tmp_path / "s", catch_up=10)
    assert kept(tmp_path / "s") == dict.fromkeys(range(191, HEIGHT + 1), "bitcoind")


@pytest.mark.slow
async def test_a_first_start_above_a_snapshot_that_is_still_being_checked(
    node: RegtestNode, tmp_path: Path
) -> None:
    node.faults.awaited_below = PRUNED
    await caught_up([bitcoind(node)], tmp_path / "s")
    assert min(kept(tmp_path / "s")) == PRUNED


@pytest.mark.slow
@pytest.mark.parametrize(("flavour", "rest"), WAYS)
@pytest.mark.parametrize("why", ["pruned", "awaited", "unreadable"])
async def test_an_agent_that_was_away_goes_on(
    flavour: Flavour, rest: bool, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RegtestNode(flavour, rest=rest, blocks=HEIGHT) as node:
        await away(node, tmp_path / "s")
        gap = range(101, PRUNED)
        match why:
            case "pruned":
                node.faults.pruned_below = gap.stop
            case "awaited":
                node.faults.awaited_below = gap.stop
            case "unreadable":
                gap = range(120, 123)
                node.faults.bad_blocks = {node.chain.at(height).ref.hash for height in gap}
        await caught_up([bitcoind(node)], tmp_path / "s")
        (said,) = warnings(caplog)
        assert f"{len(gap)} blocks ({gap[0]} to {gap[-1]})" in said
        assert "poolscope backfill --missing" in said
    found = kept(tmp_path / "s")
    assert list(found) == list(range(81, HEIGHT + 1))
    assert [height for height, source in found.items() if not source] == list(gap)


@pytest.mark.slow
async def test_a_node_that_prunes_while_the_agent_catches_up(
    node: RegtestNode, tmp_path: Path
) -> None:
    await away(node, tmp_path / "s")
    node.faults.pruned_below = 110

    def prune(step: Step, _left: int) -> None:
        node.faults.pruned_below = min(step.append[-1].ref.height + 5, HEIGHT - 20)

    await caught_up([bitcoind(node)], tmp_path / "s", on_step=prune)
    found = kept(tmp_path / "s")
    assert list(found) == list(range(81, HEIGHT + 1))
    assert [height for height in range(101, 110) if found[height]] == []
    assert found[HEIGHT] == "bitcoind"


@pytest.mark.slow
@pytest.mark.parametrize("other", ["node", "files", "own files", "api"])
async def test_another_source_closes_the_gap(
    other: str, node: RegtestNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await away(node, tmp_path / "s")
    blocks_dir, chain = archive(node, tmp_path), served(node)
    node.faults.pruned_below = PRUNED
    async with AsyncExitStack() as stack:
        sources: list[BlockSource] = [bitcoind(node)]
        if other == "node":
            second = stack.enter_context(RegtestNode(datadir=tmp_path / "second"))
            for height in range(1, HEIGHT + 1):
                second.submit(node.chain.raw(node.chain.at(height)))
            sources.append(bitcoind(second))
            sources[1].name = "bitcoind-2"
        elif other == "files":
            sources.append(BlkFilesSource(blocks_dir, "regtest"))
        elif other == "own files":
            sources = [NodeWithFiles(sources[0], BlkFilesSource(blocks_dir, "regtest"))]
        else:
            server = await stack.enter_async_context(EsploraServer(chain))
            sources.append(source_of(server, "regtest"))
        await caught_up(sources, tmp_path / "s")
    found = kept(tmp_path / "s")
    names = {"node": "bitcoind-2", "files": "blkfiles", "own files": "bitcoind", "api": "esplora"}
    assert {found[height] for height in range(101, PRUNED)} == {names[other]}
    assert {found[height] for height in range(PRUNED, HEIGHT + 1)} == {"bitcoind"}
    assert "--missing" not in caplog.text


@pytest.mark.parametrize("started", [False, True])
async def test_a_block_file_that_is_pruned_while_files_are_followed(
    started: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain = [genesis(), *extend(genesis(), 60)]
    folder = tmp_path / "blocks"
    folder.mkdir()
    for number, part in enumerate((chain[:30], chain[30:50], chain[50:])):
        (folder / f"blk{number:05}.dat").write_bytes(b"".join(map(record, part)))
    if started:
        with closing(open_store(tmp_path / "s", "regtest")) as store:
            store.apply(Step([block.stored() for block in chain[10:31]]))
    source = BlkFilesSource(folder, "regtest")
    await source.open()
    (folder / "blk00001.dat").unlink()
    if not started:
        (folder / "blk00000.dat").unlink()
    await caught_up([source], tmp_path / "s")
    found = kept(tmp_path / "s")
    assert list(found) == list(range(10 if started else 50, 61))
    assert [height for height, by in found.items() if not by] == [*range(31, 50)] * started
    assert len(warnings(caplog)) == started


@pytest.mark.slow
async def test_an_api_that_lies_about_the_gap_is_refused(
    node: RegtestNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await away(node, tmp_path / "s")
    with RegtestNode(seed=9, blocks=HEIGHT) as stranger:
        foreign = served(stranger)
    chain = served(node)
    chain.active[:] = [
        own.__class__(own.height, own.header, lie.coinbase_tx, (), lie.txids, 1, own.size)
        for own, lie in zip(chain.active, foreign.active, strict=True)
    ]
    node.faults.pruned_below = PRUNED
    async with EsploraServer(chain) as server:
        await caught_up([bitcoind(node), source_of(server, "regtest")], tmp_path / "s")
    found = kept(tmp_path / "s")
    assert [height for height, source in found.items() if not source] == list(range(101, PRUNED))
    assert "esplora: block 101 " in caplog.text
