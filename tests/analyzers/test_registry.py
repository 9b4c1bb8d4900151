from __future__ import annotations

import datetime
import doctest
import hashlib
import importlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.attribution import pool_of
from analyzers.audit import inspect_registry
from analyzers.registry import Payout, RegistryError, Tag, load_registry, parse_registry
from analyzers.registry.address import AddressError, OtherChain, address_of, script_of
from analyzers.registry.values import Heights, Source
from hashing.params import NETWORKS

REGISTRY = load_registry()

ONE = """
[sources]
list = "somewhere"

[[pool]]
slug = "one"
name = "One Pool"
aliases = ["First"]
ids = { mempool = ["7"], sorukumar = ["uno"] }
tags = [{ text = "/one/", sources = ["list"] }]
payouts = [{ address = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", sources = ["list"] }]
"""


def second(body: str) -> str:
    return f'{ONE}\n[[pool]]\nslug = "two"\nname = "Two"\n{body}\n'


def test_what_ships() -> None:
    assert len(REGISTRY) >= 160
    assert re.fullmatch(r"[0-9a-f]{64}", REGISTRY.version)
    for pool in REGISTRY:
        assert pool.tags or pool.payouts, pool.slug
        rows: list[Tag | Payout] = [*pool.tags, *pool.payouts]
        for row in rows:
            assert row.sources
            assert set(row.sources) <= set(REGISTRY.sources)
            if row.sources == ("coinbase",) or row.strength == "weak":
                assert row.note, (pool.slug, row)


def test_a_registry_says_its_day() -> None:
    assert REGISTRY.date is not None
    assert REGISTRY.date >= datetime.date(2026, 2, 1)
    assert parse_registry(f"date = 2026-02-28{ONE}").date == datetime.date(2026, 2, 28)
    assert parse_registry(ONE).date is None


DATED = """
[sources]
old = { where = "a list that stands still", date = 2012-01-01 }
first = { where = "a list", date = 2026-03-01, followed = true }
second = { where = "another", date = 2026-02-01, followed = true }
text = "somewhere"
"""


