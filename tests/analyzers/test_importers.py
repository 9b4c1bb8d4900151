from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.attribution import attribute_parts, pool_of, pools_of
from analyzers.audit import inspect_registry
from analyzers.leftout import Kind
from analyzers.model import Label
from analyzers.registry import RegistryError, load_registry
from analyzers.registry.address import script_of
from analyzers.registry.importers import import_list, load_any
from hashing.wire import TxOut
from tests.analyzers.coinbase_vectors import csv_rows, real_coinbases

GENESIS = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
F2POOL = "1KFHE7w8BhaENAswwryaoccDb6qcT6DbYY"

ARRAY: list[dict[str, Any]] = [
    {"id": 7, "name": "One", "tags": ["/one/", "/both/"], "addresses": [GENESIS], "link": ""},
    {"id": 8, "name": "Two!", "tags": ["/both/", "🐟", ""], "addresses": [GENESIS, F2POOL, "x"]},
]
BTCCOM = {
    "coinbase_tags": {"/one/": {"name": "One", "link": "https://one.example"}},
    "payout_addresses": {GENESIS: {"name": "One", "link": "https://one.example"}},
}
KEYED = {"/one/": {"name": "One", "link": ""}, GENESIS: {"name": "One", "source": "x"}}


def test_an_array_of_pools_with_its_faults() -> None:
    """An array is read by mempool's rule: of two pools that claim a thing the first has it."""
    found = import_list(json.dumps(ARRAY), "pools-v2.json")
    assert (found.format, found.registry.rule) == ("array", "mempool")
    assert found.registry.slug_of_label("array", "8") == "two"
    assert pool_of(b"..\xf0\x9f\x90\x9f", (), found.registry) is None
    assert pool_of(b"/BOTH/", (), found.registry) == "one"
    assert pool_of(b"", [TxOut(1, script_of(F2POOL))], found.registry) == "two"
    assert pool_of(b"", [TxOut(1, script_of(GENESIS))], found.registry) == "one"
    faults = "\n".join(found.faults)
    for told in ("empty tag", "Two!: x: it is no", "/both/: another pool", f"{GENESIS}: another"):
        assert told in faults


