"""Each thing that can be wrong with the test node is wrong in the way it says."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from hashing.header import hash_to_hex
from tests.support.callfault import NO_FAULT, fault_of
from tests.support.node import FORBIDDEN, UNKNOWN, CallFault, Failure, Faults, RegtestNode
from tests.support.node.commands import BadCommand, obey
from tests.support.patience import PATIENCE

LOGIN = ("u", "p")


class Answer(NamedTuple):
    status: int
    content_type: str | None
    body: bytes

    @property
    def result(self) -> Any:
        return json.loads(self.body)["result"]


def fetch(node: RegtestNode, path: str, body: str | None = None, *, login: bool = True) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=PATIENCE)
    word = base64.b64encode(":".join(LOGIN).encode()).decode()
    headers = {"Authorization": f"Basic {word}"} if login else {}
    connection.request("GET" if body is None else "POST", path, body, headers)
    response = connection.getresponse()
    answer = Answer(response.status, response.getheader("Content-Type"), response.read())
    connection.close()
    return answer


def call(node: RegtestNode, method: str, *params: Any, path: str = "/", **how: Any) -> Answer:
    return fetch(node, path, json.dumps({"method": method, "params": params, "id": 1}), **how)


@pytest.fixture(scope="module")
def running() -> Iterator[RegtestNode]:
    with RegtestNode(blocks=10, user=LOGIN[0], password=LOGIN[1]) as node:
        yield node


@pytest.fixture
def node(running: RegtestNode) -> Iterator[RegtestNode]:
    yield running
    running.faults = Faults()
    running.show(None)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON;x=1", None])
def test_content_type(node: RegtestNode, kind: str | None) -> None:
    node.faults.content_type = kind or ""
    assert call(node, "getblockcount") == Answer(200, kind, b'{"result":10,"error":null,"id":1}\n')
    assert fetch(node, "/rest/chaininfo.json").content_type == kind


def test_prefix(node: RegtestNode) -> None:
    node.faults.prefix = "/v2/key"
    assert node.url.endswith("/v2/key")
    assert call(node, "getblockcount").status == 404
    assert fetch(node, "/rest/chaininfo.json").status == 404
    for path in ("/v2/key", "/v2/key/"):
        assert call(node, "getblockcount", path=path).result == 10
    assert fetch(node, "/v2/key/rest/chaininfo.json").status == 200


def test_whitelist(node: RegtestNode) -> None:
    node.faults.whitelist = {"getblockcount"}
    assert call(node, "getblockcount").result == 10
    refused = call(node, "getbestblockhash")
    assert (refused.status, refused.body) == (403, b"")
    assert fetch(node, "/rest/chaininfo.json").status == 200
    batch = json.dumps([{"method": "getblockcount"}, {"method": "getbestblockhash"}])
    assert fetch(node, "/", batch).status == 403


def test_address_denied(node: RegtestNode) -> None:
    node.faults.address_denied = True
    for answer in (call(node, "getblockcount"), fetch(node, "/rest/chaininfo.json")):
        assert (answer.status, answer.body) == (403, b"")


def test_no_login(node: RegtestNode) -> None:
    assert call(node, "getblockcount", login=False).status == 401
    node.faults.no_login = True
    assert call(node, "getblockcount", login=False).result == 10


def test_jsonrpc_2(node: RegtestNode) -> None:
    node.faults.jsonrpc_2 = True
    assert json.loads(call(node, "getblockcount").body) == {"jsonrpc": "2.0", "result": 10, "id": 1}
    assert set(json.loads(call(node, "what").body)) == {"jsonrpc", "error", "id"}


def test_one_call_of_each_kind(node: RegtestNode) -> None:
    node.faults.calls = {
        "getchaintips": FORBIDDEN,
        "getblockhash": CallFault(error=UNKNOWN),
        "getblockheader": CallFault(error=Failure(-1, "Command unimplemented", 200)),
        "getblockchaininfo": CallFault(reply={"chain": "mainnet", "headers": None}),
        "getblockcount": CallFault(reply="ten"),
        "getnetworkinfo": CallFault(reply=b"<html>"),
        "uptime": CallFault(status=502, text="Bad Gateway"),
        "rest/headers": CallFault(status=403),
        "rest/block/notxdetails": CallFault(reply=b"{}"),
    }
    assert call(node, "getchaintips")[::2] == (403, b"")
    assert call(node, "getblockhash", 1)[::2] == (
        404,
        b'{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}\n',
    )
    assert call(node, "getblockheader", "").status == 200
    assert b"Command unimplemented" in call(node, "getblockheader", "").body
    info = call(node, "getblockchaininfo").result
    assert (info["chain"], info["blocks"], "headers" in info) == ("mainnet", 10, False)
    assert call(node, "getblockcount").result == "ten"
    assert call(node, "getnetworkinfo").body == b"<html>"
    assert call(node, "uptime")[::2] == (502, b"Bad Gateway")
    assert call(node, "getbestblockhash").status == 200
    tip = hash_to_hex(node.tip.hash)
    assert fetch(node, f"/rest/headers/{tip}.bin?count=1").status == 403
    assert fetch(node, f"/rest/block/notxdetails/{tip}.json").body == b"{}"
    assert len(fetch(node, f"/rest/block/{tip}.bin").body) > 80


def test_a_late_call_holds_no_other(node: RegtestNode) -> None:
    node.faults.calls = {"*": CallFault(delay=0.2)}
    node.faults.spare(["getblockcount"])
    start = time.monotonic()
    assert call(node, "uptime").status == 200
    assert time.monotonic() - start >= 0.2
    node.faults.calls["*"] = CallFault(delay=3600)
    assert call(node, "getblockcount").result == 10


def test_the_own_entry_of_a_call_goes_before_a_pattern() -> None:
    faults = {"*": FORBIDDEN, "get*": CallFault(delay=1), "getblock": NO_FAULT}
    assert fault_of(faults, "getblock") is NO_FAULT
    assert fault_of(faults, "getblockhash") is FORBIDDEN
    assert fault_of({"rest/*": FORBIDDEN}, "getblock") is NO_FAULT


def test_a_shorter_chain_and_all_of_it_again(node: RegtestNode) -> None:
    last = node.tip
    node.show(7)
    assert node.tip.height == 7
    assert call(node, "getblockcount").result == 7
    assert call(node, "getbestblockhash").result == hash_to_hex(node.chain.at(7).ref.hash)
    assert json.loads(call(node, "getblockhash", 8).body)["error"]["code"] == -8
    info = call(node, "getblockchaininfo").result
    assert (info["blocks"], info["headers"]) == (7, 7)
    assert [tip["height"] for tip in call(node, "getchaintips").result] == [7]
    first = hash_to_hex(node.chain.at(5).ref.hash)
    assert len(fetch(node, f"/rest/headers/{first}.bin?count=100").body) == 3 * 80
    (hidden,) = node.mine()
    assert node.tip.height == 7
    node.show(None)
    assert node.tip == hidden
    assert hidden.height == last.height + 1


def test_a_block_that_cannot_be_read(node: RegtestNode) -> None:
    bad, good = (node.chain.at(height).ref.hash for height in (3, 4))
    node.faults.bad_blocks.add(bad)
    error = json.loads(call(node, "getblock", hash_to_hex(bad), 0).body)["error"]
    assert error == {"code": -1, "message": "Block not found on disk"}
    for path in ("block/{}.bin", "blockpart/{}.bin?offset=0&size=80", "block/notxdetails/{}.json"):
        assert fetch(node, "/rest/" + path.format(hash_to_hex(bad))).status == 500
        assert fetch(node, "/rest/" + path.format(hash_to_hex(good))).status == 200
    assert call(node, "getblockheader", hash_to_hex(bad)).status == 200


@pytest.mark.slow
def test_warming_up_at_each_start() -> None:
    with RegtestNode(user="u", password="p", warm_up=0.3) as node:
        for _ in range(2):
            assert json.loads(call(node, "getblockcount").body)["error"]["code"] == -28
            assert fetch(node, "/rest/chaininfo.json").status == 503
            while b"-28" in call(node, "getblockcount").body:
                time.sleep(0.02)
            node.restart()


def test_commands_break_and_mend(node: RegtestNode) -> None:
    for line in (
        "forbid getchaintips",
        "unknown getzmqnotifications",
        "late uptime 0.01",
        "error getnetworkinfo -1 Command unimplemented",
        "status rest/headers 403",
        """reply getblockchaininfo '{"chain": "mainnet"}'""",
    ):
        obey(node, line)
    assert node.faults.calls == {
        "getchaintips": FORBIDDEN,
        "getzmqnotifications": CallFault(error=UNKNOWN),
        "uptime": CallFault(delay=0.01),
        "getnetworkinfo": CallFault(error=Failure(-1, "Command unimplemented")),
        "rest/headers": FORBIDDEN,
        "getblockchaininfo": CallFault(reply={"chain": "mainnet"}),
    }
    obey(node, "mend uptime")
    assert "uptime" not in node.faults.calls
    obey(node, "mend")
    assert node.faults.calls == {}
    obey(node, "whitelist getblock,getblockhash")
    assert node.faults.of_method("uptime") == FORBIDDEN
    obey(node, "whitelist all")
    assert node.faults.of_method("uptime") == NO_FAULT
    assert obey(node, "show 5").startswith("5 ")
    obey(node, "show all")
    obey(node, "bad 4")
    assert node.faults.bad_blocks == {node.chain.at(4).ref.hash}
    obey(node, "set content_type text/plain")
    obey(node, "set warming_up Loading block index…")
    obey(node, "set pruned_below 4")
    obey(node, "set no_login true")
    assert node.faults.content_type == "text/plain"
    assert node.faults.warming_up == "Loading block index…"
    assert (node.faults.pruned_below, node.faults.no_login) == (4, True)


@pytest.mark.parametrize(
    "line",
    ["what", "show", "show x", "late uptime", "reply a {", "mend none", "set nothing 1", "'"],
)
def test_commands_that_are_none(node: RegtestNode, line: str) -> None:
    with pytest.raises(BadCommand, match="commands:"):
        obey(node, line)
