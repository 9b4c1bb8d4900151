"""Addresses are those of the network that the store is of, wherever they are shown."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analyzers.attribution import attribute
from analyzers.registry.address import address_of, script_of
from analyzers.registry.importers import import_list
from hashing.build import build_block, build_coinbase
from hashing.header import BlockHeader
from hashing.params import NETWORKS, REGTEST
from hashing.wire import TxOut, parse_coinbase, read_block_prefix
from monitor.answers.convert_blocks import detail
from monitor.cli import cli
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import Mined, genesis

KNOWN = "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"
SCRIPTS = {
    "P2PKH": script_of(KNOWN),
    "P2SH": script_of("3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN"),
    "P2WPKH": b"\x00\x14" + bytes(range(20)),
    "P2WSH": b"\x00\x20" + bytes(range(32)),
    "P2TR": b"\x51\x20" + bytes(range(32)),
    "P2A": bytes.fromhex("51024e73"),
    "P2PK": b"\x21\x02" + bytes(range(32)) + b"\xac",
}
STARTS = {
    "mainnet": ("1", "3", "bc1q", "bc1q", "bc1p", "bc1p"),
    "testnet3": ("mn", "2", "tb1q", "tb1q", "tb1p", "tb1p"),
    "testnet4": ("mn", "2", "tb1q", "tb1q", "tb1p", "tb1p"),
    "signet": ("mn", "2", "tb1q", "tb1q", "tb1p", "tb1p"),
    "regtest": ("mn", "2", "bcrt1q", "bcrt1q", "bcrt1p", "bcrt1p"),
}
LIST = [{"id": 1, "name": "Known", "tags": ["/known/"], "addresses": [KNOWN]}]
REGISTRY = import_list(json.dumps(LIST)).registry


def mined(parent: Mined, script: bytes) -> Mined:
    coinbase = build_coinbase(parent.height + 1, b"/no pool at all/", [TxOut(5_000, script)])
    probe = parent.header.serialize() + b"\x01" + coinbase
    txid = read_block_prefix(probe).coinbase.txid
    raw = build_block(parent.header, coinbase, txid, time=parent.header.time + 600)
    return Mined(parent.height + 1, BlockHeader.parse(raw[:80]), raw)


@pytest.fixture(scope="module", params=list(NETWORKS))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store of two blocks for each kind of script; the registry's address is of mainnet."""
    chain, tip = [], genesis()
    for script in [script for script in SCRIPTS.values() for _ in range(2)]:
        tip = mined(tip, script)
        made = attribute(parse_coinbase(tip.coinbase_tx), REGISTRY, height=tip.height)
        chain.append(dataclasses.replace(tip.stored(), attribution=made))
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    opened = open_store(path, request.param)
    opened.apply(Step(chain))
    opened.close()
    return request.param, ("--network", request.param, "--store", f"sqlite:///{path}"), chain


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def expected(network: str) -> dict[str, str | None]:
    found = {kind: address_of(script, NETWORKS[network]) for kind, script in SCRIPTS.items()}
    starts = (*STARTS[network], None)
    for address, start in zip(found.values(), starts, strict=True):
        if address is None:
            assert start is None
            continue
        assert start is not None
        assert address.startswith(start) if len(start) > 2 else address[0] in start
    return found


def test_proposals_and_clusters(place: Any) -> None:
    network, where, _ = place
    found = json.loads(run("audit", "unknown", *where, "--json"))
    shown = {
        item["script"]: item["address"]
        for cluster in found["clusters"]
        for item in cluster["payouts"]
    }
    wanted = {SCRIPTS[kind].hex(): address for kind, address in expected(network).items()}
    assert shown == {script: wanted[script] for script in shown}
    assert len(shown) == len(SCRIPTS) - 1  # the known one is no unknown's
    text = run("audit", "unknown", *where)
    for kind, address in expected(network).items():
        assert (f'address = "{address}"' in text) == (kind not in {"P2PKH", "P2PK"})


def test_drift_and_reasons(place: Any, tmp_path: Path) -> None:
    network, where, _ = place
    address = expected(network)["P2PKH"]
    (seen,) = json.loads(run("audit", "drift", *where, "--all", "--json"))["sightings"]
    assert (seen["subject"], seen["registered"], seen["blocks"]) == (address, True, 2)
    (tmp_path / "labels.csv").write_text("height,label\n1,Other\n")
    (tmp_path / "list.json").write_text(json.dumps(LIST))
    against = ("--against", str(tmp_path / "labels.csv"), "--registry", str(tmp_path / "list.json"))
    (told,) = json.loads(run("audit", "blocks", *against, *where, "--json"))["disagreements"]
    assert f"100% of the value to {address}" in told["reason"]


def test_a_block_in_the_terminal_and_over_the_api(place: Any) -> None:
    network, where, chain = place
    addresses = expected(network)
    assert f"payout {addresses['P2PKH']} (strong) names known" in run("block", "1", *where)
    (evidence,) = json.loads(run("block", "1", *where, "--json"))["block"]["evidence"]
    assert evidence["address"] == addresses["P2PKH"]
    shown = [detail(block, str, NETWORKS[network]) for block in chain[::2]]
    paid = [found.coinbase.outputs[0].address for found in shown if found.coinbase]
    assert paid == list(addresses.values())
    assert shown[0].block.evidence[0].address == addresses["P2PKH"]


def test_an_address_of_any_network_names_its_pool() -> None:
    """Scripts are the same bytes on every network."""
    for network in NETWORKS.values():
        address = address_of(SCRIPTS["P2PKH"], network)
        registry = import_list(json.dumps([{**LIST[0], "addresses": [address]}])).registry
        assert list(registry.payouts) == [SCRIPTS["P2PKH"]]
    assert REGTEST.p2pkh_prefix != NETWORKS["mainnet"].p2pkh_prefix
