"""Custom signets: one genesis block, other magics, challenges and times between blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashing.header import hash_to_hex, sha256d
from hashing.params import MUTINYNET, NETWORKS, REGTEST, SIGNET, SIGNETS, signet, signet_magic
from monitor.config import load_settings, store_url
from monitor.errors import ConfigError, SourceRefused, StoreError
from monitor.sources.bitcoind import BitcoindSource
from monitor.store.sql import open_store
from tests.support.blkfiles import opened, read_at_once, read_by_source, records, write_all
from tests.support.node import CORE_31, CallFault, RegtestNode

CHALLENGE = "512102f7561d208dd9ae99bf497273e16f389bdbd6c4742ddb8e6b216e64fa2928ad8f51ae"
DEFAULT = (
    "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be43021"
    "0359ef5021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae"
)


@pytest.mark.parametrize(
    ("challenge", "magic", "name"),
    [
        (DEFAULT, "0a03cf40", "signet"),
        (CHALLENGE, "a5df2dcb", "mutinynet"),
        ("51", "54d26fbd", "signet-54d26fbd"),
        # As Bitcoin Core's log says in bitcoin/bitcoin#30091.
        ("00140b24b854187ee6dcd5a0a7063156b83a4605443c", "4605eff3", "signet-4605eff3"),
    ],
)
def test_magic_follows_from_the_challenge(challenge: str, magic: str, name: str) -> None:
    assert signet_magic(bytes.fromhex(challenge)).hex() == magic
    for section in ({"challenge": challenge}, {"magic": magic}, {"magic": magic.upper()}):
        settings = load_settings(None, {"network": "signet", "signet": section})
        assert settings.network == name
        assert NETWORKS[name].magic.hex() == magic
        assert NETWORKS[name].genesis_header == SIGNET.genesis_header


def test_names_say_what_a_signet_is() -> None:
    assert (MUTINYNET.spacing, MUTINYNET.retarget_interval) == (30, 40_320)
    for spacing, period in ((600, 2016), (60, 20_160), (7, 172_800), (1, 1_209_600)):
        params = signet(bytes(range(4)), spacing)
        assert params == NETWORKS[params.name]
        assert params.retarget_interval == period
    for name in SIGNETS:
        assert NETWORKS[name].name == name
        assert name not in list(NETWORKS)
    for strange in ("signet-", "signet-12", "signet-00010203-0", "signet-00010203-01", "Signet"):
        with pytest.raises(KeyError):
            NETWORKS[strange]
    with pytest.raises(ValueError, match="no time between blocks"):
        signet(bytes(4), 0)


@pytest.mark.parametrize(
    ("network", "section", "said"),
    [
        ("signet", {"magic": "a5df"}, "signet.magic has 8"),
        ("signet", {"magic": "nonsense"}, "hexadecimal"),
        ("signet", {"challenge": "5"}, "hexadecimal"),
        ("signet", {"challenge": "51", "magic": "a5df2dcb"}, "not that of signet.challenge"),
        ("signet", {"spacing": 30}, "signet.spacing needs"),
        ("signet", {"challenge": "51", "spacing": 0}, "greater than or equal"),
        ("mutinynet", {"challenge": "51"}, "the section signet means signet-54d26fbd"),
        ("signet-nonsense", {}, "for another signet set signet.magic"),
    ],
)
def test_settings_that_make_no_sense_are_named(
    network: str, section: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load_settings(None, {"network": network, "signet": section})
    assert "\n" not in str(caught.value)


def test_the_section_holds_for_signets_only() -> None:
    settings = load_settings(None, {"signet": {"challenge": "51"}})
    assert settings.network == "mainnet"


def test_a_store_takes_one_signet(tmp_path: Path) -> None:
    """They have the same genesis block, so nothing else would tell."""
    flags = {"network": "signet", "data_dir": str(tmp_path)}
    urls = set()
    for section in ({}, {"challenge": "51"}, {"challenge": CHALLENGE}, {"magic": "01020304"}):
        settings = load_settings(None, flags | {"signet": section})
        urls.add(store_url(settings, ""))
        open_store(tmp_path / "one.sqlite", "signet-54d26fbd").close()
        if settings.network != "signet-54d26fbd":
            with pytest.raises(StoreError, match="holds signet-54d26fbd"):
                open_store(tmp_path / "one.sqlite", settings.network)
    assert len(urls) == 4


class TestFiles:
    @pytest.mark.parametrize(
        ("magic", "network", "said"),
        [
            ("a5df2dcb", "signet", 'another signet? That is mutinynet: set network = "mutinynet"'),
            (
                "01020304",
                "signet",
                'another signet? Set network = "signet" and signet.magic = "0102',
            ),
            (
                "01020304",
                "mutinynet",
                "begins with 01020304, which is not mutinynet: another signet?",
            ),
            ("01020304", "mainnet", "another signet?"),
            ("1c163f28", "signet", "holds testnet4, not signet"),
            ("f9beb4d9", "mutinynet", "holds mainnet, not mutinynet"),
            ("0a03cf40", "signet-54d26fbd", "holds signet, not signet-54d26fbd"),
        ],
    )
    async def test_files_of_another_network_are_named(
        self, tmp_path: Path, magic: str, network: str, said: str
    ) -> None:
        data = b"".join(bytes.fromhex(magic) + one[4:] for one in records(5))
        write_all(tmp_path, [data])
        with pytest.raises(SourceRefused, match=r"blk00000\.dat") as caught:
            async with opened(tmp_path, network):
                pass
        assert said in str(caught.value)

    async def test_a_custom_signet_is_read_by_its_magic(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At regtest's difficulty, because nobody can mine a signet's blocks here."""
        easy = dataclasses.replace(
            signet(bytes.fromhex("01020304"), 3600),
            genesis_header=REGTEST.genesis_header,
            pow_limit=REGTEST.pow_limit,
        )
        monkeypatch.setitem(NETWORKS, easy.name, easy)
        write_all(tmp_path, [b"".join(easy.magic + one[4:] for one in records(30))])
        for read in (
            await read_by_source(tmp_path, easy.name),
            read_at_once(tmp_path, easy.name),
        ):
            assert (read.tip, read.lost, read.left_out) == (30, [], ())


