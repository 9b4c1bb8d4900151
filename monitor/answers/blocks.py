"""Blocks, what they carry, and how they lost their place."""

from __future__ import annotations

from typing import Literal

from monitor.answers.base import Answer, CommandAnswer, Exact, Figure

Sureness = Literal["sure", "likely", "doubtful", "disputed", "listed", "unknown"]


class Evidence(Answer):
    """Bytes that speak for a pool."""

    kind: str
    """tag (bytes in the coinbase), payout (a script that is paid), label (another's list);
    elsewhere (what is paid most in a block that pays none of the pool's known scripts: it speaks
    against the tag)."""
    pool: str
    """Slug of the pool that it speaks for, or whose tag it speaks against."""
    name: str
    """Name of that pool."""
    strength: str
    """strong; weak (names nobody by itself); covered (part of a longer match)."""
    field: str
    """Where they lie: script_sig, outputs[i], or the name of a list."""
    offset: int
    """Where the bytes begin in that field, counted in bytes from 0."""
    length: int
    """How many bytes they are."""
    hex: str
    """The bytes that matched, as hex."""
    text: str
    """The same bytes as escaped text."""
    address: str | None
    """Of a script that is paid: the network's address of it, null where it has none or the
    network is not known; else null."""
    share: Figure
    """Of a script that is paid: the part of the coinbase's value, a ratio 0..1; else 0."""
    source: str
    """For a label: the list that gives it. For elsewhere: how many known scripts the block pays
    none of. Else empty."""


class Block(Answer):
    """A block with its attribution."""

    height: int
    """Its height."""
    hash: str
    """Its hash, in the usual reversed hex."""
    time: int
    """Unix time in its header, which its miner set."""
    stale: bool
    """Whether it lost its place in the chain."""
    pool: str | None
    """Slug of the pool that it is attributed to, null where nothing names one."""
    name: str | None
    """Name of the pool, null where nothing names one."""
    rule: str
    """The rule that decided; see the page on attribution."""
    proof: str
    """How far it proved itself: header, or coinbase (which includes the header)."""
    source: str
    """Name of the source that handed it over."""
    tx_count: int | None
    """Transactions in it; null where only header and coinbase were at hand."""
    size: int | None
    """Serialised bytes; null where they were not at hand."""
    first_seen: int | None
    """Unix time at which agent or source first saw it; null where neither was there."""
    script_sig: str | None
    """The coinbase's free text, as hex; null where the coinbase is not at hand."""
    evidence: list[Evidence]
    """Everything that speaks for a pool."""
    conflicts: list[Evidence]
    """The part of it that speaks for another pool than the one published."""


class Header(Answer):
    """The fields of a block header."""

    hex: str
    """Its 80 bytes."""
    version: int
    """Version bits, as a signed number."""
    prev_hash: str
    """Hash of the block before, in reversed hex."""
    merkle_root: str
    """Root of the Merkle tree over its transactions, in reversed hex."""
    time: int
    """Unix time, set by the miner."""
    nbits: str
    """The target in compact form, as 8 hex digits."""
    nonce: int
    """The nonce, 0 to 2^32 - 1."""
    difficulty: Exact
    """Difficulty of the target: 1 is the easiest of mainnet."""


class Text(Answer):
    """Bytes with their place."""

    offset: int
    """Where it begins in the scriptSig, counted in bytes from 0."""
    hex: str
    """Its bytes, as hex."""
    text: str
    """The same as escaped text."""


class Output(Answer):
    """An output of the coinbase."""

    value: int
    """What it pays, in satoshi."""
    script: str
    """Its payout script, as hex."""
    address: str | None
    """The network's address of that script, null where it has none."""


class Commitment(Answer):
    """What an OP_RETURN output commits to."""

    kind: str
    """What it is for: witness, merge mining, and so on."""
    field: str
    """The output that it lies in, outputs[i]."""
    hex: str
    """Its bytes, as hex."""


class Miner(Answer):
    """A miner's own name in a pool's text; anybody may call himself so."""

    pool: str
    """Slug of the pool whose format it follows."""
    text: str
    """The name, escaped."""


class Coinbase(Answer):
    """The coinbase, read."""

    hex: str
    """The whole transaction as it came, with or without its witness."""
    txid: str
    """Its transaction id, in reversed hex."""
    script_sig: str
    """Its free text, as hex."""
    height: int | None
    """The height that it states (BIP 34); null where it states none."""
    runs: list[Text]
    """Printable text in the scriptSig."""
    outputs: list[Output]
    """What it pays, in order."""
    commitments: list[Commitment]
    """What its OP_RETURN outputs carry."""
    miners: list[Miner]
    """Names that miners gave themselves."""
    software: list[str]
    """Hints by default strings of mining software; no proof."""


class BlockDetail(Answer):
    """A block with everything that is known of it."""

    block: Block
    """The block, as lists show it."""
    sureness: Sureness
    """How sure its attribution is; see the page on attribution."""
    label: str | None
    """What somebody else's list calls its pool, escaped."""
    label_source: str | None
    """Which list that is."""
    registry_version: str
    """Version of the registry that attributed it, the 64 hex digits of a hash."""
    header: Header
    """Its header."""
    coinbase: Coinbase | None
    """Its coinbase; null where it is not at hand."""


class BlockAnswer(BlockDetail, CommandAnswer):
    """A stored block with everything that is known of it."""

    network: str
    """Name of the network, such as mainnet."""
    synthetic: str
    """Empty for the live chain, else why the blocks are not live: sample, rehearsal."""


class BlockList(Answer):
    """Blocks, newest first."""

    blocks: list[Block]
    """The blocks of this page."""
    next: str | None
    """Where the older ones are; null at the end."""


class StaleList(Answer):
    """Blocks that lost their place in the chain, newest first."""

    total: int
    """Stale blocks in the store."""
    blocks: list[Block]
    """The blocks of this page."""
    next: str | None
    """Where the older ones are; null at the end."""


class Reorg(Answer):
    """A change of the chain that made blocks stale."""

    number: int
    """Grows with each reorg that the store has seen."""
    at: int
    """Unix time at which it was seen."""
    fork_height: int
    """Height of the last block that both branches share."""
    depth: int
    """How many blocks became stale."""
    old_tip: str
    """Hash of the tip that was left, in reversed hex."""


class ReorgList(Answer):
    """Reorgs that were seen, newest first."""

    total: int
    """Reorgs in the store."""
    deepest: int
    """Most blocks that one made stale."""
    reorgs: list[Reorg]
    """The reorgs of this page."""
    next: str | None
    """Where the older ones are; null at the end."""
