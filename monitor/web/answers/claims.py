"""Claims and what was found about them: the JSON of ``poolscope claims``, and what to choose."""

from __future__ import annotations

from typing import Literal

from monitor.web.answers.base import Answer, Exact


class Quantity(Answer):
    """A number with its unit; `text` where there is no number."""

    value: Exact
    unit: str
    text: str


class ClaimInput(Answer):
    """One input of a verdict: its value, what it may be, and who says so as of when."""

    name: str
    value: float
    low: float
    """Equal to `high` where the input is taken as known."""
    high: float
    unit: str
    date: str
    source: str


class ClaimSwing(Answer):
    """What is found at the ends of one input if nothing else changes."""

    name: str
    low: float
    high: float
    unit: str
    at_low: float
    at_high: float


class ClaimCase(Answer):
    """The same question asked of other inputs: a region, a series, an era."""

    label: str
    found: Quantity
    interval: tuple[float, float] | None
    verdict: Literal["holds", "does not hold", "cannot be said"]
    note: str


class Claim(Answer):
    """A claim, judged."""

    slug: str
    claim: str
    said_by: str
    verdict: Literal["holds", "does not hold", "cannot be said"]
    claimed: Quantity
    found: Quantity
    measure: str
    """What the number found is of."""
    interval: tuple[float, float] | None
    because: str
    turns: str
    """What would have to be otherwise for another verdict."""
    inputs: list[ClaimInput]
    sensitivity: list[ClaimSwing]
    cases: list[ClaimCase]
    sources: list[str]
    cannot_show: list[str]
    """What the data behind it cannot show at all."""


class Claims(Answer):
    """The founding claims, judged under the inputs that were given."""

    claims: list[Claim]
    terms: Literal["shipped", "chain"]
    """Where difficulty, subsidy and fees come from."""
    chain: bool
    """Whether this agent's own chain can give them: mainnet as it is, not a sample."""
    series: list[str]
    """Series of country shares to choose from."""
    markets: list[str]
    """AI markets to choose from."""
