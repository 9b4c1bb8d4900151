"""A registry as a whole: its pools, and the ways to look something up in them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from analyzers.leftout import LeftOut
from analyzers.registry.matcher import ListMatcher, Matcher
from analyzers.registry.values import (
    OwnerRule,
    Payout,
    Pool,
    Source,
    Tag,
    name_key,
    names_nobody,
)


@dataclass(frozen=True, eq=False)
class Registry:
    """All pools by slug. `version` is a hash of all that decides an attribution.

    `sources` has each source by its short name. `date` is when its rows were last held
    against their sources, None where the file does not say; see `as_of` for how old what they
    say is. `rule` says whose rule decides. `left_out` is what its file held and could not be
    used.
    """

    pools: Mapping[str, Pool]
    sources: Mapping[str, Source]
    version: str
    date: datetime.date | None = None
    rule: OwnerRule = "ours"
    left_out: tuple[LeftOut, ...] = ()

    @property
    def as_of(self) -> datetime.date | None:
        """The day up to which the registry knows of new pools.

        That is the date of the oldest source that it follows: a pool that came later than
        that may be missing, however often the rows are held against their sources. Of a
        registry that follows none it is `date`.
        """
        followed = [source.date for source in self.sources.values() if source.followed]
        return min((day for day in followed if day is not None), default=self.date)

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """All tags, in an order that does not depend on the file."""
        found = (tag for pool in self.pools.values() for tag in pool.tags)
        return tuple(sorted(found, key=lambda tag: (tag.literal, tag.text)))

    @cached_property
    def payouts(self) -> Mapping[bytes, Payout]:
        """All payouts by script; of a list, the first for each."""
        found = (pay for pool in self.pools.values() for pay in pool.payouts)
        return {pay.script: pay for pay in sorted(found, key=lambda pay: -pay.rank)}

    @cached_property
    def matcher(self) -> Matcher:
        """The compiled tags and payouts: made once, at first use.

        It finds no tag where another's rule decides; see `list_matcher`.
        """
        return Matcher(self.tags if self.rule == "ours" else (), self.payouts)

    @cached_property
    def list_matcher(self) -> ListMatcher:
        """The compiled tags of a list that its owner's rule decides by."""
        return ListMatcher(self.tags, as_repr=self.rule == "consensus-decentralization")

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
        of all pools are compared as `name_key` spells them; a number never is.
        """
        own = self._ids.get((list_name, label))
        if own is not None or label.isdecimal():
            return own
        return self._names.get(name_key(label))

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
            name_key(name): pool.slug
            for pool in self.pools.values()
            for name in (pool.name, *pool.aliases)
        }
        names |= {name_key(slug): slug for slug in self.pools}
        return {key: slug for key, slug in names.items() if not names_nobody(key)}
