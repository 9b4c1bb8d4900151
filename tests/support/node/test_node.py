"""The test node itself: consensus, forks, restarts, and the process around it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hashing.wire import parse_block
from tests.support.node import Refused, RegtestNode
from tests.support.patience import PATIENCE


def statuses(node: RegtestNode) -> list[tuple[int, int, str]]:
    return [(tip.ref.height, tip.branch_length, tip.status) for tip in node.chain.tips()]


@pytest.fixture
def node(tmp_path: Path) -> RegtestNode:
    return RegtestNode(datadir=tmp_path, blocks=10)


def test_mining_extends_the_chain(node: RegtestNode) -> None:
    refs = node.mine(3, tag="/ViaBTC/")
    assert [ref.height for ref in refs] == [11, 12, 13]
    assert node.tip == refs[-1]
    prefix, _ = parse_block(node.chain.raw(node.chain.tip))
    assert b"/ViaBTC/" in prefix.coinbase.script_sig
    node.close()


def test_forks_and_reorgs(node: RegtestNode) -> None:
    before = node.tip
    node.fork(1, 1)
    assert node.tip == before
    assert statuses(node) == [(10, 0, "active"), (10, 1, "valid-headers")]
    won = node.reorg(3)
    assert node.tip == won[-1]
    assert node.tip.height == 11
    assert statuses(node) == [
        (11, 0, "active"),
        (10, 3, "valid-fork"),
        (10, 3, "valid-headers"),
    ]
    node.close()


def test_a_hundred_blocks_can_be_reorganised(tmp_path: Path) -> None:
    node = RegtestNode(datadir=tmp_path, blocks=120)
    node.reorg(100)
    assert node.tip.height == 121
    assert (120, 100, "valid-fork") in statuses(node)
    node.close()


def test_headers_without_their_block(node: RegtestNode) -> None:
    (raw,) = node.build(1)
    node.chain.submit_header(raw[:80])
    assert statuses(node) == [(11, 1, "headers-only"), (10, 0, "active")]
    node.submit(raw)
    assert statuses(node) == [(11, 0, "active")]
    node.close()


def test_invalid_blocks_are_refused(node: RegtestNode) -> None:
    (raw,) = node.build(1)
    other_coinbase = raw[:-60] + bytes([raw[-60] ^ 1]) + raw[-59:]
    other_root = raw[:36] + bytes(32) + raw[68:]
    for forged in (raw[:-1], other_coinbase, other_root):
        with pytest.raises(Refused):
            node.submit(forged)
    assert statuses(node) == [(10, 0, "active")]
    node.submit(raw)
    node.close()


def test_blocks_with_transactions(tmp_path: Path) -> None:
    node = RegtestNode(datadir=tmp_path, blocks=101)
    node.mine(2, transactions=40)
    _, txids = parse_block(node.chain.raw(node.chain.tip))
    assert len(txids) == 41
    node.close()


def test_the_chain_survives_on_disk(node: RegtestNode, tmp_path: Path) -> None:
    node.fork(1, 1)
    node.reorg(2)
    tips = node.chain.tips()
    raw = node.chain.raw(node.chain.tip)
    node.close()
    again = RegtestNode(datadir=tmp_path)
    assert again.chain.tips() == tips
    assert again.chain.raw(again.chain.tip) == raw
    again.mine()
    again.close()


def test_restart_keeps_ports_and_changes_the_cookie() -> None:
    with RegtestNode(blocks=1) as node:
        first = (node.url, node.zmq_address)
        cookie = node.cookie.read_text()
        assert len(cookie) == 75
        node.restart()
        assert (node.url, node.zmq_address) == first
        assert node.cookie.read_text() != cookie
        node.stop()
        assert not node.cookie.exists()


@pytest.mark.slow
def test_as_a_process() -> None:
    flags = ["--blocks", "20", "--no-zmq", "--stopped", "--prefix", "/key", "--warm-up", "0.1"]
    output = run(
        [*flags, "--do", "forbid getchaintips", "--do", "show 18"],
        "mine 2 /tag with spaces/\nshow all\nstart\nreorg 3\nset pruned_below 4\nrestart\n"
        "tips\nwhat\nquit\n",
    )
    where, *answers = output.splitlines()
    assert Path(json.loads(where)["cookie"]).name == ".cookie"
    assert json.loads(where)["url"].endswith("/key")
    assert [answer.split()[0] for answer in answers[:8]] == [
        *("18", "22", "22", "23", "23", "23", "23", "22")
    ]
    assert answers[8].startswith("'what' does not work")


@pytest.mark.slow
def test_a_flag_that_is_none() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run(["--do", "nonsense"], "")


def run(flags: list[str], told: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.node", *flags],
        input=told,
        capture_output=True,
        check=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=PATIENCE,
    )
    return done.stdout
