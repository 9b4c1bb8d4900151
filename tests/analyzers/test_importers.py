from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.attribution import attribute_parts, pool_of
from analyzers.registry import RegistryError, load_registry
from analyzers.registry.address import script_of
from analyzers.registry.importers import import_list, load_any
from hashing.wire import TxOut

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
    found = import_list(json.dumps(ARRAY), "pools-v2.json")
    assert found.format == "array"
    assert found.registry.slug_of_label("array", "8") == "two"
    assert pool_of(b"..\xf0\x9f\x90\x9f", (), found.registry) == "two"
    assert pool_of(b"/both/", (), found.registry) is None
    assert attribute_parts(b"/both/", (), found.registry).rule == "ambiguous"
    assert pool_of(b"", [TxOut(1, script_of(F2POOL))], found.registry) == "two"
    assert pool_of(b"", [TxOut(1, script_of(GENESIS))], found.registry) is None
    faults = "\n".join(found.faults)
    for told in ("empty tag", "'x'", "claimed by one, two: it names nobody", "b'/both/'"):
        assert told in faults


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


def test_the_order_of_rows_never_matters() -> None:
    """Two rows are one pool by slug, two claim a tag; any order of the file reads alike."""
    rows = [*ARRAY, {**ARRAY[0], "id": 9, "name": "ONE", "tags": ["/uno/"]}]
    first = import_list(json.dumps(rows))
    for _ in rows:
        rows.append(rows.pop(0))
        again = import_list(json.dumps(rows))
        assert dict(again.registry.pools) == dict(first.registry.pools)
        assert again.faults == first.faults
        assert again.registry.version == first.registry.version


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just(F2POOL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
POOLS = st.fixed_dictionaries(
    {"name": VALUES, "tags": VALUES | st.lists(st.text(max_size=3))},
    optional={"id": VALUES, "addresses": VALUES, "link": VALUES},
)


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
