"""``poolscope watch`` against a real agent's events."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from monitor.cli import cli
from monitor.commands.watch import Seen, spoken_age, view
from monitor.config import WebSettings
from monitor.errors import PoolscopeError
from monitor.web.overview import overview
from monitor.web.server import WebServer
from monitor.web.status import status
from tests.support.webagent import HOSTILE, WebAgent, mixed


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[WebAgent]:
    with WebAgent(tmp_path) as agent:
        agent.mine(mixed(150))
        yield agent


async def started(server: WebServer, *options: str) -> asyncio.subprocess.Process:
    port = server.url.rstrip("/").rpartition(":")[2]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", "watch", "--port", port, *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 20)).decode()


@pytest.mark.slow
async def test_in_a_pipe_it_writes_a_line_a_block(agent: WebAgent) -> None:
    async with WebServer(agent.context(), WebSettings(port=0)) as server:
        process = await started(server)
        first = [await line_of(process) for _ in range(15)]
        assert [int(line.split("\t")[0]) for line in first] == list(range(136, 151))
        agent.mine([b"/ViaBTC/"])
        assert (await line_of(process)).rstrip().split("\t")[::2] == ["151", "ViaBTC"]
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert process.returncode == 0
    assert errors.strip() == b""


@pytest.mark.slow
async def test_json_is_a_line_a_state(agent: WebAgent) -> None:
    async with WebServer(agent.context(), WebSettings(port=0)) as server:
        process = await started(server, "--json")
        assert json.loads(await line_of(process))["tip"]["height"] == 150
        agent.mine([b"x"])
        assert json.loads(await line_of(process))["tip"]["height"] == 151
        process.kill()
        await process.wait()


def test_without_an_agent_it_says_what_to_do() -> None:
    result = CliRunner().invoke(cli, ["watch", "--port", "1"])
    assert isinstance(result.exception, PoolscopeError)
    assert "start it with 'poolscope run'" in str(result.exception)


async def test_the_view_fits_eighty_columns_and_steers_no_terminal(agent: WebAgent) -> None:
    agent.mine([HOSTILE, b"/F2Pool/ \x1b[2J"])
    agent.missing = ["the source hangs \x1b[31m"]
    agent.metrics.requests.labels("bitcoind").inc()
    agent.metrics.source_up.labels("bitcoind").set(0)
    context = agent.context()
    seen = Seen("http://x", status(context).model_dump(), overview(context).model_dump(), "gone")
    console = Console(width=80, highlight=False)
    with console.capture() as captured:
        console.print(view(seen, 144, "tag"))
    text = captured.get()
    assert "\x1b" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for part in ("block 152", "bitcoind down", "connection lost: gone", "Foundry USA", "last 144"):
        assert part in text
    assert "not up to date: the source hangs ?[31m" in text


async def test_a_lens_that_is_not_there_is_said(agent: WebAgent) -> None:
    seen = Seen("http://x", {}, overview(agent.context()).model_dump())
    console = Console(width=80)
    with console.capture() as captured:
        console.print(view(seen, 144, "moon"))
    assert "no window of 144 blocks under lens 'moon': the agent has tag" in captured.get()


@pytest.mark.parametrize(
    ("age", "spoken"),
    [(59, "0 min 59 s"), (3599, "59 min 59 s"), (3700, "1 h 01 min"), (90_000, "1 d 1 h")],
)
def test_an_age_is_in_fitting_units(age: int, spoken: str) -> None:
    assert spoken_age(age) == spoken
