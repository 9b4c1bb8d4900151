"""The values of a registry: pools with their tags and payout scripts, immutable."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analyzers.model import Strength
from analyzers.registry.pattern import Pattern

if TYPE_CHECKING:
    from analyzers.registry.matcher import Matcher


class RegistryError(ValueError):
    """A registry or lens file that cannot be used; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Heights:
    """Blocks from `first` to `last`, both included; None is an open end."""

    first: int | None = None
    last: int | None = None

    def __contains__(self, height: int | None) -> bool:
        """Tell whether `height` is inside; an unknown height (None) is anywhere."""
        if height is None:
            return True
        return (self.first is None or height >= self.first) and (
            self.last is None or height <= self.last
        )

    @property
    def open(self) -> bool:
        """True if every height is inside."""
        return self.first is None and self.last is None

    def __str__(self) -> str:
        return (
            f"{'' if self.first is None else self.first}..{'' if self.last is None else self.last}"
        )


@dataclass(frozen=True, slots=True)
class Tag:
    """Bytes in a coinbase that speak for `pool`.

    `literal` are the bytes; with a `pattern`, `literal` is the anchor: fixed bytes within
    each match, which the automaton looks for before the pattern is tried.
    """

    pool: str
    literal: bytes
    strength: Strength
    heights: Heights
    sources: tuple[str, ...]
    pattern: Pattern | None = None
    note: str = ""

    @property
    def text(self) -> str:
        """The tag as people write it: pattern, text, or hex where it is no printable text."""
        if self.pattern is not None:
            return self.pattern.source.decode("ascii", "backslashreplace")
        try:
            text = self.literal.decode()
        except UnicodeDecodeError:
            return self.literal.hex()
        return text if text.isprintable() else self.literal.hex()


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout script of `pool`; `address` is how the registry spells it."""

    pool: str
    script: bytes
    address: str
    strength: Strength
    heights: Heights
    sources: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool: `slug` is its stable name, `aliases` other and former names.

    `ids` holds its names and numbers in other lists, by list; never mix lists, their
    numbers clash.
    """

    slug: str
    name: str
    aliases: tuple[str, ...]
    website: str
    ids: Mapping[str, tuple[str, ...]]
    tags: tuple[Tag, ...]
    payouts: tuple[Payout, ...]


def slugify(name: str) -> str:
    """Return `name` as mempool makes slugs: lower case, letters and digits only.

    Examples
    --------
    >>> slugify("Mining-Dutch")
    'miningdutch'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


@dataclass(frozen=True, eq=False)
class Registry:
    """All pools by slug. `version` is a hash of all that decides an attribution.

    `sources` maps the short name of each source to where it is found. `date` is when its
    rows were last held against their sources, None where the file does not say.
    """

    pools: Mapping[str, Pool]
    sources: Mapping[str, str]
    version: str
    date: datetime.date | None = None

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """All tags, in an order that does not depend on the file."""
        found = (tag for pool in self.pools.values() for tag in pool.tags)
        return tuple(sorted(found, key=lambda tag: (tag.literal, tag.text)))

    @cached_property
    def payouts(self) -> Mapping[bytes, Payout]:
        """All payouts by script."""
        return {pay.script: pay for pool in self.pools.values() for pay in pool.payouts}

    @cached_property
    def matcher(self) -> Matcher:
        """The compiled tags and payouts: made once, at first use."""
        from analyzers.registry.matcher import Matcher  # noqa: PLC0415 (values are below it)

        return Matcher(self.tags, self.payouts)

    def __iter__(self) -> Iterator[Pool]:
        return iter(self.pools.values())

    def __len__(self) -> int:
        return len(self.pools)

    def name_of(self, slug: str) -> str:
        """Return the name of a pool, or `slug` itself where the registry does not know it."""
        pool = self.pools.get(slug)
        return slug if pool is None else pool.name

    def slug_of_label(self, list_name: str, label: str) -> str | None:
        """Return our slug for `label` as the list `list_name` spells it, None if unknown.

        What a pool's `ids` say of that list goes first. Otherwise slugs, names and aliases
        of all pools are compared as `slugify` spells them; a number never is.
        """
        own = self._ids.get((list_name, label))
        if own is not None or label.isdecimal():
            return own
        return self._names.get(slugify(label))

    @cached_property
    def _ids(self) -> Mapping[tuple[str, str], str]:
        return {
            (list_name, label): pool.slug
            for pool in self.pools.values()
            for list_name, labels in pool.ids.items()
            for label in labels
        }

    @cached_property
    def _names(self) -> Mapping[str, str]:
        names = {
            slugify(name): pool.slug
            for pool in self.pools.values()
            for name in (pool.name, *pool.aliases)
        }
        names |= {slugify(slug): slug for slug in self.pools}
        names.pop("", None)
        names.pop("unknown", None)
        return names
