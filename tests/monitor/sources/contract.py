"""The one contract suite that every `BlockSource` passes.

A source plugs in by subclassing `SourceContract` in its own test module and giving the
`world` fixture::

    class TestSample(SourceContract):
        @pytest.fixture
        async def world(self) -> AsyncIterator[World]:
            yield World(make=lambda: SampleSource(...), first_height=822_527)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from hashing.header import HEADER_SIZE, BlockHeader, BlockRef, sha256d
from hashing.params import NETWORKS
from hashing.wire import merkle_root, parse_coinbase, root_from_branch
from monitor.errors import NotFound
from monitor.sources.base import BlockSource, SourceBlock, Want
from tests.support.patience import PATIENCE


@dataclass(frozen=True, slots=True)
class World:
    """A source under test and what the suite must know of the world behind it.

    `make` returns a new source of the same world each time, not yet opened.
    `first_height` is the lowest height that the source has. `advance` moves the tip by at
    least one block; None where the test cannot move it (or it moves by itself).
    `grow_stale` makes a stale tip, for sources whose capabilities promise to show them.
    """

    make: Callable[[], BlockSource]
    first_height: int = 0
    advance: Callable[[], Awaitable[None]] | None = None
    grow_stale: Callable[[], Awaitable[None]] | None = None


class SourceContract:
    """What holds for every source; see the module's text for how to plug one in."""

    @pytest.fixture
    def world(self) -> AsyncIterator[World]:
        raise NotImplementedError("a contract test gives its own world")

    @pytest.fixture
    async def source(self, world: World) -> AsyncIterator[BlockSource]:
        source = world.make()
        await source.open()
        yield source
        await source.close()

    @pytest.mark.slow
    async def test_says_who_it_is(self, source: BlockSource) -> None:
        assert source.name
        assert source.name == source.name.lower()
        assert source.network in NETWORKS
        assert source.capabilities.batch >= 1
        assert source.capabilities.headers_batch >= 1

    @pytest.mark.slow
    async def test_best_tip_is_the_end_of_the_headers(self, source: BlockSource) -> None:
        best = await source.tip()
        (header,) = await source.headers(best.height, 1)
        assert sha256d(header) == best.hash

    @pytest.mark.slow
    async def test_headers_are_a_chain(self, source: BlockSource, world: World) -> None:
        best = await source.tip()
        start = max(world.first_height, best.height - 40)
        headers = await source.headers(start, best.height - start + 1)
        assert len(headers) == best.height - start + 1
        assert all(len(header) == HEADER_SIZE for header in headers)
        hashes = [sha256d(header) for header in headers]
        assert [BlockHeader.parse(header).prev_hash for header in headers[1:]] == hashes[:-1]

    @pytest.mark.slow
    async def test_headers_from_the_first_height(self, source: BlockSource, world: World) -> None:
        headers = await source.headers(world.first_height, 3)
        assert len(headers) == 3
        assert headers[1:2] == await source.headers(world.first_height + 1, 1)

    @pytest.mark.slow
    async def test_headers_stop_at_the_tip(self, source: BlockSource) -> None:
        best = await source.tip()
        headers = await source.headers(best.height - 1, source.capabilities.headers_batch)
        # A tip that moves by itself may have moved meanwhile.
        assert 2 <= len(headers) <= 20
        assert sha256d(headers[1]) == best.hash

    @pytest.mark.slow
    async def test_no_headers_above_the_tip(self, source: BlockSource) -> None:
        best = await source.tip()
        assert await source.headers(best.height + 100_000, 5) == []

    @pytest.mark.slow
    async def test_no_headers_for_no_count(self, source: BlockSource, world: World) -> None:
        assert await source.headers(world.first_height, 0) == []

    @pytest.mark.slow
    @pytest.mark.parametrize("want", list(Want))
    async def test_blocks_come_in_the_order_asked(self, source: BlockSource, want: Want) -> None:
        refs = await _last_refs(source, 6)
        asked = [refs[i] for i in (3, 0, 5, 1, 4, 2)]
        blocks = await source.blocks(asked, want)
        assert [block.ref for block in blocks] == asked
        for block in blocks:
            assert sha256d(block.header) == block.ref.hash

    @pytest.mark.slow
    async def test_the_same_block_twice(self, source: BlockSource) -> None:
        (ref,) = await _last_refs(source, 1)
        first, second = await source.blocks([ref, ref], Want.COINBASE)
        assert first == second

    @pytest.mark.slow
    async def test_more_blocks_than_one_batch(self, source: BlockSource, world: World) -> None:
        best = await source.tip()
        most = min(source.capabilities.batch + 3, best.height - world.first_height + 1, 40)
        refs = await _last_refs(source, most)
        blocks = await source.blocks(refs, Want.COINBASE)
        assert [block.ref for block in blocks] == refs

    @pytest.mark.slow
    async def test_no_refs_no_blocks(self, source: BlockSource) -> None:
        assert await source.blocks([], Want.PROVED) == []

    @pytest.mark.slow
    @pytest.mark.parametrize("want", list(Want))
    async def test_coinbase_parses_and_proof_leads_to_the_root(
        self, source: BlockSource, want: Want
    ) -> None:
        for block in await source.blocks(await _last_refs(source, 4), want):
            _assert_coherent(block, want)

    @pytest.mark.slow
    async def test_unknown_block_is_not_found(self, source: BlockSource) -> None:
        best = await source.tip()
        unknown = BlockRef(best.height, b"\x17" * 32)
        with pytest.raises(NotFound) as caught:
            await source.blocks([unknown], Want.COINBASE)
        assert "\n" not in str(caught.value)

    @pytest.mark.slow
    async def test_one_unknown_block_fails_the_call(self, source: BlockSource) -> None:
        refs = await _last_refs(source, 2)
        unknown = BlockRef(refs[0].height, b"\x18" * 32)
        with pytest.raises(NotFound):
            await source.blocks([refs[0], unknown, refs[1]], Want.PROVED)

    @pytest.mark.slow
    async def test_wait_keeps_its_timeout(self, source: BlockSource) -> None:
        start = time.monotonic()
        await source.wait_for_tip_change(0.05)
        assert time.monotonic() - start < PATIENCE

    @pytest.mark.slow
    async def test_wait_can_be_cancelled(self, source: BlockSource) -> None:
        waiter = asyncio.create_task(source.wait_for_tip_change(60))
        await asyncio.sleep(0.05)
        waiter.cancel()
        start = time.monotonic()
        await asyncio.wait([waiter])
        assert time.monotonic() - start < 1
        assert (await source.tip()).height >= 0

    @pytest.mark.slow
    async def test_wait_returns_when_the_tip_moves(self, source: BlockSource, world: World) -> None:
        if world.advance is None:
            pytest.skip("this world's tip cannot be moved")
        before = await source.tip()
        waiter = asyncio.create_task(source.wait_for_tip_change(60))
        await asyncio.sleep(0.05)
        await world.advance()
        # A hint may come for nothing; what counts is that looking again shows the new tip.
        await asyncio.wait_for(waiter, PATIENCE)
        async with asyncio.timeout(PATIENCE):
            while await source.tip() == before:
                await source.wait_for_tip_change(1)

    @pytest.mark.slow
    async def test_a_tip_that_moved_before_the_wait_is_seen(
        self, source: BlockSource, world: World
    ) -> None:
        if world.advance is None:
            pytest.skip("this world's tip cannot be moved")
        before = await source.tip()
        await world.advance()
        async with asyncio.timeout(PATIENCE):
            await source.wait_for_tip_change(60)
            while await source.tip() == before:
                await source.wait_for_tip_change(1)

    @pytest.mark.slow
    async def test_stale_tips_have_their_blocks(self, source: BlockSource, world: World) -> None:
        if world.grow_stale is not None:
            await world.grow_stale()
            assert source.capabilities.stale_tips
            assert await source.stale_tips()
        if not source.capabilities.stale_tips:
            return  # nobody asks it
        best = await source.tip()
        stale = await source.stale_tips()
        if await source.tip() == best:
            assert best not in stale
        for block in await source.blocks(stale, Want.PROVED):
            assert sha256d(block.header) == block.ref.hash
            _assert_coherent(block, Want.PROVED)

    @pytest.mark.slow
    async def test_calls_may_overlap(self, source: BlockSource) -> None:
        refs = await _last_refs(source, 4)
        results = await asyncio.gather(
            source.blocks(refs, Want.COINBASE),
            source.headers(refs[0].height, 4),
            source.blocks(refs[::-1], Want.COINBASE),
            source.tip(),
        )
        assert results[0] == results[2][::-1]
        assert [block.header for block in results[0]] == results[1]

    @pytest.mark.slow
    async def test_close_before_open_and_twice(self, world: World) -> None:
        source = world.make()
        await source.close()
        await source.open()
        await source.close()
        await source.close()

    @pytest.mark.slow
    async def test_reopening(self, world: World) -> None:
        source = world.make()
        await source.open()
        first = await source.tip()
        await source.close()
        await source.open()
        second = await source.tip()
        assert second.height >= first.height
        await source.open()
        assert await source.headers(first.height, 1)
        await source.close()


async def _last_refs(source: BlockSource, count: int) -> list[BlockRef]:
    best = await source.tip()
    start = best.height - count + 1
    headers = await source.headers(start, count)
    return [BlockRef(start + i, sha256d(header)) for i, header in enumerate(headers)]


def _assert_coherent(block: SourceBlock, want: Want) -> None:
    root = BlockHeader.parse(block.header).merkle_root
    assert block.merkle_branch is None or block.txids is None
    if block.coinbase_tx is None:
        assert block.label is not None, "neither coinbase nor label"
        assert block.merkle_branch is None
        assert block.txids is None
        return
    txid = parse_coinbase(block.coinbase_tx).txid
    if want is Want.PROVED:
        assert block.merkle_branch is not None or block.txids is not None
    if block.merkle_branch is not None:
        assert root_from_branch(txid, block.merkle_branch) == root
    if block.txids is not None:
        assert block.txids[0] == txid
        assert merkle_root(block.txids) == root
        assert block.tx_count in (None, len(block.txids))
