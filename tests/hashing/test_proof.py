from __future__ import annotations

import pytest

from hashing.build import push_height
from hashing.params import MAINNET, REGTEST
from hashing.proof import begins_with_height, binds_height, leads_to_root, may_be_script_sig
from hashing.wire import merkle_root

TXIDS = tuple(bytes([number]) * 32 for number in range(1, 7))


@pytest.mark.parametrize("count", range(1, 7))
def test_the_transactions_of_a_header_lead_to_its_root(count: int) -> None:
    txids = TXIDS[:count]
    root = merkle_root(txids)
    assert leads_to_root(txids, root)
    assert not leads_to_root(txids[:-1], root)
    assert not leads_to_root((*txids, bytes(32)), root)


def test_what_is_there_twice_proves_nothing() -> None:
    root = merkle_root(TXIDS[:3])
    assert not leads_to_root((*TXIDS[:3], TXIDS[2]), root)  # it has the same root


@pytest.mark.parametrize("height", [MAINNET.bip34_height, 840_000])
def test_a_coinbase_begins_with_its_height_where_the_rule_binds(height: int) -> None:
    assert binds_height(height, MAINNET)
    assert begins_with_height(push_height(height) + b"/pool/", height, MAINNET)
    assert not begins_with_height(push_height(height + 1) + b"/pool/", height, MAINNET)
    assert not begins_with_height(b"", height, MAINNET)


def test_before_the_rule_it_may_begin_anyhow() -> None:
    height = MAINNET.bip34_height - 1
    assert not binds_height(height, MAINNET)
    assert begins_with_height(b"anything", height, MAINNET)
    assert binds_height(REGTEST.bip34_height, REGTEST)


@pytest.mark.parametrize(("size", "allowed"), [(0, 0), (1, 0), (2, 1), (100, 1), (101, 0)])
def test_a_script_sig_is_as_long_as_consensus_allows(size: int, allowed: bool) -> None:
    assert may_be_script_sig(bytes(size)) == allowed
