"""From blocks to the answers about them: evidence, coinbase, header; one builder for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from analyzers import model
from analyzers.coinbase import CoinbaseReading, read_coinbase_text
from analyzers.escape import escape_text
from analyzers.facts import sureness
from analyzers.registry.address import address_of
from hashing.errors import WireError
from hashing.header import BlockHeader, hash_to_hex
from hashing.params import NetworkParams
from hashing.target import decode_nbits, difficulty
from hashing.wire import CoinbaseTx, parse_coinbase
from monitor import answers

if TYPE_CHECKING:
    from monitor.store.base import StoredBlock

NameOf = Callable[[str], str]
"""From a pool's slug to its name."""


def brief(block: StoredBlock, name_of: NameOf, network: NetworkParams) -> answers.Block:
    """Return what a list of blocks of `network` shows of `block`, its evidence included."""
    decided = block.attribution
    coinbase = _coinbase(block)
    return answers.Block(
        height=block.ref.height,
        hash=hash_to_hex(block.ref.hash),
        time=BlockHeader.parse(block.header).time,
        stale=block.stale,
        pool=decided.pool,
        name=None if decided.pool is None else name_of(decided.pool),
        rule=decided.rule,
        proof=block.proof,
        source=block.source,
        tx_count=block.tx_count,
        size=block.size,
        first_seen=block.first_seen,
        script_sig=None if coinbase is None else coinbase.script_sig.hex(),
        evidence=evidence(decided.evidence, name_of, network),
        conflicts=evidence(decided.conflicts, name_of, network),
    )


def detail(block: StoredBlock, name_of: NameOf, network: NetworkParams) -> answers.BlockDetail:
    """Return everything that is known of `block`, one of `network`."""
    coinbase = _coinbase(block)
    return answers.BlockDetail(
        block=brief(block, name_of, network),
        sureness=sureness(block.attribution),
        label=escape_text(block.label.pool) if block.label else None,
        label_source=block.label.source if block.label else None,
        registry_version=block.attribution.registry_version,
        header=_header(block.header),
        coinbase=None if coinbase is None else _reading(coinbase, block.ref.height, network),
    )


def _coinbase(block: StoredBlock) -> CoinbaseTx | None:
    """Return the parsed coinbase, None where it is not at hand or not readable."""
    if block.coinbase_tx is None:
        return None
    try:
        return parse_coinbase(block.coinbase_tx)
    except WireError:
        return None


def evidence(
    found: Iterable[model.Evidence], name_of: NameOf, network: NetworkParams | None
) -> list[answers.Evidence]:
    """Return pieces of evidence; payouts have an address where `network` is known."""
    return [
        answers.Evidence(
            kind=item.kind,
            pool=item.pool,
            name=name_of(item.pool),
            strength=item.strength,
            field=item.where.field,
            offset=item.where.offset,
            length=item.where.length,
            hex=item.matched.hex(),
            text=escape_text(item.matched),
            address=address_of(item.matched, network)
            if network and item.kind in ("payout", "elsewhere")
            else None,
            share=item.share,
            source=item.source,
        )
        for item in found
    ]


def _header(raw: bytes) -> answers.Header:
    header = BlockHeader.parse(raw)
    return answers.Header(
        hex=raw.hex(),
        version=header.version,
        prev_hash=hash_to_hex(header.prev_hash),
        merkle_root=hash_to_hex(header.merkle_root),
        time=header.time,
        nbits=f"{header.nbits:08x}",
        nonce=header.nonce,
        difficulty=difficulty(decode_nbits(header.nbits)),
    )


def _reading(coinbase: CoinbaseTx, height: int, network: NetworkParams) -> answers.Coinbase:
    seen = read_coinbase_text(coinbase, height)
    return answers.Coinbase(
        hex=coinbase.raw.hex(),
        txid=hash_to_hex(coinbase.txid),
        script_sig=coinbase.script_sig.hex(),
        height=seen.height,
        runs=runs(seen),
        outputs=[
            answers.Output(
                value=output.value,
                script=output.script.hex(),
                address=address_of(output.script, network),
            )
            for output in coinbase.outputs
        ],
        commitments=commitments(seen),
        miners=miners(seen),
        software=list(seen.software),
    )


def runs(seen: CoinbaseReading) -> list[answers.Text]:
    """Return the printable text of a coinbase."""
    return [
        answers.Text(offset=run.offset, hex=run.data.hex(), text=escape_text(run.data))
        for run in seen.runs
    ]


def commitments(seen: CoinbaseReading) -> list[answers.Commitment]:
    """Return what the OP_RETURN outputs of a coinbase carry."""
    return [
        answers.Commitment(kind=found.kind, field=found.where.field, hex=found.data.hex())
        for found in seen.commitments
    ]


def miners(seen: CoinbaseReading) -> list[answers.Miner]:
    """Return the names that miners gave themselves in a coinbase."""
    return [answers.Miner(pool=miner.pool, text=escape_text(miner.name)) for miner in seen.miners]
