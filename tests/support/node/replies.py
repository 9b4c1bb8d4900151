"""JSON values that the node gives through both RPC and REST, shaped as recorded."""

from __future__ import annotations

from typing import Any

from hashing.header import hash_to_hex
from hashing.target import decode_nbits, difficulty
from hashing.wire import CoinbaseTx, read_block_prefix
from tests.support.node.chain import Entry, RegtestChain
from tests.support.node.flavours import Flavour

_COINBASE_WITNESS_SIZE = 36
"""Marker, flag and the one 32-byte witness item that a coinbase carries (BIP141)."""


def header_fields(chain: RegtestChain, entry: Entry, flavour: Flavour) -> dict[str, Any]:
    """Return what ``getblockheader HASH true`` says."""
    header, height = entry.header, entry.ref.height
    active = chain.is_active(entry)
    tip_height = chain.tip.ref.height
    fields: dict[str, Any] = {
        "hash": hash_to_hex(entry.ref.hash),
        "confirmations": tip_height - height + 1 if active else -1,
        "height": height,
        "version": header.version,
        "versionHex": f"{header.version & 0xFFFFFFFF:08x}",
        "merkleroot": hash_to_hex(header.merkle_root),
        "time": header.time,
        "mediantime": chain.median_time_past(entry),
        "nonce": header.nonce,
        **_difficulty_fields(header.nbits, flavour),
        "chainwork": f"{chain.chain_work(entry):064x}",
        "nTx": len(chain.content(entry).txids) if entry.has_block else 0,
    }
    if height > 0:
        fields["previousblockhash"] = hash_to_hex(header.prev_hash)
    if active and height < tip_height:
        fields["nextblockhash"] = hash_to_hex(chain.at(height + 1).ref.hash)
    return fields


def block_fields(chain: RegtestChain, entry: Entry, flavour: Flavour) -> dict[str, Any]:
    """Return what ``getblock HASH 1`` says."""
    raw, txids = chain.content(entry)
    coinbase = read_block_prefix(raw).coinbase
    witness = _COINBASE_WITNESS_SIZE if _has_witness(coinbase) else 0
    stripped = len(raw) - witness
    fields = header_fields(chain, entry, flavour)
    fields |= {"strippedsize": stripped, "size": len(raw), "weight": 3 * stripped + len(raw)}
    if flavour.coinbase_tx:
        fields["coinbase_tx"] = _coinbase_fields(coinbase)
    return fields | {"tx": [hash_to_hex(txid) for txid in txids]}


def chain_info(chain: RegtestChain, flavour: Flavour, pruned_below: int) -> dict[str, Any]:
    """Return what ``getblockchaininfo`` says."""
    tip = chain.tip
    fields: dict[str, Any] = {
        "chain": "regtest",
        "blocks": tip.ref.height,
        "headers": max(end.ref.height for end in chain.tips()),
        "bestblockhash": hash_to_hex(tip.ref.hash),
        **_difficulty_fields(tip.header.nbits, flavour),
        "time": tip.header.time,
        "mediantime": chain.median_time_past(tip),
        "verificationprogress": 1,
        "initialblockdownload": False,
        "chainwork": f"{chain.chain_work(tip):064x}",
        "size_on_disk": sum(f.stat().st_size for f in chain.directory.glob("blocks/*.dat")),
        "pruned": pruned_below > 0,
    }
    if pruned_below > 0:
        fields |= {"pruneheight": pruned_below, "automatic_pruning": False}
    return fields | {"warnings": list(flavour.warnings)}


def _difficulty_fields(nbits: int, flavour: Flavour) -> dict[str, Any]:
    target = decode_nbits(nbits)
    fields = {"bits": f"{nbits:08x}", "target": f"{target:064x}"} if flavour.target_fields else {}
    # Bitcoin Core prints floating-point numbers with 16 significant digits.
    return fields | {"difficulty": float(f"{difficulty(target):.16g}")}


def _has_witness(coinbase: CoinbaseTx) -> bool:
    return coinbase.raw[4:6] == b"\x00\x01"


def _coinbase_fields(coinbase: CoinbaseTx) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "version": coinbase.version,
        "locktime": coinbase.lock_time,
        "sequence": coinbase.sequence,
        "coinbase": coinbase.script_sig.hex(),
    }
    if _has_witness(coinbase):
        fields["witness"] = coinbase.raw[-36:-4].hex()
    return fields
