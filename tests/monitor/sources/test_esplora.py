"""Public APIs: both dialects over real HTTP, real blocks, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Any

import pytest
from aiohttp import web

from hashing.chain import ChainEntry, HeaderChain
from hashing.errors import HeaderError
from hashing.header import BlockHeader, sha256d
from hashing.params import MAINNET, REGTEST
from monitor.errors import (
    BadReply,
    ConfigError,
    NotFound,
    ProofError,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from monitor.proof import prove
from monitor.sources.base import BlockRef, SourceBlock, Want
from monitor.sources.esplora import EsploraSource
from tests.monitor.sources.contract import SourceContract, World
from tests.support.esplora import EsploraServer, Flavour, ServedChain, mainnet_chain, mine_on
from tests.support.esplora.chain import ServedBlock, real_blocks, regtest_genesis
from tests.support.esplora.server import Fault

POLL = 0.02
GZIP = {"Content-Encoding": "gzip"}


@cache
def regtest_blocks(length: int, transactions: int) -> tuple[ServedBlock, ...]:
    genesis = regtest_genesis()
    return (genesis, *mine_on(genesis, length, transactions=transactions))


def regtest_chain(length: int = 40, transactions: int = 100) -> ServedChain:
    return ServedChain(REGTEST, list(regtest_blocks(length, transactions)))


def source_of(server: EsploraServer, network: str | None = None, **options: Any) -> EsploraSource:
    return EsploraSource(server.url, network, **{"poll_interval": POLL, "pace": 0.0} | options)


@asynccontextmanager
async def opened(
    server: EsploraServer, network: str | None = None, **options: Any
) -> AsyncIterator[EsploraSource]:
    source = source_of(server, network, **options)
    await source.open()
    try:
        yield source
    finally:
        await source.close()


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


def entry_of(block: SourceBlock) -> ChainEntry:
    header = BlockHeader.parse(block.header)
    return ChainEntry(block.ref.height, header.hash, header, 0, None)


class TestRealBlocks:
    @pytest.mark.parametrize("flavour", [Flavour.ESPLORA, Flavour.MEMPOOL])
    async def test_a_real_tip_proves_itself(self, flavour: Flavour) -> None:
        async with (
            EsploraServer(mainnet_chain(), flavour) as server,
            opened(server, "mainnet") as source,
        ):
            best = (await source.tips()).best
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
        before = (await source.tips()).best
        server.chain.extend(mine_on(server.chain.tip, 1, transactions=100))
        server.requests.clear()
        best = (await source.tips()).best
        await source.headers(before.height, 150)
        await source.blocks([best], Want.PROVED)
        kinds = [path.split("/")[-1] for path in server.requests]
        assert len(kinds) == 6
        assert kinds.count("hex") == kinds.count("merkle-proof") == kinds.count("0") == 1

    async def test_an_unchanged_tip_takes_one(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        await source.tips()
        server.requests.clear()
        await source.tips()
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
            await source.tips()
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

    async def test_requests_keep_their_pace(self, server: EsploraServer) -> None:
        async with opened(server, pace=0.05) as source:
            server.requests.clear()
            started = time.monotonic()
            await asyncio.gather(*(source.tips() for _ in range(4)))
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
        server.fault = _web_page
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
        assert (await source.tips()).best == server.chain.tip.ref
        await source.close()

    async def test_not_open(self, server: EsploraServer) -> None:
        with pytest.raises(SourceUnavailable, match="not open"):
            await source_of(server).tips()


async def _web_page(_: web.Request) -> web.Response:
    return web.Response(text="<html>Please log in</html>", content_type="text/html")


def _reply(**options: Any) -> Fault:
    async def fault(_: web.Request) -> web.Response:
        return web.Response(**options)

    return fault


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "kind", "message"),
        [
            (_web_page, BadReply, "web page"),
            (_reply(text="nonsense"), BadReply, "not a block hash"),
            (_reply(body=b"\xff" * 64), BadReply, "not a block hash"),
            (_reply(text="0" * 100_000), BadReply, "more than"),
            (_reply(body=gzip.compress(b"0" * 64), headers=GZIP), BadReply, "not a block hash"),
            (_reply(status=500, text="oops\r\n" * 50), SourceUnavailable, "HTTP 500"),
            (_reply(status=502), SourceUnavailable, "HTTP 502"),
            (_reply(status=503), SourceUnavailable, "cannot answer now"),
            (_reply(status=403, text="banned"), SourceRefused, "refuses us"),
            (_reply(status=404), NotFound, "has no"),
            (_reply(status=400, text="what?"), BadReply, "HTTP 400"),
            (_reply(status=301, headers={"Location": "https://x/"}), BadReply, "https://x/"),
        ],
    )
    async def test_one_clear_line_and_recovery(
        self,
        server: EsploraServer,
        source: EsploraSource,
        fault: Fault,
        kind: type[SourceError],
        message: str,
    ) -> None:
        server.fault = fault
        with pytest.raises(kind, match=message) as caught:
            await source.tips()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300
        assert str(caught.value).startswith("127.0.0.1:")
        server.fault = None
        assert (await source.tips()).best == server.chain.tip.ref

    @pytest.mark.parametrize(
        "body",
        [b"", b"{}", b"[", b"null", b'[{"id": 1}]', b"[" * 100_000, b'{"id": "' + b"9" * 5000],
    )
    async def test_json_that_makes_no_sense(
        self, server: EsploraServer, source: EsploraSource, body: bytes
    ) -> None:
        await source.tips()
        server.fault = _reply(body=body, content_type="application/json")
        with pytest.raises(BadReply) as caught:
            await source.headers(1, 5)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("value", "least", "most"),
        [
            ("7", 7, 7),
            ("0", 1, 1),
            ("99999999999", 3600, 3600),
            (format_datetime(datetime.now(UTC) + timedelta(seconds=600)), 300, 600),
            ("soon", 60, 60),
            ("", 60, 60),
        ],
    )
    async def test_too_many_requests(
        self, server: EsploraServer, source: EsploraSource, value: str, least: float, most: float
    ) -> None:
        server.fault = _reply(
            status=429, text="<html>429</html>", headers={"Retry-After": value} if value else {}
        )
        with pytest.raises(SourceUnavailable, match="too many requests") as caught:
            await source.tips()
        assert caught.value.retry_after is not None
        assert least <= caught.value.retry_after <= most

    async def test_while_told_to_wait_nothing_is_asked(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        server.fault = _reply(status=503, headers={"Retry-After": "1"})
        with pytest.raises(SourceUnavailable) as first:
            await source.tips()
        assert first.value.retry_after == 1
        server.fault = None
        server.requests.clear()
        with pytest.raises(SourceUnavailable, match="asked us to wait") as second:
            await source.tips()
        assert second.value.retry_after is not None
        assert second.value.retry_after <= 1
        assert server.requests == []
        await asyncio.sleep(second.value.retry_after)
        assert (await source.tips()).best == server.chain.tip.ref

    async def test_being_limited_makes_the_source_slower(self, server: EsploraServer) -> None:
        async with opened(server, pace=0.0) as source:
            server.fault = _reply(status=429, headers={"Retry-After": "1"})
            with pytest.raises(SourceUnavailable):
                await source.tips()
            assert source._client.pace > 0

    async def test_no_answer_in_time(self, server: EsploraServer) -> None:
        async with opened(server, timeout=0.2) as source:

            async def slow(_: web.Request) -> None:
                await asyncio.sleep(1)

            server.fault = slow
            with pytest.raises(SourceUnavailable, match=r"no answer within 0\.2 s"):
                await source.tips()

    async def test_a_body_that_breaks_off(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        async def broken(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "64"})
            await response.prepare(request)
            await response.write(b"0" * 10)
            assert request.transport is not None
            request.transport.close()
            return response

        server.fault = broken
        with pytest.raises(SourceUnavailable, match="connection failed"):
            await source.tips()

    async def test_a_failing_look_at_the_tip_ends_the_wait(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        await source.tips()
        server.fault = _reply(status=502)
        await asyncio.wait_for(source.wait_for_tip_change(60), 5)


class TestForgeries:
    async def test_header_fields_that_do_not_hash_to_the_id(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        tip = server.chain.tip
        other = mine_on(tip, 1, seed=5)[0]

        async def forged(request: web.Request) -> web.Response | None:
            if "/blocks/tip" in request.path:
                return None
            row = server._as_json(tip, extended=True)
            return web.json_response([row | {"merkle_root": other.hash.hex()}])

        await source.tips()
        server.fault = forged
        with pytest.raises(BadReply, match="does not hash to its id"):
            await source.headers(tip.height, 1)

    async def test_another_block_than_asked_for(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        other = server._as_json(server.chain.active[3], extended=False)

        async def forged(_: web.Request) -> web.Response:
            return web.json_response(other)

        server.fault = forged
        with pytest.raises(BadReply, match="another block"):
            await source.blocks([server.chain.tip.ref], Want.PROVED)

    async def test_a_header_without_work_is_passed_on_and_refused_by_its_chain(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        tip = server.chain.tip
        weak = dataclasses.replace(BlockHeader.parse(mine_on(tip, 1)[0].header), nonce=0)
        while sha256d(weak.serialize())[-1] < 0x80:
            weak = dataclasses.replace(weak, nonce=weak.nonce + 1)
        server.chain.extend([dataclasses.replace(mine_on(tip, 1)[0], header=weak.serialize())])
        await source.tips()
        headers = await source.headers(0, 100)
        with pytest.raises(HeaderError, match="does not meet its target"):
            HeaderChain(REGTEST, 0, headers)

    @pytest.mark.parametrize("transactions", [5, 100])
    async def test_a_forged_coinbase_does_not_prove_itself(
        self, source: EsploraSource, server: EsploraServer, transactions: int
    ) -> None:
        """The liar keeps the header, and swaps the coinbase for one with another tag."""
        honest, liar = (
            mine_on(server.chain.tip, 1, transactions=transactions, tag=tag)[0]
            for tag in (b"/ViaBTC/", b"/AntPool/")
        )
        forged = dataclasses.replace(
            honest, coinbase_tx=liar.coinbase_tx, txids=liar.txids and liar.txids
        )
        server.chain.extend([forged])
        await source.tips()
        (block,) = await source.blocks([honest.ref], Want.PROVED)
        with pytest.raises(ProofError) as caught:
            prove(block, entry_of(block), REGTEST, trusted=False)
        assert caught.value.reason in {"coinbase", "wire"}

    async def test_a_proof_of_another_place_in_the_block(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        async def moved(request: web.Request) -> web.Response | None:
            if not request.path.endswith("merkle-proof"):
                return None
            return web.json_response({"block_height": 1, "merkle": [], "pos": 3})

        server.fault = moved
        with pytest.raises(BadReply, match="not the first transaction"):
            await source.blocks([server.chain.tip.ref], Want.PROVED)

    @pytest.mark.parametrize("slug", ["<script>", "a" * 65, 7, None, ""])
    async def test_a_label_that_is_no_name_is_none(
        self, server: EsploraServer, source: EsploraSource, slug: Any
    ) -> None:
        row = server._as_json(server.chain.tip, extended=True)
        row["extras"]["pool"]["slug"] = slug

        async def labelled(request: web.Request) -> web.Response | None:
            return web.json_response([row]) if "/v1/blocks/" in request.path else None

        await source.tips()
        server.fault = labelled
        await source.headers(server.chain.tip.height, 1)
        (block,) = await source.blocks([server.chain.tip.ref], Want.PROVED)
        assert block.label is None


class TestReorgs:
    async def test_a_reorg_between_looks(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        old = (await source.tips()).best
        fork = server.chain.active[-3]
        server.chain.extend(mine_on(fork, 4, seed=9, transactions=100))
        await asyncio.wait_for(source.wait_for_tip_change(60), 5)
        best = (await source.tips()).best
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
        await source.tips()
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
        await source.tips()
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
            tips = await source.tips()
            assert tips.stale == (old,)
            (stale,) = await source.blocks(tips.stale, Want.PROVED)
        level, _ = prove(stale, entry_of(stale), REGTEST, trusted=False)
        assert level == ("header" if forgets else "coinbase")
        assert stale.label is not None

    async def test_a_block_that_lost_unseen_is_never_taken_without_its_coinbase(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        server.forgets_stale = True
        lost = server.chain.tip.ref
        await source.tips()
        server.chain.extend(mine_on(server.chain.active[-2], 2, seed=6))
        with pytest.raises(NotFound):
            await source.blocks([lost], Want.PROVED)

    async def test_an_api_without_stale_tips_is_none_the_worse(self, server: EsploraServer) -> None:
        async def older(request: web.Request) -> web.Response | None:
            return web.Response(status=404) if request.path.endswith("chain-tips") else None

        server.fault = older
        async with opened(server) as source:
            assert (await source.tips()).stale == ()

    async def test_unknown_blocks_in_a_batch(self, source: EsploraSource) -> None:
        with pytest.raises(NotFound):
            await source.blocks([BlockRef(3, b"\x01" * 32), BlockRef(4, b"\x02" * 32)], Want.PROVED)
