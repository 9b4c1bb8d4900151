r"""JavaScript's regular expressions, ignoring case, as expressions that RE2 takes over bytes.

mempool makes ``new RegExp(tag, 'i')`` of each tag of its list and tries it on the scriptSig with
one character a byte. What a character stands for there is a set of bytes, so that is what
becomes of every character and class: case, ``.``, ``\s`` and characters that are no byte
are then settled here, and not by another engine's rules. References: ECMA-262, "Text
Processing: RegExp Objects" and annex B for what is allowed without the flag u.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_BYTES: Final = range(256)
_ALL: Final = frozenset(_BYTES)
_DIGIT: Final = frozenset(string.digits.encode())
_WORD: Final = frozenset((string.ascii_letters + string.digits + "_").encode())
_SPACE: Final = frozenset(b"\t\n\v\f\r \xa0")
_SETS: Final = {
    "d": _DIGIT,
    "D": _ALL - _DIGIT,
    "w": _WORD,
    "W": _ALL - _WORD,
    "s": _SPACE,
    "S": _ALL - _SPACE,
}
_ANY: Final = _ALL - frozenset(b"\n\r")
_CONTROLS: Final = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}

_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??")
_OCTAL: Final = re.compile(r"[0-3][0-7]{0,2}|[4-7][0-7]?")
_LOOK: Final = re.compile(r"\(\?<?[=!]")
_NAME: Final = re.compile(r"\(\?<[^\W\d][\w$]*>")


class NotLinear(ValueError):
    """An expression that looks around or back: the time it takes has no bound."""


def translate(text: str) -> bytes:
    r"""Return the expression for RE2, over Latin-1 and minding case, that matches what `text` does.

    Raises
    ------
    NotLinear
        If it looks ahead or behind, or refers back to what a group has matched.
    ValueError
        If it is no regular expression of JavaScript.

    Examples
    --------
    >>> translate("/Ab$"), translate(r"7.\d")
    (b'/[Aa][Bb]$', b'7[^\\n\\r][0-9]')
    >>> translate("鱼")  # no byte is this character
    b'[^\\x00-\\xff]'
    """
    return _Reader(text).read()


@lru_cache(maxsize=1)
def _folded() -> dict[str, frozenset[int]]:
    """Return the bytes that stand for a character when case is ignored, by `_fold`."""
    found: dict[str, set[int]] = {}
    for byte in _BYTES:
        found.setdefault(_fold(chr(byte)), set()).add(byte)
    return {folded: frozenset(members) for folded, members in found.items()}


def _fold(character: str) -> str:
    """Return `character` as ECMA-262's Canonicalize does without the flag u."""
    upper = character.upper()
    if len(upper) != 1 or (ord(character) >= 128 > ord(upper)):
        return character
    return upper


def _bytes_of(character: str) -> frozenset[int]:
    return _folded().get(_fold(character), frozenset())


def _range(first: str, last: str) -> frozenset[int]:
    """Return the bytes within a range of characters; a range may reach beyond the bytes."""
    if first > last:
        raise ValueError("a range in a class is out of order")
    found = set[int]()
    for code in range(ord(first), ord(last) + 1):
        found |= _bytes_of(chr(code))
    return frozenset(found)


def _spell(members: Iterable[int]) -> str:
    """Return a set of bytes as RE2 reads it."""
    ordered = sorted(members)
    if not ordered:
        return r"[^\x00-\xff]"
    if len(ordered) == 1:
        return _spell_byte(ordered[0])
    if len(ordered) > len(_BYTES) // 2 and len(ordered) < len(_BYTES):
        return f"[^{_spell_runs(sorted(_ALL - set(ordered)))}]"
    return f"[{_spell_runs(ordered)}]"


def _spell_runs(ordered: list[int]) -> str:
    parts: list[str] = []
    start = previous = ordered[0]
    for byte in [*ordered[1:], -1]:
        if byte != previous + 1:
            parts.append(_spell_byte(start))
            if previous > start:
                parts.append(("-" if previous > start + 1 else "") + _spell_byte(previous))
            start = byte
        previous = byte
    return "".join(parts)


def _spell_byte(byte: int) -> str:
    character = chr(byte)
    if character.isascii() and (character.isalnum() or character in "/_ :,;@#%&=~\"'"):
        return character
    return {"\n": r"\n", "\r": r"\r"}.get(character) or f"\\x{byte:02x}"


