"""What a source's block must prove before it is stored.

The header has been checked in its place by `hashing.chain`; here the rest of the block is
held against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analyzers.columns import ProofLevel
from analyzers.model import Attribution
from hashing.chain import ChainEntry
from hashing.errors import WireError
from hashing.header import HEADER_SIZE, BlockHeader, hash_to_hex
from hashing.params import NetworkParams
from hashing.proof import begins_with_height, may_be_script_sig
from hashing.target import decode_nbits
from hashing.wire import MAX_BLOCK_SIZE, CoinbaseTx, merkle_root, parse_coinbase, root_from_branch
from monitor.errors import ProofError
from monitor.sources.base import SourceBlock
from monitor.store.base import StoredBlock

EASIEST: Final = 16
"""How many times easier than the milestone a chain may begin above it."""


def prove(
    block: SourceBlock, entry: ChainEntry, params: NetworkParams, *, trusted: bool
) -> tuple[ProofLevel, CoinbaseTx | None]:
    """Return how far `block` proves itself at its place `entry`, and its coinbase.

    A coinbase belongs to a header if its txid leads to the Merkle root, by a branch or with
    all txids. `trusted` (one's own node) lets a coinbase without such proof pass as proved
    by header only.

    Raises
    ------
    ProofError
        With a reason of `REASONS`.
    """
    name = f"block {entry.height} ({hash_to_hex(entry.hash)})"
    if block.header != entry.header.serialize() or block.ref != (entry.height, entry.hash):
        raise ProofError("mismatch", f"{name}: the source sent another block than was asked for")
    if not _plausible(block):
        raise ProofError("wire", f"{name}: impossible size, number of transactions, time or label")
    if block.coinbase_tx is None:
        return "header", None
    try:
        coinbase = parse_coinbase(block.coinbase_tx)
        root = _root(block, coinbase)
    except WireError as error:
        raise ProofError("wire", f"{name}: {error}") from None
    if root is None and not trusted:
        raise ProofError("unproved", f"{name}: a coinbase without Merkle branch or txids")
    if root is not None and root != entry.header.merkle_root:
        raise ProofError("coinbase", f"{name}: the coinbase does not lead to the Merkle root")
    if not may_be_script_sig(coinbase.script_sig):
        size = len(coinbase.script_sig)
        raise ProofError("wire", f"{name}: a coinbase scriptSig has 2 to 100 bytes, not {size}")
    if not begins_with_height(coinbase.script_sig, entry.height, params):
        raise ProofError("height", f"{name}: the coinbase does not begin with its height (BIP34)")
    return ("header" if root is None else "coinbase"), coinbase


def stored_block(
    block: SourceBlock,
    proof: ProofLevel,
    source: str,
    attribution: Attribution,
    *,
    stale: bool = False,
    first_seen: int | None = None,
) -> StoredBlock:
    """Return `block`, that proved itself as far as `proof`, as it is stored.

    `first_seen` holds where the source does not say when it saw the block.
    """
    return StoredBlock(
        ref=block.ref,
        header=block.header,
        coinbase_tx=block.coinbase_tx,
        proof=proof,
        stale=stale,
        source=source,
        label=block.label,
        attribution=attribution,
        tx_count=block.tx_count,
        size=block.size,
        first_seen=first_seen if block.first_seen is None else block.first_seen,
    )


def prove_beginning(
    first: ChainEntry, milestone: ChainEntry | None, params: NetworkParams, name: str
) -> None:
    """Check what an empty store would take on trust: that a chain is the network's own.

    A chain that passes the network's milestone holds it. One that begins above has at least
    1/16 of the milestone's difficulty: to make up a day of it takes the work of nine blocks.

    Parameters
    ----------
    first:
        The oldest header of the chain, the first of a difficulty period.
    milestone:
        The chain's header at the milestone's height, None if it does not reach down or up to it.

    Raises
    ------
    ProofError
        With the reason ``link`` or ``pow``.
    """
    known = params.milestone
    if known is None:
        return
    if milestone is not None and milestone.hash != known.hash:
        raise ProofError(
            "link",
            f"{name}: its block {known.height} is {hash_to_hex(milestone.hash)}, on "
            f"{params.name} it is {hash_to_hex(known.hash)}",
        )
    easiest = decode_nbits(known.nbits) * EASIEST
    if first.height > known.height and decode_nbits(first.header.nbits) > easiest:
        raise ProofError(
            "pow",
            f"{name}: its block {first.height} is over {EASIEST} times easier than "
            f"block {known.height}; this is not {params.name}",
        )


def proves_itself(
    header: BlockHeader,
    coinbase_tx: bytes,
    branch: Sequence[bytes],
    height: int,
    params: NetworkParams,
) -> bool:
    """Say whether a lone block's coinbase is that of a header that took its work.

    Without its chain nothing says what difficulty the height had. Above the network's milestone
    it must be at least 1/16 of the milestone's, as for a chain that begins there; what claims an
    older height than that can be made up with little work.

    Raises
    ------
    WireError
        If the transaction or the branch cannot be read.
    """
    coinbase = parse_coinbase(coinbase_tx)
    easiest = params.pow_limit
    if params.milestone is not None and height > params.milestone.height:
        easiest = min(easiest, decode_nbits(params.milestone.nbits) * EASIEST)
    target = decode_nbits(header.nbits)
    return (
        0 < target <= easiest
        and int.from_bytes(header.hash, "little") <= target
        and root_from_branch(coinbase.txid, branch) == header.merkle_root
        and begins_with_height(coinbase.script_sig, height, params)
    )


def _plausible(block: SourceBlock) -> bool:
    """Say whether the figures beside the bytes can be true; they come unproved."""
    counted = len(block.txids) if block.txids is not None else block.tx_count
    return (
        (block.tx_count is None or 1 <= block.tx_count <= MAX_BLOCK_SIZE)
        and block.tx_count in (None, counted)
        and (block.size is None or HEADER_SIZE < block.size <= MAX_BLOCK_SIZE)
        and (block.label is None or block.label.pool.isprintable())
        and (block.first_seen is None or 0 <= block.first_seen < 1 << 63)
    )


def _root(block: SourceBlock, coinbase: CoinbaseTx) -> bytes | None:
    """Return the Merkle root that the block's own proof gives, None if it brings none.

    A branch must be as long as the tree of `tx_count` transactions is high, where that is
    known. Nothing proves that count. What keeps an inner node of the tree (64 bytes) from posing
    as a coinbase is its form: the empty outpoint is 36 bytes of it, and 28 or more of those would
    have to be found in hashes.
    """
    if block.txids is not None:
        if block.txids[:1] != (coinbase.txid,):
            raise WireError("the first txid is not that of the coinbase")
        return merkle_root(block.txids)
    if block.merkle_branch is not None:
        height = (block.tx_count - 1).bit_length() if block.tx_count else None
        if height is not None and len(block.merkle_branch) != height:
            raise WireError(
                f"a Merkle branch of {len(block.merkle_branch)} levels does not fit "
                f"{block.tx_count} transactions"
            )
        return root_from_branch(coinbase.txid, block.merkle_branch)
    return None
