"""Difficulty, subsidy and fees of a stored chain, from its headers and coinbases."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashing.build import build_coinbase
from hashing.params import MAINNET
from hashing.wire import TxOut
from monitor.store.base import Step
from monitor.store.sql import open_store
from monitor.terms import fees_of, terms_at_tip
from tests.support.blocks import extend, genesis

SUBSIDY = MAINNET.subsidy(900_000)


def coinbase(value: int) -> bytes:
    return build_coinbase(900_000, b"/x/", [TxOut(value, b"\x51")])


def test_fees_are_what_coinbases_claim_above_the_subsidy() -> None:
    found = fees_of(
        [(900_000, coinbase(SUBSIDY + 4_000_000)), (900_001, None), (900_002, coinbase(SUBSIDY))],
        MAINNET,
    )
    assert found.blocks == 2
    assert found.ratio == pytest.approx(4_000_000 / (2 * SUBSIDY))


def test_a_miner_who_claims_less_gave_fees_up() -> None:
    assert fees_of([(900_000, coinbase(SUBSIDY - 1))], MAINNET).ratio == 0
    assert fees_of([], MAINNET) == (0.0, 0)
    assert fees_of([(64 * 210_000, coinbase(5))], MAINNET).ratio == 0


def test_terms_of_a_store(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store.sqlite", "regtest")
    assert terms_at_tip(store) is None
    chain = extend(genesis(), 5)
    store.apply(Step([block.stored() for block in chain]))
    found = terms_at_tip(store, blocks=3)
    store.close()
    assert found is not None
    assert found.height == chain[-1].height
    assert found.time == chain[-1].header.time
    assert found.fee_blocks == 3
    assert found.terms.subsidy == 50 * 10**8
    assert found.terms.difficulty == pytest.approx(4.6565e-10, rel=1e-4)
