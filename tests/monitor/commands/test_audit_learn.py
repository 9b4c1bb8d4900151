"""``audit learn`` over a store of mined blocks, and over JSON lines that prove themselves."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from analyzers.attribution import attribute
from analyzers.registry import load_registry, parse_registry
from hashing.build import build_block, build_coinbase
from hashing.header import BlockHeader
from hashing.params import REGTEST
from hashing.wire import TxOut, merkle_branch, merkle_root, parse_coinbase
from monitor.cli import cli
from monitor.store.base import Step, StoredBlock
from monitor.store.sql import open_store
from tests.support.blocks import PAYOUT, Mined, extend, genesis

OTHER = bytes(31) + b"\x07"
"""The txid of a second transaction."""


def run(*arguments: str, text: str = "") -> Result:
    return CliRunner().invoke(cli, ["audit", "learn", *arguments], input=text)


def stored(block: Mined) -> StoredBlock:
    found = attribute(parse_coinbase(block.coinbase_tx), load_registry(), height=block.height)
    return dataclasses.replace(block.stored(), attribution=found)


@pytest.fixture
def store(tmp_path: Path) -> tuple[str, ...]:
    """Heights 1 to 3 by Braiins, 4 known by its header, 5 and 6 proved no further than that."""
    opened = open_store(tmp_path / "store.sqlite", "regtest")
    chain = extend(genesis(), 6, tag=b"/slush/")
    unproved = [dataclasses.replace(stored(block), proof="header") for block in chain[4:]]
    blocks = [*map(stored, chain[:3]), chain[3].header_only(), *unproved]
    opened.apply(Step(blocks))
    opened.close()
    return "--store", f"sqlite:///{tmp_path / 'store.sqlite'}", "--network", "regtest"


def test_proved_blocks_of_a_store_teach(store: tuple[str, ...], tmp_path: Path) -> None:
    result = run("--json", *store)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["blocks"], found["min_blocks"]) == (3, 2)
    (learned,) = found["learned"]
    assert learned == {
        "pool": "braiinspool",
        "script": PAYOUT.hex(),
        "address": "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202",
        "blocks": 3,
        "first_height": 1,
        "last_height": 3,
    }
    assert [item["kind"] for item in found["left_out"]] == ["header_only_block"]
    assert found["proposal"] == run(*store).stdout
    review = tmp_path / "review.toml"
    said = run(*store, "--output", str(review))
    assert (said.exit_code, said.stdout) == (0, "")
    assert "1 payout scripts learned from 3 tagged blocks" in said.stderr
    assert review.read_text("utf-8") == found["proposal"]
    assert run("--min-blocks", "4", *store).stdout.count("[[pool]]") == 0
    assert parse_registry(found["proposal"]).pools["braiinspool"].payouts[0].script == PAYOUT


def line(height: int, /, **changed: Any) -> dict[str, Any]:
    """A block of two transactions, as a line: the branch is the other one's txid."""
    outputs = [TxOut(REGTEST.subsidy(height), PAYOUT)]
    coinbase = build_coinbase(height, b"/slush/%d" % height, outputs)
    txids = [parse_coinbase(coinbase).txid, OTHER]
    parent = BlockHeader.parse(REGTEST.genesis_header)
    raw = build_block(parent, coinbase, merkle_root(txids), time=parent.time + height)
    branch = [item.hex() for item in merkle_branch(txids)]
    made = {"height": height, "header": raw[:80].hex(), "coinbase_tx": coinbase.hex()}
    return made | {"merkle_branch": branch} | changed


def learn(*lines: dict[str, Any] | str) -> dict[str, Any]:
    text = "\n".join(item if isinstance(item, str) else json.dumps(item) for item in lines)
    result = run("--jsonl", "-", "--json", "--network", "regtest", text=text)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("order", [1, -1])
def test_lines_that_prove_themselves_teach(order: int) -> None:
    """Programs write the hashes of a branch in either byte order."""
    branch = [OTHER[::order].hex()]
    found = learn(*(line(height, merkle_branch=branch) for height in (20, 21)))
    assert [(one["pool"], one["blocks"]) for one in found["learned"]] == [("braiinspool", 2)]
    assert found["left_out"] == []


@pytest.mark.parametrize(
    "changed",
    [
        {"merkle_branch": [bytes(32).hex()]},
        {"merkle_branch": []},
        {"merkle_branch": None},
        {"header": None},
        {"height": None},
        {"height": 22},
        {"header": "00" * 80},
        {"header": "00"},
        {"merkle_branch": "00"},
        {"merkle_branch": [1]},
        {"merkle_branch": ["00"] * 25},
        {"merkle_branch": ["00"]},
        {"coinbase_tx": "zz"},
    ],
)
def test_lines_that_prove_nothing_are_named(changed: dict[str, Any]) -> None:
    found = learn(line(20), line(21, **changed))
    assert (found["blocks"], found["learned"]) == (1, [])
    (left,) = found["left_out"]
    assert (left["kind"], left["count"], left["examples"]) == ("coinbase_line", 1, ["2"])


def test_lines_that_are_none_are_named() -> None:
    found = learn("", "[]", "not JSON", line(20), line(20))
    assert found["blocks"] == 1, "a block that comes twice counts once"
    assert sum(left["count"] for left in found["left_out"]) == 3


def test_work_that_is_too_easy_for_its_height_proves_nothing() -> None:
    text = "\n".join(json.dumps(line(height)) for height in (20, 21))
    result = run("--jsonl", "-", "--json", text=text)
    found = json.loads(result.stdout)
    assert (found["blocks"], found["left_out"][0]["count"]) == (0, 2)


def test_where_nothing_can_be_read_or_written(store: tuple[str, ...], tmp_path: Path) -> None:
    assert "cannot be read" in str(run("--jsonl", str(tmp_path / "none")).exception)
    missing = run(*store, "--output", str(tmp_path / "none" / "review.toml"))
    assert "cannot be written" in str(missing.exception)
    assert run("--min-blocks", "0", *store).exit_code == 2
