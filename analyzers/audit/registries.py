"""What is wrong within a registry, and where two registries differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from analyzers.coinbase import is_software_default
from analyzers.registry.registry import Registry
from analyzers.registry.values import OwnerRule, Payout, Tag

CHAIN_BLOCKS: Final = 970_000
"""Blocks over which chance hits are expected: the chain as of late 2026."""

SCRIPT_BYTES: Final = 100
"""A scriptSig of a coinbase has at most this many bytes (consensus)."""

CHANCE: Final = 0.001
"""Tags that chance is expected to hit more often than this over the chain are told."""

_SYNTAX: Final = re.compile(r"[\\|?*+()\[\]{}]")
"""What makes a pattern of a tag; a dot or a dollar in a text are not meant so."""

SHORT: Final = 5
"""Tags of so few bytes are parts of other words, if nothing bounds them."""

_LETTERS: Final = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+")
_TRADE: Final = re.compile(rb"btc|bit|coin|pool|mine|mining|hash|farm", re.IGNORECASE)
"""Parts of names that only miners have; with one of them a word is no common one."""

FindingKind = Literal["clash", "inside", "dead", "text-only", "word", "weak", "chance"]
"""
``clash``: two pools claim the same tag or script. ``inside``: a tag is part of another
pool's; where the first of the list decides, of one that comes later. ``dead``: it can never
match, by the rule of the list's owner. ``text-only``: it cannot match in tools that use
tags as patterns over Latin-1 text (of our registry). ``word``: a strong tag that is short or a
common word, with nothing that must bound it (of our registry). ``weak``: the registry says so, or
it is a program's default text. ``chance``: so short that random bytes hold it.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a registry's keeper should know. `expected` are chance hits."""

    kind: FindingKind
    pool: str
    subject: str
    other_pool: str = ""
    other_subject: str = ""
    expected: float = 0.0


@dataclass(frozen=True, slots=True)
class Difference:
    """A pool, tag or payout that two registries see differently; None: not there."""

    kind: Literal["pool", "tag", "payout"]
    subject: str
    first: str | None
    second: str | None


def inspect_registry(registry: Registry, blocks: int = CHAIN_BLOCKS) -> list[Finding]:
    """Return what a keeper should know of `registry`, the worst first.

    Chance hits are expected in random coinbases of full length: blocks x places / 256^n for
    n bytes. Real text is not random, so a short word is found more often than that.
    """
    return [
        *_clashes(registry),
        *_dead(registry),
        *_inside(registry),
        *_text_only(registry),
        *_words(registry),
        *_weak(registry, blocks),
        *_by_chance(registry, blocks),
    ]


def _clashes(registry: Registry) -> Iterator[Finding]:
    first: dict[object, Tag | Payout] = {}
    for pool in registry:
        rows: list[Tag | Payout] = [*pool.tags, *pool.payouts]
        for row in rows:
            key = (row.literal, row.pattern) if isinstance(row, Tag) else row.script
            other = first.setdefault(key, row)
            if other.pool != row.pool:
                yield Finding("clash", row.pool, _spell(row), other.pool, _spell(other))


def _dead(registry: Registry) -> Iterator[Finding]:
    for tag in registry.tags:
        by_owner = registry.rule != "ours" and _is_plain(tag)
        if (len(tag.literal) > SCRIPT_BYTES and _is_plain(tag)) or (
            by_owner and tag not in registry.list_matcher.tags_in(tag.literal)
        ):
            yield Finding("dead", tag.pool, tag.text)


def _is_plain(tag: Tag) -> bool:
    """Tell whether a tag is meant as a text, even where its owner takes it for a pattern."""
    return tag.pattern is None or (bool(tag.written) and not _SYNTAX.search(tag.written))


def _inside(registry: Registry) -> Iterator[Finding]:
    plain = [tag for tag in registry.tags if _is_plain(tag)]
    for other in plain:
        for tag in _within(other, plain, registry):
            if tag.pool != other.pool and tag.literal != other.literal:
                yield Finding("inside", tag.pool, tag.text, other.pool, other.text)


def _within(other: Tag, plain: list[Tag], registry: Registry) -> list[Tag]:
    """Return the tags that are found in `other`; where the first decides, those before it."""
    if registry.rule == "ours":
        return [tag for tag in plain if tag.literal in other.literal]
    found = registry.list_matcher.tags_in(other.literal)
    return [tag for tag in found if tag.rank < other.rank]


def _text_only(registry: Registry) -> Iterator[Finding]:
    if registry.rule != "ours":
        return
    for tag in registry.tags:
        if tag.pattern is None:
            text = tag.literal.decode("utf-8", "replace")
            try:
                found = re.search(text, tag.literal.decode("latin-1"))
            except re.error:
                found = None
            if found is None:
                yield Finding("text-only", tag.pool, tag.text)


def _words(registry: Registry) -> Iterator[Finding]:
    if registry.rule != "ours":
        return
    for tag in registry.tags:
        text = tag.literal
        bare = text[:1].isalnum() and text[-1:].isalnum()
        common = bool(_LETTERS.fullmatch(text)) and not _TRADE.search(text)
        free = tag.strength == "strong" and not tag.bounds and tag.pattern is None
        if free and bare and (common or len(text) <= SHORT):
            yield Finding("word", tag.pool, tag.text)


def _weak(registry: Registry, blocks: int) -> Iterator[Finding]:
    for tag in registry.tags:
        if tag.strength == "weak" or is_software_default(tag.literal):
            expected = _chance_hits(tag, blocks, registry.rule)
            yield Finding("weak", tag.pool, tag.text, expected=expected)


def _by_chance(registry: Registry, blocks: int) -> Iterator[Finding]:
    for tag in sorted(registry.tags, key=lambda tag: len(tag.literal)):
        expected = _chance_hits(tag, blocks, registry.rule)
        if expected > CHANCE:
            yield Finding("chance", tag.pool, tag.text, expected=expected)


def _chance_hits(tag: Tag, blocks: int, rule: OwnerRule) -> float:
    """Return in how many of `blocks` random scriptSigs of full length `tag` is expected.

    0 for a pattern: how often one matches by chance is not computed. Where case is ignored,
    two bytes are as good as one.
    """
    if not _is_plain(tag):
        return 0.0
    places = max(0, SCRIPT_BYTES - len(tag.literal) + 1)
    letters = len(re.findall(rb"[A-Za-z]", tag.literal)) if rule == "mempool" else 0
    return blocks * places * 2.0**letters / 256.0 ** len(tag.literal)


def compare_registries(first: Registry, second: Registry, list_name: str = "") -> list[Difference]:
    """Return where `second` differs from `first`, pools named by the slugs of `first`.

    `list_name` is the list that `second` is, as the ``ids`` of `first` know it; pools that
    `first` does not know keep their own slugs.
    """
    ours = {pool.slug: _as_known(first, pool.slug, list_name, second) for pool in second}
    known = set(ours.values())
    differences = [
        Difference("pool", pool.name, pool.slug, None) for pool in first if pool.slug not in known
    ]
    differences += (
        Difference("pool", pool.name, None, ours[pool.slug])
        for pool in second
        if ours[pool.slug] not in first.pools
    )
    for kind, mine, theirs in (
        ("tag", _tag_owners(first), _tag_owners(second)),
        ("payout", _payout_owners(first), _payout_owners(second)),
    ):
        for subject in sorted(mine | theirs):
            here, there = mine.get(subject), theirs.get(subject)
            there = there if there is None else ours[there]
            if here != there:
                differences.append(
                    Difference("tag" if kind == "tag" else "payout", subject, here, there)
                )
    return differences


def _as_known(first: Registry, slug: str, list_name: str, second: Registry) -> str:
    """Return the slug of `first` for a pool of `second`, or the slug it has."""
    pool = second.pools[slug]
    numbers = pool.ids.get(list_name, ())
    for label in (*numbers, pool.name, slug):
        known = first.slug_of_label(list_name, label)
        if known is not None:
            return known
    return slug


def _tag_owners(registry: Registry) -> dict[str, str]:
    return {tag.text: tag.pool for tag in registry.tags}


def _payout_owners(registry: Registry) -> dict[str, str]:
    return {_spell(pay): pay.pool for pay in registry.payouts.values()}


def _spell(row: Tag | Payout) -> str:
    if isinstance(row, Tag):
        return row.text
    return row.address or row.script.hex()
