"""Figures that others published, each row with its unit, its date and its source.

A table is a CSV file in this folder with the columns of `COLUMNS`; lines that begin with #
say what it holds. Values stand as their source gives them, in its unit; `Row.number` is
the figure in base units where it is a ratio. A row without unit, date or source is an
error, so no such figure can reach a page.
"""

from __future__ import annotations

import csv
import functools
import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Final

COLUMNS: Final = ("series", "date", "entity", "value", "unit", "source", "note")

UNITS: Final = frozenset(
    {
        "%",
        "1",
        "BTC",
        "BTC/PH/day",
        "EH/s",
        "J/TH",
        "MW",
        "T",
        "TWh/year",
        "USD bn",
        "USD/BTC",
        "USD/MWh",
        "USD/PH/day",
        "USD/TH/day",
        "USD/kWh",
        "Unix s",
        "kWh/BTC",
    }
)
"""Units that tables may use; T is a million millions, 1 a plain number or ratio."""

REST: Final = "rest"
"""The entity of rows for all that a source does not list one by one."""

_PERIOD: Final = re.compile(r"(\d{4})(?:-(?:Q([1-4])|(\d\d)(?:-(\d\d))?))?", re.ASCII)
_FORMS: Final = "write 2025, 2025-Q3, 2025-05, 2025-05-31, or two of them with a slash"
_PERCENT: Final = Decimal("0.01")


class TableError(ValueError):
    """A table that cannot be used: a row without unit, date or source, or not a number."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The time that a figure is for: first and last day, and how its source writes it."""

    first: date
    last: date
    text: str

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read ``2025``, ``2025-Q3``, ``2025-05``, ``2025-05-31``, or two of them with a slash.

        Raises
        ------
        TableError
            If `text` is no such thing.

        Examples
        --------
        >>> Period.parse("2025-Q2").first, Period.parse("2024-06/2024-09").last
        (datetime.date(2025, 4, 1), datetime.date(2024, 9, 30))
        """
        parts = [_days(part) for part in text.split("/")]
        first, last = parts[0][0], parts[-1][1]
        if len(parts) > 2 or first > last:
            raise TableError(f"{text[:40]!r} is no span of time: {_FORMS}")
        return cls(first, last, text)

    @property
    def year(self) -> float:
        """The middle of the period as a year with a fraction.

        Examples
        --------
        >>> round(Period.parse("2025-07-02").year, 2), round(Period.parse("2025").year, 1)
        (2025.5, 2025.5)
        """
        middle = (self.first.toordinal() + self.last.toordinal() + 1) / 2
        year = date.fromordinal(int(middle)).year
        start, end = date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()
        return year + (middle - start) / (end - start)

    def __str__(self) -> str:
        return self.text


def _days(text: str) -> tuple[date, date]:
    match = _PERIOD.fullmatch(text.strip())
    if not match:
        raise TableError(f"{text[:40]!r} is no date: {_FORMS}")
    year, quarter, month, day = (int(part) if part else None for part in match.groups())
    try:
        if quarter is not None:
            start, end = 3 * quarter - 2, 3 * quarter
        else:
            start, end = (month, month) if month else (1, 12)
        return (
            date(year or 0, start, day or 1),
            date(year or 0, end, day or monthrange(year or 0, end)[1]),
        )
    except (ValueError, OverflowError):
        raise TableError(f"{text[:40]!r} is no day of any calendar") from None


@dataclass(frozen=True, slots=True)
class Row:
    """One published figure. `value` has the digits of its source."""

    series: str
    period: Period
    entity: str
    value: Decimal
    unit: str
    source: str
    note: str

    @property
    def number(self) -> float:
        """The value as a plain number; percentages are ratios 0..1."""
        return float(self.value * _PERCENT if self.unit == "%" else self.value)

    @property
    def rounding(self) -> float:
        """Half a unit of the last digit that the source gives, in the unit of `number`."""
        half = Decimal(5).scaleb(int(self.value.as_tuple().exponent) - 1)
        return float(half * _PERCENT if self.unit == "%" else half)


def names() -> tuple[str, ...]:
    """Return the names of the tables that ship, in order.

    Examples
    --------
    >>> "countries" in names()
    True
    """
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".csv") for name in found if name.endswith(".csv")))


@functools.cache
def load(name: str) -> tuple[Row, ...]:
    """Return the rows of the table `name`.

    Raises
    ------
    TableError
        If there is no such table or a row lacks what every row must have.

    Examples
    --------
    >>> load("countries")[0].source != ""
    True
    """
    if name not in names():
        raise TableError(f"there is no table {name[:40]!r}; there are {', '.join(names())}")
    return parse((files(__name__) / f"{name}.csv").read_text("utf-8"), f"{name}.csv")


def parse(text: str, where: str = "table") -> tuple[Row, ...]:
    """Read a table in the form of this folder; `where` names it in errors.

    Raises
    ------
    TableError
        If a row is not as it must be; the message names the line.
    """
    return tuple(_rows(text, where))


def _rows(text: str, where: str) -> Iterator[Row]:
    lines = [
        (place, line)
        for place, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines or tuple(next(csv.reader([lines[0][1]]))) != COLUMNS:
        raise TableError(f"{where}: the first line must name the columns {','.join(COLUMNS)}")
    for place, line in lines[1:]:
        fields = [field.strip() for field in next(csv.reader([line]))]
        try:
            yield _row(fields)
        except TableError as error:
            raise TableError(f"{where}, line {place}: {error}") from None


def _row(fields: list[str]) -> Row:
    if len(fields) != len(COLUMNS):
        raise TableError(f"a row has {len(COLUMNS)} fields, not {len(fields)}")
    missing = [name for name, field in zip(COLUMNS[:-1], fields, strict=False) if not field]
    if missing:
        raise TableError(f"the row has no {' and no '.join(missing)}")
    series, when, entity, value, unit, source, note = fields
    if unit not in UNITS:
        raise TableError(f"{unit[:20]!r} is no unit; known are {', '.join(sorted(UNITS))}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise TableError(f"{value[:20]!r} is no number") from None
    if not number.is_finite():
        raise TableError(f"{value[:20]!r} is no finite number")
    return Row(series, Period.parse(when), entity, number, unit, source, note)
