"""A claim and its verdict as values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from analyzers.assumptions import Input
from analyzers.intervals import Interval

Verdict = Literal["holds", "does not hold", "cannot be said"]


class Quantity(NamedTuple):
    """A number with its unit; `text` where a claim gives no number."""

    value: float
    unit: str
    text: str = ""


class Case(NamedTuple):
    """The same question asked of other inputs: a region, a series, an era."""

    label: str
    found: Quantity
    interval: Interval
    verdict: Verdict
    note: str = ""


class Swing(NamedTuple):
    """What the found number becomes at the low and at the high end of one input."""

    name: str
    low: float
    high: float
    unit: str
    at_low: float
    at_high: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim, judged.

    `measure` says what the number found is of, `turns` what would have to be otherwise for
    another verdict, and `unsaid` what the data behind it cannot show at all. `of` is the time that
    the number found is of, where that is not the time of the inputs, and `as_of` says how old the
    figures are that it stands on, where they are old.
    """

    slug: str
    claim: str
    said_by: str
    claimed: Quantity
    found: Quantity
    measure: str
    interval: Interval
    verdict: Verdict
    because: str
    turns: str
    inputs: tuple[Input, ...] = ()
    swings: tuple[Swing, ...] = ()
    cases: tuple[Case, ...] = ()
    sources: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    of: str = ""
    as_of: str = ""


def judge(interval: Interval, threshold: float) -> Verdict:
    """Say whether a figure is above `threshold`, as far as its interval tells.

    Examples
    --------
    >>> judge(Interval(80_000, 90_000), 1e5), judge(Interval(90_000, 120_000), 1e5)
    ('does not hold', 'cannot be said')
    """
    if interval.low > threshold:
        return "holds"
    if interval.high <= threshold:
        return "does not hold"
    return "cannot be said"


ARTICLE: Final = (
    "press of 2026-04-12 to 14 on Alex Thorn (Galaxy) and a KuCoin report, "
    "read in igcurrencynews.com and acurra.ai"
)
"""Where the founding claims were read."""

NO_NUMBER: Final = Quantity(math.nan, "", "no number given")