FAULTS = [
    # what an entry of an array holds beside what is sound, and why it is left out
    ({"tags": [""]}, "would match every block"),
    ({"tags": [".*"]}, "would match every block"),
    ({"tags": ["(?=x)"]}, "looks around or back"),
    ({"tags": [r"(a)\1"]}, "looks around or back"),
    ({"tags": ["(?!x)"]}, "looks around or back"),
    ({"tags": ["("]}, "no regular expression of JavaScript"),
    ({"tags": ["*"]}, "no regular expression of JavaScript"),
    ({"tags": ["((a{999}){999}){999}"]}, "too large for RE2"),
    ({"tags": ["x" * 1001]}, "longer than a scriptSig"),
    ({"tags": ["/sound/"]}, "the pool has the tag already"),
    ({"tags": [7]}, "is no text"),
    ({"tags": [None]}, "is no text"),
    ({"tags": "/text/"}, "no array of texts"),
    ({"addresses": {"a": 1}}, "no array of texts"),
    ({"addresses": [GENESIS, GENESIS]}, "the pool has the address already"),
    ({"addresses": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"]}, "no Bitcoin address"),
    ({"addresses": ["ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"]}, "another chain"),
    ({"addresses": ["LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ"]}, "another chain"),
    ({"addresses": ["DFpN6QqFfUm3gKNaxN6tNcab1FArL9cZLE"]}, "another chain"),
    ({"regexes": ["x"]}, "field is unknown"),
    ({"name": ""}, "has no name"),
    ({"name": 5}, "has no name"),
    ({"name": "\ud800"}, "has no name"),
]


@pytest.mark.parametrize(("given", "why"), FAULTS)
def test_what_a_list_holds_and_cannot_be_used_is_counted_and_named(
    given: dict[str, Any], why: str
) -> None:
    odd = {"id": 3, "name": "Odd\x1b", "tags": [], "addresses": [], **given}
    if "tags" in given and why.startswith("the pool has"):
        odd["tags"] = [*given["tags"], *given["tags"]]
    sound = {"id": 4, "name": "Sound", "tags": ["/kept/"], "addresses": []}
    found = import_list(json.dumps([odd, sound]))
    assert pool_of(b"..../kept/", (), found.registry) == "sound"
    assert any(why in fault for fault in found.faults), found.faults
    assert all(fault.isprintable() for fault in found.faults)
    told = [left for left in found.registry.left_out if why in left.why]
    assert [(left.kind, left.count) for left in told] == [(Kind.LIST_ENTRY, 1)]
    if "name" not in given:
        assert told[0].examples[0].startswith("Odd")


def test_entries_that_are_no_pools_are_left_out() -> None:
    rows: list[Any] = [7, None, [], {"tags": ["/nameless/"]}, *ARRAY]
    found = import_list(json.dumps(rows))
    assert len(found.registry) == 2
    (nameless,) = (left for left in found.registry.left_out if "no name" in left.why)
    assert nameless.count == 4


def test_a_key_that_comes_twice_is_told() -> None:
    text = '{"coinbase_tags": {"/a/": {"name": "A"}, "/a/": {"name": "B"}}, "payout_addresses": {}}'
    found = import_list(text)
    assert pool_of(b".../a/", (), found.registry) == "b"
    assert found.faults == ("/a/: the key is there twice: its last value holds",)


OURS, THEIRS = {"name": "Ours", "link": ""}, {"name": "Theirs", "link": ""}


@pytest.mark.parametrize(
    ("form", "script_sig", "pool"),
    [
        # mempool: expressions that ignore case, over one character a byte, first of the list
        ("mempool", b"..//OURS//..", "ours"),
        ("mempool", b"..://1b4e28ba-2fa1", "uuid"),
        ("mempool", b"..pool.example", "dotted"),
        ("mempool", b"..poolXexample", "dotted"),
        ("mempool", b".." + "鱼".encode(), None),
        ("mempool", b"..\xc9t\xe9", "summer"),
        ("mempool", b"/theirs//ours/", "ours"),
        # bitcoin-data: texts, minding case, in UTF-8 without line feeds
        ("bitcoin-data", b"..//OURS//..", None),
        ("bitcoin-data", b"../ours/..", "ours"),
        ("bitcoin-data", b"../o\nur\ns/..", "ours"),
        ("bitcoin-data", b"..pool.example", "dotted"),
        ("bitcoin-data", b"..poolXexample", None),
        ("bitcoin-data", "..鱼".encode(), "fish"),
        ("bitcoin-data", b"/theirs//ours/", "ours"),
        # consensus-decentralization: texts in what Python writes of the bytes
        ("consensus-decentralization", b"..//OURS//..", None),
        ("consensus-decentralization", b"../ours/..", "ours"),
        ("consensus-decentralization", "..鱼".encode(), None),
        ("consensus-decentralization", b"/theirs//ours/", "ours"),
        ("consensus-decentralization", b"/theirs/", "theirs"),
        # btccom: bytes by our own rule, where the longest decides
        ("btccom", b"..//OURS//..", None),
        ("btccom", "..鱼".encode(), "fish"),
        ("btccom", b"/theirs//ours/", "theirs"),
    ],
)
def test_each_list_is_read_as_its_owner_reads_it(
    form: str, script_sig: bytes, pool: str | None
) -> None:
    tags = {
        "/ours/": "Ours",
        "/theirs/": "Theirs",
        "鱼": "Fish",
        "pool.example": "Dotted",
        "\u00e9t\u00e9": "Summer",
        "://[0-9a-f]{8}-[0-9a-f]{4}": "UUID",
    }
    registry = import_list(listed(form, [(name, [tag], []) for tag, name in tags.items()])).registry
    assert pool_of(script_sig, (), registry) == pool
    assert attribute_parts(script_sig, (), registry).pool == pool
    assert pools_of([script_sig], registry) == [pool]


@pytest.mark.parametrize(
    ("form", "script_sig", "paid", "pool", "rule"),
    [
        # mempool: any output counts, whatever its value; address before tag, pool by pool
        ("mempool", b"..", [(1, F2POOL), (99, "")], "theirs", "payout"),
        ("mempool", b"/ours/", [(99, F2POOL)], "ours", "tag"),
        ("mempool", b"/last/", [(0, F2POOL)], "theirs", "payout"),
        ("mempool", b"/theirs/", [(1, F2POOL)], "theirs", "tag+payout"),
        ("mempool", b"/last/", [(99, F2POOL), (1, GENESIS)], "ours", "payout"),
        # bitcoin-data: addresses before tags, of the smallest value first
        ("bitcoin-data", b"/ours/", [(99, F2POOL)], "theirs", "payout"),
        ("bitcoin-data", b"..", [(1, F2POOL), (99, GENESIS)], "theirs", "payout"),
        ("bitcoin-data", b"..", [(99, F2POOL), (1, GENESIS)], "ours", "payout"),
        ("bitcoin-data", b"/theirs/", [(1, F2POOL)], "theirs", "tag+payout"),
        # ours, for lists without a rule of their own
        ("btccom", b"/ours/", [(99, F2POOL)], "ours", "tag"),
        ("btccom", b"..", [(1, F2POOL), (99, "")], None, "weak"),
    ],
)
def test_addresses_and_tags_by_the_owners_rules(
    form: str, script_sig: bytes, paid: list[tuple[int, str]], pool: str | None, rule: str
) -> None:
    rows = [
        ("Ours", ["/ours/"], [GENESIS]),
        ("Theirs", ["/theirs/"], [F2POOL]),
        ("Last", ["/last/"], []),
    ]
    registry = import_list(listed(form, rows)).registry
    outputs = [TxOut(value, script_of(address) if address else b"\x51") for value, address in paid]
    found = attribute_parts(script_sig, outputs, registry)
    assert (found.pool, found.rule) == (pool, rule)
    assert pool_of(script_sig, outputs, registry) == pool
    assert pools_of([script_sig], registry, [outputs]) == [pool]
    assert sum(item.kind == "payout" for item in found.evidence) == sum(bool(a) for _, a in paid)


def test_addresses_of_consensus_decentralization() -> None:
    """Tags lie in a file of their own; outputs without value are passed over."""
    text = json.dumps({GENESIS: {**OURS, "source": "x"}, F2POOL: {**THEIRS, "source": "x"}})
    registry = import_list(text).registry
    both = [TxOut(1, script_of(F2POOL)), TxOut(2, script_of(GENESIS))]
    assert pool_of(b"", both[:1], registry) == "theirs"
    assert pool_of(b"", [TxOut(0, both[0].script), both[1]], registry) == "ours"
    found = attribute_parts(b"", both, registry)
    assert (found.pool, found.rule, len(found.conflicts)) == (None, "ambiguous", 2)


def test_a_label_speaks_where_a_list_does_not() -> None:
    registry = import_list(json.dumps(ARRAY)).registry
    label = Label("Two!", "some list")
    assert attribute_parts(b"..", (), registry, label=label).rule == "label"
    assert attribute_parts(b"/one/", (), registry, label=label).pool == "one"


def listed(form: str, rows: list[tuple[str, list[str], list[str]]]) -> str:
    """Return a list of `form` with rows of name, tags and addresses."""
    if form == "btccom":
        tags = {tag: {"name": name} for name, tags, _ in rows for tag in tags}
        paid = {address: {"name": name} for name, _, addresses in rows for address in addresses}
        return json.dumps({"coinbase_tags": tags, "payout_addresses": paid})
    if form == "consensus-decentralization":
        return json.dumps({key: {"name": name} for name, tags, paid in rows for key in tags + paid})
    array = [
        {"id": 90_000 + place, "name": name, "tags": tags, "addresses": addresses, "link": ""}
        for place, (name, tags, addresses) in enumerate(rows)
    ]
    known = [
        {"id": int(pool.ids[form][0]), "name": pool.name, "tags": [""], "addresses": []}
        for pool in load_registry()
        if form in pool.ids
    ][:20]
    for place, row in enumerate(known):
        row["tags"] = [f"/no such pool {place}/"]
    text = json.dumps([*array, *known])
    assert import_list(text).format == form
    return text


def test_mempools_former_list_is_known_by_its_slugs() -> None:
    document = {
        "coinbase_tags": {"/a.b/": OURS, "/c/": THEIRS, "/d/": OURS},
        "payout_addresses": {GENESIS: THEIRS},
        "slugs": {"Ours": "oursasgiven", "Theirs": "no slug!"},
    }
    found = import_list(json.dumps(document))
    assert (found.format, found.registry.rule) == ("mempool", "mempool")
    assert list(found.registry.pools) == ["oursasgiven", "theirs"]
    assert pool_of(b"/C/ /AxB/", (), found.registry) == "oursasgiven"
    assert pool_of(b"/d/", [TxOut(1, script_of(GENESIS))], found.registry) == "oursasgiven"


def test_real_coinbases_by_mempools_rule() -> None:
    """Held against what mempool's own way of matching was seen to say of 539 coinbases."""
    rows: dict[str, dict[str, Any]] = {}
    for row in csv_rows("mempool_rows.csv"):
        pool = rows.setdefault(row["id"], {"id": int(row["id"]), "name": row["name"]})
        pool.setdefault("tags" if row["kind"] == "tag" else "addresses", []).append(row["value"])
    found = import_list(json.dumps(list(rows.values())))
    assert found.format == "mempool"
    assert not found.faults
    wrong = [
        real.key
        for real in real_coinbases()
        if pool_of(real.script_sig, (), found.registry) != real.first_regex
    ]
    assert wrong == []
    # and with the outputs against mempool.space's own labels of real blocks
    labels = {real.height: real for real in real_coinbases() if real.height in MEMPOOL_SPACE}
    assert {
        height: pool_of(real.script_sig, real.outputs, found.registry)
        for height, real in labels.items()
    } == {height: MEMPOOL_SPACE[height] for height in labels}
    assert len(labels) >= 10
    dead = [item.subject for item in inspect_registry(found.registry) if item.kind == "dead"]
    assert dead == ["/$Mined by 7pool.com/", "七彩神仙鱼", "🐟"]


MEMPOOL_SPACE = {
    # mempool.space's slugs by height, through sorukumar/bitcoin-mining-pools @63c2fb4 (BSD-2)
    620117: "antpool",
    620129: "antpool",
    620151: "antpool",
    620157: "antpool",
    620174: "antpool",
    670718: "btccom",
    702861: "binancepool",
    831328: "foundryusa",
    831329: "foundryusa",
    831330: "antpool",
    831331: "f2pool",
    831332: "foundryusa",
    831334: "foundryusa",
    831335: "luxor",
}


def test_names_of_lists_are_safe_to_show() -> None:
    array = [{"id": 1, "name": "Rig \x1b[2J\u202e", "tags": ["/rig/"], "addresses": []}]
    (pool,) = import_list(json.dumps(array)).registry
    assert pool.name == r"Rig \x1b[2J\xe2\x80\xae"


def test_rows_of_one_name_are_one_pool() -> None:
    array = [{**ARRAY[0], "name": "One Pool"}, {**ARRAY[1], "name": "OnePool", "tags": ["/two/"]}]
    registry = import_list(json.dumps(array), "pools-v2.json").registry
    (pool,) = registry
    assert [tag.text for tag in pool.tags] == ["/both/", "/one/", "/two/"]
    assert registry.slug_of_label("array", "7") == registry.slug_of_label("array", "8")


def test_formats_are_told_apart() -> None:
    for form in ("bitcoin-data", "mempool"):
        array = [
            {"id": int(number), "name": pool.name, "tags": []}
            for pool in load_registry()
            for number in pool.ids.get(form, ())[:1]
        ]
        assert import_list(json.dumps([*array, *ARRAY]), "mempool.json").format == form
    assert import_list(json.dumps(BTCCOM)).format == "btccom"
    assert import_list(json.dumps(KEYED)).format == "consensus-decentralization"
    for document in (BTCCOM, KEYED):
        registry = import_list(json.dumps(document)).registry
        assert list(registry.pools) == ["one"]
        assert pool_of(b".../one/", (), registry) == "one"
        assert pool_of(b"", [TxOut(1, script_of(GENESIS))], registry) == "one"


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[" * 100_000,
        "{}",
        "[]",
        "[1]",
        "7",
        '{"a": {"b": 1}}',
        '[{"tags": 1}]',
        '[{"tags": [1], "name": "x"}]',
        '[{"tags": [], "name": 5}]',
        '{"coinbase_tags": []}',
        r'[{"tags": ["\ud800"], "name": "half a character"}]',
        r'[{"tags": [], "name": "\ud800"}]',
        '{"coinbase_tags": {"a": 1}}',
    ],
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(RegistryError, match=r"^some\.json: "):
        import_list(text, "some.json")


def test_any_file(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps(ARRAY[:1]))
    assert list(load_any(tmp_path / "list.json").pools) == ["one"]
    assert len(load_any()) > 160


def test_the_order_of_a_list_matters_where_its_owner_goes_by_it() -> None:
    rows = [{**ARRAY[0], "addresses": []}, {**ARRAY[1], "addresses": []}]
    first = import_list(json.dumps(rows)).registry
    second = import_list(json.dumps(rows[::-1])).registry
    assert pool_of(b"/both/", (), first) == "one"
    assert pool_of(b"/both/", (), second) == "two"
    assert first.version != second.version
    assert import_list(json.dumps(rows)).registry.version == first.version


def test_the_order_of_rows_does_not_matter_by_our_rule() -> None:
    first = import_list(json.dumps(BTCCOM)).registry
    tags = {"/one/": BTCCOM["coinbase_tags"]["/one/"], "/two/": {"name": "Two"}}
    versions = {
        import_list(json.dumps({"coinbase_tags": dict(order)})).registry.version
        for order in (tags.items(), reversed(tags.items()))
    }
    assert len(versions) == 1
    assert first.version not in versions


def test_a_list_goes_to_another_process_and_decides_alike() -> None:
    registry = import_list(json.dumps(ARRAY)).registry
    assert pool_of(b"/both/", (), registry) == "one"
    sent = pickle.loads(pickle.dumps(dataclasses.replace(registry)))
    assert pool_of(b"/both/", (), sent) == "one"
    assert (sent.version, sent.left_out) == (registry.version, registry.left_out)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just(F2POOL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
POOLS = st.fixed_dictionaries(
    {"name": VALUES, "tags": VALUES | st.lists(st.text(max_size=3))},
    optional={"id": VALUES, "addresses": VALUES, "link": VALUES},
)


@pytest.mark.slow
@given(
    VALUES
    | st.lists(POOLS, max_size=3)
    | st.fixed_dictionaries({"coinbase_tags": VALUES | st.dictionaries(st.text(), POOLS)})
    | st.dictionaries(st.text(max_size=6), POOLS, max_size=3)
)
def test_any_json_is_a_list_or_refused(document: Any) -> None:
    try:
        found = import_list(json.dumps(document), "some.json")
    except RegistryError:
        return
    paid = pool_of(b"", [TxOut(1, script_of(F2POOL))], found.registry)
    assert paid is None or paid in found.registry.pools
    for pool in found.registry:
        assert pool.name.isprintable()
        assert isinstance(pool.website, str)
