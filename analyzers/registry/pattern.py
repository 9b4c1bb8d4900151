"""Regular expressions over strangers' bytes.

A miner chooses the bytes that a pattern is tried on, so a matcher that can be led into trying
every split of them (``(a+)+$``) could be hung by one block. RE2 takes time linear in the bytes,
whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import re2

_OPTIONS: Final = re2.Options()
_OPTIONS.encoding = re2.Options.Encoding.LATIN1  # a character is a byte
_OPTIONS.dot_nl = True
_OPTIONS.log_errors = False

_SET_OPTIONS: Final = re2.Options()
_SET_OPTIONS.encoding = re2.Options.Encoding.LATIN1
_SET_OPTIONS.dot_nl = True
_SET_OPTIONS.log_errors = False
# a set that outgrows its memory says "no match": what single patterns may take, many times
_SET_OPTIONS.max_mem = 1 << 30

Span: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pattern:
    r"""A compiled expression; `source` is how it is written, in RE2's syntax over bytes.

    Raises
    ------
    ValueError
        If it cannot be compiled: it is malformed, too large, or looks around or back, which
        has no bound in time.

    Examples
    --------
    >>> list(Pattern(rb"btc[0-9]{4}").spans(b"/btc1129/e7hus"))
    [(1, 8)]
    >>> Pattern(rb"(a)\1")
    Traceback (most recent call last):
        ...
    ValueError: invalid escape sequence: \1
    """

    source: bytes
    _find: Callable[[bytes], Iterator[re2._Match]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            compiled = re2.compile(self.source, _OPTIONS)
        except re2.error as error:
            raise ValueError(error.args[0].decode("ascii", "backslashreplace")) from None
        object.__setattr__(self, "_find", compiled.finditer)

    def __reduce__(self) -> tuple[type[Pattern], tuple[bytes]]:
        """Let a registry go to another process, where the pattern is compiled again."""
        return Pattern, (self.source,)

    def spans(self, data: bytes) -> Iterator[Span]:
        """Yield start and end (excluded) of every match in `data`, none overlapping another."""
        return (match.span() for match in self._find(data))


class PatternSet:
    """Several patterns that are tried in one pass, however many they are."""

    __slots__ = ("_find",)

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._find: Callable[[bytes], list[int] | None] | None = None
        if patterns:
            found = re2.Set.SearchSet(_SET_OPTIONS)
            for pattern in patterns:
                found.Add(pattern.source)
            found.Compile()
            self._find = found.Match

    def find(self, data: bytes) -> list[int]:
        """Return which patterns match somewhere in `data`, as their places, in order."""
        return sorted(self._find(data) or ()) if self._find is not None else []
