"""What the largest miner could do, at its share and at the ends of the share's interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analyzers.intervals import Interval
from analyzers.network import Estimate
from analyzers.security import (
    confirmations_needed,
    double_spend,
    selfish_revenue,
    selfish_threshold,
)
from analyzers.summary import Share, Summary, summarize
from monitor.errors import QuestionError
from monitor.queries.selection import Counted, Selection, counted, given

WAITS: Final = (1, 2, 3, 6, 12, 24, 48, 100)
"""Confirmations that a double spend is computed for."""

_HOW: Final = " (A file says by a line '# kind: control' that its entities direct the work.)"

GAMMAS: Final = (0.0, 0.5, 1.0)
"""Parts of the honest hash rate that follow the attacker in a tie."""


@dataclass(frozen=True, slots=True)
class Attacker:
    """Whom to look at: its share (ratio) of the blocks of `found`, which `summary` is of."""

    share: Share
    summary: Summary
    found: Counted


@dataclass(frozen=True, slots=True)
class Ends:
    """A whole number at the share and at the ends of its interval; None where none is enough."""

    value: int | None
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Attack:
    """What an attacker of a share could do; probabilities and revenue are ratios 0..1.

    `double_spend` is by confirmations waited for, `selfish` by gamma: the share above which
    it pays, and the part of the blocks that it gets.
    """

    share: Estimate
    risk: float
    confirmations: Ends
    confirmations_whitepaper: Ends
    double_spend: dict[int, Estimate]
    selfish: dict[float, tuple[float, Estimate]]


def attacker(
    selection: Selection, counts: Mapping[str, int] | None = None, names: tuple[str, ...] = ()
) -> Attacker:
    """Return the largest miner of the last window, or of a table of `counts`.

    With `names` it is these together, by slug, name or alias.

    Raises
    ------
    QuestionError
        If nobody known found a block, one of `names` found none, or the entities of the lens do
        not direct the work of their pools.
    StoreError
        If the store cannot be read.
    """
    if counts is None and not selection.kind.is_control:
        raise QuestionError(
            f"lens {selection.lens} is one of {selection.kind.value}. "
            f"{selection.kind.why_withheld}{_HOW}"
        )
    found = counted(selection) if counts is None else given(counts)
    summary = summarize(found.counts, unattributed=found.unattributed)
    if not summary.shares:
        raise QuestionError("no block is attributed to anybody, so there is no largest miner")
    chosen = selection.entities(names, summary)
    return Attacker(summary.group(chosen) if names else summary.shares[0], summary, found)


def attack(share: float, interval: Interval, risk: float = 0.001) -> Attack:
    """Return what an attacker of `share` (ratio 0..1) with `interval` could do.

    `risk` is the accepted probability 0..1 that a payment is replaced.
    """
    points = (share, *interval)

    def at_each(waits: list[float]) -> Estimate:
        value, low, high = waits
        return Estimate(value, Interval(low, high))

    return Attack(
        Estimate(share, interval),
        risk,
        Ends(*(confirmations_needed(q, risk) for q in points)),
        Ends(*(confirmations_needed(q, risk, "nakamoto") for q in points)),
        {wait: at_each([double_spend(q, wait) for q in points]) for wait in WAITS},
        {
            gamma: (selfish_threshold(gamma), at_each([selfish_revenue(q, gamma) for q in points]))
            for gamma in GAMMAS
        },
    )
