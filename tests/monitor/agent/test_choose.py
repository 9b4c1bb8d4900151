"""The order of preference that settings mean, and what is asked before one is known."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hashing.params import NETWORKS
from monitor.agent import choose
from monitor.agent.choose import Choice, LocalNodes, choose_sources
from monitor.config import load_settings
from monitor.errors import ConfigError
from monitor.sources import bitcoind_find
from monitor.sources.bitcoind import BitcoindSource
from tests.support.esplora import EsploraServer, Flavour, ServedChain, mine_on
from tests.support.esplora.chain import regtest_genesis
from tests.support.node import RegtestNode

NOBODY = [{"url": "http://u:p@127.0.0.1:1"}]
"""Nothing listens on port 1."""
API = {"urls": ["http://127.0.0.1:1"]}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own; returns the datadir of the node that may come to be on it."""
    datadir = tmp_path / "bitcoin"
    monkeypatch.setenv("BITCOIN_DATADIR", str(datadir))
    only_there = partial(bitcoind_find.find_local_node, datadirs=())
    monkeypatch.setattr(bitcoind_find, "find_local_node", only_there)
    return datadir


def node_on(datadir: Path, network: str = "mainnet") -> None:
    cookie = datadir / NETWORKS[network].datadir / ".cookie"
    cookie.parent.mkdir(parents=True, exist_ok=True)
    cookie.write_text("__cookie__:secret")


async def chosen(*, live_store: bool = False, **flags: Any) -> Choice:
    settings = load_settings(None, {"offline": True} | flags)
    return await choose_sources(settings, live_store=live_store, reached={})