def test_a_registry_is_as_old_as_the_oldest_list_that_it_follows() -> None:
    dated = parse_registry(
        f"date = 2026-11-27{DATED}" + ONE.partition("\n\n")[2].replace("list", "text")
    )
    assert dated.as_of == datetime.date(2026, 2, 1)
    assert dated.sources["old"] == Source("a list that stands still", datetime.date(2012, 1, 1))
    assert dated.sources["text"] == Source("somewhere")
    assert parse_registry(f"date = 2026-02-28{ONE}").as_of == datetime.date(2026, 2, 28)
    assert parse_registry(ONE).as_of is None
    assert REGISTRY.as_of is not None
    assert REGISTRY.date is not None
    assert REGISTRY.as_of < REGISTRY.date, "looking at a list does not make it newer"
    assert all(source.date for source in REGISTRY.sources.values())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1", "say where it is found"),
        ("{ date = 2026-02-01 }", "say where it is found"),
        ('{ where = "x", when = 1 }', "unknown key 'when'"),
        ('{ where = "x", date = "2026-02-01" }', "date is a day"),
        ('{ where = "x", followed = true }', "that is followed has a date"),
        ('{ where = "x", date = 2026-02-01, followed = 1 }', "followed is true or false"),
    ],
)
def test_sources_that_are_refused(row: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        parse_registry(ONE.replace('list = "somewhere"', f"list = {row}"))


def test_bounds_keep_a_tag_from_parts_of_words() -> None:
    tags = """tags = [
      { text = "abc", bounds = "word", sources = ["list"] },
      { text = "Red Hat", bounds = "field", sources = ["list"] },
      { text = "/xyz", bounds = "word", sources = ["list"] },
    ]"""
    known = parse_registry(second(tags))
    named = {
        b"abc": True,
        b"/abc/": True,
        b" abc ": True,
        b"\x04abc\xff": True,
        b"abc.": True,
        b"abcd": False,
        b"xabc": False,
        b"1abc": False,
        b"abc2": False,
        b"xabcx abc": True,
        b"/Red Hat/": True,
        b"a Red Hat": False,
        b"Red Hat ": False,
        b"Red Hats": False,
        b"a/xyz": True,
        b"/xyz/": True,
        b"/xyzzy": False,
    }
    for text, is_named in named.items():
        assert pool_of(text, (), known) == ("two" if is_named else None), text
    bare = parse_registry(
        second(tags.replace(' bounds = "word",', "").replace(' bounds = "field",', ""))
    )
    assert bare.version != known.version


def test_what_a_pool_pays_is_read() -> None:
    address = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
    pays = f'payouts = [{{ address = "{address}", seen = [5, 9], sources = ["list"] }}]'
    two = parse_registry(second(f"settled = [5, 9]\n{pays}")).pools["two"]
    assert (two.settled, two.payouts[0].seen, two.pays) == (Heights(5, 9), Heights(5, 9), "pool")
    assert two.payouts[0].heights == Heights(), "what was seen limits nothing"
    assert parse_registry(second('pays = "miners"')).pools["two"].pays == "miners"
    plain = parse_registry(second(pays))
    assert plain.version != parse_registry(second(f"settled = [5, 9]\n{pays}")).version
    assert plain.version == parse_registry(second(pays.replace(" seen = [5, 9],", ""))).version


def test_no_strong_tag_that_ships_is_a_bare_word() -> None:
    assert [found.subject for found in inspect_registry(REGISTRY) if found.kind == "word"] == []
    common = (
        'tags = [{ text = "Apollo", sources = ["list"] }, { text = "a1b", sources = ["list"] }]'
    )
    told = inspect_registry(parse_registry(second(common)))
    assert {found.subject for found in told if found.kind == "word"} == {"Apollo", "a1b"}


def test_its_changes_are_told_newest_first() -> None:
    changes = Path(importlib.import_module("analyzers.registry").__path__[0], "CHANGELOG.md")
    told = re.findall(r"(?m)^## (\S+) ([0-9a-f]{64})$", changes.read_text("utf-8"))
    assert told[0] == (str(REGISTRY.date), REGISTRY.version)
    days = [day for day, _ in told]
    assert days == sorted(days, reverse=True)
    assert len({version for _, version in told}) == len(told)


def test_every_tag_can_match() -> None:
    for tag in REGISTRY.tags:
        if tag.strength == "strong" and tag.pattern is None:
            assert pool_of(b"\x03\x01\x02\x03" + tag.literal, (), REGISTRY) == tag.pool


@pytest.mark.parametrize(
    ("list_name", "label", "slug"),
    [
        ("mempool", "44", "antpool"),
        ("bitcoin-data", "44", "transactioncoinmining"),
        ("btccom", "44", None),
        ("mempool", "135", "bitcoinindia"),
        ("btccom", "CloverPool", "btccom"),
        ("mempool", "foundryusa", "foundryusa"),
        ("mempool", "Foundry USA", "foundryusa"),
        ("sorukumar", "oceanxyz", "ocean"),
        ("sorukumar", "dpool", "gdpool"),
        ("mempool", "dpool", "dpool"),
        ("sorukumar", "btcpool(unidentified)", "btcpoolunidentified"),
        ("sorukumar", "cleanincentive", "terrapool"),
        ("some other list", "SlushPool", "braiinspool"),
        ("some other list", "Discus Fish", "f2pool"),
        ("some other list", "BTC China", "btcc"),
        ("mempool", "unknown", None),
        ("mempool", "", None),
        ("mempool", "nobody knows", None),
    ],
)
def test_labels(list_name: str, label: str, slug: str | None) -> None:
    assert REGISTRY.slug_of_label(list_name, label) == slug


@pytest.mark.parametrize(
    ("list_name", "pools"),
    [("bitcoin-data", 148), ("mempool", 171), ("btccom", 140), ("consensus-decentralization", 122)],
)
def test_every_pool_of_the_public_lists_is_here(list_name: str, pools: int) -> None:
    """The numbers of pools that the lists had at the commits named in [sources]."""
    assert sum(len(pool.ids.get(list_name, ())) for pool in REGISTRY) >= pools


def test_names() -> None:
    assert REGISTRY.name_of("braiinspool") == "Braiins Pool"
    assert REGISTRY.name_of("gone") == "gone"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=", "not TOML"),
        ("[sources]", r"at least one \[\[pool\]\]"),
        ("pool = [1]\nsources = {}", "must be a table"),
        (f'date = "2026-02-28"{ONE}', "date is a day"),
        (f"date = 2026-02-28T12:00:00{ONE}", "date is a day"),
        (
            second('tags = [{ text = "/one/", sources = ["list"] }]'),
            "claimed by 'one' and by 'two'",
        ),
        (second('tags = [{ hex = "2f6f6e652f", sources = ["list"] }]'), "claimed by 'one'"),
        (
            second(
                'payouts = [{ hex = "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac",'
                ' sources = ["list"] }]'
            ),
            "payout script",
        ),
        (second('aliases = ["one-pool"]'), "name onepool is claimed"),
        (second('ids = { mempool = ["7"] }'), "id in mempool 7 is claimed"),
        (ONE + ONE.partition("\n\n")[2], "slug one is claimed"),
        (second('tag = "/x/"'), "unknown key 'tag'"),
        (second('tags = [{ text = "x", hex = "00", sources = ["list"] }]'), "give one of"),
        (second('tags = [{ text = "x", sources = ["list"] }]'), "2 to 100 bytes"),
        (second('tags = [{ hex = "0x", sources = ["list"] }]'), "hexadecimal"),
        (second('tags = [{ text = "/two/" }]'), "names its sources"),
        (second('tags = [{ text = "/two/", sources = ["rumour"] }]'), "names its sources"),
        (second('tags = [{ pattern = "a+", sources = ["list"] }]'), "needs its anchor"),
        (
            second('tags = [{ pattern = "(", anchor = "ab", note = "n", sources = ["list"] }]'),
            "pattern",
        ),
        (second('tags = [{ text = "/2/", strength = "so so", sources = ["list"] }]'), "weak"),
        (second('tags = [{ text = "/2/", bounds = "line", sources = ["list"] }]'), "bounds are"),
        (second('tags = [{ text = "/2/", seen = [9, 5], sources = ["list"] }]'), "seen is the"),
        (second('tags = [{ text = "/2/", seen = [true, 5], sources = ["list"] }]'), "seen is the"),
        (second('pays = "nobody"'), "pays is pool or miners"),
        (second("settled = [1, 2]"), "settled is said of a pool that pays itself"),
        (second("settled = 5"), "settled is the first and the last"),
        (second('tags = [{ text = "/2/", first = -1, sources = ["list"] }]'), "heights"),
        (second('tags = [{ text = "/2/", first = 2, last = 1, sources = ["list"] }]'), "above"),
        (second('tags = "/2/"'), "array of tables"),
        (second("aliases = [1]"), "array of strings"),
        (second("website = 1"), "is a string"),
        (second("ids = 1"), "ids is a table"),
        (second('payouts = [{ address = "1abc", sources = ["list"] }]'), "no Bitcoin address"),
        (second('payouts = [{ sources = ["list"] }]'), "either address or hex"),
        ('[sources]\n[[pool]]\nslug = "A B"\nname = "x"', "a slug is"),
        ('[sources]\n[[pool]]\nslug = "ab"', "name is missing"),
        ('[sources]\n[[pool]]\nslug = "ab"\nname = "a\\u202Eb"', "do not show as themselves"),
    ],
)
def test_what_is_ambiguous_or_wrong_is_refused(text: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message) as refusal:
        parse_registry(text, "mine.toml")
    assert str(refusal.value).startswith("mine.toml")


