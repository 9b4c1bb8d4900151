"""Blocks, what they carry, and how they lost their place."""

from __future__ import annotations

from monitor.web.answers.base import Answer, Exact, Figure


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
