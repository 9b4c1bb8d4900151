"""What a cost is computed from: inputs with their sources, that a reader can set.

Each input has a value and, where nobody knows it well, the ends of what it may be; all come
from the table ``assumptions``. An input that a reader sets is taken as known.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from analyzers import tables
from analyzers.economics import SATOSHI, EconomicsError, Fleet, Spread, Terms
from analyzers.tables import Row

BY_READER: Final = "given by the reader"
"""The source of an input that somebody changed."""

LARGEST: Final = 1e24
"""No input is larger, nor smaller by as much, so that no cost is out of the range of numbers."""

UNDATED: Final = "-"
"""The date of an input that its reader gave without one."""


class Input(NamedTuple):
    """One input of a verdict: what it is, and who says so as of when.

    `low` and `high` are the ends of what it may be; both equal `value` where it is taken
    as known.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    date: str
    source: str

    @property
    def spread(self) -> Spread:
        """The input as an uncertain one."""
        return Spread(self.low, self.value, self.high)


LEFT_OUT: Final = "left out of this cost"
"""The source of an input that nobody gave and that a cost works without."""

_FIELDS: Final[Mapping[str, str]] = {
    "difficulty": "difficulty",
    "fees": "fee_ratio",
    "efficiency": "joules_per_terahash",
    "tariff": "usd_per_kwh",
    "pue": "pue",
    "opex": "opex",
    "capital": "capital",
    "life": "life_days",
    "pool_fee": "pool_fee",
}
"""Inputs of a cost, and the fields of `Terms` and `Fleet` that they set."""

_FLEET: Final = frozenset(item.name for item in dataclasses.fields(Fleet))
INPUT_OF: Final[Mapping[str, str]] = {name: key for key, name in _FIELDS.items()}
"""The name of the input that sets a field of `Terms` or `Fleet`."""

_PLAIN: Final[Mapping[str, tuple[float, str]]] = {
    "opex": (0.0, "1"),
    "capital": (0.0, "USD per TH/s"),
    "life": (1460.0, "days"),
    "pool_fee": (0.0, "1"),
}
"""Inputs left out of a cost unless the reader gives them, with the value that does so."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is taken for given; `changed` holds what a reader said instead.

    `series` is the series of country shares and `market` the AI market that claims look at;
    empty means all of them.
    """

    changed: Mapping[str, Input] = field(default_factory=dict)
    series: str = ""
    market: str = ""

    def given(
        self, values: Mapping[str, float], source: str = BY_READER, date: str = UNDATED
    ) -> Assumptions:
        """Return these assumptions with inputs set to values taken as known.

        Raises
        ------
        EconomicsError
            If there is no such input, or a value is no number that an input can have.

        Examples
        --------
        >>> Assumptions().given({"tariff": 0.05}).input("tariff").source
        'given by the reader'
        """
        changed = dict(self.changed)
        for name, value in values.items():
            if name not in UNITS:
                raise EconomicsError(f"{name!r} is no input; there are {', '.join(UNITS)}")
            if not math.isfinite(value):
                raise EconomicsError(f"{name} must be a finite number, not {value}")
            if value and not 1 / LARGEST <= value <= LARGEST:
                raise EconomicsError(f"{name} cannot be {value:g}")
            changed[name] = Input(name, value, value, value, UNITS[name], date, source)
        return dataclasses.replace(self, changed=changed)

    def input(self, name: str) -> Input:
        """Return an input: what the reader said, else what the table says.

        Raises
        ------
        EconomicsError
            If neither says anything.
        """
        if name in self.changed:
            return self.changed[name]
        if name in shipped():
            return shipped()[name]
        if name in _PLAIN:
            value, unit = _PLAIN[name]
            return Input(name, value, value, value, unit, UNDATED, LEFT_OUT)
        raise EconomicsError(f"{name!r} has to be given")

    def has(self, name: str) -> bool:
        """Tell whether the reader set this input."""
        return name in self.changed


@functools.cache
def shipped() -> Mapping[str, Input]:
    """Return the inputs of the table that ships, by name; costs without opex."""
    found: dict[str, dict[str, Row]] = {}
    for row in tables.load("assumptions"):
        found.setdefault(row.entity, {})[row.series] = row
    inputs = {}
    for name, rows in found.items():
        if name == "opex":
            continue
        mode = rows.get("exact") or rows["mode"]
        low, high = rows.get("low", mode), rows.get("high", mode)
        sources = dict.fromkeys(row.source for row in (low, mode, high))
        inputs[name] = Input(
            name,
            mode.number,
            low.number,
            high.number,
            "1" if mode.unit == "%" else mode.unit,
            str(mode.period),
            "; ".join(sources),
        )
    return inputs


UNITS: Final[Mapping[str, str]] = {
    "difficulty": "1",
    "subsidy": "BTC",
    "fees": "1",
    "efficiency": "J/TH",
    "tariff": "USD/kWh",
    "pue": "1",
    "opex": "1",
    "capital": "USD per TH/s",
    "life": "days",
    "pool_fee": "1",
}
"""Every input of a cost that a reader may set, with its unit."""


class Costed(NamedTuple):
    """Terms and fleet at the modes of their inputs, with what is uncertain about them."""

    terms: Terms
    fleet: Fleet
    spreads: Mapping[str, Spread]
    inputs: tuple[Input, ...]


def costed(assumptions: Assumptions, tariff: Input) -> Costed:
    """Return everything that a cost per bitcoin at one tariff is computed from.

    Raises
    ------
    EconomicsError
        If an input is not possible.
    """
    subsidy = assumptions.input("subsidy")
    inputs = [assumptions.input(name) for name in _FIELDS if name != "tariff"]
    inputs.append(tariff)
    values = {_FIELDS[item.name]: item.value for item in inputs}
    spreads = {_FIELDS[item.name]: item.spread for item in inputs}
    terms = Terms(values["difficulty"], round(subsidy.value * SATOSHI), values["fee_ratio"])
    own = {name: values[name] for name in _FIELDS.values() if name in _FLEET}
    shown = (subsidy, *(item for item in inputs if item.source != LEFT_OUT))
    return Costed(terms, Fleet(**own), spreads, shown)


def published(row: Row) -> Input:
    """Return a row of any table as an input: it may be off by as much as its source rounds.

    Examples
    --------
    >>> found = published(tables.load("markets")[1])
    >>> found.name, found.value, found.low, found.high, found.unit
    ('cloud infrastructure, Amazon', 32.0, 31.5, 32.5, '%')
    """
    value, unit = float(row.value), row.unit
    half = row.rounding * (100 if unit == "%" else 1)
    name = f"{row.series}, {row.entity}"
    low = max(0.0, value - half)
    return Input(name, value, low, value + half, unit, str(row.period), row.source)


def tariff_of(row: Row) -> Input:
    """Return a row of the tariff table as an input."""
    value = row.number
    return Input("tariff", value, value, value, row.unit, str(row.period), row.source)
