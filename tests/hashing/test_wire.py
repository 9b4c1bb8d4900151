import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing.build import build_block, build_coinbase, push_height
from hashing.errors import WireError
from hashing.header import BlockHeader, hash_from_hex, hash_to_hex, sha256d
from hashing.params import NETWORKS
from hashing.wire import (
    TxOut,
    merkle_branch,
    merkle_root,
    parse_block,
    parse_coinbase,
    read_block_prefix,
    root_from_branch,
)

GENESIS_HASHES = {
    "mainnet": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    "testnet3": "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    "testnet4": "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    "signet": "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    "regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
}
txid_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=20, unique=True)


@pytest.mark.parametrize("network", NETWORKS)
def test_genesis_headers(network: str) -> None:
    header = BlockHeader.parse(NETWORKS[network].genesis_header)
    assert hash_to_hex(header.hash) == GENESIS_HASHES[network]
    assert hash_from_hex(GENESIS_HASHES[network]) == header.hash
    assert header.serialize() == NETWORKS[network].genesis_header


@pytest.mark.parametrize("witness", [True, False])
def test_a_built_block_reads_back(witness: bool) -> None:
    outputs = [TxOut(5, b"\x51"), TxOut(7, b"\x52")]
    raw = build_coinbase(300, b"/pool/", outputs, witness=witness)
    coinbase = parse_coinbase(raw)
    assert coinbase.script_sig == push_height(300) + b"/pool/"
    assert list(coinbase.outputs[:2]) == outputs
    bare = build_coinbase(300, b"/pool/", list(coinbase.outputs), witness=False)
    assert coinbase.txid == sha256d(bare)  # the witness is no part of the txid
    genesis = BlockHeader.parse(NETWORKS["regtest"].genesis_header)
    block = build_block(genesis, raw, coinbase.txid, time=genesis.time + 1)
    prefix, txids = parse_block(block)
    assert prefix.coinbase == coinbase
    assert txids == (coinbase.txid,)
    assert merkle_root(txids) == prefix.header.merkle_root


@given(st.binary(max_size=400))
def test_no_bytes_crash_the_readers(data: bytes) -> None:
    for read in (parse_coinbase, read_block_prefix, parse_block):
        with pytest.raises(WireError):
            read(data)


@pytest.mark.slow
@given(txid_lists, st.data())
def test_branches_lead_to_the_root(txids: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(txids) - 1))
    branch = merkle_branch(txids, index)
    assert root_from_branch(txids[index], branch, index) == merkle_root(txids)


def test_a_repeated_tail_is_no_proof() -> None:
    txids = [bytes([n]) * 32 for n in range(6)]
    with pytest.raises(WireError, match="CVE-2012-2459"):
        merkle_root([*txids, *txids[-2:]])
