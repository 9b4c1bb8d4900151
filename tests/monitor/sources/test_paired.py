"""A node with its block files: far blocks from the files, near ones from the node."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hashing.header import BlockRef, sha256d
from monitor.agent.choose import choose_sources
from monitor.config import load_settings
from monitor.errors import NotKept
from monitor.sources.base import Want
from monitor.sources.bitcoind import BitcoindSource
from monitor.sources.blkfiles import BlkFilesSource
from monitor.sources.paired import NEAR, NodeWithFiles
from tests.monitor.sources.contract import SourceContract, World
from tests.support.node import RegtestNode

HEIGHT = NEAR + 40
FAR = range(1, 11)


@pytest.fixture(scope="module")
def node() -> Iterator[RegtestNode]:
    with RegtestNode(blocks=HEIGHT) as node:
        yield node


def paired(node: RegtestNode, folder: Path | None = None, long_way: int = NEAR) -> NodeWithFiles:
    files = BlkFilesSource(folder or node.chain.directory / "blocks", "regtest")
    return NodeWithFiles(BitcoindSource(node.url, cookie=node.cookie), files, long_way)


@pytest.fixture
async def source(node: RegtestNode) -> AsyncIterator[NodeWithFiles]:
    source = paired(node)
    await source.open()
    await source.tip()
    node.requests.clear()
    yield source
    await source.close()


async def refs(source: NodeWithFiles, heights: range) -> list[BlockRef]:
    headers = await source.headers(heights.start, len(heights))
    return [BlockRef(h, sha256d(header)) for h, header in zip(heights, headers, strict=True)]


def asked_for_blocks(node: RegtestNode) -> list[str]:
    return [request for request in node.requests if "block" in request and "header" not in request]


class TestContract(SourceContract):
    """As any other source."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        with RegtestNode(blocks=45) as own:

            async def advance() -> None:
                own.mine()

            async def grow_stale() -> None:
                own.fork()

            yield World(lambda: paired(own), advance=advance, grow_stale=grow_stale)


@pytest.mark.parametrize("want", list(Want))
async def test_far_blocks_come_from_the_files(
    node: RegtestNode, source: NodeWithFiles, want: Want
) -> None:
    wanted = await refs(source, FAR)
    blocks = await source.blocks(wanted, want)
    assert [block.ref for block in blocks] == wanted
    assert asked_for_blocks(node) == []


async def test_near_blocks_come_from_the_node(node: RegtestNode, source: NodeWithFiles) -> None:
    await source.blocks(await refs(source, FAR), Want.COINBASE)
    wanted = await refs(source, range(HEIGHT - 3, HEIGHT))
    blocks = await source.blocks(wanted, Want.COINBASE)
    assert [block.ref for block in blocks] == wanted
    assert asked_for_blocks(node)


async def test_a_short_way_is_not_worth_the_index(node: RegtestNode) -> None:
    source = paired(node, long_way=HEIGHT + 1)
    await source.open()
    await source.tip()
    node.requests.clear()
    await source.blocks(await refs(source, FAR), Want.COINBASE)
    assert asked_for_blocks(node)
    await source.close()


async def test_what_the_files_lack_the_node_gives(node: RegtestNode, tmp_path: Path) -> None:
    with RegtestNode(datadir=tmp_path, blocks=3, seed=2) as other:
        folder = other.chain.directory / "blocks"
        source = paired(node, folder)
        await source.open()
        await source.tip()
        wanted = await refs(source, FAR)
        assert [block.ref for block in await source.blocks(wanted, Want.PROVED)] == wanted
        await source.close()


async def test_what_the_node_has_pruned_the_files_give(node: RegtestNode) -> None:
    source = paired(node, long_way=HEIGHT + 1)
    node.faults.pruned_below = 30
    try:
        await source.open()
        await source.tip()
        assert source.capabilities.bodies_from == 0
        wanted = await refs(source, FAR)
        assert [block.ref for block in await source.blocks(wanted, Want.PROVED)] == wanted
    finally:
        node.faults.pruned_below = 0
        await source.close()


async def test_what_neither_has_is_not_kept(
    node: RegtestNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = paired(node, tmp_path / "nowhere", long_way=HEIGHT + 1)
    node.faults.pruned_below = 30
    try:
        await source.open()
        await source.tip()
        for _ in range(2):
            with pytest.raises(NotKept):
                await source.blocks(await refs(source, FAR), Want.PROVED)
        assert caplog.text.count("asking the node instead") == 1
    finally:
        node.faults.pruned_below = 0
        await source.close()


async def test_files_that_cannot_be_read_are_named_once(
    node: RegtestNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = paired(node, tmp_path / "nowhere")
    await source.open()
    await source.tip()
    wanted = await refs(source, FAR)
    with caplog.at_level(logging.WARNING, "monitor.sources.paired"):
        for _ in range(2):
            assert [block.ref for block in await source.blocks(wanted, Want.COINBASE)] == wanted
    assert len(caplog.records) == 1
    assert "nowhere" in caplog.text
    await source.close()


async def test_settings_pair_a_node_with_its_files(node: RegtestNode) -> None:
    chosen = load_settings(
        None,
        {
            "source": "bitcoind",
            "network": "regtest",
            "bitcoind": [{"url": node.url, "cookie": str(node.cookie)}] * 2,
            "blkfiles": {"dir": str(node.chain.directory / "blocks")},
        },
    )
    first, second = (await choose_sources(chosen, live_store=False, reached={})).sources
    assert isinstance(first, NodeWithFiles)
    assert (first.name, second.name) == ("bitcoind", "bitcoind-2")
