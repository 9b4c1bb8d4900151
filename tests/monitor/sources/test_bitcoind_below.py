"""Nodes below a path, behind a proxy or a key: hosted ones, reverse proxies, wallets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from monitor.errors import ConfigError, SourceRefused
from monitor.sources.base import Want
from monitor.sources.bitcoind import BitcoindSource
from monitor.sources.bitcoind_find import resolve
from monitor.sources.bitcoind_rpc import Login
from tests.support.node import RegtestNode
from tests.support.node.checks import assert_clear

KEY = "3f9a77c1"


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(user="ann", password="pw", blocks=8) as node:
        yield node


async def reads_the_chain(source: BitcoindSource, node: RegtestNode) -> None:
    await source.open()
    try:
        assert await source.tip() == node.tip
        assert len(await source.headers(0, 100)) == node.tip.height + 1
        for want in Want:
            (block,) = await source.blocks([node.tip], want)
            assert block.coinbase_tx
    finally:
        await source.close()


@pytest.mark.parametrize("path", [f"/v2/{KEY}", f"/{KEY}", "/btc", "/a/b/c"])
@pytest.mark.parametrize("rest", [True, False])
async def test_without_a_login_below_a_path(node: RegtestNode, path: str, rest: bool) -> None:
    node.faults.no_login, node.faults.prefix, node.rest = True, path, rest
    assert node.url.endswith(path)
    await reads_the_chain(BitcoindSource(node.url, network="regtest"), node)
    assert {request.split()[1][: len(path)] for request in node.requests} == {path}
    assert any("/rest/block/" in request for request in node.requests) is False or rest


async def test_with_a_login_below_a_path(node: RegtestNode) -> None:
    node.faults.prefix = "/btc"
    url = node.url.replace("//", "//ann:pw@")
    await reads_the_chain(BitcoindSource(url, network="regtest"), node)
    source = BitcoindSource(node.url, user="ann", password="pw", network="regtest")
    await reads_the_chain(source, node)


async def test_a_trailing_slash_stays(node: RegtestNode) -> None:
    node.faults.no_login, node.faults.prefix = True, f"/{KEY}"
    await reads_the_chain(BitcoindSource(f"{node.url}/", network="regtest"), node)
    assert f"POST /{KEY}/" in node.requests
    assert not any("//rest" in request for request in node.requests)


@asynccontextmanager
async def guarded(node: RegtestNode, allowed: Any) -> AsyncIterator[str]:
    """Stand before a node and let through what `allowed` says, as a service with keys does."""
    from aiohttp import ClientSession

    async def handle(request: web.Request) -> web.Response:
        if not allowed(request):
            return web.Response(status=401, text=f"Invalid API key in {request.path_qs}")
        async with session.request(
            request.method, node.url + request.path_qs, data=await request.read()
        ) as reply:
            body = await reply.read()
            return web.Response(
                status=reply.status, body=body, content_type=reply.content_type or None
            )

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    async with ClientSession() as session, TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_a_key_in_the_query(node: RegtestNode) -> None:
    node.faults.no_login = True
    async with guarded(node, lambda request: request.query.get("key") == KEY) as url:
        await reads_the_chain(BitcoindSource(f"{url}?key={KEY}", network="regtest"), node)
        assert any(request.startswith("GET /rest/") for request in node.requests)
        wrong = BitcoindSource(f"{url}?key=wr0ngkey", network="regtest")
        with pytest.raises(SourceRefused) as caught:
            await wrong.open()
        assert "key" in str(caught.value)
        assert "wr0ngkey" not in str(caught.value)
        await wrong.close()


async def test_a_key_in_a_header(node: RegtestNode) -> None:
    node.faults.no_login = True
    async with guarded(node, lambda request: request.headers.get("X-Api-Key") == KEY) as url:
        source = BitcoindSource(url, network="regtest", log_in=False, headers={"x-api-key": KEY})
        await reads_the_chain(source, node)


async def test_no_login_where_none_is_wanted(node: RegtestNode) -> None:
    node.faults.no_login = True
    await reads_the_chain(BitcoindSource(node.url, network="regtest", log_in=False), node)


async def test_a_login_that_is_missing(node: RegtestNode) -> None:
    source = BitcoindSource(node.url, network="regtest", log_in=False)
    with pytest.raises(SourceRefused) as caught:
        await source.open()
    assert_clear(caught.value, node, "refuses the login", "bitcoind.user")
    await source.close()


async def test_rpc_for_a_wallet_is_logged_in_to_and_rest_is_beside_it(tmp_path: Path) -> None:
    with RegtestNode(datadir=tmp_path, blocks=3) as node:
        url, login = resolve(f"{node.url}/wallet/mine", datadir=tmp_path, network="regtest")
        assert (url, login.cookie) == (f"{node.url}/wallet/mine", node.cookie)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://h", "http://h:18443"),
        ("http://h/", "http://h:18443"),
        ("http://h/wallet/a", "http://h:18443/wallet/a"),
        ("https://h/v2/key", "https://h/v2/key"),
        ("https://h/?key=1", "https://h?key=1"),
        ("https://h:8/v2/key/", "https://h:8/v2/key/"),
        ("https://[::1]:8/v2", "https://[::1]:8/v2"),
    ],
)
def test_ports(url: str, address: str) -> None:
    assert resolve(url, network="regtest", password="p")[0] == address


def test_a_user_alone() -> None:
    assert resolve("https://t0ken@h/v2")[1] == Login("t0ken")
    with pytest.raises(ConfigError, match=r"bitcoind\.password"):
        resolve("http://127.0.0.1:8332", user="ann")


def test_a_login_does_not_show_itself() -> None:
    assert "s3cret" not in repr(Login("ann", "s3cret"))