def test_files(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"none\.toml: cannot be read"):
        load_registry(tmp_path / "none.toml")
    (tmp_path / "own.toml").write_text(ONE)
    assert list(load_registry(tmp_path / "own.toml").pools) == ["one"]


def test_version_changes_with_what_decides_and_with_nothing_else() -> None:
    version = parse_registry(ONE).version
    assert parse_registry(ONE.replace("somewhere", "elsewhere")).version == version
    for old, new in (("/one/", "/1/"), ('["7"]', '["8"]'), ("text =", 'strength = "weak", text =')):
        assert parse_registry(ONE.replace(old, new)).version != version


def test_add_a_pool_in_five_minutes() -> None:
    """The example of docs/registry.md is accepted beside the pools that ship."""
    page = (Path(__file__).parents[2] / "docs" / "registry.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n( *\[\[pool\]\]\n.*?)```", page, re.DOTALL)
    shipped = Path(importlib.import_module("analyzers.registry").__path__[0], "pools.toml")
    registry = parse_registry(shipped.read_text("utf-8") + example)
    assert len(registry) == len(REGISTRY) + 1
    (slug,) = set(registry.pools) - set(REGISTRY.pools)
    for tag in registry.pools[slug].tags:
        assert pool_of(b"...." + tag.literal, (), registry) == slug


