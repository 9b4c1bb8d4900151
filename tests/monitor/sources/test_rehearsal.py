"""The rehearsal chain: valid, repeatable, and with the forks and silences asked for."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from analyzers.attribution import attribute
from analyzers.registry.loader import load_registry
from hashing.chain import HeaderChain
from hashing.header import BlockHeader, BlockRef, sha256d
from hashing.params import REGTEST
from hashing.wire import parse_coinbase
from monitor.errors import ConfigError, NotFound, SourceRefused, SourceUnavailable
from monitor.proof import prove
from monitor.sources.base import Want
from monitor.sources.rehearsal import RehearsalSource
from monitor.sources.rehearsal_chain import EPOCH, RehearsalChain, Silence
from monitor.sources.rehearsal_mix import Miner, illustrative_mix
from tests.monitor.sources.contract import SourceContract, World
from tests.support.clock import Clock

SPEED = 20.0
UNTAGGED = {"Solo/unknown A", "Solo/unknown B"}


class TestRehearsalContract(SourceContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        async def advance() -> None:
            before = await watcher.tip()
            while await watcher.tip() == before:
                await watcher.wait_for_tip_change(10)
            # Every source has a clock of its own.
            await asyncio.sleep(1 / SPEED)

        async def grow_stale() -> None:
            """Nothing to do: at this rate of forks there are stale tips at once."""

        def make() -> RehearsalSource:
            return RehearsalSource(7, SPEED, backlog=60, fork_probability=0.3, fork_depth=2)

        watcher = make()
        await watcher.open()
        yield World(make, advance=advance, grow_stale=grow_stale)
        await watcher.close()


async def opened(**options: object) -> RehearsalSource:
    source = RehearsalSource(**options)  # type: ignore[arg-type]
    await source.open()
    return source


class TestChain:
    async def test_every_block_proves_itself(self) -> None:
        source = await opened(backlog=300, fork_probability=0.1, clock=Clock())
        best = await source.tip()
        headers = await source.headers(0, best.height + 1)
        assert headers[0] == REGTEST.genesis_header
        chain = HeaderChain(REGTEST, 0, headers)
        refs = [BlockRef(height, sha256d(header)) for height, header in enumerate(headers)]
        for block in await source.blocks(refs, Want.PROVED):
            entry = chain.get(block.ref.hash)
            assert entry is not None
            if block.ref.height:
                assert prove(block, entry, REGTEST, trusted=False)[0] == "coinbase"
            else:
                assert block.coinbase_tx is not None
                assert parse_coinbase(block.coinbase_tx).txid == entry.header.merkle_root

    async def test_the_chain_of_a_seed_never_changes(self) -> None:
        """Stores hold this chain: other bytes would cut them off after an upgrade."""
        source = await opened(seed=1, backlog=100, clock=Clock())
        tip = await source.tip()
        assert tip.hash.hex() == "04930d556e5d46bedcaa76f21c5e86dec5e28df11483d46018e0ef3112e9490c"

    async def test_speed_and_forks_leave_the_chain_that_wins_as_it_is(self) -> None:
        calm = RehearsalChain(4, illustrative_mix())
        wild = RehearsalChain(4, illustrative_mix(), fork_probability=0.5, fork_depth=4)
        for _ in range(100):
            calm.mine_next()
            wild.mine_next()
        assert calm.header(100) == wild.header(100)
        assert any(wild.fork_at(height) for height in range(100))

    async def test_another_seed_is_another_chain(self) -> None:
        one, other = await opened(seed=1, backlog=5), await opened(seed=2, backlog=5)
        assert (await one.headers(1, 1)) != (await other.headers(1, 1))

    async def test_blocks_come_at_the_speed_asked_for(self) -> None:
        clock = Clock()
        source = await opened(speed=0.5, backlog=50, clock=clock)
        clock.now += 2000
        mined = (await source.tip()).height - 50
        assert 1000 - 5 * 32 < mined < 1000 + 5 * 32

    @pytest.mark.slow
    async def test_shares_are_near_the_mix(self) -> None:
        registry = load_registry()
        chain = RehearsalChain(3, illustrative_mix())
        pools = Counter(
            attribute(parse_coinbase(chain.coinbase(height)), registry, height=height).pool
            for height in range(1, 2001)
        )
        for slug, share in (("foundryusa", 0.3), ("antpool", 0.175), ("f2pool", 0.105)):
            spread = (2000 * share * (1 - share)) ** 0.5
            assert abs(pools[slug] - 2000 * share) < 5 * spread

    async def test_shares_on_request(self) -> None:
        source = await opened(backlog=30, shares={"F2Pool": 1, "Luxor": 0}, clock=Clock())
        headers = await source.headers(1, 30)
        refs = [BlockRef(height, sha256d(header)) for height, header in enumerate(headers, 1)]
        for block in await source.blocks(refs, Want.COINBASE):
            assert block.coinbase_tx is not None
            assert b"/F2Pool/" in block.coinbase_tx

    @pytest.mark.parametrize(
        ("shares", "message"),
        [({"Nobody": 1.0}, "no miner 'Nobody'"), ({"Luxor": -1.0}, "negative"), ({}, "above zero")],
    )
    def test_shares_that_make_no_sense(self, shares: dict[str, float], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            RehearsalSource(shares=shares)

    async def test_a_silence_on_request(self) -> None:
        quiet = await opened(backlog=12, silences=[Silence(10, 86_400)], clock=Clock())
        times = [BlockHeader.parse(header).time for header in await quiet.headers(1, 12)]
        gaps = [late - early for early, late in pairwise(times)]
        assert gaps[8] > 86_400 > max(gaps[:8] + gaps[9:])
        assert EPOCH < times[0] < EPOCH + 12_000


class TestMix:
    def test_shares_add_up(self) -> None:
        assert sum(miner.share for miner in illustrative_mix()) == pytest.approx(1)

    @pytest.mark.parametrize("miner", illustrative_mix(), ids=lambda miner: miner.name)
    def test_each_coinbase_fits_and_names_its_pool(self, miner: Miner) -> None:
        registry = load_registry()
        for seed in range(5):
            coinbase = parse_coinbase(miner.coinbase(1 << 30, random.Random(seed)))
            found = attribute(coinbase, registry)
            assert (found.pool is None) == (miner.name in UNTAGGED)
            assert found.conflicts == ()
            assert sum(out.value for out in coinbase.outputs) > 312_500_000


class TestForks:
    @pytest.mark.slow
    async def test_reorgs_happen_as_the_chain_shows_them(self) -> None:
        clock = Clock()
        source = await opened(
            seed=5, speed=1, backlog=20, fork_probability=0.3, fork_depth=3, clock=clock
        )
        chain = HeaderChain(REGTEST, 0, await source.headers(0, 21))
        depths = Counter[int]()
        seen = await source.tip()
        while seen.height < 250:
            clock.now += 0.05
            tip = await source.tip()
            if tip == seen:
                continue
            for header in await source.headers(tip.height - 4, 5):
                chain.accept(header)
            before, after = chain.get(seen.hash), chain.get(tip.hash)
            assert before is not None
            assert after is not None
            assert chain.tip is after
            fork = chain.fork_point(before, after)
            assert fork is not None
            depths[before.height - fork.height] += 1
            for stale in await source.blocks(await source.stale_tips(), Want.PROVED):
                assert stale.ref.hash != chain.tip.hash
            seen = tip
        assert set(depths) == {0, 1, 2, 3}

    async def test_a_restart_in_the_middle_of_a_fork_goes_on_in_it(self) -> None:
        clock = Clock()
        source = await opened(seed=5, speed=1, fork_probability=0.3, backlog=20, clock=clock)
        while source._chain.header((await source.tip()).height) in await source.headers(
            (await source.tip()).height, 1
        ):
            clock.now += 0.1
        stopped = await source.tip()
        again = await opened(
            seed=5,
            speed=1,
            fork_probability=0.3,
            backlog=20,
            resume_height=stopped.height,
            resume_hash=stopped.hash,
            clock=Clock(),
        )
        assert await again.tip() == stopped


class TestResume:
    async def test_the_same_chain_goes_on(self) -> None:
        clock = Clock()
        first = await opened(seed=9, backlog=40, clock=clock)
        clock.now += 60
        stopped = await first.tip()
        again = await opened(
            seed=9,
            backlog=40,
            resume_height=stopped.height,
            resume_hash=stopped.hash,
            clock=Clock(),
        )
        assert await again.tip() == stopped
        assert await again.headers(0, 1000) == await first.headers(0, 1000)

    async def test_another_seed_is_refused_with_a_way_out(self) -> None:
        stopped = await (await opened(seed=1, backlog=30)).tip()
        source = RehearsalSource(
            2, backlog=30, resume_height=stopped.height, resume_hash=stopped.hash
        )
        with pytest.raises(SourceRefused, match=r"another rehearsal.*--data-dir"):
            await source.open()

    async def test_closing_does_not_turn_back(self) -> None:
        clock = Clock()
        source = await opened(backlog=20, clock=clock)
        clock.now += 100
        reached = await source.tip()
        await source.close()
        with pytest.raises(SourceUnavailable):
            await source.tip()
        await source.open()
        assert await source.tip() == reached


async def test_a_block_that_is_not_mined_yet_is_not_found() -> None:
    source = await opened(backlog=20, clock=Clock())
    ahead = await opened(backlog=25, clock=Clock())
    with pytest.raises(NotFound):
        await source.blocks([await ahead.tip()], Want.COINBASE)


async def test_a_long_leap_is_mined_without_holding_the_loop() -> None:
    clock = Clock()
    source = await opened(speed=1, backlog=20, clock=clock)
    clock.now += 1000
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    await source.tip()
    ticker.cancel()
    assert ticks > 5
