"""What all answers are made of."""

from __future__ import annotations

import math
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict


def _figure(value: float | None) -> float | None:
    """Return `value` with the digits that carry meaning; null where there is no figure."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _exact(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


Figure = Annotated[float | None, AfterValidator(_figure)]
Exact = Annotated[float | None, AfterValidator(_exact)]


SCHEMA_VERSION: Final = 1
"""Version of the shapes; it rises when a field changes its name, unit or meaning."""


class Answer(BaseModel):
    """Base of all shapes."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")


class Problem(Answer):
    """Why a request was not answered."""

    status: int
    """The HTTP status."""
    message: str
    """What is wrong and what to do about it."""


class ErrorAnswer(Answer):
    """The body of every answer that is an error."""

    error: Problem
    """What went wrong."""


class Estimate(Answer):
    """A figure with its interval, all in the unit of the field that holds it.

    The interval is of 95 %, unless the answer has another `level`, or the field says what the
    ends are.
    """

    value: Figure
    """The estimate, in the unit of the field that holds it; null where only its ends are known."""
    low: Figure
    """Lower end of its interval, in the same unit."""
    high: Figure
    """Upper end of its interval, in the same unit."""


class BoundedEstimate(Estimate):
    """An estimate from blocks some of which may be unknown.

    `low` and `high` hold the true value whoever found the unknown blocks: chance and ignorance
    together. `least` and `most` are of ignorance alone.
    """

    least: Figure
    """The lowest that it can be for all that unknown blocks leave open; null where no such bound
    is known."""
    most: Figure
    """The highest that it can be, likewise."""


class Reading(BoundedEstimate):
    """A measure of concentration, under more than one reading of the unknown blocks.

    The value is that of `alone`. It is null where too many blocks are unknown for a single figure:
    `withheld` of the answer says so then.
    """

    alone: Figure
    """What it is if each unknown block is of a miner of its own."""
    as_one: Figure
    """What it is if all unknown blocks are of one further miner: a reading, no bound."""


class WhenEstimate(Answer):
    """A Unix time with its 95 % interval."""

    value: Exact
    """The estimate, as Unix time."""
    low: Exact
    """Lower end of its interval, as Unix time."""
    high: Exact
    """Upper end of its interval, as Unix time."""


class LeftOut(Answer):
    """Things that an input holds and poolscope does not use, for one reason."""

    kind: str
    """What they are, such as tip or blk_record."""
    count: int
    """How many."""
    why: str
    """Why they are not used."""
    examples: list[str]
    """At most five of them: heights, hashes, files."""


class CountEstimate(Answer):
    """A whole number at a share and at the ends of the share's interval."""

    value: int | None
    """The number at the share; null where none is enough."""
    low: int | None
    """The number at the lower end of the share; null where none is enough."""
    high: int | None
    """The number at the upper end of the share; null where none is enough."""


class Range(Answer):
    """A figure that was measured several times, all in the unit of the field that holds it."""

    value: Figure
    """The median of the repetitions, in the unit of the field that holds it."""
    low: Figure
    """The lowest repetition, in the same unit."""
    high: Figure
    """The highest repetition, in the same unit."""


class Versioned(Answer):
    """What a command writes with ``--json``, be it one of many lines."""

    schema_version: int = SCHEMA_VERSION
    """Version of the shapes: it rises when a field changes its name, unit or meaning."""


class CommandAnswer(Versioned):
    """What a command writes with ``--json``."""

    left_out: list[LeftOut] = []
    """What the input of the command holds and the answer does not use."""


class Fault(Answer):
    """What stood in the way of an answer."""

    message: str
    """What is wrong."""


class CommandError(Versioned):
    """The line of an input that could not be read."""

    error: Fault
    """Why there is no answer."""
