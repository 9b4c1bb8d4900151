"""The sample: every header proves itself, labels and stale blocks sit where they belong."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from analyzers.registry import load_registry
from hashing.chain import HeaderChain
from hashing.header import BlockHeader, BlockRef, sha256d
from hashing.params import MAINNET, RETARGET_INTERVAL
from hashing.wire import parse_coinbase, root_from_branch
from monitor.errors import NotFound, SourceUnavailable
from monitor.proof import prove
from monitor.sources.base import Want
from monitor.sources.sample import SampleSource
from monitor.sources.sample_data import FILE, SampleData, load_sample
from tests.monitor.sources.contract import SourceContract, World
from tests.support.clock import Clock

FIRST, LAST = 822_527, 830_592
RETARGETS = (824_544, 826_560, 828_576, 830_592)
SPEED = 50.0


@pytest.fixture(scope="module")
def data() -> SampleData:
    return load_sample()


@pytest.fixture(scope="module")
def chain(data: SampleData) -> HeaderChain:
    anchor = FIRST + 1
    assert anchor % RETARGET_INTERVAL == 0
    headers = [data.header(height) for height in range(anchor, data.end)]
    return HeaderChain(MAINNET, anchor, headers)


class TestSampleContract(SourceContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        async def advance() -> None:
            await asyncio.sleep(1.5 / SPEED)

        yield World(  # noqa: PT022 - the contract's fixture is a generator
            make=lambda: SampleSource(SPEED), first_height=FIRST, advance=advance
        )


class TestData:
    @pytest.mark.slow
    def test_every_header_holds_in_its_chain(self, data: SampleData, chain: HeaderChain) -> None:
        assert (data.start, data.end - 1) == (FIRST, LAST)
        assert (chain.tip.height, len(chain)) == (LAST, LAST - FIRST)
        assert BlockHeader.parse(data.header(FIRST + 1)).prev_hash == sha256d(data.header(FIRST))

    def test_difficulty_changes_at_the_retargets_only(self, data: SampleData) -> None:
        bits = {
            height: BlockHeader.parse(data.header(height)).nbits
            for height in range(FIRST + 1, LAST + 1)
        }
        changed = [
            height for height in range(FIRST + 2, LAST + 1) if bits[height] != bits[height - 1]
        ]
        assert tuple(changed) == RETARGETS

    def test_known_blocks(self, data: SampleData) -> None:
        assert sha256d(data.header(824_544))[::-1].hex().startswith("00000000000000000")
        assert (
            sha256d(data.header(830_000))[::-1].hex()
            == "000000000000000000011d55599ed27d7efca05f5849b755319c89eb2cffbc1f"
        )

    def test_labels_name_a_pool_for_nearly_every_block(self, data: SampleData) -> None:
        counts = Counter(data.label(height) for height in range(FIRST, LAST + 1))
        assert counts.total() == LAST - FIRST + 1
        assert counts["foundryusa"] == 2406
        assert counts["antpool"] == 2094
        assert counts["unknown"] == 83

    def test_every_label_is_a_pool_of_the_registry(self, data: SampleData) -> None:
        registry = load_registry()
        strange = [
            label
            for label in data.labels
            if registry.slug_of_label(data.label_source, label) is None
        ]
        assert strange == ["unknown"]

    def test_coinbases_lead_to_their_roots(self, data: SampleData, chain: HeaderChain) -> None:
        for block in (*data.coinbases, *data.stale):
            header = BlockHeader.parse(block.header)
            txid = parse_coinbase(block.coinbase_tx).txid
            assert root_from_branch(txid, block.merkle_branch) == header.merkle_root
            parent = chain.get(header.prev_hash)
            assert parent is not None
            assert parent.height == block.height - 1
        assert [block.height for block in data.stale] == [822941, 823226, 824221, 827853, 829613]
        assert [block.height for block in data.coinbases] == [830_000]

    @pytest.mark.slow
    def test_stale_blocks_hold_on_the_chain_beside_their_rivals(self, data: SampleData) -> None:
        headers = [data.header(height) for height in range(FIRST + 1, LAST + 1)]
        chain = HeaderChain(MAINNET, FIRST + 1, headers)
        for block in data.stale:
            entry = chain.accept(block.header)
            assert entry.hash != sha256d(data.header(block.height))
        assert chain.tip.height == LAST

    def test_it_is_small(self) -> None:
        from importlib.resources import files

        assert len(files("monitor.sources").joinpath("data", FILE).read_bytes()) < 400_000


class TestReplay:
    async def test_the_tip_moves_at_the_speed_asked_for(self) -> None:
        clock = Clock()
        source = SampleSource(0.5, backlog=3000, clock=clock)
        await source.open()
        assert (await source.tip()).height == FIRST + 2999
        clock.now += 3.9
        assert (await source.tip()).height == FIRST + 3000
        clock.now += 2.2
        assert (await source.tip()).height == FIRST + 3002

    async def test_it_goes_on_where_the_last_run_stopped(self) -> None:
        source = SampleSource(1.0, resume_height=829_000, clock=Clock())
        await source.open()
        assert (await source.tip()).height == 829_000

    async def test_reopening_does_not_turn_back(self) -> None:
        clock = Clock()
        source = SampleSource(1.0, clock=clock)
        await source.open()
        clock.now += 10
        reached = await source.tip()
        await source.close()
        with pytest.raises(SourceUnavailable):
            await source.tip()
        await source.open()
        assert await source.tip() == reached

    async def test_it_ends_says_so_once_and_stays(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = Clock()
        source = SampleSource(1.0, clock=clock)
        await source.open()
        clock.now += 1e6
        with caplog.at_level(logging.INFO):
            assert (await source.tip()).height == LAST
            assert (await source.tip()).height == LAST
        assert [record.message for record in caplog.records] == [
            "the sample ends at height 830592; no more blocks will come"
        ]
        started = time.monotonic()
        await source.wait_for_tip_change(0.05)
        assert time.monotonic() - started >= 0.04

    async def test_a_stale_tip_appears_when_its_height_is_reached(self, data: SampleData) -> None:
        clock = Clock()
        source = SampleSource(1.0, resume_height=829_612, clock=clock)
        await source.open()
        late = BlockRef(829_613, sha256d(data.stale[-1].header))
        assert late not in await source.stale_tips()
        with pytest.raises(NotFound):
            await source.blocks([late], Want.PROVED)
        clock.now += 1
        assert late in await source.stale_tips()
        assert (await source.tip()).height == late.height
        (block,) = await source.blocks([late], Want.PROVED)
        assert block.label is None
        assert block.coinbase_tx is not None

    async def test_where_the_coinbase_is_at_hand_it_is_proved(self, chain: HeaderChain) -> None:
        source = SampleSource(1.0, resume_height=LAST, clock=Clock())
        await source.open()
        (header,) = await source.headers(830_000, 1)
        ref = BlockRef(830_000, sha256d(header))
        (block,) = await source.blocks([ref], Want.PROVED)
        entry = chain.get(ref.hash)
        assert entry is not None
        assert prove(block, entry, MAINNET, trusted=False)[0] == "coinbase"
        assert block.label is not None
        assert block.label.pool == "antpool"

    async def test_there_is_nothing_below_the_sample(self) -> None:
        source = SampleSource(1.0)
        await source.open()
        assert await source.headers(FIRST - 1, 5) == []
        with pytest.raises(NotFound):
            await source.blocks([BlockRef(FIRST - 1, bytes(32))], Want.COINBASE)
