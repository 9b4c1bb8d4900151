"""The shapes of the API's answers: what is served, and what OpenAPI says of it.

Units are those of the rest of poolscope: hashes per second, seconds, Unix time, satoshi,
bytes, ratios 0..1. A figure that is not known is null. Hashes are in the usual reversed
hex. Bytes from the chain are hex; beside it may stand `text`, escaped so that it is safe to
show anywhere.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _figure(value: float | None) -> float | None:
    """Return `value` with the digits that carry meaning; null where there is no figure."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _exact(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


Figure = Annotated[float | None, BeforeValidator(_figure)]
Exact = Annotated[float | None, BeforeValidator(_exact)]


class Answer(BaseModel):
    """Base of all shapes."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")


class Problem(Answer):
    """Why a request was not answered."""

    status: int
    """The HTTP status."""
    message: str
    """What is wrong and what to do about it."""


class ErrorAnswer(Answer):
    """The body of every answer that is an error."""

    error: Problem


class Estimate(Answer):
    """A figure with its 95 % interval."""

    value: Figure
    low: Figure
    high: Figure


class WhenEstimate(Answer):
    """A Unix time with its 95 % interval."""

    value: Exact
    low: Exact
    high: Exact


class Tip(Answer):
    """The end of the chain that is followed."""

    height: int
    hash: str
    time: int
    """Time in its header, which its miner set."""
    difficulty: Exact


class Source(Answer):
    """One place that blocks come from."""

    name: str
    up: bool | None
    """Whether it answered last; null before the first request."""
    requests: int
    failures: int
    last_success: Exact
    """Unix time of its last answer."""


class LocalRate(Answer):
    """The SHA-256d rate of the machine that poolscope runs on, one thread."""

    hashes_per_second: Figure
    spread: Figure
    """Highest minus lowest repetition of the measurement."""


class Status(Answer):
    """How the agent is, and what it follows."""

    version: str
    network: str
    synthetic: str
    """Empty for the live chain, else why the blocks are not live: sample, rehearsal."""
    ready: bool
    missing: list[str]
    """What is still missing before it is ready."""
    now: float
    """The agent's clock."""
    sources: list[Source]
    local_rate: LocalRate | None
    """Null where it has not been measured."""
    registry_version: str
    registry_pools: int


class Share(Answer):
    """One pool's part of a window."""

    pool: str
    """Slug of the pool (or other entity of the lens)."""
    name: str
    blocks: int
    share: Figure
    low: Figure
    high: Figure
    above_third: Figure
    """Probability that its true share of the work is above a third."""
    above_half: Figure


class Shares(Answer):
    """Who found the blocks of a window, under a lens."""

    window: int
    """The window's length in blocks."""
    lens: str
    blocks: int
    """Blocks that are really there: fewer than the window while the store is young."""
    unattributed: int
    """Blocks that nothing names a pool for."""
    shares: list[Share]
    """The largest first."""


class Nakamoto(Answer):
    """How many entities together hold more than a threshold of the work."""

    threshold: Figure
    observed: int | None
    """By the blocks as they were found."""
    posterior: dict[int, Figure]
    """Probability of each number, given the blocks."""


class TopRatio(Answer):
    """The joint share of the `top` largest."""

    top: int
    value: Figure
    low: Figure
    high: Figure


class Concentration(Answer):
    """How concentrated a window is, under a lens."""

    window: int
    lens: str
    blocks: int
    unattributed: int
    entities: int
    hhi: Estimate
    """Herfindahl-Hirschman index, unbiased: 0 is nobody, 1 is one for all."""
    hhi_plug_in: Figure
    """The plain sum of squared shares, biased upwards in small windows."""
    hhi_unattributed_as_one: Figure
    """The same if all unattributed blocks were one miner's."""
    effective: Estimate
    """Effective number of entities, 1/HHI: so many equal ones would be as concentrated."""
    nakamoto_half: Nakamoto
    nakamoto_third: Nakamoto
    any_above_half: Figure
    """Probability that some entity holds more than half of the work."""
    any_above_third: Figure
    any_above_quarter: Figure
    gini: Figure
    ratios: list[TopRatio]


class Hashrate(Answer):
    """The network's hash rate over a window of blocks."""

    window: int
    hashes_per_second: Estimate


class Epoch(Answer):
    """The running difficulty epoch and the retarget that ends it."""

    start_height: int
    blocks: int
    blocks_left: int
    change: Estimate
    """New difficulty over old, expected."""
    retarget_time: WhenEstimate
    """Expected end of the epoch."""


class Confirmations(Answer):
    """Confirmations to wait for against the largest entity of a window, if it attacked."""

    window: int
    lens: str
    entity: str
    name: str
    share: Estimate
    risk: float
    """Accepted probability that a payment is replaced."""
    confirmations: int | None
    """At the share as observed; null where no number is enough."""
    low: int | None
    """At the lower end of the share's interval."""
    high: int | None
    """At its upper end; null where no number is enough."""


