import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.model import Label
from hashing.build import build_block, build_coinbase
from hashing.chain import ChainEntry, HeaderChain
from hashing.errors import WireError
from hashing.header import BlockHeader, BlockRef
from hashing.params import MAINNET, REGTEST
from hashing.wire import TxOut, merkle_branch, merkle_root, parse_coinbase
from monitor.errors import REASONS, ProofError
from monitor.proof import prove, prove_beginning
from monitor.sources.base import SourceBlock
from tests.support.blocks import PAYOUT, extend, genesis

PARENT = genesis()
BLOCK = extend(PARENT, 1)[0]
OFFER = BLOCK.offered()
OTHERS = [bytes([n]) * 32 for n in range(1, 6)]


def entry_of(header: BlockHeader):  # type: ignore[no-untyped-def]
    return HeaderChain(REGTEST, 0, [PARENT.header]).accept(header)


def larger_block() -> tuple[SourceBlock, BlockHeader]:
    """A block of six transactions whose coinbase has a real Merkle branch."""
    coinbase = build_coinbase(1, b"/pool/", [TxOut(50, PAYOUT)])
    txids = [parse_coinbase(coinbase).txid, *OTHERS]
    raw = build_block(PARENT.header, coinbase, merkle_root(txids), time=PARENT.header.time + 600)
    header = BlockHeader.parse(raw[:80])
    offer = SourceBlock(
        ref=BlockRef(1, header.hash),
        header=raw[:80],
        coinbase_tx=coinbase,
        merkle_branch=merkle_branch(txids),
        tx_count=6,
    )
    return offer, header


def reason_of(
    offer: SourceBlock, header: BlockHeader = BLOCK.header, *, trusted: bool = False
) -> str:
    with pytest.raises(ProofError) as refusal:
        prove(offer, entry_of(header), REGTEST, trusted=trusted)
    assert refusal.value.reason in REASONS
    assert "block 1" in str(refusal.value)
    return refusal.value.reason


def test_txids_prove_the_coinbase() -> None:
    level, coinbase = prove(OFFER, entry_of(BLOCK.header), REGTEST, trusted=False)
    assert level == "coinbase"
    assert coinbase is not None
    assert b"/Foundry USA Pool/" in coinbase.script_sig


def test_a_branch_proves_the_coinbase() -> None:
    offer, header = larger_block()
    assert prove(offer, entry_of(header), REGTEST, trusted=False)[0] == "coinbase"


def test_a_header_alone_proves_the_header() -> None:
    bare = SourceBlock(ref=BLOCK.ref, header=OFFER.header)
    assert prove(bare, entry_of(BLOCK.header), REGTEST, trusted=False) == ("header", None)


def test_only_ones_own_node_may_leave_the_proof_out() -> None:
    bare = dataclasses.replace(OFFER, txids=None)
    assert prove(bare, entry_of(BLOCK.header), REGTEST, trusted=True)[0] == "header"
    assert reason_of(bare) == "unproved"


def test_a_forged_coinbase_is_refused() -> None:
    forged = OFFER.coinbase_tx.replace(b"/Foundry USA Pool/", b"/Foundry OSA Pool/")  # type: ignore[union-attr]
    assert reason_of(dataclasses.replace(OFFER, coinbase_tx=forged)) == "wire"
    offer, header = larger_block()
    forged = offer.coinbase_tx.replace(b"/pool/", b"/loop/")  # type: ignore[union-attr]
    assert reason_of(dataclasses.replace(offer, coinbase_tx=forged), header) == "coinbase"
    own_txid = dataclasses.replace(OFFER, coinbase_tx=forged, txids=(parse_coinbase(forged).txid,))
    assert reason_of(own_txid, trusted=True) == "coinbase"


def test_another_block_is_refused() -> None:
    other = extend(PARENT, 1, tag=b"/other/")[0].offered()
    assert reason_of(other) == "mismatch"
    assert reason_of(dataclasses.replace(OFFER, ref=BlockRef(2, BLOCK.ref.hash))) == "mismatch"


def test_a_wrong_height_is_refused() -> None:
    coinbase = build_coinbase(7, b"/pool/", [TxOut(50, PAYOUT)])
    txid = parse_coinbase(coinbase).txid
    raw = build_block(PARENT.header, coinbase, txid, time=PARENT.header.time + 600)
    header = BlockHeader.parse(raw[:80])
    offer = SourceBlock(BlockRef(1, header.hash), raw[:80], coinbase, txids=(txid,))
    assert reason_of(offer, header) == "height"


def test_a_branch_of_the_wrong_height_is_refused() -> None:
    offer, header = larger_block()
    assert reason_of(dataclasses.replace(offer, tx_count=2), header) == "wire"


