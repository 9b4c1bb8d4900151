"""What the stored chain asks and pays at its tip: difficulty, subsidy and fees."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from analyzers.assumptions import Assumptions
from analyzers.economics import SATOSHI, Terms
from hashing.header import BlockHeader
from hashing.params import NETWORKS, NetworkParams
from hashing.target import decode_nbits, difficulty
from hashing.wire import parse_coinbase

if TYPE_CHECKING:
    from monitor.store.base import BlockStore

FEE_BLOCKS: Final = 144
"""Fees are the mean of so many blocks, as in Luxor's hashprice."""


class TipTerms(NamedTuple):
    """Terms at a tip. `fee_blocks` is how many blocks the fees are known from."""

    terms: Terms
    height: int
    time: int
    fee_blocks: int


class Fees(NamedTuple):
    """Fees over subsidy (ratio), and the blocks that they are known from."""

    ratio: float
    blocks: int


def fees_of(coinbases: Iterable[tuple[int, bytes | None]], params: NetworkParams) -> Fees:
    """Return fees over subsidy from (height, coinbase transaction); None is passed over.

    What a coinbase claims above the subsidy are fees; a miner who claims less has given
    them up. Ratio 0 where no coinbase is known or no subsidy is left.
    """
    fees = subsidies = blocks = 0
    for height, raw in coinbases:
        if raw is None:
            continue
        subsidy = params.subsidy(height)
        fees += max(0, _claimed(raw) - subsidy)
        subsidies += subsidy
        blocks += 1
    return Fees(fees / subsidies if subsidies else 0.0, blocks)


@functools.lru_cache(2 * FEE_BLOCKS)
def _claimed(coinbase: bytes) -> int:
    """Return what a coinbase claims (satoshi); the agent asks for the same ones each block."""
    return sum(output.value for output in parse_coinbase(coinbase).outputs)


def terms_of(
    header: BlockHeader, height: int, fees: Fees, params: NetworkParams
) -> TipTerms | None:
    """Return the terms after the block with this header, None if there is no subsidy any more."""
    if not params.subsidy(height):
        return None
    terms = Terms(
        difficulty(decode_nbits(header.nbits)),
        params.subsidy(height),
        fee_ratio=fees.ratio,
        spacing=params.spacing,
    )
    return TipTerms(terms, height, header.time, fees.blocks)


def terms_at_tip(store: BlockStore, blocks: int = FEE_BLOCKS) -> TipTerms | None:
    """Return the terms at the tip of a store, None if it is empty or nothing is paid any more.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    tip = store.tip()
    if tip is None:
        return None
    params = NETWORKS[store.network]
    last = list(store.blocks(max(0, tip.height - blocks + 1), tip.height + 1))
    fees = fees_of(((block.ref.height, block.coinbase_tx) for block in last), params)
    return terms_of(BlockHeader.parse(last[-1].header), tip.height, fees, params)


def with_terms(assumptions: Assumptions, known: TipTerms, chain: str) -> Assumptions:
    """Return `assumptions` with the difficulty, subsidy and fees of a tip; `chain` says whose."""
    day = datetime.fromtimestamp(known.time, UTC).strftime("%Y-%m-%d")
    where = f"block {known.height} of {chain}"
    values = {"difficulty": known.terms.difficulty, "subsidy": known.terms.subsidy / SATOSHI}
    found = assumptions.given(values, where, day)
    if not known.fee_blocks:
        return found
    fees = f"coinbases of {known.fee_blocks} blocks to {where}"
    return found.given({"fees": known.terms.fee_ratio}, fees, day)
