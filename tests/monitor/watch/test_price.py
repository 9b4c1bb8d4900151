"""The price: asked only where that is set, checked, and never a reason to stop."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from monitor.config import Settings
from monitor.errors import BadReply, SourceError, SourceRefused
from monitor.metrics.exporter import AgentMetrics
from monitor.metrics.watched import watched_metrics
from monitor.watch import price
from monitor.watch.base import Part
from monitor.watch.price import (
    BY_SETTING,
    MOST,
    Price,
    PriceWatcher,
    find_price,
    read_price,
)
from monitor.watch.supervise import Supervised
from tests.support.polling import until

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def source(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/prices", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/prices?coin=btc"))


FAILURES = "poolscope_watcher_failures_total"


@dataclass(eq=False)
class Parts(Collector):
    """What was observed, as metrics."""

    observed: dict[str, Part] = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        return watched_metrics(self.observed)

    def shown(self) -> str:
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry).decode()

    def watched(self, given: Settings, metrics: AgentMetrics) -> Supervised:
        return Supervised(PriceWatcher(given), self.observed.__setitem__, metrics)


def settings(**economics: Any) -> Settings:
    offline = economics.pop("offline", False)
    return Settings(economics=economics, offline=offline)


async def mempool(request: web.Request) -> web.Response:
    """Answer as https://mempool.space/api/v1/prices does."""
    assert request.query == {"coin": "btc"}
    return web.json_response({"time": 1795400184, "USD": 91132, "EUR": 78000})


async def test_the_reader_comes_before_the_source_before_the_setting() -> None:
    async with source(mempool) as url:
        known = settings(price_url=url, price_usd=5)
        assert await find_price(known, 7) == Price(7, "given by the reader", "-")
        found = await find_price(known)
    assert found is not None
    assert found.usd_per_btc == 91132
    assert found.source.startswith("127.0.0.1:")
    assert found.date[:2] == "20"
    assert await find_price(settings(price_usd=5)) == Price(5, BY_SETTING, "-")
    assert await find_price(settings()) is None


async def test_offline_asks_nobody() -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"USD": 1})

    async with source(answer) as url:
        known = settings(price_url=url, price_usd=5, offline=True)
        assert await find_price(known) == Price(5, BY_SETTING, "-")
    assert asked == []


async def huge(_request: web.Request) -> web.Response:
    return web.Response(body=b" " * 70_000)


async def elsewhere(_request: web.Request) -> web.Response:
    raise web.HTTPFound("http://127.0.0.1:1/secret")


async def page(_request: web.Request) -> web.Response:
    return web.Response(text="<html>", content_type="text/html")


async def gone(_request: web.Request) -> web.Response:
    raise web.HTTPForbidden


async def test_what_is_no_price_is_refused() -> None:
    for handler, kind in (
        (huge, BadReply),
        (elsewhere, SourceError),
        (page, BadReply),
        (gone, SourceRefused),
    ):
        async with source(handler) as url:
            with pytest.raises(kind):
                await find_price(settings(price_url=url))
    with pytest.raises(SourceError):
        await find_price(settings(price_url="http://127.0.0.1:1/"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"USD": null}',
        b'{"USD": true}',
        b'{"USD": 0}',
        b'{"USD": -1}',
        b'{"USD": 1e999}',
        b'{"USD": 1e12}',
        b'{"USD": "NaN"}',
        b'{"USD": {"USD": 1}}',
        b'{"EUR": 1}',
        b"[" * 100_000,
    ],
)
def test_bad_answers(body: bytes) -> None:
    with pytest.raises(BadReply, match=r"^example\.org: "):
        read_price(body, "USD", "example.org")


def test_where_the_price_stands() -> None:
    assert read_price(b'{"data": {"amount": "64000.5"}}', "data.amount", "h") == 64000.5
    assert read_price(b'{"USD": 64000}', "USD", "h") == 64000


@given(st.binary(max_size=60) | st.floats().map(lambda x: b'{"USD": %s}' % str(x).encode()))
def test_any_answer_is_a_price_or_a_bad_reply(body: bytes) -> None:
    try:
        price = read_price(body, "USD", "h")
    except BadReply:
        return
    assert math.isfinite(price)
    assert 0 < price < MOST


async def test_the_agent_keeps_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price, "RETRY_FIRST", 0.0)
    parts, metrics = Parts(), AgentMetrics()
    async with source(mempool) as url:
        watched = parts.watched(settings(price_url=url), metrics)
        task = asyncio.create_task(watched.run())
        await until(lambda: bool(watched.health.up))
        task.cancel()
    text = parts.shown()
    assert re.search(r'bitcoin_price_dollars\{source="127.0.0.1:\d+"\} 91132', text)
    assert "bitcoin_price_timestamp_seconds{" in text
    watched = parts.watched(settings(price_url=url), metrics)
    task = asyncio.create_task(watched.run())
    failures = partial(metrics.registry.get_sample_value, FAILURES, {"watcher": "price"})
    await until(lambda: (failures() or 0) > 1)  # it is gone, and worth asking again
    task.cancel()
    assert not watched.health.up
    assert watched.health.trouble.startswith("127.0.0.1:")
    assert parts.shown() == text


async def test_without_a_source_there_is_nothing_to_watch() -> None:
    parts = Parts()
    for known in (settings(), settings(price_url="http://127.0.0.1:1/", offline=True)):
        await parts.watched(known, AgentMetrics()).run()
        assert "bitcoin_price_dollars{" not in parts.shown()
    await parts.watched(settings(price_usd=5), AgentMetrics()).run()
    assert f'bitcoin_price_dollars{{source="{BY_SETTING}"}} 5.0' in parts.shown()
    assert "bitcoin_price_timestamp_seconds{" not in parts.shown()
