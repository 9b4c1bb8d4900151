"""All tags of a registry in one pass over bytes, and all payout scripts in one lookup."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from ahocorasick_rs import BytesAhoCorasick, Implementation

from analyzers.registry.pattern import PatternSet
from analyzers.registry.values import Payout, Tag

_WORD: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_BESIDE: Final = {"word": _WORD, "field": _WORD | {0x20}}
"""Bytes that must not touch a tag, by its bounds."""

Find: TypeAlias = Callable[[bytes, bool], list[tuple[int, int, int]]]


class TagMatch(NamedTuple):
    """`tag` found at bytes `start` to `end` (excluded), as the bytes `found`."""

    tag: Tag
    start: int
    end: int
    found: bytes


class Matcher:
    """The compiled form of a registry.

    Attributes
    ----------
    find:
        (bytes, whether matches may overlap) to matches, as (index, start, end).
    names:
        For each index the pool that a match of it always speaks strongly for; an empty
        string if it never does (weak); None if that depends on height, on a pattern or on
        what stands beside it.
    bounded:
        For each index the tag that always speaks strongly where it `stands_alone`, or None.
    payouts:
        Payout rows by script.
    """

    __slots__ = ("_entries", "bounded", "find", "names", "payouts")

    def __init__(self, tags: Sequence[Tag], payouts: Mapping[bytes, Payout]) -> None:
        entries: dict[bytes, list[Tag]] = {}
        for tag in tags:
            entries.setdefault(tag.literal, []).append(tag)
        self._entries = list(entries.values())
        self.names = [_name(found) for found in self._entries]
        self.bounded = [_bounded(found) for found in self._entries]
        automaton = BytesAhoCorasick(list(entries), implementation=Implementation.DFA)
        self.find: Find = automaton.find_matches_as_indexes
        self.payouts = payouts

    def tags_in(self, data: bytes, height: int | None) -> list[TagMatch]:
        """Return every tag that `data` holds at `height` (None: any), overlapping ones too."""
        found: list[TagMatch] = []
        tried: set[int] = set()
        for index, start, end in self.find(data, True):
            for tag in self._entries[index]:
                if height not in tag.heights:
                    continue
                if tag.bounds and not stands_alone(tag, data, start, end):
                    continue
                if tag.pattern is None:
                    found.append(TagMatch(tag, start, end, tag.literal))
                elif id(tag) not in tried:
                    tried.add(id(tag))
                    found += (
                        TagMatch(tag, start, end, data[start:end])
                        for start, end in tag.pattern.spans(data)
                    )
        return found


class ListMatcher:
    r"""The compiled tags of a list that its owner's rule decides by: patterns, all in one pass.

    With `as_repr` they are tried on the bytes as Python writes them (``b'\x03/slush/'``).
    """

    __slots__ = ("_as_repr", "_found_by", "_tags")

    def __init__(self, tags: Sequence[Tag], *, as_repr: bool) -> None:
        self._tags = sorted(
            (tag for tag in tags if tag.pattern is not None), key=lambda tag: tag.rank
        )
        self._found_by = PatternSet([tag.pattern for tag in self._tags if tag.pattern is not None])
        self._as_repr = as_repr

    def tags_in(self, data: bytes) -> list[Tag]:
        """Return the tags that `data` holds, in the order of the list."""
        text = str(data).encode() if self._as_repr else data
        return [self._tags[index] for index in self._found_by.find(text)]


def stands_alone(tag: Tag, data: bytes, start: int, end: int) -> bool:
    """Tell whether what the bounds of `tag` forbid touches it at neither end.

    An end that is no letter or digit is a bound of its own.
    """
    beside = _BESIDE[tag.bounds]
    return not (
        (start > 0 and data[start] in _WORD and data[start - 1] in beside)
        or (end < len(data) and data[end - 1] in _WORD and data[end] in beside)
    )


def first_place(tag: Tag, data: bytes) -> TagMatch:
    """Return where `tag` of a list is first found in `data`: all of it where no bytes are it."""
    spans = () if tag.pattern is None else tag.pattern.spans(data)
    start, end = next(iter(spans), (0, len(data)))
    return TagMatch(tag, start, end, data[start:end])


def _name(tags: Sequence[Tag]) -> str | None:
    strong = [tag for tag in tags if tag.strength == "strong"]
    if not strong:
        return ""
    (tag, *more) = strong
    return (
        tag.pool
        if not more and tag.pattern is None and tag.heights.open and not tag.bounds
        else None
    )


def _bounded(tags: Sequence[Tag]) -> Tag | None:
    strong = [tag for tag in tags if tag.strength == "strong"]
    if len(strong) != 1 or not strong[0].bounds or not strong[0].heights.open:
        return None
    return strong[0]
