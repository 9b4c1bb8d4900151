"""A public API of which all but the needed paths fail, in each way: its chain is followed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from hashing.params import REGTEST
from monitor.errors import SourceError
from monitor.sources.base import Want
from monitor.sources.esplora import EsploraSource
from monitor.sources.esplora_api import OPTIONAL
from tests.monitor.sources.contract import SourceContract, World
from tests.monitor.sources.test_following import active, following
from tests.support.callfault import FORBIDDEN, CallFault
from tests.support.esplora import EsploraServer, Flavour, ServedChain, mine_on
from tests.support.esplora.chain import regtest_genesis
from tests.support.esplora.following import opened, regtest_chain, source_of
from tests.support.lanes import pairs

WRONG = {
    "forbidden": FORBIDDEN,
    "unknown": CallFault(status=404, text="Not Found"),
    "late": CallFault(delay=3600),
    "wrong": CallFault(reply=b'{"id": 7, "merkle": "?"}'),
}
FAILING = {
    "failing": CallFault(status=500, text="Internal Server Error"),
    "unavailable": CallFault(status=503, text="Service Unavailable"),
    "bad gateway": CallFault(status=502),
    "a page": CallFault(reply=b"<html>Please log in</html>"),
    "nothing": CallFault(reply=b""),
}
DIALECTS = {flavour.value: flavour for flavour in (Flavour.ESPLORA, Flavour.MEMPOOL)}


def optional(fault: CallFault) -> dict[str, CallFault]:
    """Return `fault` for every path that can be done without."""
    return {f"/api{path}": fault for path in OPTIONAL}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait long for what never comes."""
    monkeypatch.setattr("monitor.http.OPTIONAL_TIMEOUT", 0.2)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("fault", "flavour"), pairs(WRONG, DIALECTS))
class TestOnlyTheNeeded(SourceContract):
    @pytest.fixture
    async def world(self, fault: CallFault, flavour: Flavour) -> AsyncIterator[World]:
        chain = regtest_chain(30, 100)
        async with EsploraServer(chain, flavour, calls=optional(fault)) as server:

            async def advance() -> None:
                server.chain.extend(mine_on(server.chain.tip, 1, transactions=100))

            yield World(make=lambda: source_of(server), advance=advance)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("fault", "flavour"), pairs(WRONG | FAILING, DIALECTS))
async def test_the_chain_is_followed(tmp_path: Path, fault: CallFault, flavour: Flavour) -> None:
    await follow_through_a_reorg(tmp_path, flavour, optional(fault))


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fault", (WRONG | FAILING).values(), ids=WRONG | FAILING)
async def test_the_chain_is_followed_without_stale_tips(tmp_path: Path, fault: CallFault) -> None:
    await follow_through_a_reorg(tmp_path, Flavour.MEMPOOL, {"*/chain-tips": fault})


async def follow_through_a_reorg(path: Path, flavour: Flavour, calls: dict[str, CallFault]) -> None:
    genesis = regtest_genesis()
    chain = ServedChain(REGTEST, [genesis, *mine_on(genesis, 30, transactions=80)])
    async with EsploraServer(chain, flavour, calls=calls) as server:
        source = EsploraSource(server.url, "regtest", poll_interval=0.02, pace=0.0)
        async with following(source, path / "store", "regtest") as agent:
            store = agent.store
            await agent.until(lambda: store.tip() == chain.tip.ref)
            chain.extend(mine_on(chain.active[-4], 5, seed=2, transactions=80))
            await agent.until(lambda: store.tip() == chain.tip.ref)
            assert active(store) == [block.ref for block in chain.active]
            tip = store.block(chain.tip.ref.hash)
            assert tip is not None
            assert tip.proof == "coinbase"


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3000"}], ids=["", "retry-after"])
async def test_stale_tips_that_cannot_be_had_now_do_not_quiet_the_rest(
    headers: dict[str, str],
) -> None:
    async def busy(request: web.Request) -> web.Response | None:
        if request.path.endswith("/chain-tips"):
            return web.Response(status=503, headers=headers)
        return None

    async with (
        EsploraServer(regtest_chain(), Flavour.MEMPOOL) as server,
        opened(server) as source,
    ):
        server.fault = busy
        with pytest.raises(SourceError, match="chain-tips"):
            await source.stale_tips()
        best = await source.tip()
        assert await source.blocks([best], Want.PROVED)


async def test_a_refused_path_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    chain = regtest_chain(30, 100)
    calls = {"/api/tx/*/merkle-proof": FORBIDDEN}
    async with (
        EsploraServer(chain, Flavour.ESPLORA, calls=calls) as server,
        opened(server) as source,
    ):
        refs = [block.ref for block in chain.active[-10:]]
        assert all(block.txids for block in await source.blocks(refs, Want.PROVED))
    said = [record for record in caplog.records if "going on" in record.message]
    assert len(said) == 1
    assert "merkle-proof" in said[0].message
    assert said[0].levelno == logging.WARNING


async def test_a_path_that_was_busy_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("monitor.sources.esplora._ASK_AGAIN", 0.0)
    chain = regtest_chain(30, 100)
    async with (
        EsploraServer(chain, Flavour.ESPLORA) as server,
        opened(server) as source,
    ):
        server.calls["*/merkle-proof"] = CallFault(status=503)
        (block,) = await source.blocks([chain.active[-1].ref], Want.PROVED)
        assert block.txids
        server.calls.clear()
        (block,) = await source.blocks([chain.active[-2].ref], Want.PROVED)
        assert block.merkle_branch
    assert "/tx/*/merkle-proof is answered now" in caplog.text


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "TEXT/PLAIN;x=y", "text/html", "x", ""]
)
@pytest.mark.parametrize("flavour", list(Flavour), ids=lambda flavour: flavour.value)
async def test_any_media_type_will_do(flavour: Flavour, kind: str) -> None:
    async with (
        EsploraServer(regtest_chain(), flavour, content_type=kind) as server,
        opened(server) as source,
    ):
        best = await source.tip()
        assert len(await source.headers(0, 5)) == 5
        assert await source.blocks([best], Want.PROVED)


@pytest.mark.parametrize("flavour", list(Flavour), ids=lambda flavour: flavour.value)
async def test_an_api_below_a_path(flavour: Flavour) -> None:
    calls = {"/api/v1/chain-tips": FORBIDDEN}
    async with (
        EsploraServer(regtest_chain(), flavour, prefix="/signet/x", calls=calls) as server,
        opened(server) as source,
    ):
        best = await source.tip()
        assert await source.blocks([best], Want.PROVED)
        assert all(path.startswith("/signet/x/") for path in server.requests)
        if source.capabilities.stale_tips:
            with pytest.raises(SourceError, match="chain-tips"):
                await source.stale_tips()
            assert not source.capabilities.stale_tips


def test_docs_name_every_path_that_can_be_done_without() -> None:
    docs = (Path(__file__).parents[3] / "docs" / "sources.md").read_text()
    for path, without in OPTIONAL.items():
        assert f"| `{path}` | {without} |" in docs
