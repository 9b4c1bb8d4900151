"""The values of a registry: pools with their tags and payout scripts, immutable."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from analyzers.model import Strength
from analyzers.registry.pattern import Pattern

OwnerRule = Literal["ours", "mempool", "bitcoin-data", "consensus-decentralization"]
"""Whose rule decides by a registry; see `analyzers.owners` for the rules that are not ours."""


Bounds = Literal["", "word", "field"]
"""What may stand beside a tag where it begins or ends with a letter or digit: anything; no
letter or digit (``word``); no letter, digit or space (``field``)."""

Payee = Literal["pool", "miners"]
"""Whom most of a coinbase pays: the pool, or the miners directly."""

_NOBODY: Final = {"", "unknown", "unattributed", "unidentified", "nobody", "nobodyknown", "?", "-"}


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


ANYWHERE: Final = Heights()
"""Every height; of what was seen: it is not known where."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows are known from: `where` it is found, `date` the day that its content is of.

    `followed`: new pools come into the registry by it, so its date says how old that is.
    """

    where: str
    date: datetime.date | None = None
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    """Bytes in a coinbase that speak for `pool`.

    `literal` are the bytes; with a `pattern`, `literal` is the anchor: fixed bytes within
    each match, which the automaton looks for before the pattern is tried. `bounds` says what
    may stand beside it, `seen` from which block to which it was seen, where that is known.

    In a list that its owner's rule decides by, `written` is how the list has the tag, and
    `rank` at which place: the first that matches names the pool.
    """

    pool: str
    literal: bytes
    strength: Strength
    heights: Heights
    sources: tuple[str, ...]
    pattern: Pattern | None = None
    note: str = ""
    written: str = ""
    rank: int = 0
    bounds: Bounds = ""
    seen: Heights = ANYWHERE

    @property
    def text(self) -> str:
        """The tag as people write it: pattern, text, or hex where it is no printable text."""
        if self.written:
            return self.written
        if self.pattern is not None:
            return self.pattern.source.decode("ascii", "backslashreplace")
        try:
            text = self.literal.decode()
        except UnicodeDecodeError:
            return self.literal.hex()
        return text if text.isprintable() else self.literal.hex()


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout script of `pool`; `address` is how the registry spells it.

    `rank` is its place in a list that its owner's rule decides by. `seen` is as in `Tag`.
    """

    pool: str
    script: bytes
    address: str
    strength: Strength
    heights: Heights
    sources: tuple[str, ...]
    note: str = ""
    rank: int = 0
    seen: Heights = ANYWHERE


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool: `slug` is its stable name, `aliases` other and former names.

    `ids` holds its names and numbers in other lists, by list; never mix lists, their
    numbers clash. `pays` says whom its coinbases pay. At the heights `settled`, from the first
    to the last that was seen, every block with its tag paid one of its `payouts`; None where
    that is not known.
    """

    slug: str
    name: str
    aliases: tuple[str, ...]
    website: str
    ids: Mapping[str, tuple[str, ...]]
    tags: tuple[Tag, ...]
    payouts: tuple[Payout, ...]
    pays: Payee = "pool"
    settled: Heights | None = None


def name_key(name: str) -> str:
    """Return what all spellings of a name have in common: its slug, or its letters in lower case.

    Examples
    --------
    >>> name_key("Mining Dutch") == name_key("mining-dutch"), name_key(" 鱼池 ")
    (True, '鱼池')
    """
    composed = unicodedata.normalize("NFC", name)
    return slugify(composed) or composed.strip().casefold()


def names_nobody(label: str) -> bool:
    """Tell whether `label` is how tables write that nobody is known.

    Examples
    --------
    >>> names_nobody("Unknown"), names_nobody(""), names_nobody("Unknown Pool 7")
    (True, True, False)
    """
    return name_key(label) in _NOBODY


def slugify(name: str) -> str:
    """Return `name` as mempool makes slugs: lower case, letters and digits only.

    Examples
    --------
    >>> slugify("Mining-Dutch")
    'miningdutch'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())
