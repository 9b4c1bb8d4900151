"""What a block says besides its pool: separate facts, none of which decides for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analyzers.attribution import payout_owner, tag_owner
from analyzers.coinbase import read_parts
from analyzers.escape import escape_text
from analyzers.model import Attribution
from analyzers.registry.lenses import Lens
from analyzers.version_bits import read_version
from hashing.header import BlockHeader
from hashing.wire import TxOut

Sureness = Literal["sure", "likely", "doubtful", "disputed", "listed", "unknown"]
"""How sure an attribution is; see `sureness`."""


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """The facts of one block. All text is escaped and safe to show.

    `tag_owner` is whom the tags of the scriptSig name, `payout_owner` whom most of the value
    is paid to, `producer` who made the template by the claims of a lens; None where nobody
    is named. `miners` are names within the pool's text, hints of strangers as `software` is.
    `merge_mining` is the root of the AuxPoW tree in hex; `commitments` are the kinds of what
    OP_RETURN outputs commit to. `signalled` and `rolled` are as in `analyzers.version_bits`,
    None where the header is not known. `empty` tells that the block holds its coinbase alone,
    None where the count is not known.
    """

    height: int | None
    pool: str | None
    rule: str
    sureness: Sureness
    tag_owner: str | None
    payout_owner: str | None
    producer: str | None
    miners: tuple[str, ...]
    software: tuple[str, ...]
    merge_mining: str | None
    commitments: tuple[str, ...]
    signalled: tuple[int, ...] | None
    rolled: int | None
    empty: bool | None


def sureness(attribution: Attribution) -> Sureness:
    """Return how sure an attribution is.

    ``sure``: tag and payout name the same pool. ``likely``: one of them does, and the other
    is silent. ``doubtful``: a tag does, and the block pays none of the scripts that blocks of
    this pool always paid. ``disputed``: a pool is named, and strong evidence or a label names
    another. ``listed``: somebody else's list names it, the bytes do not. ``unknown``: nobody is
    named.
    """
    if attribution.pool is None:
        return "unknown"
    if attribution.conflicts:
        return "disputed"
    if attribution.rule == "label":
        return "listed"
    if any(item.kind == "elsewhere" for item in attribution.evidence):
        return "doubtful"
    return "sure" if attribution.rule == "tag+payout" else "likely"


def block_facts(
    attribution: Attribution,
    script_sig: bytes,
    outputs: Sequence[TxOut] = (),
    *,
    height: int | None = None,
    header: BlockHeader | None = None,
    tx_count: int | None = None,
    lens: Lens | None = None,
) -> BlockFacts:
    """Return the facts of a block from its coinbase, header and number of transactions.

    The `producer` needs a `lens` of templates, and a header for the block's time.

    Examples
    --------
    >>> from analyzers.attribution import attribute_parts
    >>> from analyzers.registry import load_registry
    >>> script_sig = bytes.fromhex("03e6b506") + b"/ViaBTC/Mined by rme100/,"
    >>> found = attribute_parts(script_sig, (), load_registry())
    >>> facts = block_facts(found, script_sig, tx_count=1)
    >>> facts.height, facts.pool, facts.sureness, facts.miners, facts.empty
    (439782, 'viabtc', 'likely', ('rme100',), True)
    """
    seen = read_parts(script_sig, outputs, height)
    height = seen.height if height is None else height
    bits = producer = None
    if header is not None:
        bits = read_version(header.version)
        if lens is not None and height is not None and attribution.pool is not None:
            producer = lens.entity(attribution.pool, height, header.time)
    return BlockFacts(
        height=height,
        pool=attribution.pool,
        rule=attribution.rule,
        sureness=sureness(attribution),
        tag_owner=tag_owner(attribution),
        payout_owner=payout_owner(attribution),
        producer=producer,
        miners=tuple(escape_text(miner.name) for miner in seen.miners),
        software=seen.software,
        merge_mining=None if seen.aux_pow is None else seen.aux_pow.root.hex(),
        commitments=tuple(found.kind for found in seen.commitments),
        signalled=None if bits is None else bits.signalled,
        rolled=None if bits is None else bits.rolled,
        empty=None if tx_count is None else tx_count == 1,
    )
