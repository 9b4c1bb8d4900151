"""The test node's replies have the shapes that real nodes showed."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from hashing.header import hash_to_hex
from tests.support.node import FLAVOURS, RegtestNode
from tests.support.node.publisher import TOPICS
from tests.support.node.server import WORK_QUEUE
from tests.support.patience import PATIENCE
from tools.make_bitcoind_shapes import VARYING_HEADERS, body_shape

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bitcoind_shapes.json").read_text())
PRUNED_HEIGHT = 5
EXCHANGES = [
    pytest.param(exchange, id=f"{exchange['flavour']}-{exchange['name']}")
    for exchange in VECTORS["exchanges"]
]


@pytest.fixture(scope="module")
def nodes() -> Iterator[dict[str, RegtestNode]]:
    """One node a flavour; the master's has a valid fork and a branch of valid headers."""
    nodes = {name: RegtestNode(FLAVOURS[name], blocks=150) for name in FLAVOURS}
    nodes["core-master"].reorg(1)
    nodes["core-master"].fork(1)
    for node in nodes.values():
        node.start()
    yield nodes
    for node in nodes.values():
        node.close()


@pytest.mark.slow
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_reply_has_the_recorded_shape(
    nodes: dict[str, RegtestNode], exchange: dict[str, Any]
) -> None:
    node = nodes[exchange["flavour"]]
    _set_faults(node, exchange["name"])
    try:
        status, headers, body = _ask(node, exchange["request"])
    finally:
        _set_faults(node, "")
    for name in VARYING_HEADERS | {"Content-Type"}:
        if status == 204:
            headers.pop(name, None)
    lengths = {headers.pop(name, "") for name in VARYING_HEADERS}
    assert status == exchange["status"]
    assert headers == exchange["headers"]
    assert body_shape(headers.get("Content-Type", ""), body) == exchange["body"]
    assert str(len(body)) in lengths or status == 204


@pytest.mark.parametrize(("change", "topic_count"), [("one block", 5), ("reorg of one block", 11)])
def test_zmq_messages_come_as_recorded(
    nodes: dict[str, RegtestNode], change: str, topic_count: int
) -> None:
    node = nodes["core-master"]
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        for topic in TOPICS:
            subscriber.setsockopt(zmq.SUBSCRIBE, topic.encode())
        subscriber.setsockopt(zmq.RCVTIMEO, 5000)
        subscriber.connect(node.zmq_address)
        _mine_until_heard(node, subscriber)
        if change == "one block":
            node.mine()
        else:
            node.reorg(1)
        messages = [subscriber.recv_multipart() for _ in range(topic_count)]
    seen = [
        [
            topic.decode(),
            None if topic.startswith(b"raw") else len(body),
            chr(body[32]) if topic == b"sequence" else None,
        ]
        for topic, body, _ in messages
    ]
    assert seen == VECTORS["zmq"][change]
    assert messages[-2][1] == node.tip.hash[::-1]
    for topic in TOPICS:
        numbers = [int.from_bytes(n, "little") for t, _, n in messages if t == topic.encode()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_the_work_queue_is_as_deep_as_a_node_s(nodes: dict[str, RegtestNode]) -> None:
    node = nodes["core-31"]
    request = {"method": "waitfornewblock", "params": [60_000], "id": 1}
    waiting = [threading.Thread(target=_ask, args=(node, request)) for _ in range(WORK_QUEUE)]
    node.requests.clear()
    for thread in waiting:
        thread.start()
    while len(node.requests) < WORK_QUEUE:
        time.sleep(0.01)
    status, _, body = _ask(node, {"method": "uptime", "params": [], "id": 1})
    assert (status, body) == (503, b"Work queue depth exceeded")
    node.mine()
    for thread in waiting:
        thread.join()


def _mine_until_heard(node: RegtestNode, subscriber: zmq.Socket[bytes]) -> None:
    """Mine until the subscription has arrived, then read what is on its way."""
    while not subscriber.poll(50):
        node.mine()
    while subscriber.poll(200):
        subscriber.recv_multipart()


def _set_faults(node: RegtestNode, name: str) -> None:
    node.faults.warming_up = "Loading banlist…" if "warming_up" in name else ""
    node.faults.queue_full = "work_queue" in name
    node.faults.pruned_below = PRUNED_HEIGHT + 1 if "prune" in name else 0


def _ask(node: RegtestNode, request: Any) -> tuple[int, dict[str, str], bytes]:
    """Send a recorded request; roles stand for the blocks of this node."""
    login = base64.b64encode(node.cookie.read_bytes()).decode()
    headers = {"Authorization": f"Basic {login}"}
    method, path, body = "POST", "/", json.dumps(request)
    match request:
        case {"GET": path}:
            method, body = "GET", ""
        case {"POST": path}:
            body = ""
        case {"body": body}:
            pass
        case {"auth": wrong}:
            headers = {"Authorization": "Basic d3Jvbmc6d3Jvbmc="} if wrong else {}
    for role, digest in _roles(node).items():
        path, body = path.replace(f"<{role}>", digest), body.replace(f"<{role}>", digest)
    connection = http.client.HTTPConnection("127.0.0.1", node.rpc_port, timeout=PATIENCE)
    connection.request(method, path, body or None, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), content


def _roles(node: RegtestNode) -> dict[str, str]:
    chain = node.chain
    stale = [tip.ref.hash for tip in chain.tips() if tip.status == "valid-fork"]
    hashes = {
        "tip": node.tip.hash,
        "first": chain.at(1).ref.hash,
        "genesis": chain.at(0).ref.hash,
        "pruned": chain.at(PRUNED_HEIGHT).ref.hash,
        "stale": stale[0] if stale else node.tip.hash,
    }
    return {role: hash_to_hex(digest) for role, digest in hashes.items()}
