"""Rows of tables that people make: which character parts the fields, and what a number is.

Spreadsheets part fields by commas, semicolons or tabs, put quotes around some, write thousands
as ``1,234`` and, where semicolons part the fields, decimals as ``12,5``.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

_SEPARATORS: Final = ("\t", ";", ",")
"""In this order where several are possible."""
_LOOKED_AT: Final = 50
"""Lines from which the separator is told."""
_GROUPS: Final = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:([,'_ \u00a0\u202f\u2009])\d{3})(?:\1\d{3})*(\.\d+)?"
)
_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
_LONGEST: Final = 200
"""Characters of a wrong value that a message shows."""
_DIGITS: Final = 1000
"""Characters of a number; what is longer is none."""
MOST_DIGITS: Final = 60
"""Counts have at most as many digits: their squares and cubes must be floating numbers."""


class Line(NamedTuple):
    """One row with the number of its line; fields have no white space around them."""

    number: int
    fields: Sequence[str]


def rows_of(text: str, widths: range) -> Iterator[Line]:
    """Yield the rows of `text`, without empty lines and those that begin with #.

    `widths` are the numbers of fields that a row may have: they tell what parts them.

    Raises
    ------
    ValueError
        If a line cannot be read.
    """
    kept = [
        (number, line)
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    separator = _separator([line for _, line in kept[:_LOOKED_AT]], widths)
    for number, line in kept:
        yield Line(number, _fields(line, separator, number))


def _separator(lines: Sequence[str], widths: range) -> str:
    """Return what parts the most lines into as many fields as there may be, numbers at the end."""

    def fitting(separator: str) -> tuple[int, int]:
        rows = [_split(line, separator) for line in lines]
        fit = [row for row in rows if len(row) in widths]
        numbers = (number_of(row[-1].strip().removesuffix("%")) for row in fit)
        return len(fit), sum(number is not None for number in numbers)

    return max(_SEPARATORS, key=fitting)  # the first of equals


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:
        return []


def _fields(line: str, separator: str, number: int) -> list[str]:
    try:
        row = next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True))
    except (csv.Error, StopIteration) as error:
        raise ValueError(f"line {number}: {error}") from None
    return [clean(field) for field in row]


def decoded(raw: bytes) -> str:
    """Return the text of a file: UTF-8, or UTF-16 with its mark.

    Raises
    ------
    UnicodeDecodeError
        If it is neither.
    """
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    return raw.decode("utf-16" if wide else "utf-8-sig")


def clean(text: str) -> str:
    """Return `text` without white space around it, its letters composed (NFC).

    Examples
    --------
    >>> clean(" Me\u0301xico ") == "M\u00e9xico"
    True
    """
    return unicodedata.normalize("NFC", text).strip()


def same(text: str) -> str:
    """Return what two spellings of one name have in common.

    Examples
    --------
    >>> same("AntPool ") == same("ANTPOOL")
    True
    """
    return clean(text).casefold()


def number_of(text: str) -> Decimal | None:
    """Return the number that `text` is, None if it is none; ``1,234`` is a thousand and more.

    Examples
    --------
    >>> [str(number_of(text)) for text in ("1,234", "12,5", "2.5e3", "0,234", "1'000", "x", "nan")]
    ['1234', '12.5', '2.5E+3', '0.234', '1000', 'None', 'None']
    """
    bare = text.strip()
    if len(bare) > _DIGITS:
        return None
    if groups := _GROUPS.fullmatch(bare):
        bare = bare.replace(groups[1], "")
    elif _COMMA.fullmatch(bare):
        bare = bare.replace(",", ".")
    elif "_" in bare:
        return None
    try:
        found = Decimal(bare)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def quoted(text: str) -> str:
    """Return a wrong value for a message: whole, unless it is very long.

    Examples
    --------
    >>> quoted("25" * 20)
    "'2525252525252525252525252525252525252525'"
    """
    return repr(text[:_LONGEST]) + ("..." if len(text) > _LONGEST else "")
