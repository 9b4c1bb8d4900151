"""The agent as its user starts it: it waits for what is named, and leaves the sample by itself."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor import app
from monitor.agent import choose
from monitor.config import load_settings
from monitor.sources.base import BlockSource, Capabilities
from monitor.sources.sample import FIRST_PERIOD, SampleSource
from tests.support.node import RegtestNode
from tests.support.patience import PATIENCE
from tests.support.prometheus import agent, fetch, wait_for


def ready(address: str) -> str:
    """Return what ``/-/ready`` says, empty if nothing listens yet."""
    try:
        return fetch(f"http://{address}/-/ready").decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.read().decode()
    except OSError:
        return ""


def source_of(address: str, name: str) -> dict[str, Any]:
    status = json.loads(fetch(f"http://{address}/api/v1/status"))
    (found,) = (source for source in status["sources"] if source["name"] == name)
    assert isinstance(found, dict)
    return found


def settings_for(node: RegtestNode, tmp_path: Path) -> dict[str, str]:
    """Name a node and nothing else, on a machine that shows no other."""
    return {
        "HOME": str(tmp_path),
        "POOLSCOPE_NETWORK": "regtest",
        "POOLSCOPE_BITCOIND": json.dumps([{"url": node.url, "cookie": str(node.cookie)}]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["warming up", "down", "login", "whitelist"])
def test_a_named_node_that_is_not_ready_is_waited_for_and_nothing_else_is_asked(
    tmp_path: Path, trouble: str
) -> None:
    with RegtestNode(blocks=30) as node:
        says = {
            "warming up": "is warming up",
            "down": "is the node running",
            "login": "refuses the login",
            "whitelist": "rpcwhitelist",
        }[trouble]
        settings = settings_for(node, tmp_path)
        if trouble == "warming up":
            node.faults.warming_up = "Loading block index…"
        elif trouble == "whitelist":
            node.faults.whitelist = ["getnetworkinfo"]
        elif trouble == "login":
            settings["POOLSCOPE_BITCOIND"] = json.dumps(
                [{"url": node.url, "user": "u", "password": "wrong"}]
            )
        else:
            node.stop()
        with agent(tmp_path / "agent", "auto", settings) as address:
            wait_for(lambda: says in ready(address))
            assert ready(address).startswith("not ready: waiting for bitcoind")
            waiting = source_of(address, "bitcoind")
            assert waiting["up"] is False
            assert says in waiting["trouble"]
            if trouble != "login":
                node.faults.warming_up, node.faults.whitelist = "", None
                if trouble == "down":
                    node.start()
                wait_for(lambda: ready(address) == "ready\n")
                assert source_of(address, "bitcoind")["leads"] is True
        log = (tmp_path / "agent.log").read_text()
        assert "SAMPLE" not in log
        assert "mempool" not in log
        assert "wrong" not in log


@pytest.mark.slow
def test_a_node_that_is_rolled_back_is_said_and_the_agent_is_not_ready(tmp_path: Path) -> None:
    with RegtestNode(blocks=30) as node:
        with agent(tmp_path / "agent", "auto", settings_for(node, tmp_path)) as address:
            wait_for(lambda: ready(address) == "ready\n")
            node.show(20)
            wait_for(lambda: "bitcoind is at 20, 10 below what is stored" in ready(address))
            metrics = fetch(f"http://{address}/metrics").decode()
            for line in (
                'poolscope_source_tip_height{source="bitcoind"} 20.0',
                'poolscope_source_lag_blocks{source="bitcoind"} 10.0',
                'poolscope_source_up{source="bitcoind"} 1.0',
                "poolscope_ready 0.0",
                "poolscope_tip_height 30.0",
            ):
                assert line in metrics
            seen = source_of(address, "bitcoind")
            assert (seen["tip_height"], seen["lag_blocks"], seen["leads"]) == (20, 10, True)
            node.show(None)
            wait_for(lambda: ready(address) == "ready\n")
        log = (tmp_path / "agent.log").read_text()
        assert log.count("10 below what is stored; is it reindexing") == 1
        assert log.count("bitcoind has all stored blocks again") == 1


class _Node(SampleSource):
    """Real mainnet headers in the place of a node: the sample's, not said to be a sample."""

    name = "bitcoind"
    capabilities = Capabilities(batch=500, first_height=FIRST_PERIOD)


class _Machine:
    """What is found on this machine: nothing, until a node is there."""

    node: BlockSource | None = None

    def __init__(self, _settings: object) -> None:
        self.found: list[BlockSource] = []

    def __call__(self) -> list[BlockSource]:
        new = [self.node] if self.node is not None and not self.found else []
        self.found += new
        return new


@pytest.mark.slow
async def test_the_sample_is_left_for_the_live_chain_as_soon_as_a_node_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "monitor")
    monkeypatch.setattr(choose, "LOOK_AGAIN", 0.1)
    monkeypatch.setattr(choose, "LocalNodes", _Machine)
    flags = {"offline": True, "data_dir": tmp_path, "web": {"port": 0}, "catch_up": 200}
    settings = load_settings(None, flags | {"hashrate": {"enabled": False}})
    running = asyncio.create_task(app._live(settings, lambda _stored, _left: None))

    async def status() -> dict[str, Any]:
        served = [r.getMessage() for r in caplog.records if r.getMessage().startswith("serving")]
        url = served[-1].removeprefix("serving ") if served else "http://127.0.0.1:1/"
        try:
            answer = await asyncio.to_thread(partial(fetch, f"{url}api/v1/status"))
        except (OSError, urllib.error.URLError):
            return {}
        found = json.loads(answer)
        assert isinstance(found, dict)
        return found

    async def until(synthetic: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                now = await status()
                if now.get("synthetic") == synthetic and now.get("ready"):
                    return
                assert not running.done()
                await asyncio.sleep(0.1)

    try:
        await until("sample")
        _Machine.node = _Node(0.01)
        await until("")
        assert [source["name"] for source in (await status())["sources"]] == ["bitcoind"]
    finally:
        _Machine.node = None
        running.cancel()
        await asyncio.wait({running})
    said = [record.getMessage() for record in caplog.records]
    assert "source: bitcoind answers; leaving the sample for the live chain" in said
    assert set(os.listdir(tmp_path)) >= {"sample.sqlite", "mainnet.sqlite"}