class _Reader:
    """Reads an expression from left to right, and writes it anew."""

    def __init__(self, text: str) -> None:
        self._text = text = _units(text)
        self._at = 0
        self._out: list[str] = []
        self._repeatable = False
        self._groups, self._named = _count_groups(text)

    def read(self) -> bytes:
        depth = 0
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "(":
                depth += 1
                self._open()
            elif character == ")":
                depth -= 1
                if depth < 0:
                    raise ValueError("a ) is not opened")
                self._write(")", repeatable=True)
            elif character in "^$|":
                self._write(character)
            elif character == "[":
                self._class()
            elif character == "\\":
                self._escape()
            elif not self._quantifier():
                members = _ANY if character == "." else _bytes_of(character)
                self._write(_spell(members), repeatable=True)
        if depth:
            raise ValueError("a ( is not closed")
        return "".join(self._out).encode("latin-1")

    def _write(self, text: str, size: int = 1, *, repeatable: bool = False) -> None:
        self._out.append(text)
        self._at += size
        self._repeatable = repeatable

    def _open(self) -> None:
        rest = self._text[self._at :]
        if _LOOK.match(rest):
            raise NotLinear("it looks ahead or behind")
        named = _NAME.match(rest)
        if rest.startswith("(?") and not rest.startswith("(?:") and named is None:
            raise ValueError("a group begins with (? and something unknown")
        self._write("(?:", named.end() if named else 3 if rest.startswith("(?:") else 1)

    def _quantifier(self) -> bool:
        found = _QUANTIFIER.match(self._text, self._at)
        if found is None:
            return False
        if not self._repeatable:
            raise ValueError("nothing to repeat")
        least, most = found[1], found[3]
        if least and most and int(least) > int(most):
            raise ValueError("a repetition is out of order")
        self._write(found[0], len(found[0]))
        return True

    def _escape(self) -> None:
        following = self._text[self._at + 1 : self._at + 2]
        if following in ("b", "B"):
            self._write(f"\\{following}", 2)
            return
        if self._named and following == "k":
            raise NotLinear("it refers back to a group")
        if following.isdecimal() and following != "0":
            number = re.match(r"\d+", self._text[self._at + 1 :])
            if number is not None and int(number[0][:9]) <= self._groups:
                raise NotLinear("it refers back to a group")
        members, size = self._escaped(in_class=False)
        self._write(_spell(members), size, repeatable=True)

    def _escaped(self, *, in_class: bool) -> tuple[frozenset[int], int]:
        """Return the bytes that the escape here stands for, and its length."""
        following = self._text[self._at + 1 : self._at + 2]
        if following in _SETS:
            return _SETS[following], 2
        character, size = self._escaped_character(in_class=in_class)
        return _bytes_of(character), size

    def _escaped_character(self, *, in_class: bool) -> tuple[str, int]:
        rest = self._text[self._at + 1 :]
        if not rest:
            raise ValueError("it ends with a backslash")
        if control := "\b" if in_class and rest[0] == "b" else _CONTROLS.get(rest[0]):
            return control, 2
        if octal := _OCTAL.match(rest):
            return chr(int(octal[0], 8)), 1 + octal.end()
        for mark, digits in (("x", 2), ("u", 4)):
            code = rest[1 : 1 + digits]
            if rest[0] == mark and len(code) == digits and set(code) <= set(string.hexdigits):
                return chr(int(code, 16)), 2 + digits
        if rest[0] == "c":
            if len(rest) > 1 and rest[1] in string.ascii_letters:
                return chr(ord(rest[1]) % 32), 3
            return "\\", 1  # the c stands for itself
        return rest[0], 2

    def _class(self) -> None:
        self._at += 1
        negated = self._text.startswith("^", self._at)
        self._at += negated
        members = set[int]()
        while not self._text.startswith("]", self._at):
            first = self._class_item()
            after = self._text[self._at : self._at + 2]
            if len(after) == 2 and after[0] == "-" and after[1] != "]":
                self._at += 1
                last = self._class_item()
                if isinstance(first, str) and isinstance(last, str):
                    members |= _range(first, last)
                    continue
                members |= _bytes_of("-") | _members(last)
            members |= _members(first)
        self._write(_spell(_ALL - members if negated else members), repeatable=True)

    def _class_item(self) -> str | frozenset[int]:
        r"""Return a character, or the set that an escape such as ``\d`` stands for."""
        if self._at >= len(self._text):
            raise ValueError("a [ is not closed")
        character, size = self._text[self._at], 1
        if character == "\\":
            following = self._text[self._at + 1 : self._at + 2]
            if following in _SETS:
                self._at += 2
                return _SETS[following]
            character, size = self._escaped_character(in_class=True)
        self._at += size
        return character


def _units(text: str) -> str:
    """Return `text` as JavaScript sees it: two halves for a character beyond the first 65,536."""
    raw = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(raw[at] | raw[at + 1] << 8) for at in range(0, len(raw), 2))


def _members(item: str | frozenset[int]) -> frozenset[int]:
    return _bytes_of(item) if isinstance(item, str) else item


def _count_groups(text: str) -> tuple[int, bool]:
    """Return how many groups of `text` capture, and whether one has a name."""
    bare = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "", text, flags=re.DOTALL)
    named = len(re.findall(r"\(\?<[^=!]", bare))
    return named + len(re.findall(r"\((?!\?)", bare)), named > 0
