"""A journey on each network: block files, a real agent, and what the commands say of its store.

At regtest's difficulty, because nobody can mine blocks of the others here; all else (magic,
prefixes of addresses, names, spacing, heights of soft forks) is that of the network.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hashing.params import NETWORKS, REGTEST, SIGNETS, NetworkParams
from monitor.cli import cli
from monitor.errors import StoreError
from monitor.store.sql import open_store
from tests.support.blkfiles import record, write_all
from tests.support.blocks import extend, genesis

BLOCKS = 20
EASY = """
import dataclasses, sys
from hashing.params import NETWORKS, REGTEST
name = sys.argv[1]
NETWORKS[name] = dataclasses.replace(
    NETWORKS[name], genesis_header=REGTEST.genesis_header, pow_limit=REGTEST.pow_limit,
    no_retarget=True, milestone=None,
)
sys.argv = ["poolscope", *sys.argv[2:]]
from monitor.cli import main
main()
"""
STARTS = {"mainnet": "bc1q", "regtest": "bcrt1q"}


def easy(params: NetworkParams) -> NetworkParams:
    return dataclasses.replace(
        params,
        genesis_header=REGTEST.genesis_header,
        pow_limit=REGTEST.pow_limit,
        no_retarget=True,
        milestone=None,
    )


@pytest.fixture(params=[*NETWORKS, *SIGNETS])
def network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    monkeypatch.setitem(NETWORKS, name, easy(NETWORKS[name]))
    return name


@pytest.fixture
def stored(network: str, tmp_path: Path) -> tuple[str, ...]:
    """The options that name the store which an agent made of block files of `network`."""
    chain = (genesis(), *extend(genesis(), BLOCKS, tag=b"/no pool at all/"))
    files = tmp_path / "blocks"
    write_all(files, [b"".join(record(block, NETWORKS[network].magic) for block in chain)])
    where = ("--network", network, "--data-dir", str(tmp_path / "data"))
    source = ("--source", "blkfiles", "--blocks-dir", str(files))
    agent = subprocess.Popen(
        [sys.executable, "-c", EASY, network, "run", *where, *source, "--port=0", "--no-hashrate"]
    )
    try:
        until_stored(tmp_path / "data" / f"{network}.sqlite", network, agent)
    finally:
        agent.terminate()
        agent.wait()
    return where


def until_stored(path: Path, network: str, agent: subprocess.Popen[bytes]) -> None:
    """Wait for as long as the agent lives."""
    while agent.poll() is None:
        try:
            store = open_store(path, network, read_only=True)
        except StoreError:
            time.sleep(0.1)
            continue
        tip = store.tip()
        store.close()
        if tip is not None and tip.height == BLOCKS:
            return
        time.sleep(0.1)
    raise AssertionError("the agent ended before it had stored the blocks")


def said(*arguments: str) -> Any:
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.slow
def test_a_journey(network: str, stored: tuple[str, ...]) -> None:
    start = STARTS.get(network, "tb1q")
    assert said("pools", *stored)["blocks"] == BLOCKS + 1
    block = said("block", "7", *stored)["block"]
    assert block["height"] == 7
    (cluster,) = said("audit", "unknown", *stored)["clusters"]
    assert [text["text"] for text in cluster["texts"]] == ["/no pool at all/"]
    assert cluster["payouts"][0]["address"].startswith(start)
    proposed = CliRunner().invoke(cli, ["audit", "unknown", *stored]).stdout
    assert f'address = "{start}' in proposed
