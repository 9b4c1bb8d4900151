from __future__ import annotations

import doctest
import importlib
import json
from pathlib import Path

import pandas as pd
import pytest

from analyzers.attribution import attribute_parts
from analyzers.audit import (
    AttributedBlock,
    agreement,
    compare_registries,
    disagreements,
    explain,
    inspect_registry,
    propose_entry,
    sightings,
    unknown_clusters,
)
from analyzers.audit.frames import (
    EVIDENCE,
    as_frame,
    attribute_frame,
    confusion_frame,
    evidence_frame,
    facts_frame,
)
from analyzers.registry import load_registry, parse_registry
from analyzers.registry.address import script_of
from analyzers.registry.importers import import_list
from hashing.wire import TxOut
from tests.analyzers.coinbase_vectors import real_coinbases

REGISTRY = load_registry()
SOLO = script_of("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
F2POOL = script_of("1KFHE7w8BhaENAswwryaoccDb6qcT6DbYY")


def block(height: int, text: bytes, script: bytes = b"\x51") -> AttributedBlock:
    outputs = (TxOut(5_000_000_000, script),)
    return AttributedBlock(height, text, outputs, attribute_parts(text, outputs, REGISTRY))


def test_findings_of_our_registry() -> None:
    told = {(f.kind, f.subject) for f in inspect_registry(REGISTRY)}
    assert ("inside", "EMC") in told
    assert ("chance", "EMC") in told
    assert {("text-only", "🐟"), ("text-only", "/$Mined by 7pool.com/")} <= told
    assert {("weak", "ckpool"), ("weak", "BTCPool"), ("weak", "Public-Pool")} <= told
    assert not {kind for kind, _ in told} & {"clash", "dead"}


def test_findings_of_a_public_list() -> None:
    array = [
        {"id": 1, "name": "One", "tags": ["/x/", "a" * 101, "ab("], "addresses": []},
        {"id": 2, "name": "Two", "tags": ["/x/", "/stratumPool/"], "addresses": []},
    ]
    imported = import_list(json.dumps(array))
    found = inspect_registry(imported.registry)
    kinds = {(f.kind, f.pool, f.subject) for f in found}
    assert ("clash", "two", "/x/") in kinds
    assert ("dead", "one", "a" * 101) in kinds
    assert ("weak", "two", "/stratumPool/") in kinds
    assert any(fault.startswith("One: ab(: ") for fault in imported.faults)
    everything = inspect_registry(REGISTRY, blocks=10**6)
    (chance,) = (f for f in everything if (f.kind, f.subject) == ("chance", "EMC"))
    assert chance.expected == pytest.approx(10**6 * 98 / 2**24)


def test_registries_are_compared_under_our_slugs() -> None:
    array = [
        {"id": 73, "name": "ViaBTC", "tags": ["/ViaBTC/", "/EMCD/"], "addresses": []},
        {"id": 999, "name": "New", "tags": ["/new/"], "addresses": []},
    ]
    second = import_list(json.dumps(array), "pools-v2.json").registry
    found = {
        (d.kind, d.subject): (d.first, d.second)
        for d in compare_registries(REGISTRY, second, "mempool")
    }
    assert ("tag", "/ViaBTC/") not in found
    assert found["tag", "/EMCD/"] == ("emcdpool", "viabtc")
    assert found["tag", "/new/"] == (None, "new")
    assert found["pool", "New"] == (None, "new")
    assert found["pool", "AntPool"] == ("antpool", None)
    assert compare_registries(REGISTRY, REGISTRY) == []


def test_agreement() -> None:
    found = agreement([])
    assert found.blocks == 0
    assert found.share != found.share  # NaN
    table = confusion_frame(agreement([("a", "b"), ("a", "a"), (None, "a")]))
    assert table.loc["a"].to_dict() == {"a": 1, "b": 1}
    assert table.loc["(nobody)", "a"] == 1


def test_disagreements_are_explained() -> None:
    blocks = [
        block(n, text, F2POOL) for n, text in enumerate((b"/ViaBTC/", b"/F2Pool/", b"", b"z"))
    ]
    labels = {0: "F2Pool", 1: "f2pool", 2: "unknown", 3: "\x1b[31mWho"}
    pairs = [(b.height, b.attribution) for b in blocks]
    found, told = disagreements(pairs, labels, REGISTRY, "mempool")
    assert (found.blocks, found.agreed, found.named, found.named_agreed) == (4, 1, 3, 1)
    assert [d.height for d in told] == [0, 2, 3]
    assert told[0].reason == (
        "tag /ViaBTC/ (script_sig, byte 0)"
        "; for F2Pool: strong 100% of the value to 1KFHE7w8BhaENAswwryaoccDb6qcT6DbYY"
    )
    assert told[2].label == r"?\x1b[31mWho"
    nobody = block(9, b"").attribution
    assert explain(nobody, "f2pool", REGISTRY) == "nothing decides (rule none); nothing for F2Pool"


def test_every_real_disagreement_gets_a_reason() -> None:
    blocks = [
        (n, attribute_parts(r.script_sig, r.outputs, REGISTRY, height=r.height))
        for n, r in enumerate(real_coinbases())
    ]
    labels = {n: r.longest_bytes or "" for n, r in enumerate(real_coinbases())}
    _, told = disagreements(blocks, labels, REGISTRY, "mempool")
    assert len(told) > 50
    assert all(item.reason and item.label is None for item in told)


def test_unknown_blocks_cluster_by_text_and_payout() -> None:
    blocks = [
        block(1, b"\x03\x01\x02\x03\x99\x98/solo rig 12/\x97"),
        block(2, b"\x03\x01\x02\x03\x99\x98/solo rig 7/\x97", SOLO),
        block(3, b"\x03\x01\x02\x03", SOLO),
        block(4, b"/P2SH/"),
        block(5, b"/ViaBTC/", SOLO),
    ]
    (found,) = unknown_clusters([b for b in blocks if b.height != 4])
    assert found.heights == (1, 2, 3)
    assert found.payouts[0] == (SOLO, 2)
    assert {text for text, _ in found.texts} == {b"/solo rig 12/", b"/solo rig 7/"}
    assert len(unknown_clusters([block(1, b"/P2SH/", b"\x51"), block(2, b"/P2SH/", b"\x52")])) == 0


def test_proposals_are_registry_entries() -> None:
    texts = (b"/nodeStratum/rig", "⛏ Größe".encode(), b'"; drop\\', b"")
    for text in texts:
        blocks = [block(n, b"\x03\x01\x02\x03" + text + b"\x99", SOLO) for n in (5, 6)]
        (found,) = unknown_clusters(blocks)
        entry = propose_entry(found)
        registry = parse_registry(f'[sources]\ncoinbase = "seen"\n{entry}')
        (pool,) = registry
        for one in blocks:
            assert attribute_parts(one.script_sig, one.outputs, registry).pool == pool.slug


def test_real_unknown_blocks_cluster() -> None:
    blocks = [
        AttributedBlock(
            r.height, r.script_sig, r.outputs, attribute_parts(r.script_sig, r.outputs, REGISTRY)
        )
        for r in real_coinbases()
    ]
    clusters = unknown_clusters(blocks)
    (stratum,) = (c for c in clusters if c.texts and c.texts[0][0] == b"/stratumPool/")
    assert len(stratum.payouts) == 1, "strangers with the same software are no cluster"
    assert "tags" not in propose_entry(stratum)
    assert unknown_clusters(blocks, min_blocks=1000) == []
    programs = unknown_clusters(blocks, by=["shape"])
    assert any(len(dict(c.shapes)) == 1 and not c.texts for c in programs)
    assert {c.heights for c in programs} != {c.heights for c in clusters}


def test_drift() -> None:
    blocks = [
        block(0, b"/BTC.COM/"),
        block(5000, b"/BTC.com/", SOLO),
        block(9000, b"/BTC.com/", SOLO),
        block(9001, b""),
    ]
    found = {s.subject: s for s in sightings(blocks)}
    assert set(found) == {
        "/BTC.COM/",
        "/BTC.com/",
        "51",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    }
    old, new = found["/BTC.COM/"], found["/BTC.com/"]
    assert (old.began, old.ended) == (False, True)
    assert (new.began, new.ended, new.blocks, new.first, new.last) == (True, False, 2, 5000, 9000)
    assert not found["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"].registered
    frame = as_frame(list(found.values()))
    assert set(frame["pool"]) == {"btccom"}


@pytest.mark.parametrize("name", ["blocks", "frames"])
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"analyzers.audit.{name}"))
    assert results.attempted
    assert not results.failed


