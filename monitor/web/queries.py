"""The parameters that endpoints take; unknown and malformed ones are refused by name."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from monitor.analysis import WINDOWS
from monitor.web.errors import ApiError

_NUMBER: Final = re.compile(r"-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


def _whole(text: object) -> object:
    """Take digits only: not spaces, underscores, signs or fractions, as Python would."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit()):
        raise ValueError("must be a whole number, in digits")
    return text


def _number(text: object) -> object:
    if isinstance(text, str) and not _NUMBER.fullmatch(text):
        raise ValueError("must be a number, such as 0.05 or 1e14")
    return text


def _window(value: int) -> int:
    if value not in WINDOWS:
        raise ValueError(f"must be one of {', '.join(map(str, WINDOWS))} (blocks)")
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
Window = Annotated[Whole, AfterValidator(_window), Field(json_schema_extra={"enum": list(WINDOWS)})]
Name = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}$")]


class Query(BaseModel):
    """No parameters; base of all."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class WindowQuery(Query):
    """Which windows."""

    window: Window | None = None
    """Only this window, in blocks."""
    lens: Name | None = None
    """Only this lens."""


class HistoryQuery(Query):
    """Which history."""

    window: Window = 1008
    """Length of each window, in blocks."""
    lens: Name = "tag"
    """The lens to look through."""
    pool: Name | None = None
    """Also give the share of this pool."""


class PageQuery(Query):
    """How much of what comes in pages, newest first; each kind has its own `before`."""

    limit: Whole = Field(25, ge=1, le=100)
    """Most entries to return."""


class BlocksQuery(PageQuery):
    """Which blocks."""

    before: Whole | None = Field(None, ge=0, le=100_000_000)
    """Only blocks below this height."""
    pool: Name | None = None
    """Only blocks of this pool; `unknown` for those that nothing names a pool for."""


class StaleQuery(PageQuery):
    """Which stale blocks."""

    before: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """Only what comes after the stale block of this hash; as `next` gives it."""


class ReorgsQuery(PageQuery):
    """Which reorgs."""

    before: Whole | None = Field(None, ge=0, le=2**31 - 1)
    """Only reorgs of lower numbers."""


Amount = Annotated[float | None, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Chosen = Annotated[str, Field(max_length=60)]


class ClaimsQuery(Query):
    """Which claims, under which inputs; what is not given is as it ships."""

    claim: Name | None = None
    """Only the claim of this short name."""
    terms: Literal["shipped", "chain"] = "shipped"
    """Difficulty, subsidy and fees: those that ship, or of this agent's chain."""
    tariff: Amount = None
    """Price of electricity, USD per kWh."""
    efficiency: Amount = None
    """Energy of the machines, joules per terahash."""
    pue: Amount = None
    """Power at the meter over power of the machines, 1 or more."""
    opex: Amount = None
    """Other running cost over that of electricity."""
    capital: Amount = None
    """Price of machines, USD per TH/s."""
    life: Amount = None
    """Days that machines last."""
    pool_fee: Amount = None
    """Part of the reward that the pool keeps."""
    fees: Amount = None
    """Transaction fees over subsidy."""
    difficulty: Amount = None
    """Difficulty of the network."""
    subsidy: Amount = None
    """Block subsidy in BTC."""
    series: Chosen = ""
    """Series of country shares; empty for all."""
    market: Chosen = ""
    """AI market; empty for all."""


Asked = TypeVar("Asked", bound=Query)


def parse(request: web.Request, kind: type[Asked]) -> Asked:
    """Return the request's parameters.

    Raises
    ------
    ApiError
        400, naming the parameter and what it may be.
    """
    given = request.query
    for name in given:
        if name not in kind.model_fields:
            known = ", ".join(kind.model_fields)
            takes = f"takes {known}" if known else "takes no parameters"
            raise ApiError(400, f"unknown parameter {name[:40]!r}: {request.path} {takes}")
        if len(given.getall(name)) > 1:
            raise ApiError(400, f"parameter {name!r} is given more than once")
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise ApiError(400, f"parameter {first['loc'][0]!r}: {message}") from None
