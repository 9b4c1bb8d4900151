"""Tables of shares or counts from outside: ``entity,share`` or ``date,entity,share``."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from analyzers.compare import NEVER, ShareError, Shares, shares_of
from analyzers.tables import Period, TableError

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
    All rows are one series.

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
    marked = False
    for period, entity, number, percent in _read_rows(text, where):
        dated.setdefault(period, []).append((entity, number))
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
            shares_of([(entity, number * unit) for entity, number in rows], where, period)
            for period, rows in groups
        )
    except ShareError as error:
        raise ShareError(f"{where}: {error}") from None
    return Given(found, ())


def _read_rows(text: str, where: str) -> Iterable[tuple[Period | None, str, Decimal, bool]]:
    lines = text.splitlines()
    if len(lines) > MAX_ROWS:
        raise ShareError(f"{where} has more than {MAX_ROWS} lines")
    heading = True
    for place, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            fields = [field.strip() for field in next(csv.reader([line]))]
            if len(fields) not in {2, 3} or not fields[-2]:
                raise ShareError("expected entity,share or date,entity,share")
            number = Decimal(fields[-1].removesuffix("%").strip())
            if not number.is_finite() or not 0 <= number < Decimal(10) ** 15:
                raise ShareError(f"{fields[-1][:20]!r} is no share and no count")
            period = Period.parse(fields[0]) if len(fields) == 3 else None
        except (ShareError, TableError, InvalidOperation, csv.Error, StopIteration) as error:
            if heading and isinstance(error, InvalidOperation):
                heading = False
                continue
            said = "the last field is no number" if isinstance(error, InvalidOperation) else error
            raise ShareError(f"{where}, line {place}: {said}") from None
        heading = False
        yield period, fields[-2], number, fields[-1].endswith("%")
