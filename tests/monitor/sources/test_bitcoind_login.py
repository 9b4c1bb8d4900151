"""Passwords and cookies: what gets in, and what is said of what does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import SourceRefused, SourceUnavailable
from monitor.sources.bitcoind import BitcoindSource
from tests.support.node import CORE_31, RegtestNode
from tests.support.node.checks import assert_clear


@pytest.fixture
def node() -> Iterator[RegtestNode]:
    with RegtestNode(CORE_31, blocks=20) as node:
        yield node


async def test_wrong_password() -> None:
    with RegtestNode(user="ann", password="right", blocks=2) as node:
        source = BitcoindSource(node.url, user="ann", password="wrong")
        with pytest.raises(SourceRefused) as caught:
            await source.open()
        assert_clear(caught.value, node, "refuses the login", "rpcauth")
        assert "wrong" not in str(caught.value)
        await source.close()


@pytest.mark.parametrize("password", ["pa:ss@w/rd%41?#[é ", "%", "@", "a b"])
async def test_any_password_gets_in(password: str) -> None:
    with RegtestNode(user="a%b@c", password=password, blocks=2) as node:
        source = BitcoindSource(node.url, user="a%b@c", password=password)
        await source.open()
        assert await source.tip() == node.tip
        await source.close()


async def test_login_in_the_url_is_percent_decoded() -> None:
    with RegtestNode(user="ann", password="p@ss/w%rd", blocks=2) as node:
        source = BitcoindSource(node.url.replace("//", "//ann:p%40ss%2Fw%25rd@"))
        assert "p@ss" not in source.url
        await source.open()
        await source.close()


async def test_wrong_cookie(node: RegtestNode, tmp_path: Path) -> None:
    other = tmp_path / ".cookie"
    other.write_text("__cookie__:0000")
    source = BitcoindSource(node.url, cookie=other)
    with pytest.raises(SourceRefused) as caught:
        await source.open()
    assert_clear(caught.value, node, str(other))
    await source.close()


async def test_no_cookie_file_means_the_node_is_not_running(
    node: RegtestNode, tmp_path: Path
) -> None:
    source = BitcoindSource(node.url, cookie=tmp_path / ".cookie")
    with pytest.raises(SourceUnavailable) as caught:
        await source.open()
    assert_clear(caught.value, node, str(tmp_path), "is the node running")
    await source.close()


async def test_unreadable_cookie(node: RegtestNode, tmp_path: Path) -> None:
    source = BitcoindSource(node.url, cookie=tmp_path)
    with pytest.raises(SourceRefused) as caught:
        await source.open()
    assert_clear(caught.value, node, "rpccookieperms")
    await source.close()


@pytest.mark.parametrize("content", [b"", b"no colon", b"\xff\xfe:"])
async def test_a_file_that_is_no_cookie(node: RegtestNode, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cookie"
    path.write_bytes(content)
    source = BitcoindSource(node.url, cookie=path)
    with pytest.raises(SourceRefused) as caught:
        await source.open()
    assert_clear(caught.value, node, str(path))
    await source.close()
