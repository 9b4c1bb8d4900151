"""Replies against the OpenAPI document that describes them, whatever is asked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from monitor.watch.base import LocalRate
from monitor.web.endpoints import ENDPOINTS, PREFIX
from monitor.web.openapi import document
from tests.monitor.web.conftest import Client
from tests.support.webagent import HOSTILE, WebAgent, mixed

DOCUMENT: Final = json.loads(document())
OPERATIONS: Final = {
    path: item["get"]
    for path, item in DOCUMENT["paths"].items()
    if path.removeprefix(PREFIX) in {endpoint.path for endpoint in ENDPOINTS}
}
NUMBERS: Final = ("", " ", "0", "-1", "7", "101", "1e9", "1e999", "NaN", "null", "9" * 400)
TEXTS: Final = ("\x00", "\n", "é😀", "<script>", "%", "..", "a" * 3000, "antpool", "f" * 64)


@cache
def validator(reply: str) -> OAS31Validator:
    return OAS31Validator({"$ref": reply, "components": DOCUMENT["components"]})


def allowed(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """Return texts that a parameter's schema allows, and numbers one beyond its ends."""
    if "anyOf" in schema:
        return allowed(schema["anyOf"][0])
    if "enum" in schema:
        return st.sampled_from([str(value) for value in schema["enum"]])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"), fullmatch=True)
    low, high = schema.get("minimum", 0), schema.get("maximum", 10**9)
    if schema["type"] == "integer":
        return (st.integers(low, high) | st.sampled_from([low - 1, high + 1])).map(str)
    if schema["type"] == "number":
        return (st.floats(low, high) | st.just(low - 1)).map(str)
    return st.text(max_size=schema["maxLength"])


def forbidden(text: str, schema: Mapping[str, Any]) -> bool:
    """Say whether a schema has no place for what `text` spells."""
    value: Any = text
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if isinstance(read, int | float) and not isinstance(read, bool) and math.isfinite(read):
        value = read
    numeric = not OAS31Validator(schema).is_valid("x")
    return not OAS31Validator(schema).is_valid(value if numeric else text)


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, dict[str, str], dict[str, str]]:
    """Draw a path of the document with texts for its places and some of its parameters."""
    path = draw(st.sampled_from(sorted(OPERATIONS)))
    texts: dict[str, dict[str, str]] = {"path": {}, "query": {}}
    for parameter in OPERATIONS[path]["parameters"]:
        if parameter["in"] == "path" or draw(st.booleans()):
            value = allowed(parameter["schema"]) | st.sampled_from(NUMBERS + TEXTS) | st.text()
            texts[parameter["in"]][parameter["name"]] = draw(value)
    return path, texts["path"], texts["query"]


@pytest.fixture
def agent(agent: WebAgent) -> WebAgent:
    """An agent that has seen what strangers can do to a chain."""
    agent.reorg(2, mixed(3))
    agent.mine([HOSTILE, b"\xff" * 90])
    agent.metrics.requests.labels("bitcoind").inc()
    agent.board.observed("local_rate", LocalRate(5e6, 4e6, 6e6, "k"))
    return agent


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(questions())
async def test_whatever_is_asked_the_reply_is_as_described(
    client: Client, question: tuple[str, dict[str, str], dict[str, str]]
) -> None:
    path, places, query = question
    operation = OPERATIONS[path]
    filled = path
    for name, text in places.items():
        filled = filled.replace(f"{{{name}}}", quote(text, safe=""))
    async with client.get(f"{filled}?{urlencode(query)}" if query else filled) as response:
        assert response.status in (200, 400, 404), await response.text()
        described = operation["responses"]["200" if response.status == 200 else "default"]
        reply = await response.json()
    validator(described["content"]["application/json"]["schema"]["$ref"]).validate(reply)
    if reply.keys() == {"error"} or filled != path:
        return
    schemas = {found["name"]: found["schema"] for found in operation["parameters"]}
    wrong = [name for name, text in query.items() if forbidden(text, schemas[name])]
    assert not wrong, "what the document forbids was answered"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(OPERATIONS.keys() - {f"{PREFIX}/epoch"}))
async def test_every_plain_question_is_answered_as_described(client: Client, path: str) -> None:
    async with client.get(path.replace("{slug}", "antpool").replace("{block}", "200")) as response:
        assert response.status == 200
        described = OPERATIONS[path]["responses"]["200"]["content"]["application/json"]
        validator(described["schema"]["$ref"]).validate(await response.json())
