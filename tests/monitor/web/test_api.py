"""The API over a real server and a real store."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from analyzers.leftout import Kind, LeftOut
from hashing.header import BlockRef
from monitor import answers
from monitor.agent.turns import SourceState
from monitor.watch.base import LocalRate
from monitor.web.bodies import Body, _has
from monitor.web.endpoints import ENDPOINTS
from monitor.web.openapi import document
from monitor.web.server import build_app
from tests.monitor.web.conftest import Client
from tests.support.webagent import HOSTILE, WebAgent, mixed


async def get(client: Client, path: str, status: int = 200) -> Any:
    async with client.get(f"/api/v1{path}") as response:
        assert response.status == status, await response.text()
        assert response.content_type == "application/json"
        return await response.json()


def example(path: str) -> str:
    return path.replace("{slug}", "antpool").replace("{block}", "7")


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.path != "/epoch"])
async def test_every_endpoint_answers_in_its_shape(client: Client, endpoint: Any) -> None:
    body = await get(client, example(endpoint.path))
    endpoint.answer.model_validate(body)


@pytest.mark.slow
async def test_figures_are_those_of_the_snapshot(client: Client, agent: WebAgent) -> None:
    (window,) = (await get(client, "/windows?window=144&lens=tag"))["windows"]
    summary = agent.board.snapshot.window(144, "tag")
    assert summary is not None
    assert window["blocks"] == 144
    assert [share["blocks"] for share in window["shares"]] == [s.blocks for s in summary.shares]
    assert window["shares"][0]["name"] == "Foundry USA"
    share = window["shares"][0]["share"]
    assert share["low"] < share["value"] < share["high"]
    (found,) = (await get(client, "/concentration?window=144"))["concentration"]
    assert found["figures"]["hhi"]["value"] == pytest.approx(summary.hhi, rel=1e-5)
    assert found["nakamoto_half"]["observed"] == summary.nakamoto_half.observed
    assert sum(found["nakamoto_half"]["posterior"].values()) == pytest.approx(1)


@pytest.mark.slow
async def test_blocks_come_in_pages_without_gap_or_double(client: Client) -> None:
    path: str | None = "/blocks?limit=75"
    heights: list[int] = []
    while path:
        page = await get(client, path)
        heights += [block["height"] for block in page["blocks"]]
        path = page["next"] and page["next"].removeprefix("/api/v1")
    assert heights == list(range(200, 0, -1))


@pytest.mark.slow
async def test_blocks_of_a_pool_and_of_nobody(client: Client, agent: WebAgent) -> None:
    for pool, name in (("viabtc", "viabtc"), ("unknown", None)):
        path: str | None = f"/blocks?limit=7&pool={pool}"
        found: list[Any] = []
        while path:
            page = await get(client, path)
            found += page["blocks"]
            path = page["next"] and page["next"].removeprefix("/api/v1")
        assert {block["pool"] for block in found} == {name}
        pools = agent.store.columns(["pool"])["pool"]
        assert len(found) == pools.count(name)


@pytest.mark.slow
async def test_a_block_by_height_and_by_hash(client: Client, agent: WebAgent) -> None:
    by_height = await get(client, "/blocks/42")
    ref = agent.chain[42].ref
    assert by_height["block"]["hash"] == ref.hash[::-1].hex()
    assert await get(client, f"/blocks/{ref.hash[::-1].hex()}") == by_height
    evidence = by_height["block"]["evidence"][0]
    script = bytes.fromhex(by_height["coinbase"]["script_sig"])
    end = evidence["offset"] + evidence["length"]
    assert script[evidence["offset"] : end].hex() == evidence["hex"]
    assert by_height["header"]["prev_hash"] == agent.chain[41].ref.hash[::-1].hex()


@pytest.mark.slow
async def test_hostile_coinbase_text_is_hex_and_escaped(client: Client, agent: WebAgent) -> None:
    agent.mine([HOSTILE])
    detail = await get(client, "/blocks/201")
    assert detail["coinbase"]["script_sig"].endswith(HOSTILE.hex())
    text = json.dumps([run["text"] for run in detail["coinbase"]["runs"]])
    assert "\\\\x3cimg" in text
    assert not re.search("[<>]", text)


@pytest.mark.slow
async def test_reorgs_leave_stale_blocks(client: Client, agent: WebAgent) -> None:
    gone = agent.chain[-1].ref.hash[::-1].hex()
    agent.reorg(2, mixed(3))
    stale = await get(client, "/stale")
    assert [block["height"] for block in stale["blocks"]] == [200, 199]
    assert stale["total"] == 2
    assert all(block["stale"] for block in stale["blocks"])
    (reorg,) = (await get(client, "/reorgs"))["reorgs"]
    assert (reorg["depth"], reorg["fork_height"], reorg["old_tip"]) == (2, 198, gone)
    assert (await get(client, f"/blocks/{gone}"))["block"]["stale"]
    seen = await get(client, "/overview")
    assert seen["reorgs"] == 1
    assert [block["height"] for block in seen["stale"]] == [200, 199]
    assert [block["height"] for block in seen["blocks"]] == list(range(201, 186, -1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "kind", "key"), [("/stale", "blocks", "hash"), ("/reorgs", "reorgs", "number")]
)
async def test_what_was_replaced_comes_in_pages_that_new_reorgs_do_not_shift(
    client: Client, agent: WebAgent, path: str, kind: str, key: str
) -> None:
    for depth in (1, 3, 1, 2, 2):  # some heights become stale more than once
        agent.reorg(depth, mixed(depth + 1))
    everything = await get(client, path)
    assert everything["next"] is None
    page = await get(client, f"{path}?limit=2")
    agent.reorg(1, mixed(2))
    found = page[kind]
    while page["next"]:
        page = await get(client, page["next"].removeprefix("/api/v1"))
        assert 1 <= len(page[kind]) <= 2
        found += page[kind]
    assert found == everything[kind]
    assert len({entry[key] for entry in found}) == len(found) == everything["total"]


@pytest.mark.slow
async def test_history_ends_at_the_tip_with_the_figures_of_now(
    client: Client, agent: WebAgent
) -> None:
    history = await get(client, "/concentration/history?window=144&pool=viabtc")
    (now,) = (await get(client, "/concentration?window=144"))["concentration"]
    (shares,) = (await get(client, "/windows?window=144"))["windows"]
    last = history["points"][-1]
    assert last["height"] == 200
    assert last["figures"]["hhi"] == now["figures"]["hhi"]
    own = next(share for share in shares["shares"] if share["pool"] == "viabtc")
    assert last["share"] == own["share"]
    agent.mine(mixed(200))
    later = await get(client, "/concentration/history?window=144")
    heights = [point["height"] for point in later["points"]]
    assert heights == sorted(set(heights))
    assert heights[-1] == 400
    assert all(height % later["step"] == 0 for height in heights[:-1])


async def test_a_young_agent_answers_too(young: WebAgent) -> None:
    async with TestClient(TestServer(build_app(young.context()))) as client:
        seen = await get(client, "/overview")
        assert seen["tip"] is None
        assert seen["windows"] == []
        assert "no block yet" in (await get(client, "/tip", 404))["error"]["message"]
        assert await get(client, "/blocks") == {"blocks": [], "next": None}
        assert (await get(client, "/concentration/history"))["points"] == []
        assert (await get(client, "/pools"))["pools"] == []


@pytest.mark.slow
async def test_status_names_sources_and_what_is_missing(client: Client, agent: WebAgent) -> None:
    agent.metrics.requests.labels("bitcoind").inc(3)
    agent.metrics.failures.labels("bitcoind").inc()
    agent.metrics.source_up.labels("bitcoind").set(0)
    agent.board.observed("local_rate", LocalRate(5e6, 4e6, 6e6, "k"))
    agent.missing = ["no source has answered yet"]
    status = await get(client, "/status")
    assert not status["ready"]
    assert status["missing"] == agent.missing
    assert status["synthetic"] == "rehearsal"
    (source,) = status["sources"]
    assert source | {"last_success": None} == {
        "name": "bitcoind",
        "up": False,
        "requests": 3,
        "failures": 1,
        "last_success": None,
        "leads": False,
        "tip_height": None,
        "lag_blocks": None,
        "trouble": "",
        "left_out": [],
    }
    assert status["local_rate"]["hashes_per_second"] == 5e6


@pytest.mark.slow
async def test_sources_come_in_their_order_with_their_tips_and_what_is_left_of_them(
    agent: WebAgent,
) -> None:
    left = LeftOut(Kind.TIP, 2, "the source cannot give the block", ("9 ab",))
    states = [
        SourceState("node", False, False, None, None, "node: connection refused", ()),
        SourceState("api", True, True, BlockRef(7, bytes(32)), 3, "", [left]),
        SourceState("files", None, False, None, None, "", ()),
    ]
    agent.metrics.requests.labels("api").inc(3)
    agent.metrics.requests.labels("gone").inc()
    context = dataclasses.replace(agent.context(), sources=lambda: states)
    async with TestClient(TestServer(build_app(context))) as client:
        for path in ("/sources", "/status"):
            node, api, files, gone = (await get(client, path))["sources"]
            assert [node["name"], files["name"], gone["name"]] == ["node", "files", "gone"]
            assert (node["trouble"], node["requests"]) == ("node: connection refused", 0)
            assert (api["leads"], api["tip_height"], api["lag_blocks"]) == (True, 7, 3)
            assert api["left_out"] == [left.as_json()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/windows?widnow=144", 400, "unknown parameter 'widnow': /api/v1/windows takes window"),
        ("/tip?x=1", 400, "takes no parameters"),
        ("/windows?window=145", 400, "must be one of 144, 1008, 2016"),
        ("/windows?window=abc", 400, "parameter 'window'"),
        ("/windows?window=144&window=2016", 400, "more than once"),
        ("/windows?lens=moon", 400, "parameter 'lens': must be one of tag"),
        ("/concentration/history?lens=moon", 400, "must be one of tag"),
        ("/blocks?limit=101", 400, "parameter 'limit'"),
        ("/blocks?before=-1", 400, "parameter 'before'"),
        ("/stale?before=5", 400, "parameter 'before'"),
        (f"/stale?before={'0' * 64}", 400, "no block of this hash"),
        ("/reorgs?before=99999999999", 400, "parameter 'before'"),
        ("/blocks?pool=%3Cscript%3E", 400, "parameter 'pool'"),
        ("/blocks?limit=1_0", 400, "must be a whole number, in digits"),
        ("/blocks?limit=+5", 400, "must be a whole number, in digits"),
        ("/blocks?limit=%D9%A1", 400, "must be a whole number, in digits"),
        ("/blocks?before=1e2", 400, "must be a whole number, in digits"),
        (f"/blocks?before={'9' * 5000}", 400, "parameter 'before'"),
        ("/claims?tariff=0_1", 400, "must be a number, such as 0.05"),
        ("/claims?tariff=nan", 400, "must be a number, such as 0.05"),
        ("/claims?tariff=1e999", 400, "parameter 'tariff'"),
        ("/blocks/100000", 404, "no block 100000"),
        ("/blocks/zz", 404, "openapi.json lists"),
        ("/pools/nosuchpool", 404, "no pool 'nosuchpool'"),
        ("/epoch", 404, "no forecast"),
        ("/events?since=1", 400, "takes no parameters"),
        ("/nothing", 404, "nothing is at '/api/v1/nothing'"),
    ],
)
async def test_errors_are_json_that_says_what_to_do(
    client: Client, path: str, status: int, says: str
) -> None:
    error = await get(client, path, status)
    answers.ErrorAnswer.model_validate(error)
    assert error["error"]["status"] == status
    assert says in error["error"]["message"]


async def test_other_methods_are_refused(client: Client) -> None:
    async with client.post("/api/v1/tip") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD"
        assert "use GET" in (await response.json())["error"]["message"]


@pytest.mark.slow
async def test_a_known_etag_gets_304_until_the_next_block(client: Client, agent: WebAgent) -> None:
    async with client.get("/api/v1/overview") as response:
        etag = response.headers["ETag"]
        assert response.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": f'"other", {etag}'}
    async with client.get("/api/v1/overview", headers=known) as response:
        assert response.status == 304
        assert await response.read() == b""
    agent.mine([b"x"])
    async with client.get("/api/v1/overview", headers=known) as response:
        assert response.status == 200
        assert response.headers["ETag"] != etag


@pytest.mark.slow
async def test_bodies_are_made_once_a_snapshot(client: Client, agent: WebAgent) -> None:
    await get(client, "/blocks?limit=5")
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    agent.reading.blocks = count  # type: ignore[assignment]
    await asyncio.gather(*(get(client, "/blocks?limit=5") for _ in range(20)))
    assert calls == 0


async def test_a_store_that_cannot_be_read_is_said_without_details(
    agent: WebAgent, caplog: pytest.LogCaptureFixture
) -> None:
    context = agent.context()
    async with TestClient(TestServer(build_app(context))) as client:
        with agent.store._database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE block RENAME TO gone")
        error = await get(client, "/blocks/7", 503)
    assert "the agent's log says why" in error["error"]["message"]
    assert "no such table" in caplog.text


@pytest.mark.slow
def test_the_openapi_document_is_valid_and_complete() -> None:
    described = json.loads(document())
    validate(described)
    assert set(described["paths"]) == {f"/api/v1{e.path}" for e in ENDPOINTS} | {
        "/api/v1/events",
        "/api/v1/openapi.json",
    }
    for name, schema in described["components"]["schemas"].items():
        assert schema.get("description"), f"{name} is not described"


def test_the_openapi_document_describes_every_field_and_parameter() -> None:
    made = json.loads(document())
    silent = [
        f"{name}.{field}"
        for name, schema in made["components"]["schemas"].items()
        for field, about in schema["properties"].items()
        if not about.get("description", "").endswith(".")
    ]
    silent += [
        path for path, item in made["paths"].items() if not item["get"]["summary"].endswith(".")
    ]
    silent += [
        f"{path}?{parameter['name']}"
        for path, item in made["paths"].items()
        for parameter in item["get"].get("parameters", ())
        if not parameter.get("description", "").endswith(".")
    ]
    assert silent == []


@pytest.mark.slow
async def test_openapi_is_served(client: Client) -> None:
    assert (await get(client, "/openapi.json"))["openapi"] == "3.1.0"


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(named=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60))
def test_any_if_none_match_is_survived(named: str) -> None:
    from aiohttp.test_utils import make_mocked_request

    body = Body(b"{}", "application/json")
    request = make_mocked_request("GET", "/", headers={"If-None-Match": named})
    assert _has(request, body.etag) == (named.strip() == "*")


def test_answers_know_nothing_of_nan() -> None:
    made = answers.Estimate(value=float("nan"), low=0.123456789, high=float("inf"))
    assert made.model_dump() == {"value": None, "low": 0.123457, "high": None}


async def test_a_fault_is_logged_and_not_told(
    agent: WebAgent, caplog: pytest.LogCaptureFixture
) -> None:
    app = build_app(agent.context())

    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError("secret")

    app.router.add_get("/api/v1/broken", broken)
    async with TestClient(TestServer(app)) as client:
        error = await get(client, "/broken", 500)
    assert "secret" not in json.dumps(error)
    assert "secret" in caplog.text
