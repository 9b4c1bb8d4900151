"""The judged claims as the web shows them, under the inputs that a reader gives."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Final

from analyzers.assumptions import UNITS, Assumptions, Input
from analyzers.claims import evaluate
from analyzers.claims.markets import markets
from analyzers.geography import series_names
from analyzers.history import SOURCE, load_history, with_own_names
from analyzers.registry.lenses import TAG_LENS
from analyzers.windows import CountTable
from monitor import answers
from monitor.answers.of_claims import claim as claim_of
from monitor.snapshot import Snapshot
from monitor.terms import TipTerms, with_terms
from monitor.web.errors import ApiError
from monitor.web.queries import ClaimsQuery

DAYS: Final = 7
"""Days a window of the history of pools."""
MAX_KEPT: Final = 64
"""Sets of inputs whose verdicts are kept: they are the same until the tip changes."""


def terms_of_chain(snapshot: Snapshot) -> TipTerms | None:
    """Return the terms at the tip where they are those of the market: on mainnet, live."""
    if snapshot.synthetic or snapshot.network != "mainnet":
        return None
    return snapshot.terms


def assumptions_of(query: ClaimsQuery, chain: TipTerms | None) -> Assumptions:
    """Return the inputs that `query` asks for: the reader's before the chain's.

    Raises
    ------
    ApiError
        If it asks for the terms of a chain that has none to give.
    EconomicsError
        If an input is no finite number.
    """
    assumptions = Assumptions(series=query.series, market=query.market)
    if query.terms == "chain":
        if chain is None:
            raise ApiError(400, "parameter 'terms': this agent does not follow the live mainnet")
        assumptions = with_terms(assumptions, chain, "this agent's chain")
    given = {name: getattr(query, name) for name in UNITS}
    return assumptions.given({name: value for name, value in given.items() if value is not None})


@cache
def _weeks() -> CountTable:
    """Return the history that ships as `poolscope claims` looks at it: pools by tag, by week."""
    return load_history().under(with_own_names(TAG_LENS)).merged(DAYS)


@lru_cache(MAX_KEPT)
def _judged(
    changed: tuple[Input, ...], series: str, market: str, claim: str | None, today: date
) -> tuple[answers.Claim, ...]:
    """Return the judged claims; the same inputs give the same verdicts whatever the tip."""
    assumptions = Assumptions({item.name: item for item in changed}, series, market)
    found = evaluate(_weeks(), SOURCE, assumptions, [claim] if claim else (), today=today)
    return tuple(map(claim_of, found))


def judged(query: ClaimsQuery, chain: TipTerms | None) -> answers.Claims:
    """Return the claims, judged under the inputs of `query`.

    Raises
    ------
    ApiError
        If an input is not possible, or a claim, series or market is not known.
    """
    try:
        assumptions = assumptions_of(query, chain)
        found = _judged(
            tuple(assumptions.changed.values()),
            query.series,
            query.market,
            query.claim,
            datetime.now(UTC).date(),
        )
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    return answers.Claims(
        claims=list(found),
        terms=query.terms,
        chain=chain is not None,
        series=list(series_names()),
        markets=list(markets()),
    )
