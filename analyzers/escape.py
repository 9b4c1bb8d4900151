"""Bytes from strangers as text that is safe to show anywhere."""

from __future__ import annotations

import unicodedata
from typing import Final

_SPECIAL: Final = frozenset("\\\"'`<>&|$")
_FORMULA: Final = frozenset(" =+-@\uff1d\uff0b\uff0d\uff20")  # the last four are full width
_LEFT_TO_RIGHT: Final = frozenset({"L", "EN", "ES", "ET", "CS", "ON", "WS"})
_COMBINING: Final = frozenset({"Mn", "Mc", "Me"})


def escape_text(data: bytes | str) -> str:
    r"""Return `data` as text that is safe in a terminal, a page, a metric label and a CSV cell.

    Kept: visible characters that run left to right and do not combine, in ASCII and
    beyond. All else is written as its bytes, ``\xNN``: control characters, invalid UTF-8,
    bidirectional and invisible ones, quotes, ``<``, ``>``, ``&`` and the backslash, and at
    the start what a spreadsheet takes for a formula. Different data gives different text.

    Examples
    --------
    >>> escape_text(b"/Foundry USA Pool #dropgold/")
    '/Foundry USA Pool #dropgold/'
    >>> escape_text(b"=cmd\x1b[31m<b>")
    '\\x3dcmd\\x1b[31m\\x3cb\\x3e'
    """
    return "".join(
        character
        if _is_visible(character)
        and character not in _SPECIAL
        and (place > 0 or character not in _FORMULA)
        else _as_bytes(character)
        for place, character in enumerate(_characters(data))
    )


def terminal_text(data: bytes | str) -> str:
    r"""Return `data` as text that is safe in a terminal; quotes and the like are kept.

    Examples
    --------
    >>> terminal_text("rijndael's \x1b[2Jtoaster")
    "rijndael's \\x1b[2Jtoaster"
    """
    return "".join(
        character if _is_visible(character) else _as_bytes(character)
        for character in _characters(data)
    )


def _characters(data: bytes | str) -> str:
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return raw.decode("utf-8", "surrogateescape")


def _is_visible(character: str) -> bool:
    """Tell whether `character` shows itself, and only itself, where it stands."""
    if character.isascii():
        return character.isprintable()
    return (
        character.isprintable()
        and unicodedata.bidirectional(character) in _LEFT_TO_RIGHT
        and unicodedata.category(character) not in _COMBINING
    )


def _as_bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