class TestNode:
    @pytest.fixture
    def node(self) -> Iterator[RegtestNode]:
        with RegtestNode(CORE_31, blocks=5) as node:
            yield node

    @staticmethod
    def pose(node: RegtestNode, challenge: str | None) -> None:
        reply = {"chain": "signet", "signet_challenge": challenge}
        node.faults.calls["getblockchaininfo"] = CallFault(reply=reply)
        genesis = hash_to_hex(sha256d(SIGNET.genesis_header))
        node.faults.calls["getblockhash"] = CallFault(reply=genesis)

    @pytest.mark.parametrize(
        ("challenge", "wanted", "served"),
        [
            (CHALLENGE, "mutinynet", "mutinynet"),
            (CHALLENGE, None, "mutinynet"),
            (DEFAULT, "signet", "signet"),
            ("51", "signet-54d26fbd-60", "signet-54d26fbd-60"),
            ("51", None, "signet-54d26fbd"),
            (None, "signet-54d26fbd-60", "signet-54d26fbd-60"),
            (None, "mutinynet", "mutinynet"),
            (None, None, "signet"),
            ("nonsense", "signet", "signet"),
        ],
    )
    async def test_a_nodes_signet_is_known_by_its_challenge(
        self, node: RegtestNode, challenge: str | None, wanted: str | None, served: str
    ) -> None:
        self.pose(node, challenge)
        source = BitcoindSource(node.url, cookie=node.cookie, network=wanted, rest="off")
        await source.open()
        assert source.network == served
        await source.close()

    @pytest.mark.parametrize(
        ("challenge", "wanted", "served"),
        [
            (CHALLENGE, "signet", "mutinynet"),
            ("51", "mutinynet", "signet-54d26fbd"),
            (DEFAULT, "mutinynet", "signet"),
            ("51", "mainnet", "signet-54d26fbd"),
            (None, "mainnet", "signet"),
        ],
    )
    async def test_another_signet_is_refused_by_name(
        self, node: RegtestNode, challenge: str | None, wanted: str, served: str
    ) -> None:
        self.pose(node, challenge)
        source = BitcoindSource(node.url, cookie=node.cookie, network=wanted, rest="off")
        with pytest.raises(SourceRefused, match=f'set network = "{served}"'):
            await source.open()
        await source.close()