class Evidence(Answer):
    """Bytes that speak for a pool."""

    kind: str
    """tag (bytes in the coinbase), payout (a script that is paid), label (another's list)."""
    pool: str
    name: str
    strength: str
    """strong; weak (names nobody by itself); covered (part of a longer match)."""
    field: str
    """Where they lie: script_sig, outputs[i], or the name of a list."""
    offset: int
    length: int
    hex: str
    text: str
    share: Figure
    """For a payout: the part of the coinbase's value that it is paid."""
    source: str


class Block(Answer):
    """A block with its attribution."""

    height: int
    hash: str
    time: int
    stale: bool
    pool: str | None
    name: str | None
    """Name of the pool, null where nothing names one."""
    rule: str
    """The rule that decided; see the page on attribution."""
    proof: str
    """How far it proved itself: header, or coinbase (which includes the header)."""
    source: str
    tx_count: int | None
    size: int | None
    first_seen: int | None
    script_sig: str | None
    """The coinbase's free text, as hex; null where the coinbase is not at hand."""
    evidence: list[Evidence]
    conflicts: list[Evidence]


class Header(Answer):
    """The fields of a block header."""

    hex: str
    version: int
    prev_hash: str
    merkle_root: str
    time: int
    nbits: str
    nonce: int
    difficulty: Exact


class Text(Answer):
    """Bytes with their place."""

    offset: int
    hex: str
    text: str


class Output(Answer):
    """An output of the coinbase."""

    value: int
    """Satoshi."""
    script: str


class Commitment(Answer):
    """What an OP_RETURN output commits to."""

    kind: str
    field: str
    hex: str


class Miner(Answer):
    """A miner's own name in a pool's text; anybody may call himself so."""

    pool: str
    text: str


class Coinbase(Answer):
    """The coinbase, read."""

    hex: str
    txid: str
    script_sig: str
    height: int | None
    runs: list[Text]
    """Printable text in the scriptSig."""
    outputs: list[Output]
    commitments: list[Commitment]
    miners: list[Miner]
    software: list[str]
    """Hints by default strings of mining software; no proof."""


class BlockDetail(Answer):
    """A block with everything that is known of it."""

    block: Block
    label: str | None
    """What somebody else's list calls its pool, escaped."""
    label_source: str | None
    registry_version: str
    header: Header
    coinbase: Coinbase | None


class BlockList(Answer):
    """Blocks, newest first."""

    blocks: list[Block]
    next: str | None
    """Where the older ones are; null at the end."""


class StaleList(Answer):
    """Blocks that lost their place in the chain, newest first."""

    total: int
    blocks: list[Block]


class Reorg(Answer):
    """A change of the chain that made blocks stale."""

    at: int
    """Unix time at which it was seen."""
    fork_height: int
    depth: int
    old_tip: str


class ReorgList(Answer):
    """Reorgs that were seen, newest first."""

    total: int
    deepest: int
    reorgs: list[Reorg]


class PoolBlocks(Answer):
    """Blocks of a pool in the windows."""

    slug: str
    name: str
    blocks: dict[int, int]
    """Blocks by window."""


class PoolList(Answer):
    """Pools with blocks in any window, the largest first."""

    pools: list[PoolBlocks]


class PoolWindow(Answer):
    """A pool's part of one window."""

    window: int
    of_blocks: int
    share: Share


class PoolTag(Answer):
    """Bytes that the registry gives a pool."""

    text: str
    strength: str
    sources: list[str]


class PoolPayout(Answer):
    """An address that the registry gives a pool."""

    address: str
    strength: str
    sources: list[str]


class PoolDetail(Answer):
    """A pool: what the registry says, and what it found."""

    slug: str
    name: str
    aliases: list[str]
    website: str
    windows: list[PoolWindow]
    tags: list[PoolTag]
    payouts: list[PoolPayout]


class Point(Answer):
    """Concentration of the window that ends at `height`."""

    height: int
    time: int
    blocks: int
    hhi: Estimate
    effective: Estimate
    nakamoto_half: int | None
    any_above_third: Figure
    any_above_half: Figure
    share: Estimate | None
    """Of the pool that was asked for."""


class History(Answer):
    """Concentration over time: overlapping windows, the oldest first."""

    window: int
    lens: str
    pool: str | None
    step: int
    """Blocks between two points."""
    points: list[Point]


class Lens(Answer):
    """A way to look at pools: who is counted as one."""

    name: str
    title: str
    description: str


class Lenses(Answer):
    """The lenses that the agent looks through."""

    lenses: list[Lens]


class Windows(Answer):
    """Shares by window and lens."""

    windows: list[Shares]


class Concentrations(Answer):
    """Concentration by window and lens."""

    concentration: list[Concentration]


class Sources(Answer):
    """Sources and their health."""

    sources: list[Source]


class Overview(Answer):
    """Everything that follows from one state of the chain; what the page shows."""

    made_at: float
    """When the agent made it, Unix time."""
    network: str
    synthetic: str
    tip: Tip | None
    lenses: list[Lens]
    windows: list[Shares]
    concentration: list[Concentration]
    hashrates: list[Hashrate]
    epoch: Epoch | None
    risk: list[Confirmations]
    reorgs: int
    deepest_reorg: int
    stale_blocks: int
    conflicts: int
    empty_blocks: int
    proved: dict[str, int]
    blocks: list[Block]
    """The last blocks, newest first."""
    stale: list[Block]
    """Stale ones near the tip, newest first."""
