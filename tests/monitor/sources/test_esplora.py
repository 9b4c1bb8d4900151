"""Public APIs: both dialects over real HTTP, real blocks, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from hashing.header import BlockRef, sha256d
from hashing.params import MAINNET, REGTEST
from monitor.errors import (
    BadReply,
    ConfigError,
    NotFound,
    SourceRefused,
    SourceUnavailable,
)
from monitor.proof import prove
from monitor.sources.base import Want
from monitor.sources.esplora import EsploraSource
from tests.monitor.sources.contract import SourceContract, World
from tests.support.esplora import EsploraServer, Flavour, mainnet_chain, mine_on
from tests.support.esplora.chain import real_blocks
from tests.support.esplora.following import (
    entry_of,
    opened,
    regtest_chain,
    source_of,
    web_page,
)


@pytest.fixture
async def server() -> AsyncIterator[EsploraServer]:
    async with EsploraServer(regtest_chain(), Flavour.MEMPOOL) as running:
        yield running


@pytest.fixture
async def source(server: EsploraServer) -> AsyncIterator[EsploraSource]:
    async with opened(server) as source:
        yield source


async def _world(flavour: Flavour, transactions: int) -> AsyncIterator[World]:
    async with EsploraServer(regtest_chain(30, transactions), flavour) as server:

        async def advance() -> None:
            server.chain.extend(mine_on(server.chain.tip, 1, transactions=transactions))

        async def grow_stale() -> None:
            server.chain.extend(mine_on(server.chain.active[-3], 3, seed=3))

        stale = None if flavour is Flavour.ESPLORA else grow_stale
        yield World(make=lambda: source_of(server), advance=advance, grow_stale=stale)


class TestEsploraContract(SourceContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        async for world in _world(Flavour.ESPLORA, 100):
            yield world


class TestMempoolContract(SourceContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        async for world in _world(Flavour.MEMPOOL, 3):
            yield world


class TestMempoolCoreContract(SourceContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        async for world in _world(Flavour.MEMPOOL_CORE, 100):
            yield world


class TestRealBlocks:
    @pytest.mark.parametrize("flavour", [Flavour.ESPLORA, Flavour.MEMPOOL])
    async def test_a_real_tip_proves_itself(self, flavour: Flavour) -> None:
        async with (
            EsploraServer(mainnet_chain(), flavour) as server,
            opened(server, "mainnet") as source,
        ):
            best = await source.tip()
            assert best.height == 830_000
            headers = await source.headers(829_961, 200)
            assert len(headers) == 40
            (block,) = await source.blocks([best], Want.PROVED)
            level, coinbase = prove(block, entry_of(block), MAINNET, trusted=False)
            assert level == "coinbase"
            assert coinbase is not None
            assert b"Mined by AntPool" in coinbase.script_sig
            assert (block.tx_count, block.size) == (1851, 1_712_027)

    async def test_blocks_of_all_eras_prove_themselves(self) -> None:
        async with EsploraServer(mainnet_chain()) as server, opened(server, "mainnet") as source:
            refs = [block.ref for block in real_blocks()]
            for block in await source.blocks(refs, Want.PROVED):
                assert block.merkle_branch is not None
                assert prove(block, entry_of(block), MAINNET, trusted=False)[0] == "coinbase"


class TestRequests:
    async def test_a_new_block_takes_few_requests(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        before = await source.tip()
        server.chain.extend(mine_on(server.chain.tip, 1, transactions=100))
        server.requests.clear()
        best = await source.tip()
        await source.headers(before.height, 150)
        await source.blocks([best], Want.PROVED)
        kinds = [path.split("/")[-1] for path in server.requests]
        assert len(kinds) == 6
        assert kinds.count("hex") == kinds.count("merkle-proof") == kinds.count("0") == 1

    async def test_an_unchanged_tip_takes_one(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        await source.tip()
        server.requests.clear()
        await source.tip()
        assert server.requests == ["/api/blocks/tip/hash"]

    async def test_a_batch_takes_one_page_and_three_a_block(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        refs = [block.ref for block in server.chain.active[1:16]]
        server.requests.clear()
        await source.blocks(refs, Want.COINBASE)
        assert len(server.requests) == 1 + 3 * 15

    async def test_a_small_block_takes_two(self) -> None:
        async with EsploraServer(regtest_chain(transactions=5)) as server, opened(server) as source:
            await source.tip()
            server.requests.clear()
            (block,) = await source.blocks([server.chain.tip.ref], Want.PROVED)
            assert block.txids is not None
            assert len(server.requests) == 2

    async def test_what_came_before_a_failure_is_not_asked_for_again(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        refs = [block.ref for block in server.chain.active[1:16]]
        asked = 0

        async def busy(_: web.Request) -> web.Response | None:
            nonlocal asked
            asked += 1
            return web.Response(status=502) if asked > 30 else None

        server.fault = busy
        with pytest.raises(SourceUnavailable):
            await source.blocks(refs, Want.COINBASE)
        server.fault = None
        server.requests.clear()
        assert len(await source.blocks(refs, Want.COINBASE)) == 15
        assert len(server.requests) < 30

    async def test_labels_come_with_the_page_and_name_their_source(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        await source.headers(1, 15)
        (block,) = await source.blocks([server.chain.active[5].ref], Want.COINBASE)
        assert block.label is not None
        assert block.label.pool == "viabtc"
        assert block.label.source == server.url.removeprefix("http://")

    @pytest.mark.slow
    async def test_requests_keep_their_pace(self, server: EsploraServer) -> None:
        async with opened(server, pace=0.05) as source:
            server.requests.clear()
            started = time.monotonic()
            await asyncio.gather(*(source.tip() for _ in range(4)))
            assert time.monotonic() - started >= 0.14


class TestOpening:
    @pytest.mark.parametrize("tail", ["", "/", "/api", "/api/"])
    async def test_the_address_may_name_the_api_or_not(
        self, server: EsploraServer, tail: str
    ) -> None:
        source = EsploraSource(server.url + tail, pace=0)
        await source.open()
        assert source.network == "regtest"
        assert source.capabilities.public
        await source.close()

    @pytest.mark.parametrize(("flavour", "batch"), [(Flavour.ESPLORA, 10), (Flavour.MEMPOOL, 15)])
    async def test_the_dialect_decides_the_batch(self, flavour: Flavour, batch: int) -> None:
        async with EsploraServer(regtest_chain(3), flavour) as server, opened(server) as source:
            assert source.capabilities.batch == batch

    async def test_another_network_is_refused(self, server: EsploraServer) -> None:
        source = source_of(server, "mainnet")
        with pytest.raises(SourceRefused, match="serves regtest, not mainnet"):
            await source.open()

    async def test_an_unknown_network_is_refused(self, server: EsploraServer) -> None:
        server.chain.params = dataclasses.replace(REGTEST, genesis_header=bytes(80))
        with pytest.raises(SourceRefused, match="unknown network"):
            await source_of(server).open()

    async def test_something_else_than_an_api(self, server: EsploraServer) -> None:
        server.fault = web_page
        with pytest.raises(BadReply, match="no Esplora or mempool API"):
            await source_of(server).open()

    async def test_nobody_there(self, server: EsploraServer) -> None:
        url = server.url
        await server.__aexit__(None, None, None)
        source = EsploraSource(url)
        with pytest.raises(SourceUnavailable, match="connection failed"):
            await source.open()

    @pytest.mark.parametrize(
        "url", ["mempool.space", "ftp://x", "http://", "http://[", "https:///a"]
    )
    def test_an_address_that_is_none(self, url: str) -> None:
        with pytest.raises(ConfigError, match="no API address"):
            EsploraSource(url)

    async def test_a_proxy_is_taken_from_the_environment(
        self, server: EsploraServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        source = EsploraSource("http://api.example", pace=0)
        await source.open()
        assert await source.tip() == server.chain.tip.ref
        await source.close()

    async def test_not_open(self, server: EsploraServer) -> None:
        with pytest.raises(SourceUnavailable, match="not open"):
            await source_of(server).tip()


class TestReorgs:
    async def test_a_reorg_between_looks(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        old = await source.tip()
        fork = server.chain.active[-3]
        server.chain.extend(mine_on(fork, 4, seed=9, transactions=100))
        await asyncio.wait_for(source.wait_for_tip_change(60), 5)
        best = await source.tip()
        assert best.height == old.height + 2
        headers = await source.headers(fork.height, 10)
        assert sha256d(headers[-1]) == best.hash
        # The block that became stale has no branch any more, but all its txids.
        (stale,) = await source.blocks([old], Want.PROVED)
        assert stale.merkle_branch is None
        assert prove(stale, entry_of(stale), REGTEST, trusted=False)[0] == "coinbase"

    async def test_a_chain_that_changes_while_it_is_read(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        await source.tip()
        rivals = mine_on(server.chain.active[3], len(server.chain.active) - 4, seed=4)

        changed = asyncio.Event()

        async def change(request: web.Request) -> web.Response | None:
            if request.path.endswith("/40"):
                old = server.chain.active[:25:-1]
                server.chain.extend(rivals)
                changed.set()
                return web.json_response([server._as_json(b, extended=True) for b in old])
            await changed.wait()
            return None

        server.fault = change
        with pytest.raises(SourceUnavailable, match="changed meanwhile"):
            await source.headers(1, 100)

    async def test_a_server_that_lags_behind_another(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        await source.tip()
        del server.chain.active[-1]
        with pytest.raises(SourceUnavailable, match="does not have block 40 yet"):
            await source.headers(1, 100)

    @pytest.mark.parametrize("forgets", [False, True])
    async def test_stale_tips_come_with_as_much_as_is_left_of_them(
        self, server: EsploraServer, forgets: bool
    ) -> None:
        server.forgets_stale = forgets
        old = server.chain.tip.ref
        server.chain.extend(mine_on(server.chain.active[-2], 2, seed=6))
        async with opened(server) as source:
            await source.tip()
            assert await source.stale_tips() == (old,)
            (stale,) = await source.blocks([old], Want.PROVED)
        level, _ = prove(stale, entry_of(stale), REGTEST, trusted=False)
        assert level == ("header" if forgets else "coinbase")
        assert stale.label is not None

    async def test_a_block_that_lost_unseen_is_never_taken_without_its_coinbase(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        server.forgets_stale = True
        lost = server.chain.tip.ref
        await source.tip()
        server.chain.extend(mine_on(server.chain.active[-2], 2, seed=6))
        with pytest.raises(NotFound):
            await source.blocks([lost], Want.PROVED)

    async def test_an_api_without_stale_tips_is_none_the_worse(self, server: EsploraServer) -> None:
        async def older(request: web.Request) -> web.Response | None:
            return web.Response(status=404) if request.path.endswith("chain-tips") else None

        server.fault = older
        async with opened(server) as source:
            assert await source.stale_tips() == ()

    async def test_unknown_blocks_in_a_batch(self, source: EsploraSource) -> None:
        with pytest.raises(NotFound):
            await source.blocks([BlockRef(3, b"\x01" * 32), BlockRef(4, b"\x02" * 32)], Want.PROVED)