@pytest.mark.slow
@pytest.mark.parametrize("page", ["attribution.md", "researchers.md"])
def test_the_guides_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    results = doctest.testfile(
        str(root / "docs" / page), module_relative=False, encoding="utf-8", raise_on_error=False
    )
    assert results.attempted > 20
    assert not results.failed


def test_frames_of_coinbases() -> None:
    given = pd.DataFrame(
        {
            "height": [900_000, 900_001],
            "script_sig": [b"/ViaBTC/Mined by <b>/", b"\x1b[2Jnobody"],
            "outputs": [[TxOut(5, F2POOL)], []],
            "header": [bytes.fromhex("04000020") + bytes(76), None],
            "tx_count": [1, 7],
        }
    )
    facts = facts_frame(given, REGISTRY)
    assert facts["pool"].fillna("-").tolist() == ["viabtc", "-"]
    assert facts["sureness"].tolist() == ["disputed", "unknown"]
    assert facts["signalled"].tolist() == [(2,), None]
    assert facts["empty"].tolist() == [True, False]
    assert facts["miners"].tolist() == [(r"\x3cb\x3e",), ()]
    found = evidence_frame(attribute_frame(given, REGISTRY))
    assert found[["kind", "pool", "against"]].values.tolist() == [
        ["tag", "viabtc", False],
        ["payout", "f2pool", True],
    ]
    assert found["text"].tolist() == ["/ViaBTC/", "1KFHE7w8BhaENAswwryaoccDb6qcT6DbYY"]


def test_frames_of_nothing_have_their_columns() -> None:
    nothing = pd.DataFrame({"height": [], "script_sig": []})
    assert {"pool", "sureness", "empty"} <= set(facts_frame(nothing, REGISTRY))
    assert list(evidence_frame([])) == list(EVIDENCE)
    assert confusion_frame(agreement([])).empty
    with pytest.raises(KeyError, match="script_sig"):
        facts_frame(pd.DataFrame({"height": [1]}), REGISTRY)
