"""Which network a node serves, and whether it is a Bitcoin Core node at all."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from hashing.header import hash_from_hex, sha256d
from hashing.params import CORE_CHAIN_NAMES, MAINNET, NETWORKS, REGTEST
from monitor.errors import SourceRefused
from monitor.sources.bitcoind import BitcoindSource
from monitor.sources.bitcoind_identity import is_core, network_of
from tests.support.node import UNKNOWN, CallFault, Failure, RegtestNode
from tests.support.node.checks import assert_clear

GENESIS = {name: sha256d(params.genesis_header) for name, params in NETWORKS.items()}
LITECOIN = hash_from_hex("12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2")
CORE = "/Satoshi:31.0.0/"


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("wanted", [True, False])
def test_the_networks_of_bitcoin(name: str, wanted: bool) -> None:
    core_name = next(core for core, params in CORE_CHAIN_NAMES.items() if params.name == name)
    for chain in (core_name, None):
        assert network_of(chain, GENESIS[name], CORE, name if wanted else None).name == name


@pytest.mark.parametrize(
    ("chain", "genesis", "agent", "wanted", "message"),
    [
        ("main", GENESIS["mainnet"], CORE, "signet", "serves mainnet, not signet"),
        (None, GENESIS["testnet3"], "", "mainnet", "serves testnet3, not mainnet"),
        ("main", LITECOIN, "/LitecoinCore:0.21.4/", "mainnet", "another coin.*LitecoinCore"),
        (None, LITECOIN, "", None, "another coin.*12a765e3"),
        ("doge", LITECOIN, "", None, "'doge' that is not Bitcoin's"),
        ("mainnet", GENESIS["mainnet"], "", "mainnet", "Bitcoin Core node.*btcd is not supported"),
        ("testnet3", GENESIS["testnet3"], "", None, "btcd is not supported.*'testnet3'"),
        ("simnet", LITECOIN, "", None, "btcd is not supported"),
        ("regtest", GENESIS["regtest"], "/btcwire:0.5.0/btcd:0.24.2/", None, "btcd is not support"),
        ("main", GENESIS["mainnet"], "/Bitcoin Cash Node:27.1.0(EB32.0)/", None, "split off"),
        ("main", GENESIS["mainnet"], "/BCH Unlimited:2.1.0(EB32; AD12)/", None, "split off"),
        ("main", GENESIS["mainnet"], "/Bitcoin SV:1.0.16/", "mainnet", "split off"),
        ("main", GENESIS["mainnet"], "/Bitcoin ABC:0.30.1(EB32.0)/", None, "split off"),
    ],
)
def test_what_is_refused(
    chain: str | None, genesis: bytes, agent: str, wanted: str | None, message: str
) -> None:
    with pytest.raises(SourceRefused, match=message) as caught:
        network_of(chain, genesis, agent, wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("chain", ["doge\n\x1b[31m", "x" * 500])
def test_hostile_names_are_harmless(chain: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        network_of(chain, GENESIS["mainnet"], "/evil\x1b[31m\n" + "y" * 999, None)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("agent", "core"),
    [
        (CORE, True),
        ("/Satoshi:29.3.0/Knots:20260508/", True),
        ("/bcoin:2.2.0/", False),
        ("/rbitcoin:0.1/", False),
    ],
)
def test_is_core(agent: str, core: bool) -> None:
    assert is_core(agent) is core
    assert network_of("main", GENESIS["mainnet"], agent, None) is MAINNET


async def opened(node: RegtestNode, **settings: Any) -> BitcoindSource:
    source = BitcoindSource(node.url, cookie=node.cookie, **settings)
    try:
        await source.open()
    finally:
        await source.close()
    return source


async def test_btcd_is_told_as_what_it_is() -> None:
    with RegtestNode(blocks=3) as node:
        node.faults.calls = {
            "getblockchaininfo": CallFault(reply={"chain": "mainnet"}),
            "getnetworkinfo": CallFault(error=Failure(-1, "Command unimplemented", 200)),
        }
        with pytest.raises(SourceRefused) as caught:
            await opened(node)
        assert_clear(
            caught.value, node, "is this a Bitcoin Core node?", "btcd is not supported", "'mainnet'"
        )


async def test_another_coin_is_told_by_its_first_block() -> None:
    with RegtestNode(blocks=3) as node:
        node.faults.calls = {
            "getblockhash": CallFault(reply=LITECOIN[::-1].hex()),
            "getblockchaininfo": CallFault(reply={"chain": "main"}),
            "getnetworkinfo": CallFault(reply={"subversion": "/LitecoinCore:0.21.4/"}),
        }
        with pytest.raises(SourceRefused) as caught:
            await opened(node, network="mainnet")
        assert_clear(caught.value, node, "another coin", "LitecoinCore", "12a765e3")


@pytest.mark.parametrize(
    "fields",
    [
        {"chain": 7, "pruneheight": "x", "initialblockdownload": "no"},
        {"chain": None, "bestblockhash": None, "blocks": None},
        {"chain": ["regtest"], "initialblockdownload": 1, "pruneheight": -5},
    ],
)
async def test_fields_that_make_no_sense_are_done_without(fields: dict[str, Any]) -> None:
    with RegtestNode(blocks=3) as node:
        node.faults.calls = {
            "getblockchaininfo": CallFault(reply=fields),
            "getnetworkinfo": CallFault(reply={"version": "x", "subversion": 7}),
        }
        assert (await opened(node)).network == REGTEST.name


async def test_other_software_is_tried_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with RegtestNode(blocks=3) as node:
        node.faults.calls = {
            "getnetworkinfo": CallFault(reply={"subversion": "/bcoin:2.2.0/"}),
            "getzmqnotifications": CallFault(error=UNKNOWN),
        }
        await opened(node)
    (said,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "is this a Bitcoin Core node? It says /bcoin:2.2.0/" in said.message
