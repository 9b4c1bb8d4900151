"""How the owners of public pool lists decide, where that is not our rule.

``mempool``
    Pools in the order of the list: the first of which an address is paid by any output, or
    else a tag matches. A tag is a regular expression of JavaScript that ignores case, tried
    on the scriptSig with one character a byte. (mempool/mempool: pools-parser.ts, blocks.ts,
    transaction-utils.ts, as of 2026-08.)
``bitcoin-data``
    Addresses go first: of the outputs, from the smallest value on, the first that the list
    has. Else the first pool of the list of which a tag stands in the scriptSig, read as UTF-8
    without its line feeds, minding case. (0xB10C/rust-bitcoin-pool-identification 0.3.8.)
``consensus-decentralization``
    Identifiers go first, in the order of the file, minding case, in the scriptSig as Python
    writes bytes, so that only ASCII is found. Else the addresses of outputs that have a
    value: if they are of one entity, that one; of several the project makes a new one,
    which is nobody here. What the project learns of addresses from block to block is left
    out. (consensus_decentralization/mappings/default_mapping.py, as of 2025-06.)

The keepers of btccom's and blockchain.com's ``pools.json`` publish no rule: ours decides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from analyzers.model import Evidence, Where
from analyzers.registry.matcher import first_place
from analyzers.registry.registry import Registry
from analyzers.registry.values import OwnerRule, Payout, Tag
from hashing.wire import TxOut


class Decided(NamedTuple):
    """What decides about a block: `rivals` are the pools that tie where nobody is named."""

    pool: str | None
    rule: str
    rivals: Collection[str]
    evidence: list[Evidence]


class _Paid(NamedTuple):
    place: int
    out: TxOut
    row: Payout


def decide(script_sig: bytes, outputs: Sequence[TxOut], registry: Registry) -> Decided:
    """Return what the owner of `registry` makes of a coinbase, with all that matched.

    Strong is what the owner looks at first among tags and among payouts; all that matched
    beside it is weak, as the owner never comes to it.
    """
    tags, paid = _found(script_sig, outputs, registry)
    pool, rule, rivals = _verdict(tags, paid, registry.rule)
    decisive = paid if rule == "ambiguous" else paid[:1]
    total = sum(out.value for out in outputs) or 1
    evidence = [
        Evidence(
            "tag",
            match.tag.pool,
            match.found,
            Where("script_sig", match.start, len(match.found)),
            "strong" if place == 0 else "weak",
        )
        for place, match in enumerate(first_place(tag, script_sig) for tag in tags)
    ]
    evidence += (
        Evidence(
            "payout",
            payment.row.pool,
            payment.out.script,
            Where(f"outputs[{payment.place}]", 0, len(payment.out.script)),
            "strong" if payment in decisive else "weak",
            payment.out.value / total,
        )
        for payment in paid
    )
    return Decided(pool, rule, rivals, evidence)


def pool_by_owner(script_sig: bytes, outputs: Sequence[TxOut], registry: Registry) -> str | None:
    """Return the pool alone, as `decide` would: several times as fast."""
    return _verdict(*_found(script_sig, outputs, registry), registry.rule)[0]


def _found(
    script_sig: bytes, outputs: Sequence[TxOut], registry: Registry
) -> tuple[list[Tag], list[_Paid]]:
    """Return the tags and payouts of a coinbase, each in the order that the owner goes by."""
    paid = [
        _Paid(place, out, row)
        for place, out in enumerate(outputs)
        if (row := registry.payouts.get(out.script)) is not None
    ]
    return registry.list_matcher.tags_in(script_sig), _in_order(paid, registry.rule)


def _verdict(
    tags: Sequence[Tag], paid: Sequence[_Paid], rule: OwnerRule
) -> tuple[str | None, str, Collection[str]]:
    """Return pool, rule, and the pools that tie where nobody is named."""
    tagger = tags[0].pool if tags else None
    if not paid:
        return (tagger, "tag", ()) if tagger else (None, "none", ())
    payees = {payment.row.pool for payment in paid}
    tag_first = rule == "consensus-decentralization" or (
        rule == "mempool" and bool(tags) and tags[0].rank < paid[0].row.rank
    )
    if tagger and tag_first:
        return tagger, "tag+payout" if tagger in payees else "tag", ()
    if rule == "consensus-decentralization" and len(payees) > 1:
        return None, "ambiguous", payees
    payee = paid[0].row.pool
    return payee, "tag+payout" if payee == tagger else "payout", ()


def _in_order(paid: list[_Paid], rule: OwnerRule) -> list[_Paid]:
    """Return what is paid to known scripts, in the order in which the owner looks at it."""
    if rule == "mempool":
        return sorted(paid, key=lambda payment: payment.row.rank)
    if rule == "bitcoin-data":
        return sorted(paid, key=lambda payment: payment.out.value)
    return [payment for payment in paid if payment.out.value > 0]