def test_heights() -> None:
    assert 5 in Heights(5, 5)
    assert 4 not in Heights(5)
    assert 6 not in Heights(None, 5)
    assert None in Heights(5, 6)
    assert str(Heights(5)) == "5.."


# Addresses and scripts of BIP173 and BIP350.
VECTORS = [
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
    ("1111111111111111111114oLvT2", "76a914000000000000000000000000000000000000000088ac"),
    ("3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87"),
    (
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "0014751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    (
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    ("bc1sw50qgdz25j", "6002751e"),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
]


@pytest.mark.parametrize(("address", "script"), VECTORS)
def test_addresses_become_scripts_and_back(address: str, script: str) -> None:
    assert script_of(address).hex() == script
    assert address_of(bytes.fromhex(script)) == address


@pytest.mark.parametrize(
    "address",
    [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",  # one character changed
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN",
        "0A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "LQ3B36Yv2rBTxdgAdYpU2UcEZsaNwXeATk",  # Litecoin
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
        "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
        "bc1pw5dgrnzv",
        "bc1gmk9yu",
        "tb1pw508d6qejxtdg4y5r3zarqfsj6c3",
        "",
        "bc1",
    ],
)
def test_broken_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressError):
        script_of(address)


@given(st.text(max_size=80))
def test_any_text_is_read_as_an_address_or_refused(text: str) -> None:
    try:
        script = script_of(text)
    except AddressError:
        return
    assert script


@pytest.mark.slow
@given(st.binary(min_size=20, max_size=20), st.binary(min_size=32, max_size=32))
def test_round_trip(short: bytes, long: bytes) -> None:
    for script in (
        b"\x76\xa9\x14" + short + b"\x88\xac",
        b"\xa9\x14" + short + b"\x87",
        b"\x00\x14" + short,
        b"\x00\x20" + long,
        b"\x51\x20" + long,
    ):
        for network in NETWORKS.values():
            address = address_of(script, network)
            assert address is not None
            assert script_of(address) == script
            assert address[0] in FIRST[network.name]
            assert address[0] != "b" or address.startswith(f"{network.bech32_hrp}1")


@given(st.binary(max_size=80))
def test_scripts_without_an_address_have_none(script: bytes) -> None:
    for network in NETWORKS.values():
        address = address_of(script, network)
        assert address is None or script_of(address) == script


FIRST = {
    "mainnet": "13b",
    "testnet3": "mn2t",
    "testnet4": "mn2t",
    "signet": "mn2t",
    "regtest": "mn2b",
}
"""What addresses of each network begin with."""


@pytest.mark.parametrize(
    ("script", "network", "address"),
    [
        # the examples of BIP173, on mainnet and testnet
        (VECTORS[3][1], "mainnet", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        (VECTORS[3][1], "testnet3", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        (VECTORS[3][1], "testnet4", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        (VECTORS[3][1], "signet", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"),
        (VECTORS[3][1], "regtest", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"),
        (
            "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
            "signet",
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        ),
        # the example of the Bitcoin wiki's page on addresses, on testnet
        (
            "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac",
            "regtest",
            "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r",
        ),
        # the key of the first block is paid bare
        ("4104678a" + "00" * 62 + "ac", "regtest", None),
    ],
)
def test_one_script_has_an_address_of_each_network(
    script: str, network: str, address: str | None
) -> None:
    assert address_of(bytes.fromhex(script), NETWORKS[network]) == address
    assert address is None or script_of(address).hex() == script


@pytest.mark.parametrize(
    "address",
    [
        "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9",
        "LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ",
        "DFpN6QqFfUm3gKNaxN6tNcab1FArL9cZLE",
    ],
)
def test_addresses_of_other_coins_are_told_apart(address: str) -> None:
    with pytest.raises(OtherChain):
        script_of(address)


def test_keys_are_not_taken_for_addresses() -> None:
    assert address_of(b"\x21" + hashlib.sha256(b"").digest() + b"\x02\xac") is None


@pytest.mark.parametrize(
    "name",
    [
        "coinbase",
        "escape",
        "facts",
        "registry.address",
        "registry.pattern",
        "registry.values",
        "version_bits",
    ],
)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"analyzers.{name}"))
    assert results.attempted
    assert not results.failed
