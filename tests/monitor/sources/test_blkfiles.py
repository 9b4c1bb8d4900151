"""The blkfiles source over files that Bitcoin Core's own code wrote, whole and broken."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.header import BlockRef, sha256d
from hashing.params import MAINNET, REGTEST, SIGNET
from hashing.wire import TxOut, parse_coinbase
from monitor.agent.choose import choose_sources
from monitor.config import load_settings
from monitor.errors import BadReply, ConfigError, NotFound, SourceRefused, SourceUnavailable
from monitor.sources.base import Want
from monitor.sources.blkfiles import BlkFilesSource
from tests.monitor.sources.contract import SourceContract, World
from tests.support.blocks import Mined, extend, genesis
from tests.support.node import RegtestNode, blocks_folder
from tests.support.node.chain import read_blk_files
from tests.support.sparse import GENESIS_COINBASE

HEIGHT = 45


@pytest.fixture(scope="module")
def cores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return blocks_folder(tmp_path_factory.mktemp("core"), HEIGHT)


@pytest.fixture
def folder(cores: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    return Path(shutil.copytree(cores, tmp_path / "blocks"))


def record(block: Mined) -> bytes:
    raw = block.raw if block.height else block.raw + b"\x01" + GENESIS_COINBASE
    return REGTEST.magic + len(raw).to_bytes(4, "little") + raw


def write(folder: Path, number: int, *parts: bytes) -> Path:
    path = folder / f"blk{number:05}.dat"
    path.write_bytes(b"".join(parts))
    return path


@contextlib.asynccontextmanager
async def opened(folder: Path, network: str = "regtest") -> AsyncIterator[BlkFilesSource]:
    source = BlkFilesSource(folder, network)
    await source.open()
    yield source
    await source.close()


async def heights(source: BlkFilesSource) -> tuple[int, list[int]]:
    tip = await source.tip()
    return tip.height, [ref.height for ref in await source.stale_tips()]


class TestContract(SourceContract):
    """Beside a node that is running and writing."""

    @pytest.fixture
    def node(self) -> Iterator[RegtestNode]:
        with RegtestNode(blocks=HEIGHT) as node:
            yield node

    @pytest.fixture
    async def world(self, node: RegtestNode) -> AsyncIterator[World]:
        async def advance() -> None:
            node.mine()

        async def grow_stale() -> None:
            node.fork()

        yield World(  # noqa: PT022 - the contract's fixture is a generator
            lambda: BlkFilesSource(node.chain.directory / "blocks", "regtest"),
            advance=advance,
            grow_stale=grow_stale,
        )


async def test_core_obfuscates_and_pads_what_is_read(cores: Path) -> None:
    assert any((cores / "xor.dat").read_bytes())
    assert not any((cores / "blk00000.dat").read_bytes()[-1_000_000:])
    async with opened(cores) as source:
        assert await heights(source) == (HEIGHT, [HEIGHT - 2])


async def test_bodies_and_coinbases_are_those_of_core(cores: Path) -> None:
    raws = {sha256d(raw[:80]): raw for raw in read_blk_files(cores)}
    async with opened(cores) as source:
        headers = await source.headers(0, HEIGHT + 1)
        refs = [BlockRef(height, sha256d(header)) for height, header in enumerate(headers)]
        short = await source.blocks(refs, Want.COINBASE)
        proved = await source.blocks(refs, Want.PROVED)
    for brief, whole in zip(short, proved, strict=True):
        raw = raws[brief.ref.hash]
        assert brief.header == raw[:80]
        assert brief.size == whole.size == len(raw)
        assert brief.coinbase_tx == whole.coinbase_tx
        assert brief.coinbase_tx is not None
        assert brief.coinbase_tx in raw
        assert whole.txids is not None
        assert brief.tx_count == len(whole.txids) == 1


@pytest.mark.parametrize("outputs", [1, 50, 800])
async def test_coinbase_of_any_size(outputs: int) -> None:
    payouts = [TxOut(0, b"\x00\x14" + i.to_bytes(20)) for i in range(outputs)]
    with RegtestNode(blocks=101) as node:
        (ref,) = node.mine(outputs=payouts, transactions=50)
        async with opened(node.chain.directory / "blocks") as source:
            for want in Want:
                (block,) = await source.blocks([ref], want)
                assert block.tx_count == 51
                assert block.coinbase_tx is not None
                assert parse_coinbase(block.coinbase_tx).outputs[:outputs] == tuple(payouts)


async def test_without_a_key_out_of_order_and_over_several_files(tmp_path: Path) -> None:
    chain = [genesis(), *extend(genesis(), 9)]
    write(tmp_path, 0, record(chain[0]), record(chain[3]), bytes(64))
    write(tmp_path, 1, record(chain[2]), record(chain[1]))
    write(tmp_path, 2, *(record(block) for block in chain[:3:-1]))
    async with opened(tmp_path) as source:
        assert await heights(source) == (9, [])
        assert await source.headers(0, 20) == [block.raw[:80] for block in chain]


@pytest.mark.parametrize("junk", [bytes(100), b"\xfa\xbf" * 50, REGTEST.magic + b"\xff" * 90])
async def test_what_is_no_record_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    chain = [genesis(), *extend(genesis(), 4)]
    write(tmp_path, 0, record(chain[0]), junk, record(chain[1]))
    for number, block in enumerate(chain[2:], start=1):
        write(tmp_path, number, record(block))
    async with opened(tmp_path) as source:
        assert await heights(source) == (4, [])


@pytest.mark.parametrize("padding", [0, 500])
async def test_a_torn_tail_is_read_once_it_is_whole(tmp_path: Path, padding: int) -> None:
    chain = [genesis(), *extend(genesis(), 3)]
    whole = b"".join(map(record, chain))
    for cut in (1, 60, 200, len(record(chain[3])) - 1):
        torn = whole[:-cut] + bytes(padding)
        path = write(tmp_path, 0, torn)
        async with opened(tmp_path) as source:
            before, _ = await heights(source)
            assert before in (2, 3) if padding else before == 2
            path.write_bytes(whole)
            await source.wait_for_tip_change(0)
            assert await heights(source) == (3, [])
            (block,) = await source.blocks([chain[3].ref], Want.PROVED)
            assert block.coinbase_tx == chain[3].coinbase_tx


async def test_what_was_torn_may_be_overwritten_by_another_block(tmp_path: Path) -> None:
    chain = [genesis(), *extend(genesis(), 2)]
    lost = extend(chain[-1], 1, tag=b"/lost, and longer than the one that follows/")[0]
    others = extend(chain[-1], 2, tag=b"/kept/")
    start = b"".join(map(record, chain))
    path = write(tmp_path, 0, start, record(lost), bytes(1000))
    async with opened(tmp_path) as source:
        assert await heights(source) == (3, [])
        path.write_bytes(start + b"".join(map(record, others)) + bytes(1000))
        assert await source.tip() == others[-1].ref
        with pytest.raises(BadReply, match="another block is there now"):
            await source.blocks([lost.ref], Want.COINBASE)


async def test_new_files_are_found(tmp_path: Path) -> None:
    chain = [genesis(), *extend(genesis(), 5)]
    write(tmp_path, 0, record(chain[0]), record(chain[1]))
    async with opened(tmp_path) as source:
        assert await heights(source) == (1, [])
        write(tmp_path, 0, record(chain[0]), record(chain[1]), bytes(9), record(chain[2]))
        for number, block in enumerate(chain[3:], start=1):
            write(tmp_path, number, record(block))
        assert await heights(source) == (5, [])


async def test_a_reorg_leaves_the_old_branch_stale(folder: Path) -> None:
    node = RegtestNode(datadir=folder.parent / "node", blocks=5)
    blocks = node.chain.directory / "blocks"
    try:
        async with opened(blocks) as source:
            old = await source.tip()
            node.reorg(2)
            assert await source.tip() == node.tip
            assert await source.stale_tips() == [old]
            assert (await source.tips()).stale == (old,)
            (block,) = await source.blocks([old], Want.PROVED)
            assert sha256d(block.header) == old.hash
    finally:
        node.close()


async def test_pruned_files_leave_the_rest(tmp_path: Path) -> None:
    chain = [genesis(), *extend(genesis(), 30)]
    rival = extend(chain[25], 1, tag=b"/rival/")[0]
    write(tmp_path, 7, *(record(block) for block in chain[20:25]))
    write(tmp_path, 8, *(record(block) for block in [*chain[25:], rival]))
    async with opened(tmp_path) as source:
        assert await heights(source) == (30, [26])
        assert source.capabilities.first_height == 20
        assert await source.headers(19, 5) == []
        assert await source.headers(20, 1) == [chain[20].raw[:80]]
        (tmp_path / "blk00007.dat").unlink()
        with pytest.raises(NotFound, match="pruned"):
            await source.blocks([chain[20].ref], Want.COINBASE)


@pytest.mark.parametrize(
    ("network", "start", "said"),
    [
        ("mainnet", REGTEST.magic, "holds regtest, not mainnet"),
        ("regtest", MAINNET.magic, "holds mainnet, not regtest"),
        ("regtest", SIGNET.magic, "holds signet, not regtest"),
        ("regtest", b"\x01\x02\x03\x04", "a wrong xor.dat"),
    ],
)
async def test_another_network_is_refused(
    tmp_path: Path, network: str, start: bytes, said: str
) -> None:
    write(tmp_path, 0, start, bytes(100))
    with pytest.raises(SourceRefused, match=said) as caught:
        await BlkFilesSource(tmp_path, network).open()
    assert "\n" not in str(caught.value)


async def test_a_key_that_is_none_is_refused(folder: Path) -> None:
    (folder / "xor.dat").write_bytes(b"short")
    with pytest.raises(SourceRefused, match="not a key of 8"):
        await BlkFilesSource(folder, "regtest").open()


async def test_a_lost_key_is_named(folder: Path) -> None:
    (folder / "xor.dat").unlink()
    with pytest.raises(SourceRefused, match="a wrong xor"):
        await BlkFilesSource(folder, "regtest").open()


async def test_no_folder_and_no_files_may_come_later(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SourceUnavailable):
            await BlkFilesSource(place, "regtest").open()
    write(tmp_path, 0, bytes(4096))
    with pytest.raises(SourceUnavailable, match="no block of regtest"):
        await BlkFilesSource(tmp_path, "regtest").open()


async def test_settings_name_the_folder(cores: Path) -> None:
    chosen = load_settings(
        None, {"source": "blkfiles", "network": "regtest", "blkfiles": {"dir": str(cores)}}
    )
    (source,) = (await choose_sources(chosen, live_store=False, reached={})).sources
    await source.open()
    assert (await source.tip()).height == HEIGHT
    await source.close()
    nameless = load_settings(None, {"source": "blkfiles"})
    with pytest.raises(ConfigError, match="--blocks-dir"):
        await choose_sources(nameless, live_store=False, reached={})


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.data())
async def test_broken_bytes_give_errors_of_ours_or_true_headers(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    chain = [genesis(), *extend(genesis(), 3)]
    good = b"".join(map(record, chain))
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 5))):
        bad[data.draw(st.integers(4, len(bad) - 1))] = data.draw(st.integers(0, 255))
    write(folder, 0, bytes(bad))
    try:
        async with opened(folder) as source:
            best = await source.tip()
            for want in Want:
                with contextlib.suppress(BadReply):
                    await source.blocks([best], want)
    except SourceUnavailable:
        return
    assert best.height <= chain[-1].height