def names(choice: Choice) -> tuple[list[str], list[str]]:
    """Return the sources by name, and those on standby."""
    return [s.name for s in choice.sources], [late.source.name for late in choice.standby]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was asked anything while choosing."""
    asked: list[str] = []

    async def one_answers(sources: list[Any], _level: int) -> bool:
        asked.extend(source.name for source in sources)
        return False

    monkeypatch.setattr(choose, "_one_answers", one_answers)
    return asked


NAMED: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"bitcoind": NOBODY}, ["bitcoind"], []),
    ({"bitcoind": NOBODY * 2}, ["bitcoind", "bitcoind-2"], []),
    ({"blkfiles": {"dir": "/blocks"}}, ["blkfiles"], []),
    ({"esplora": API}, ["esplora"], []),
    ({"bitcoind": NOBODY, "blkfiles": {"dir": "/blocks"}}, ["bitcoind"], ["blkfiles"]),
    ({"bitcoind": NOBODY, "esplora": API}, ["bitcoind", "esplora"], []),
    ({"blkfiles": {"dir": "/blocks"}, "esplora": API}, ["blkfiles", "esplora"], []),
    ({"source": "bitcoind", "bitcoind": NOBODY, "esplora": API}, ["bitcoind"], []),
    ({"source": "esplora"}, ["esplora", "esplora-2"], []),
    ({"source": "blkfiles", "blkfiles": {"dir": "/blocks"}}, ["blkfiles"], []),
    (
        {"source": "bitcoind,esplora", "bitcoind": NOBODY, "esplora": API},
        ["bitcoind", "esplora"],
        [],
    ),
    (
        {"source": ["esplora", "bitcoind"], "bitcoind": NOBODY, "esplora": API},
        ["esplora", "bitcoind"],
        [],
    ),
    (
        {"source": ["blkfiles", "bitcoind"], "bitcoind": NOBODY, "blkfiles": {"dir": "/blocks"}},
        ["blkfiles", "bitcoind"],
        [],
    ),
    ({"source": "bitcoind"}, [], []),
]
"""Settings that name sources, the sources in order, and those on standby."""


@pytest.mark.parametrize(("flags", "order", "standby"), NAMED)
@pytest.mark.parametrize("live_store", [False, True])
async def test_what_is_named_is_followed_and_nothing_is_asked_before(
    flags: dict[str, Any], order: list[str], standby: list[str], live_store: bool, asked: list[str]
) -> None:
    choice = await chosen(offline=False, live_store=live_store, **flags)
    assert (choice.synthetic, choice.makeshift) == ("", False)
    assert names(choice) == (order, standby)
    assert asked == []


@pytest.mark.parametrize("flags", [{"source": "bitcoind"}, {"source": "bitcoind,esplora"}, {}])
async def test_a_node_that_appears_later_is_found_in_its_place(
    machine: Path, flags: dict[str, Any], asked: list[str]
) -> None:
    choice = await chosen(offline=False, live_store=True, **flags)
    assert choice.find is not None
    assert list(choice.find()) == []
    node_on(machine)
    (node,) = choice.find()
    assert (node.name, choice.find_before) == ("bitcoind", 0)
    assert list(choice.find()) == []
    assert node in choice.all
    assert asked == []


async def test_a_node_that_is_there_already_is_not_found_twice(machine: Path) -> None:
    node_on(machine)
    choice = await chosen(source="bitcoind,esplora", offline=False)
    assert [source.name for source in choice.sources] == ["bitcoind", "esplora", "esplora-2"]
    assert choice.find is not None
    assert list(choice.find()) == []
    assert choice.find_before == 1


async def test_what_was_found_stays_in_its_place_when_the_agent_begins_to_write_anew(
    machine: Path,
) -> None:
    choice = await chosen(source="bitcoind,esplora", offline=False)
    assert choice.find is not None
    node_on(machine)
    (node,) = choice.find()
    sources, place = choice.in_order()
    assert [source.name for source in sources] == ["bitcoind", "esplora", "esplora-2"]
    assert sources[0] is node
    assert place == 1


async def test_a_named_node_leaves_those_of_the_machine_alone(machine: Path) -> None:
    node_on(machine)
    choice = await chosen(bitcoind=NOBODY)
    assert names(choice) == (["bitcoind"], [])
    assert choice.find is None


async def test_what_is_named_comes_before_a_node_of_this_machine(machine: Path) -> None:
    node_on(machine)
    choice = await chosen(offline=False, esplora=API)
    assert names(choice) == (["esplora", "bitcoind"], [])


async def test_two_nodes_of_a_machine_have_names_of_their_own(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = LocalNodes(load_settings(None, {}))
    node_on(machine)
    (first,) = find()
    other = machine.parent / "other"
    node_on(other)
    monkeypatch.setenv("BITCOIN_DATADIR", str(other))
    (second,) = find()
    assert [first.name, second.name] == ["bitcoind", "bitcoind-2"]


async def test_the_sample_is_shown_while_nothing_is_named_and_nothing_answers(
    machine: Path, asked: list[str]
) -> None:
    node_on(machine)
    choice = await chosen(offline=False)
    assert (choice.synthetic, choice.makeshift) == ("sample", True)
    assert asked == ["bitcoind", "esplora", "esplora-2"]


async def test_offline_no_stranger_is_asked(asked: list[str]) -> None:
    choice = await chosen()
    assert choice.makeshift
    assert asked == []


async def test_the_sample_that_was_asked_for_stays() -> None:
    choice = await chosen(source="sample")
    assert (choice.synthetic, choice.makeshift) == ("sample", False)


@pytest.mark.parametrize(
    "flags", [{"live_store": True}, {"store": "sqlite:///named.sqlite"}, {"network": "signet"}]
)
async def test_the_sample_never_stands_in_for_the_live_chain(
    flags: dict[str, Any], asked: list[str]
) -> None:
    choice = await chosen(**flags)
    assert (choice.synthetic, names(choice)) == ("", ([], []))
    assert choice.find is not None
    assert asked == []


async def test_strangers_that_nobody_named_wait_for_the_node_of_this_machine(
    machine: Path, asked: list[str]
) -> None:
    node_on(machine)
    choice = await chosen(offline=False, live_store=True)
    assert names(choice) == (["bitcoind"], ["esplora", "esplora-2"])
    assert {late.after for late in choice.standby} == {choose.LEAVE_NODE_AFTER}
    assert asked == []


async def test_strangers_that_serve_mainnet_are_not_asked_for_another_network() -> None:
    choice = await chosen(offline=False, network="testnet4")
    assert names(choice) == ([], [])


@pytest.mark.parametrize("flags", [{"source": "esplora"}, {"source": "bitcoind,esplora"}])
async def test_offline_forbids_an_api_that_is_named(flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="--offline"):
        await chosen(**flags)


async def test_files_that_are_asked_for_must_be_named() -> None:
    with pytest.raises(ConfigError, match="--blocks-dir"):
        await chosen(source="bitcoind,blkfiles")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "must be of"),
        ("electrum", "must be of"),
        ("bitcoind,", "must be of"),
        ("bitcoind;esplora", "must be of"),
        (["bitcoind", 5], "must be a name"),
        ([], "must be of"),
        (5, "must be a name"),
        ("auto,bitcoind", "auto stands alone"),
        ("sample,bitcoind", "sample stands alone"),
        (["esplora", "rehearsal"], "rehearsal stands alone"),
    ],
)
def test_names_that_mean_no_order(source: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load_settings(None, {"source": source})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "bitcoind,esplora",
        " bitcoind , esplora ",
        ["bitcoind", "esplora"],
        '["bitcoind","esplora"]',
        "bitcoind,esplora,bitcoind",
        "Bitcoind,ESPLORA",
    ],
)
@pytest.mark.parametrize("place", ["flag", "file", "variable"])
def test_every_spelling_of_an_order(
    source: Any, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "poolscope.toml"
    text = str(source) if isinstance(source, list) else f"'{source}'"
    file.write_text(f"source = {text}\n" if place == "file" else "")
    if place == "variable":
        monkeypatch.setenv("POOLSCOPE_SOURCE", ",".join(source) if text[0] == "[" else source)
    flags = {"source": source} if place == "flag" else {}
    assert load_settings(file, flags).sources == ("bitcoind", "esplora")


@pytest.mark.slow
async def test_a_node_that_is_loading_is_there(machine: Path) -> None:
    with RegtestNode(blocks=1) as node:
        node.faults.warming_up = "Loading block index…"
        source = BitcoindSource(node.url, cookie=node.cookie, network="regtest")
        assert await choose._one_answers([source], 10)
        await source.close()


@pytest.mark.slow
async def test_an_api_that_answers_is_an_answer() -> None:
    genesis = regtest_genesis()
    chain = ServedChain(NETWORKS["regtest"], [genesis, *mine_on(genesis, 2)])
    async with EsploraServer(chain, Flavour.MEMPOOL) as server:
        (api,) = choose.api_sources(
            load_settings(None, {"network": "regtest", "esplora": {"urls": [server.url]}})
        )
        assert await choose._one_answers([api], 10)
        await api.close()
