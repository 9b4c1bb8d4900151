"""Public APIs that fail, talk nonsense or lie: one clear line, nothing believed, recovery."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from hashing.chain import HeaderChain
from hashing.errors import HeaderError
from hashing.header import BlockHeader, sha256d
from hashing.params import REGTEST
from monitor.errors import (
    BadReply,
    NotFound,
    ProofError,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from monitor.proof import prove
from monitor.sources.base import Want
from monitor.sources.esplora import EsploraSource
from tests.support.esplora import EsploraServer, Flavour, mine_on
from tests.support.esplora.following import (
    canned,
    entry_of,
    opened,
    regtest_chain,
    web_page,
)
from tests.support.esplora.server import Fault

GZIP = {"Content-Encoding": "gzip"}


@pytest.fixture
async def server() -> AsyncIterator[EsploraServer]:
    async with EsploraServer(regtest_chain(), Flavour.MEMPOOL) as running:
        yield running


@pytest.fixture
async def source(server: EsploraServer) -> AsyncIterator[EsploraSource]:
    async with opened(server) as source:
        yield source


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "kind", "message"),
        [
            (web_page, BadReply, "web page"),
            (canned(text="nonsense"), BadReply, "not a block hash"),
            (canned(body=b"\xff" * 64), BadReply, "not a block hash"),
            (canned(text="0" * 100_000), BadReply, "more than"),
            (canned(body=gzip.compress(b"0" * 64), headers=GZIP), BadReply, "not a block hash"),
            (canned(status=500, text="oops\r\n" * 50), SourceUnavailable, "HTTP 500"),
            (canned(status=502), SourceUnavailable, "HTTP 502"),
            (canned(status=503), SourceUnavailable, "cannot answer now"),
            (canned(status=403, text="banned"), SourceRefused, "refuses us"),
            (canned(status=404), NotFound, "has no"),
            (canned(status=400, text="what?"), BadReply, "HTTP 400"),
            (canned(status=301, headers={"Location": "https://x/"}), BadReply, "https://x/"),
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
            await source.tip()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300
        assert str(caught.value).startswith("127.0.0.1:")
        server.fault = None
        assert await source.tip() == server.chain.tip.ref

    @pytest.mark.parametrize(
        "body",
        [b"", b"{}", b"[", b"null", b'[{"id": 1}]', b"[" * 100_000, b'{"id": "' + b"9" * 5000],
    )
    async def test_json_that_makes_no_sense(
        self, server: EsploraServer, source: EsploraSource, body: bytes
    ) -> None:
        await source.tip()
        server.fault = canned(body=body, content_type="application/json")
        with pytest.raises(BadReply) as caught:
            await source.headers(1, 5)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("value", "least", "most"),
        [
            ("7", 7, 7),
            ("0", 1, 1),
            ("99999999999", 3600, 3600),
            ("soon", 60, 60),
            ("", 60, 60),
        ],
    )
    async def test_too_many_requests(
        self, server: EsploraServer, source: EsploraSource, value: str, least: float, most: float
    ) -> None:
        server.fault = canned(
            status=429, text="<html>429</html>", headers={"Retry-After": value} if value else {}
        )
        with pytest.raises(SourceUnavailable, match="too many requests") as caught:
            await source.tip()
        assert caught.value.retry_after is not None
        assert least <= caught.value.retry_after <= most

    async def test_too_many_requests_until_a_date(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        until = format_datetime(datetime.now(UTC) + timedelta(seconds=3000))
        server.fault = canned(status=429, text="<html>429</html>", headers={"Retry-After": until})
        with pytest.raises(SourceUnavailable, match="too many requests") as caught:
            await source.tip()
        assert caught.value.retry_after is not None
        assert 2000 <= caught.value.retry_after <= 3000

    @pytest.mark.slow
    async def test_while_told_to_wait_nothing_is_asked(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        server.fault = canned(status=503, headers={"Retry-After": "1"})
        with pytest.raises(SourceUnavailable) as first:
            await source.tip()
        assert first.value.retry_after == 1
        server.fault = None
        server.requests.clear()
        with pytest.raises(SourceUnavailable, match="asked us to wait") as second:
            await source.tip()
        assert second.value.retry_after is not None
        assert second.value.retry_after <= 1
        assert server.requests == []
        await asyncio.sleep(second.value.retry_after)
        assert await source.tip() == server.chain.tip.ref

    async def test_being_limited_makes_the_source_slower(self, server: EsploraServer) -> None:
        async with opened(server, pace=0.0) as source:
            server.fault = canned(status=429, headers={"Retry-After": "1"})
            with pytest.raises(SourceUnavailable):
                await source.tip()
            assert source._client.pace > 0

    @pytest.mark.slow
    async def test_no_answer_in_time(self, server: EsploraServer) -> None:
        async with opened(server, timeout=0.2) as source:

            async def slow(_: web.Request) -> None:
                await asyncio.sleep(1)

            server.fault = slow
            with pytest.raises(SourceUnavailable, match=r"no answer within 0\.2 s"):
                await source.tip()

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
            await source.tip()

    async def test_a_failing_look_at_the_tip_ends_the_wait(
        self, server: EsploraServer, source: EsploraSource
    ) -> None:
        await source.tip()
        server.fault = canned(status=502)
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

        await source.tip()
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
        await source.tip()
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
        forged = dataclasses.replace(honest, coinbase_tx=liar.coinbase_tx, txids=liar.txids)
        server.chain.extend([forged])
        await source.tip()
        (block,) = await source.blocks([honest.ref], Want.PROVED)
        with pytest.raises(ProofError) as caught:
            prove(block, entry_of(block), REGTEST, trusted=False)
        assert caught.value.reason == "coinbase"

    async def test_a_proof_of_another_place_in_the_block_is_done_without(
        self, server: EsploraServer, source: EsploraSource, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def moved(request: web.Request) -> web.Response | None:
            if not request.path.endswith("merkle-proof"):
                return None
            return web.json_response({"block_height": 1, "merkle": [], "pos": 3})

        server.fault = moved
        (block,) = await source.blocks([server.chain.tip.ref], Want.PROVED)
        assert block.merkle_branch is None
        assert block.txids == server.chain.tip.txids
        assert "not the first transaction" in caplog.text

    @pytest.mark.parametrize("slug", ["<script>", "a" * 65, 7, None, ""])
    async def test_a_label_that_is_no_name_is_none(
        self, server: EsploraServer, source: EsploraSource, slug: Any
    ) -> None:
        row = server._as_json(server.chain.tip, extended=True)
        row["extras"]["pool"]["slug"] = slug

        async def labelled(request: web.Request) -> web.Response | None:
            return web.json_response([row]) if "/v1/blocks/" in request.path else None

        await source.tip()
        server.fault = labelled
        await source.headers(server.chain.tip.height, 1)
        (block,) = await source.blocks([server.chain.tip.ref], Want.PROVED)
        assert block.label is None
