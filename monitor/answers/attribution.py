"""Which pool made a coinbase: the lines of ``poolscope attribute``, the changes of ``relabel``."""

from __future__ import annotations

from monitor.answers.base import Answer, Versioned
from monitor.answers.blocks import Commitment, Evidence, Miner, Sureness, Text


class CoinbaseText(Answer):
    """What else a coinbase says."""

    height: int | None
    """The height that it states (BIP 34), else the one that was given; null where neither is."""
    runs: list[Text]
    """Printable text in the scriptSig."""
    merge_mining: str | None
    """Root of the tree of merge-mined chains, as hex; null where it commits to none."""
    commitments: list[Commitment]
    """What its OP_RETURN outputs carry."""
    miners: list[Miner]
    """Names that miners gave themselves."""
    software: list[str]
    """Hints by default strings of mining software; no proof."""


class Facts(Answer):
    """What a block says besides its pool: separate facts, none of which decides for another."""

    sureness: Sureness
    """How sure the attribution is; see the page on attribution."""
    tag_owner: str | None
    """Slug of the pool that the tags name, null for none."""
    payout_owner: str | None
    """Slug of the pool that most of the value is paid to, null for none."""
    producer: str | None
    """Slug of the pool that made the template (lens template); null where nothing says so."""
    signalled: list[int] | None
    """Version bits that signal a soft fork; null where the header is not known."""
    rolled: int | None
    """Version bits that were rolled as a nonce, as a mask; null where the header is not known."""
    empty: bool | None
    """Whether it holds its coinbase alone; null where tx_count is not known."""


class Attributed(Versioned):
    """Which pool made a coinbase, with the bytes that speak for and against."""

    pool: str | None
    """Slug of the pool that it is attributed to, null where nothing names one."""
    name: str | None
    """Name of the pool, null where nothing names one."""
    rule: str
    """The rule that decided; see the page on attribution."""
    evidence: list[Evidence]
    """Everything that speaks for a pool."""
    conflicts: list[Evidence]
    """The part of it that speaks for another pool than the one published."""
    coinbase: CoinbaseText | None = None
    """What else the coinbase says; null without ``--reading``."""
    facts: Facts | None = None
    """What else the block says; null without ``--reading``."""


class Decision(Answer):
    """What a registry makes of a block."""

    pool: str | None
    """Slug of the pool, null where nothing names one."""
    rule: str
    """The rule that decided; see the page on attribution."""
    registry_version: str
    """Version of the registry, the 64 hex digits of a hash."""


class Relabelled(Versioned):
    """A block whose pool changes under another registry."""

    height: int
    """Its height."""
    hash: str
    """Its hash, in the usual reversed hex."""
    stale: bool
    """Whether it lost its place in the chain."""
    before: Decision
    """What was stored."""
    after: Decision
    """What the registry of this run makes of it."""
