"""JSON is JSON, whatever a server before the node calls it."""

from __future__ import annotations

import codecs
import json

import pytest

from hashing.header import hash_to_hex
from monitor.errors import BadReply
from monitor.sources.base import Want
from monitor.sources.bitcoind import BitcoindSource
from tests.support.node import CallFault, Faults, RegtestNode

KINDS = [
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    "Application/JSON",
    'APPLICATION/JSON ; charset="utf-8" ; x=y',
    "application/json-rpc",
    "application/octet-stream",
    "text/plain",
    "text/html; charset=utf-8",
    "nonsense",
    "",
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rest", [True, False])
async def test_any_media_type_will_do(kind: str, rest: bool) -> None:
    with RegtestNode(blocks=5, rest=rest, faults=Faults(content_type=kind)) as node:
        node.fork()
        source = BitcoindSource(node.url, cookie=node.cookie)
        await source.open()
        assert await source.tip() == node.tip
        assert len(await source.headers(0, 6)) == 6
        assert len(await source.stale_tips()) == 1
        for want in Want:
            assert await source.blocks([node.tip], want)
        await source.close()
        asked = "".join(node.requests)
        assert ("/rest/blockpart" in asked and "/rest/headers" in asked) or not rest


async def test_a_byte_order_mark_before_the_json() -> None:
    with RegtestNode(blocks=5) as node:
        reply = {"result": hash_to_hex(node.tip.hash), "error": None, "id": 1}
        body = codecs.BOM_UTF8 + json.dumps(reply).encode()
        node.faults.calls["getbestblockhash"] = CallFault(reply=body)
        source = BitcoindSource(node.url, cookie=node.cookie)
        await source.open()
        assert await source.tip() == node.tip
        await source.close()


async def test_no_json_names_the_method_and_what_came() -> None:
    with RegtestNode(blocks=5) as node:
        source = BitcoindSource(node.url, cookie=node.cookie)
        await source.open()
        node.faults.html = True
        with pytest.raises(BadReply) as caught:
            await source.tip()
        assert "the reply to getbestblockhash is no JSON-RPC (HTTP 200, text/html" in str(
            caught.value
        )
        await source.close()
