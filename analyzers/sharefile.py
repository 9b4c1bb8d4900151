"""Tables of shares or counts from outside: ``entity,share`` or ``date,entity,share``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from analyzers.compare import NEVER, ShareError, Shares, shares_of
from analyzers.registry.values import names_nobody
from analyzers.tables import Period, TableError
from analyzers.textrows import MOST_DIGITS, number_of, quoted, rows_of, same

MAX_ROWS: Final = 100_000
"""More lines than this are no table of shares."""


class Given(NamedTuple):
    """A table from outside: shares by date, or counts by date."""

    shares: tuple[Shares, ...]
    counts: tuple[tuple[Period | None, dict[str, int]], ...]


def read_shares(text: str, where: str = "table") -> Given:
    r"""Read ``entity,share`` or ``date,entity,share``: percentages, ratios, or counts.

    A share may end with %. Without it, numbers that are all whole and over 100 together are
    counts (of blocks, of customers); up to 1 together they are ratios, else percentages.
    A first line without a number is a heading, and lines that begin with # are passed over.
    Commas, semicolons or tabs part the fields. An entity may be spelled in whatever case; a
    row such as ``Unknown`` is of nobody known: not listed among shares. All rows are one series.

    Raises
    ------
    ShareError
        If a line is no such row; the message names it.

    Examples
    --------
    >>> given = read_shares("AWS,30%\nAzure,20%\nrest,50%")
    >>> float(given.shares[0].parts[0][1])
    0.3
    >>> read_shares("a,60\nb,84").counts[0][1]
    {'a': 60, 'b': 84}
    """
    dated: dict[Period | None, list[tuple[str, Decimal]]] = {}
    spelled: dict[str, str] = {}
    marked = False
    for period, entity, number, percent in _read_rows(text, where):
        name = spelled.setdefault(same(entity), entity)
        dated.setdefault(period, []).append((name, number))
        marked = marked or percent
    if not dated:
        raise ShareError(f"{where}: no row of entity and share")
    groups = sorted(dated.items(), key=lambda item: item[0] or NEVER)
    totals = [sum(number for _, number in rows) for _, rows in groups]
    whole = all(number == int(number) for _, rows in groups for _, number in rows)
    if whole and not marked and min(totals) > Decimal("100.5"):
        counted = []
        for period, rows in groups:
            counts: dict[str, int] = {}
            for entity, number in rows:
                counts[entity] = counts.get(entity, 0) + int(number)
            counted.append((period, counts))
        return Given((), tuple(counted))
    unit = Decimal(1) if not marked and max(totals) <= Decimal("1.005") else Decimal("0.01")
    try:
        found = tuple(
            shares_of(
                [(entity, number * unit) for entity, number in rows if not names_nobody(entity)],
                where,
                period,
            )
            for period, rows in groups
        )
    except ShareError as error:
        raise ShareError(f"{where}: {error}") from None
    return Given(found, ())


def _read_rows(text: str, where: str) -> Iterator[tuple[Period | None, str, Decimal, bool]]:
    try:
        lines = list(rows_of(text, range(2, 4)))
    except ValueError as error:
        raise ShareError(f"{where}, {error}") from None
    if len(lines) > MAX_ROWS:
        raise ShareError(f"{where} has more than {MAX_ROWS} lines")
    for place, (line, fields) in enumerate(lines):
        number = number_of(fields[-1].removesuffix("%").strip())
        if place == 0 and number is None and not _odd(fields[-1]):
            continue  # a heading
        try:
            if len(fields) not in {2, 3} or not fields[-2]:
                raise ShareError("expected entity,share or date,entity,share")
            if number is None and not _odd(fields[-1]):
                raise ShareError(f"the last field is no number: {quoted(fields[-1])}")
            if number is None or number < 0 or number.adjusted() >= MOST_DIGITS:
                raise ShareError(f"{quoted(fields[-1])} is no share and no count")
            period = Period.parse(fields[0]) if len(fields) == 3 else None
        except (ShareError, TableError) as error:
            raise ShareError(f"{where}, line {line}: {error}") from None
        yield period, fields[-2], number, fields[-1].endswith("%")


def _odd(text: str) -> bool:
    """Tell whether `text` is meant as a number, and is none that can be used."""
    try:
        return not math.isfinite(float(text.removesuffix("%").strip()))
    except ValueError:
        return False
