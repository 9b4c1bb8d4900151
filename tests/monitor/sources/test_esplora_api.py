"""Whatever an API sends, what comes out is a value that makes sense or one clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing.header import sha256d
from monitor.errors import BadReply
from monitor.http import LONGEST_WAIT, ApiClient, retry_after
from monitor.sources.esplora_api import Api, Summary
from tests.support.esplora import EsploraServer, mainnet_chain

SERVER = EsploraServer(mainnet_chain(3))
HONEST = SERVER._as_json(SERVER.chain.tip, extended=True)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


class Canned(ApiClient):
    """A client whose every reply is `body`."""

    def __init__(self, body: bytes) -> None:
        super().__init__("http://api.example", timeout=1)
        self._body = body

    async def get(self, path: str, limit: int, *, optional: bool = False) -> bytes:
        return self._body


def api(body: bytes = b"") -> Api:
    return Api(Canned(body), "/api", "mempool")


def run(job: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(job)


def read(row: Any) -> Summary:
    return api()._summary(row, "/api/block/x")


def attempt(call: Callable[[], Any]) -> tuple[Any, str]:
    """Return what `call` returns, or None and the text of its `BadReply`."""
    try:
        return call(), ""
    except BadReply as error:
        return None, str(error)


def test_an_honest_row_gives_the_header() -> None:
    found = read(HONEST)
    assert found.header == SERVER.chain.tip.header
    assert found.ref == SERVER.chain.tip.ref
    assert found.label is not None
    assert found.label.source == "api.example"


@pytest.mark.slow
@given(field=st.sampled_from(sorted(HONEST)), value=json_values)
def test_any_field_may_be_anything(field: str, value: Any) -> None:
    found, error = attempt(lambda: read(HONEST | {field: value}))
    assert "\n" not in error
    assert len(error) < 250
    if found is not None:
        assert sha256d(found.header) == found.ref.hash == SERVER.chain.tip.hash


@given(field=st.sampled_from(sorted(HONEST)))
def test_any_field_may_be_missing(field: str) -> None:
    row = {name: value for name, value in HONEST.items() if name != field}
    if field in {"weight", "mediantime", "difficulty", "extras"}:
        assert read(row).ref == SERVER.chain.tip.ref
    else:
        with pytest.raises(BadReply):
            read(row)


@pytest.mark.slow
@given(json_values)
def test_any_extras(extras: Any) -> None:
    label = read(HONEST | {"extras": extras}).label
    assert label is None or label.pool


@pytest.mark.slow
@given(st.binary(max_size=200) | json_values.map(lambda value: str(value).encode()))
def test_any_body(body: bytes) -> None:
    calls = api(body)
    for call in (
        calls.tip_height(),
        calls.tip_hash(),
        calls.block_hash(1),
        calls.summary(bytes(32)),
        calls.summaries(1),
        calls.txids(bytes(32)),
        calls.merkle_branch(bytes(32)),
        calls.transaction(bytes(32)),
    ):
        _, error = attempt(partial(run, call))
        assert not error or error.startswith("api.example: GET /api/")
        assert "\n" not in error


def test_no_txids_are_none_of_a_block() -> None:
    with pytest.raises(BadReply, match="at least one transaction"):
        run(api(b"[]").txids(bytes(32)))


@given(st.text(max_size=40))
def test_any_retry_after(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is None or 1 <= seconds <= LONGEST_WAIT
