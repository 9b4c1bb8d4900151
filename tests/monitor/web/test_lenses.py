"""What API and metrics say under lenses of each kind."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from analyzers.registry.lenskind import LensKind
from monitor.web.overview import overview
from monitor.web.server import build_app
from tests.monitor.web.conftest import Client
from tests.support.kinds import LATE, lenses_of_each_kind
from tests.support.webagent import WebAgent, mixed


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[WebAgent, Client]]:
    with WebAgent(tmp_path, lenses=lenses_of_each_kind()) as agent:
        agent.mine(mixed(200))
        async with TestClient(TestServer(build_app(agent.context()))) as client:
            yield agent, client


async def one(client: Client, path: str, lens: str) -> Any:
    async with client.get(f"/api/v1/{path}?window=144&lens={lens}") as response:
        assert response.status == 200
        return (await response.json())[path][0]


async def test_thresholds_and_risk_are_of_lenses_of_control(
    served: tuple[WebAgent, Client],
) -> None:
    agent, client = served
    seen = overview(agent.context())
    assert {risk.lens for risk in seen.risk} == {"tag", "control"}
    kinds = {lens.name: lens.kind for lens in seen.lenses}
    for kind in LensKind:
        assert kinds[kind.value] == kind.value
        shares, found = [
            await one(client, path, kind.value) for path in ("windows", "concentration")
        ]
        said = [share[f"above_{part}"] for share in shares["shares"] for part in ("third", "half")]
        assert all((chance is None) == (not kind.is_control) for chance in said)
        assert ("any_above_half" in found["figures"]) == kind.is_control
        assert bool(found["nakamoto_third"]["posterior"]) == kind.is_control
        assert found["withheld_by_lens"] == kind.why_withheld
        big = shares["shares"][0]
        assert big["called"] == kind.pools_of("Big")
        assert 0 < big["weak_source_blocks"] < big["blocks"]
        async with client.get(
            f"/api/v1/concentration/history?window=144&lens={kind.value}"
        ) as response:
            (point, *_) = (await response.json())["points"]
        assert ("any_above_third" in point["figures"]) == kind.is_control


async def test_what_a_lens_does_not_list_is_nobodys(served: tuple[WebAgent, Client]) -> None:
    _, client = served
    tags = await one(client, "windows", "tag")
    seen = await one(client, "windows", "jurisdiction")
    found = await one(client, "concentration", "jurisdiction")
    assert {share["pool"] for share in seen["shares"]} == {"big", "small"}
    listed = {"foundryusa", "antpool", "f2pool"}
    nobodys = sum(share["blocks"] for share in tags["shares"] if share["pool"] not in listed)
    assert nobodys > 0
    assert seen["unknown"] == found["unknown"] == tags["unknown"] + nobodys
    assert found["entities"] == 2
    # elsewhere a pool without a row stands for itself
    control = await one(client, "windows", "control")
    assert control["unknown"] == tags["unknown"]


async def test_a_lens_without_a_row_for_the_blocks_says_so(
    served: tuple[WebAgent, Client],
) -> None:
    agent, client = served
    for path in ("windows", "concentration"):
        found = await one(client, path, LATE)
        assert found["note"] == "no row of this lens applies to these blocks"
        assert found["blocks"] == 144
        assert not found.get("shares")
    async with client.get(f"/api/v1/concentration/history?window=144&lens={LATE}") as response:
        assert (await response.json())["points"] == []
    page = agent.context().exporter.render("text/plain")[0].decode()
    named = re.findall(rf'^(\w+)\{{.*lens="{LATE}"', page, re.MULTILINE)
    assert set(named) == {"poolscope_window_blocks", "poolscope_lens_row_blocks"}
    chances = re.findall(r'^poolscope_\w*probability\w*\{.*lens="(\w+)"', page, re.MULTILINE)
    assert set(chances) == {"tag", "control"}


async def test_rows_are_shown_with_their_sources(served: tuple[WebAgent, Client]) -> None:
    _, client = served
    async with client.get("/api/v1/lenses") as response:
        lenses = {lens["name"]: lens for lens in (await response.json())["lenses"]}
    rows = {row["pool"]: row for row in lenses["jurisdiction"]["rows"]}
    assert rows["antpool"]["weak"]
    assert not rows["foundryusa"]["weak"]
    assert (rows["viabtc"]["group"], rows["viabtc"]["name"]) == (None, "Not listed")
    assert lenses["jurisdiction"]["rest"] == "Not listed"
    assert lenses["control"]["rest"] == ""
    assert lenses[LATE]["rows"][0]["since_time"] == 4_102_444_800
