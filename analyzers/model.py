"""The values that the analyzers pass around: frozen, slotted, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

EvidenceKind = Literal["tag", "payout", "label", "elsewhere"]
"""What spoke: bytes of the coinbase text, a payout script, or somebody else's list. The last
speaks against a tag: its block pays none of the scripts that its pool always pays."""

Strength = Literal["strong", "weak", "covered"]
"""A weak match (a software's default string, a small payout) names nobody by itself. A
covered one is part of a longer match and speaks for nobody. Labels are weak too, but decide
where the bytes say nothing."""


class Where(NamedTuple):
    """Where matched bytes lie: `field` is ``script_sig``, ``outputs[i]`` or a list's name."""

    field: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """One match that speaks for `pool` (a registry slug), with the bytes that matched.

    `share` is the part of the coinbase value that the matched output pays (ratio 0..1);
    it is 0 for evidence that is no payout. `source` names the list behind a label, and tells of
    how many scripts an ``elsewhere`` pays none; its bytes are the script that is paid most.
    """

    kind: EvidenceKind
    pool: str
    matched: bytes
    where: Where
    strength: Strength
    share: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which pool a block is attributed to, by which rule, on what evidence.

    `pool` is a registry slug, or None when nothing names one. `conflicts` holds the
    evidence that speaks for another pool than the one published. `registry_version` is
    the content hash of the registry that decided.
    """

    pool: str | None
    rule: str
    evidence: tuple[Evidence, ...]
    conflicts: tuple[Evidence, ...]
    registry_version: str


@dataclass(frozen=True, slots=True)
class Label:
    """A pool name that a published list gives a block: `pool` as the list spells it."""

    pool: str
    source: str
