"""The page as files: what is served, how large it is, and what it may reach."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files

import pytest

from monitor.web.pages import SHELLS
from tests.monitor.web.conftest import Client
from tests.support.webagent import WebAgent

ASSETS = sorted(file.name for file in files("monitor.web").joinpath("assets").iterdir())
SERVED = [name for name in ASSETS if not name.endswith(".html")]
ADDRESSES = ("/", "/blocks", "/claims", "/pool/antpool", "/block/7")


def text_of(name: str) -> str:
    return files("monitor.web").joinpath("assets", name).read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("address", ADDRESSES)
async def test_pages_carry_a_strict_policy_and_no_inline_code(client: Client, address: str) -> None:
    async with client.get(address) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        html = await response.text()
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", html)
    assert "$" not in html


def test_every_page_has_an_address() -> None:
    assert len(SHELLS) == len(ADDRESSES)


@pytest.mark.slow
async def test_what_pages_name_is_served(client: Client) -> None:
    for address in ADDRESSES:
        async with client.get(address) as response:
            named = re.findall(r'(?:src|href)="(/assets/[^"]+)"', await response.text())
        for path in named:
            async with client.get(path) as response:
                assert response.status == 200, path
    for name in SERVED:
        if name.endswith(".js"):
            imported = re.findall(r'from "\./([^"]+)"', text_of(name))
            assert set(imported) <= set(SERVED)


@pytest.mark.slow
async def test_modules_that_a_page_loads_are_named_early(client: Client) -> None:
    async with client.get("/pool/antpool") as response:
        named = re.findall(r'modulepreload" href="/assets/([^"]+)"', await response.text())
    assert {"dom.js", "format.js", "bytes.js", "bandchart.js", "sharerow.js"} <= set(named)
    assert not {"cards.js", "pool.js"} & set(named)
    assert len(named) == len(set(named))


def test_the_whole_page_is_small() -> None:
    sizes = [len(text_of(name).encode()) for name in ASSETS]
    assert sum(sizes) < 300_000


@pytest.mark.parametrize("name", ASSETS)
def test_nothing_reaches_another_host_or_makes_markup_of_text(name: str) -> None:
    text = text_of(name)
    hosts = set(re.findall(r"https?://([\w.]+)", text))
    assert hosts <= {"www.w3.org"}, hosts
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|cssText", text)


@pytest.mark.slow
async def test_assets_are_compressed_and_revalidated(client: Client) -> None:
    async with client.get(
        "/assets/style.css", headers={"Accept-Encoding": "gzip"}, auto_decompress=False
    ) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await response.read()).decode() == text_of("style.css")
        etag = response.headers["ETag"]
    async with client.get("/assets/style.css", headers={"If-None-Match": etag}) as response:
        assert response.status == 304


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["/assets/nope.js", "/assets/..%2fserver.py", "/block/x", "/pool/A"]
)
async def test_what_is_not_there_is_said_in_plain_text(client: Client, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 404
        assert response.content_type == "text/plain"
        assert "Content-Security-Policy" in response.headers


async def test_a_person_who_took_a_wrong_turn_gets_a_page(client: Client) -> None:
    person = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with client.get("/pool/No Such", headers=person) as response:
        assert response.status == 404
        assert response.content_type == "text/html"
        assert "Content-Security-Policy" in response.headers
        assert "<h1>Nothing is here</h1>" in await response.text()
    async with client.get("/api/v1/nothing", headers=person) as response:
        assert response.content_type == "application/json"


async def test_health_and_metrics_are_served_beside(client: Client, agent: WebAgent) -> None:
    async with client.get("/-/healthy") as response:
        assert await response.text() == "healthy\n"
    agent.missing = ["the store is full"]
    async with client.get("/-/ready") as response:
        assert response.status == 503
        assert await response.text() == "not ready: the store is full\n"
    async with client.get("/metrics") as response:
        assert "poolscope_tip_height 200.0" in await response.text()
