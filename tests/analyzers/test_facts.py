from __future__ import annotations

from collections import Counter

import pytest

from analyzers.attribution import attribute, attribute_parts
from analyzers.facts import block_facts, sureness
from analyzers.model import Label
from analyzers.registry import load_registry
from analyzers.registry.address import script_of
from analyzers.registry.lenses import load_lenses
from hashing.build import build_coinbase
from hashing.header import BlockHeader
from hashing.wire import TxOut, parse_coinbase
from tests.analyzers.coinbase_vectors import real_coinbases

REGISTRY = load_registry()
STRANGER = TxOut(312_500_000, bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6"))
ANTPOOL = TxOut(312_500_000, script_of("12dRugNcdxK39288NjcDV4GX7rMsKCGn6B"))


@pytest.mark.parametrize(
    ("text", "outputs", "label", "expected"),
    [
        (b"Mined by AntPool57", [ANTPOOL], None, "sure"),
        (b"Mined by AntPool57", [], None, "likely"),
        (b"", [ANTPOOL], None, "likely"),
        (b"/BTC.COM/", [ANTPOOL], None, "disputed"),
        (b"/ViaBTC/", [], "F2Pool", "disputed"),
        (b"", [], "F2Pool", "listed"),
        (b"Mined by AntPool57", [STRANGER], None, "doubtful"),
        (b"Mined by AntPool57", [STRANGER], "F2Pool", "disputed"),
        (b"/slush/", [STRANGER], None, "likely"),
        (b"ckpool", [], None, "unknown"),
        (b"", [], None, "unknown"),
    ],
)
def test_how_sure(text: bytes, outputs: list[TxOut], label: str | None, expected: str) -> None:
    given = None if label is None else Label(label, "mempool")
    assert sureness(attribute_parts(text, outputs, REGISTRY, label=given)) == expected


def test_facts_of_real_coinbases() -> None:
    facts = [
        block_facts(
            attribute_parts(real.script_sig, real.outputs, REGISTRY, height=real.height),
            real.script_sig,
            real.outputs,
            height=real.height,
        )
        for real in real_coinbases()
    ]
    assert [(one.height, one.pool, one.rule) for one in facts] == [
        (real.height, real.pool, real.rule) for real in real_coinbases()
    ]
    counted = Counter(one.sureness for one in facts)
    assert counted["listed"] == 0
    assert min(counted[sure] for sure in ("sure", "likely", "unknown")) > 20
    assert all((one.signalled, one.rolled, one.empty) == (None, None, None) for one in facts)


def test_what_is_not_in_the_coinbase_is_given() -> None:
    coinbase = parse_coinbase(build_coinbase(900_000, b"/ViaBTC/Mined by <b>/,", [ANTPOOL]))
    header = BlockHeader(0x2FFF_E004, bytes(32), bytes(32), 1_749_000_000, 0x1702_8281, 0)
    given = attribute(coinbase, REGISTRY, height=900_000)
    parts = coinbase.script_sig, coinbase.outputs
    facts = block_facts(given, *parts, header=header, tx_count=2)
    assert facts.height == 900_000
    assert (facts.tag_owner, facts.payout_owner, facts.sureness) == (
        "viabtc",
        "antpool",
        "disputed",
    )
    assert (facts.signalled, facts.rolled, facts.empty) == ((2,), 0x7FFF, False)
    assert facts.miners == (r"\x3cb\x3e",)
    assert facts.commitments == ("witness",)
    assert facts.producer is None
    lens = load_lenses()["template"]
    assert block_facts(given, *parts, lens=lens).producer is None, "the time is not known"
    assert block_facts(given, *parts, header=header, lens=lens).producer == lens.entity(
        "viabtc", 900_000, 1_749_000_000
    )
