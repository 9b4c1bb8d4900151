"""Whether attributions are right: the answers of ``poolscope audit``."""

from __future__ import annotations

from typing import Literal

from monitor.answers.base import Answer, CommandAnswer, Estimate, Figure


class Finding(Answer):
    """Something that the keeper of a registry should know."""

    kind: Literal["clash", "inside", "dead", "text-only", "word", "weak", "chance"]
    """What it is; ``poolscope audit registry --help`` explains each."""
    pool: str
    """Slug of the pool whose entry it is."""
    subject: str
    """The tag or payout."""
    other_pool: str | None
    """Slug of the other pool that it is about; null for none."""
    other_subject: str | None
    """The tag or payout of the other pool; null for none."""
    expected_hits: Figure
    """Blocks of the whole chain that chance alone is expected to give it; 0 where that is not
    the matter."""


class RegistrySource(Answer):
    """A source of a registry's rows."""

    name: str
    """Its short name."""
    where: str
    """Where it is found."""
    date: str | None
    """The day that its content is of, ISO 8601; null where the registry does not say."""
    followed: bool
    """Whether new pools come into the registry by it."""


class RegistryAudit(CommandAnswer):
    """What is wrong within a registry."""

    registry_version: str
    """Version of the registry, the 64 hex digits of a hash."""
    date: str | None
    """The day on which its rows were last held against their sources, ISO 8601; null where it
    says none."""
    as_of: str | None
    """The day up to which it knows of new pools, that of the oldest source that it follows, ISO
    8601; null where that is not known."""
    sources: list[RegistrySource]
    """Where its rows are known from."""
    registry_pools: int
    """Pools that the registry knows."""
    owner_rule: str
    """By whose rule it attributes: ours, or that of a public list's owner."""
    findings: list[Finding]
    """What its keeper should know, the worst first."""
    faults: list[str]
    """What a public list has that cannot be used."""


class Difference(Answer):
    """A pool, tag or payout that two registries see differently."""

    kind: Literal["pool", "tag", "payout"]
    """What differs."""
    subject: str
    """The tag, the payout, or the name of the pool."""
    first_pool: str | None
    """Slug of the pool in the first registry; null where it is not there."""
    second_pool: str | None
    """Slug of the pool in the second; null where it is not there."""


class RegistryComparison(CommandAnswer):
    """How a registry differs from another."""

    first_registry_version: str
    """Version of the first registry, the 64 hex digits of a hash."""
    second_registry_version: str
    """Version of the second."""
    differences: list[Difference]
    """What they see differently."""


class Confusion(Answer):
    """Blocks that our attribution and a list give to this pair of pools."""

    pool: str | None
    """Slug of our pool; null for unknown."""
    label: str | None
    """Slug of the list's pool, or ``?`` and its name where the registry has none of it; null for
    unknown."""
    blocks: int
    """How many."""


class Disagreement(Answer):
    """A block that is given to another pool than a list says."""

    height: int
    """Its height."""
    pool: str | None
    """Slug of our pool; null for unknown."""
    label: str | None
    """Slug of the list's pool, or ``?`` and its name; null for unknown."""
    rule: str
    """The rule that decided; see the page on attribution."""
    reason: str
    """What speaks for ours."""


class BlocksAudit(CommandAnswer):
    """How far the attribution of blocks and somebody else's labels agree."""

    blocks: int
    """Stored blocks that have a label."""
    agreed_blocks: int
    """Those on which both say the same."""
    named_blocks: int
    """Those that both give to somebody."""
    named_agreed_blocks: int
    """Those of them that are given to the same."""
    share: Estimate
    """Blocks agreed over blocks, a ratio 0..1, with its Wilson interval (95 %)."""
    confusion: list[Confusion]
    """Blocks by pair of pools, most first; pairs that agree included."""
    disagreements: list[Disagreement]
    """Every block on which they differ, with the reason."""


class ClusterPayout(Answer):
    """A script that blocks of a cluster pay."""

    script: str
    """The payout script, as hex."""
    address: str | None
    """The network's address of that script, null where it has none."""
    blocks: int
    """Blocks that pay it."""