@pytest.mark.parametrize(
    "figure",
    [
        {"tx_count": 0},
        {"tx_count": 1 << 70},
        {"tx_count": 2},
        {"size": 80},
        {"size": 4_000_001},
        {"first_seen": -1},
        {"first_seen": 1 << 70},
        {"label": Label("f2\0pool", "a list")},
    ],
)
def test_impossible_figures_are_refused(figure: dict[str, object]) -> None:
    assert reason_of(dataclasses.replace(OFFER, **figure)) == "wire"  # type: ignore[arg-type]


def test_repeated_txids_prove_nothing() -> None:
    offer, header = larger_block()
    txids = [parse_coinbase(offer.coinbase_tx or b"").txid, *OTHERS]
    # CVE-2012-2459: the last two repeated give the same root
    doubled = dataclasses.replace(offer, merkle_branch=None, txids=(*txids, *txids[-2:]))
    assert reason_of(doubled, header) == "wire"


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_proof(data: bytes) -> None:
    assert reason_of(dataclasses.replace(OFFER, coinbase_tx=data), trusted=True) == "wire"


@pytest.mark.slow
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_flipped_bit_that_counts_is_refused(position: int, bit: int) -> None:
    offer, header = larger_block()
    raw = bytearray(offer.coinbase_tx or b"")
    place = position % len(raw)
    raw[place] ^= 1 << bit
    flipped = dataclasses.replace(offer, coinbase_tx=bytes(raw))
    txid = parse_coinbase(offer.coinbase_tx or b"").txid
    if _txid(bytes(raw)) == txid:  # the witness is no part of the txid
        assert prove(flipped, entry_of(header), REGTEST, trusted=False)[0] == "coinbase"
    else:
        assert reason_of(flipped, header) in {"wire", "coinbase"}


def _txid(coinbase: bytes) -> bytes | None:
    try:
        return parse_coinbase(coinbase).txid
    except WireError:
        return None


MILESTONE = MAINNET.milestone


def first_of_period(height: int, nbits: int) -> ChainEntry:
    header = dataclasses.replace(BLOCK.header, nbits=nbits)
    return ChainEntry(height, header.hash, header, 0, None)


@pytest.mark.parametrize(
    ("height", "nbits", "refused"),
    [
        (959_616, 0x1D00FFFF, False),  # its hash decides
        (961_632, 0x17023AD4, False),
        (961_632, 0x1723AD40, False),  # sixteen times easier
        (961_632, 0x1723AD41, True),
        (961_632, 0x1D00FFFF, True),
        (822_528, 0x1D00FFFF, False),
    ],
)
def test_a_chain_above_the_milestone_is_not_much_easier(
    height: int, nbits: int, refused: bool
) -> None:
    first = first_of_period(height, nbits)
    if not refused:
        prove_beginning(first, None, MAINNET, "api")
        return
    with pytest.raises(ProofError, match="easier") as refusal:
        prove_beginning(first, None, MAINNET, "api")
    assert refusal.value.reason == "pow"


def test_a_chain_that_passes_the_milestone_holds_it() -> None:
    assert MILESTONE is not None
    first = first_of_period(957_600, 0x1D00FFFF)
    other = first_of_period(MILESTONE.height, MILESTONE.nbits)
    with pytest.raises(ProofError, match="959616") as refusal:
        prove_beginning(first, other, MAINNET, "api")
    assert refusal.value.reason == "link"
    prove_beginning(first, dataclasses.replace(other, hash=MILESTONE.hash), MAINNET, "api")


def test_networks_without_a_milestone_begin_anywhere() -> None:
    prove_beginning(first_of_period(2016, 0x207FFFFF), None, REGTEST, "api")


@pytest.mark.parametrize("size", [1, 101, 252])
def test_a_script_sig_of_a_length_that_no_node_takes_is_refused(size: int) -> None:
    honest = build_coinbase(1, b"/pool/", [TxOut(50, PAYOUT)], witness=False)
    script_sig = parse_coinbase(honest).script_sig
    told = bytes([len(script_sig)]) + script_sig
    coinbase = honest.replace(told, bytes([size]) + (script_sig + bytes(size))[:size], 1)
    txid = parse_coinbase(coinbase).txid
    raw = build_block(PARENT.header, coinbase, txid, time=PARENT.header.time + 600)
    header = BlockHeader.parse(raw[:80])
    offer = SourceBlock(BlockRef(1, header.hash), raw[:80], coinbase, txids=(txid,))
    with pytest.raises(ProofError, match="2 to 100 bytes") as refused:
        prove(offer, entry_of(header), REGTEST, trusted=False)
    assert refused.value.reason == "wire"
