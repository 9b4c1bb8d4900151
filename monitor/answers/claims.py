"""Claims and what was found about them: the JSON of ``poolscope claims``, and what to choose."""

from __future__ import annotations

from typing import Literal

from monitor.answers.base import Answer, CommandAnswer, Estimate, Exact


class Quantity(Answer):
    """A number with its unit; `text` where there is no number."""

    value: Exact
    """The number; null where there is none."""
    unit: str
    """Its unit; empty where it is a plain number."""
    text: str
    """What stands in its place where it is null."""


class Finding(Quantity):
    """A number found, with its 95 % interval or the range of its inputs, all in `unit`."""

    low: Exact
    """Its lower end; null where there is no interval."""
    high: Exact
    """Its upper end; null where there is no interval."""


class ClaimInput(Answer):
    """One input of a verdict: its value, what it may be, and who says so as of when."""

    name: str
    """What the input is called; most are parameters of /claims, too."""
    value: float
    """Its value, in `unit`."""
    low: float
    """The lower end of what it may be, in `unit`; equal to `high` where it is taken as known."""
    high: float
    """The upper end of what it may be, in `unit`."""
    unit: str
    """Its unit; empty where it is a plain number."""
    date: str
    """The day or month that the value is of, as its source says it."""
    source: str
    """Who says so."""


class ClaimSwing(Answer):
    """What is found at the ends of one input if nothing else changes."""

    name: str
    """The input that changes."""
    input: Estimate
    """Its ends, in `unit`."""
    unit: str
    """The unit of the input."""
    found: Estimate
    """What is found as it is, and at these ends, in the unit of the finding."""


class ClaimCase(Answer):
    """The same question asked of other inputs: a region, a series, an era."""

    label: str
    """Which region, series or era."""
    found: Finding
    """What is found there."""
    verdict: Literal["holds", "does not hold", "cannot be said"]
    """Whether the claim holds there."""
    note: str
    """What else to know of it; may be empty."""


class Claim(Answer):
    """A claim, judged."""

    slug: str
    """Its short name."""
    claim: str
    """The claim in words."""
    said_by: str
    """Who said it, and where."""
    verdict: Literal["holds", "does not hold", "cannot be said"]
    """Whether it holds."""
    as_of: str
    """How old the figures are that the verdict stands on, where they are old; else empty."""
    claimed: Quantity
    """What was claimed, as a number."""
    found: Finding
    """What was found."""
    measure: str
    """What the number found is of."""
    because: str
    """Why the verdict is so."""
    turns: str
    """What would have to be otherwise for another verdict."""
    inputs: list[ClaimInput]
    """What went into it."""
    sensitivity: list[ClaimSwing]
    """How far each input alone moves what is found."""
    cases: list[ClaimCase]
    """The same asked of other regions, series or eras."""
    sources: list[str]
    """Where its data come from."""
    cannot_show: list[str]
    """What the data behind it cannot show at all."""


class Claims(Answer):
    """The founding claims, judged under the inputs that were given."""

    claims: list[Claim]
    """The claims, judged."""
    terms: Literal["shipped", "chain"]
    """Where difficulty, subsidy and fees come from."""
    chain: bool
    """Whether this agent's own chain can give them: mainnet as it is, not a sample."""
    series: list[str]
    """Series of country shares to choose from."""
    markets: list[str]
    """AI markets to choose from."""


class ClaimList(CommandAnswer):
    """What ``claims`` says: the founding claims, judged."""

    claims: list[Claim]
    """The claims, judged."""