class ClusterText(Answer):
    """A text in blocks of a cluster."""

    text: str
    """The text, escaped."""
    blocks: int
    """Blocks that hold it."""


class ClusterShape(Answer):
    """How scriptSigs of a cluster are built."""

    shape: str
    """Sizes of the parts that are no text, mm for a commitment to merge-mined chains."""
    blocks: int
    """Blocks that are built so."""


class ClusterCommitment(Answer):
    """A kind of commitment in blocks of a cluster."""

    kind: str
    """What it is for: witness, merge mining, and so on."""
    blocks: int
    """Blocks that carry it."""


class Cluster(Answer):
    """Blocks of nobody known that hang together, and what supports that."""

    heights: list[int]
    """Their heights, ascending."""
    payouts: list[ClusterPayout]
    """Scripts that they pay, most blocks first."""
    texts: list[ClusterText]
    """Texts that they hold, most blocks first."""
    shapes: list[ClusterShape]
    """How their scriptSigs are built, most blocks first."""
    commitments: list[ClusterCommitment]
    """What their OP_RETURN outputs commit to, most blocks first."""
    proposal: str
    """An entry for the registry, as TOML."""


class UnknownAudit(CommandAnswer):
    """The stored blocks of nobody known, by what they share."""

    unknown: int
    """Blocks that nothing names a pool for."""
    clusters: list[Cluster]
    """Those that hang together, the largest first."""


class Sighting(Answer):
    """Over which heights a tag or payout of a pool was seen."""

    pool: str
    """Slug of the pool."""
    kind: Literal["tag", "payout"]
    """What was seen."""
    subject: str
    """The tag, or the address (else the script's hex)."""
    registered: bool
    """Whether the registry has it; without, the blocks were attributed by their tags alone."""
    blocks: int
    """Blocks in which it was seen."""
    first_height: int
    """Height of the first of them."""
    last_height: int
    """Height of the last of them."""
    began: bool
    """Whether the pool had blocks before the first."""
    ended: bool
    """Whether the pool has blocks after the last."""


class DriftAudit(CommandAnswer):
    """Where pools changed what they write and whom they pay."""

    sightings: list[Sighting]
    """What was seen, by pool."""


class LearnedPayout(Answer):
    """A payout script that blocks with one pool's tag teach."""

    pool: str
    """Slug of the pool whose tag the blocks carry."""
    script: str
    """The payout script, as hex."""
    address: str | None
    """The network's address of that script, null where it has none."""
    blocks: int
    """Blocks that paid it more than half of their value."""
    first_height: int
    """Height of the first of them."""
    last_height: int
    """Height of the last of them."""


class PayoutClaim(Answer):
    """Blocks of one pool's tag that paid a script."""

    pool: str
    """Slug of the pool."""
    blocks: int
    """How many."""


class ContestedPayout(Answer):
    """A payout script that is not learned, because more than one pool claims it."""

    script: str
    """The payout script, as hex."""
    address: str | None
    """The network's address of that script, null where it has none."""
    claims: list[PayoutClaim]
    """The pools whose tags are in blocks that paid it, most blocks first."""
    registered_pool: str | None
    """Slug of the pool that the registry gives it to, null for none."""


class SettledPool(Answer):
    """A pool whose last blocks all paid a known script, registered or learned."""

    pool: str
    """Slug of the pool."""
    blocks: int
    """How many."""
    first_height: int
    """Height of the first of them."""
    last_height: int
    """Height of the last of them."""


class LearnAudit(CommandAnswer):
    """What proved blocks that carry a pool's tag teach about whom pools pay."""

    blocks: int
    """Proved blocks with a pool's tag and known outputs."""
    min_blocks: int
    """Blocks that must pay a script before it is learned."""
    learned: list[LearnedPayout]
    """Scripts that the registry does not have, by pool and first height."""
    contested: list[ContestedPayout]
    """Scripts that were left out because more than one pool claims them."""
    paying_miners: list[PayoutClaim]
    """Pools whose coinbases pay miners: nothing is learned from their blocks."""
    settled: list[SettledPool]
    """Pools of which a block that pays no known script is to be doubted."""
    proposal: str
    """Rows for the registry, as TOML, to be read and merged by a person."""
