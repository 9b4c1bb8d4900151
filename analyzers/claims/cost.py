"""The claim that a bitcoin costs more than $100,000 to mine, in some places or for some miners."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from analyzers import tables
from analyzers.assumptions import INPUT_OF, UNDATED, UNITS, Assumptions, Input, costed, tariff_of
from analyzers.claims.values import (
    ARTICLE,
    Case,
    Finding,
    Quantity,
    Swing,
    Verdict,
    judge,
)
from analyzers.economics import (
    JOULES_PER_KWH,
    efficiency_for_cost,
    energy_per_btc,
    sensitivity,
    simulate_cost,
    tariff_for_cost,
)
from analyzers.intervals import UNKNOWN, Interval
from analyzers.tables import Row

LIMIT: Final = 100_000.0
CLAIMED: Final = Quantity(LIMIT, "USD/BTC")
UNIT: Final = "USD/BTC"

NOT_PAID: Final = (
    "A sector's average price is not what a miner pays: contracts, own power and paid "
    "curtailment lie below it. Of the miners that the CCAF asked in 2024, half paid 0.045 "
    "USD/kWh or less."
)
NO_INPUTS: Final = "The inputs behind the claim were not published where it was read."
ELECTRICITY: Final = (
    "Electricity alone: no machines, staff or pool fee (give --opex, --capital, --pool-fee)."
)


def cost_case(assumptions: Assumptions, label: str, tariff: Input) -> Case:
    """Return what a bitcoin costs at one tariff, judged against the claim."""
    known = costed(assumptions, tariff)
    found = simulate_cost(known.terms, known.fleet, known.spreads, threshold=LIMIT)
    as_of = "" if tariff.date == UNDATED else f" ({tariff.date})"
    return Case(
        label,
        Quantity(found.median, UNIT),
        found.interval,
        judge(found.interval, LIMIT),
        f"at {tariff.value:.4g} USD/kWh{as_of}; above in {found.probability_above:.0%} of draws",
    )


def _turns(assumptions: Assumptions, tariff: Input) -> str:
    known = costed(assumptions, tariff)
    at = tariff_for_cost(known.terms, known.fleet, LIMIT)
    joules = efficiency_for_cost(known.terms, known.fleet, LIMIT)
    other = (
        f"; at {tariff.value:.4g} USD/kWh, with machines that need {joules:.1f} J/TH"
        if math.isfinite(joules) and joules > 0
        else ""
    )
    place = f"{at:.4f} USD/kWh" if at > 0 else "any tariff, as the rest alone costs as much"
    return (
        f"The cost passes 100,000 USD at {place} with {known.fleet.joules_per_terahash:.4g} "
        f"J/TH and a PUE of {known.fleet.pue:.4g}{other}."
    )


def _swings(assumptions: Assumptions, tariff: Input) -> tuple[Swing, ...]:
    known = costed(assumptions, tariff)
    return tuple(
        Swing(
            INPUT_OF[effect.name],
            effect.low,
            effect.high,
            UNITS[INPUT_OF[effect.name]],
            effect.at_low,
            effect.at_high,
        )
        for effect in sensitivity(known.terms, known.fleet, known.spreads)
    )


def _site(label: str) -> str:
    """Return who mines at a place, in a few words."""
    site = sites().get(label)
    if site is None:
        return "no site known"
    return f"site: {site.note} ({site.number:g} MW, {site.period})"


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def _energy(assumptions: Assumptions, tariff: Input) -> str:
    known = costed(assumptions, tariff)
    joules = energy_per_btc(known.terms, known.fleet.joules_per_terahash, known.fleet.pue)
    return f"{joules / JOULES_PER_KWH:,.0f} kWh a bitcoin at the most likely inputs"


def sites() -> dict[str, Row]:
    """Return a named site that mines for each place in the United States where one is known.

    Examples
    --------
    >>> "Texas" in sites(), "Rhode Island" in sites()
    (True, False)
    """
    return {row.entity: row for row in tables.load("sites") if row.series == "US mining sites"}


def _verdict_on(cases: Sequence[Case]) -> Verdict:
    """Return the verdict that it costs as much in some of these places."""
    if any(case.verdict == "holds" for case in cases):
        return "holds"
    if cases and all(case.verdict == "does not hold" for case in cases):
        return "does not hold"
    return "cannot be said"


def some_regions(assumptions: Assumptions) -> Finding:
    """Judge: in some parts of the United States a bitcoin costs more than $100,000.

    It looks at every place whose tariff is known, whether or not anybody is known to mine there.
    """
    return _regions(
        assumptions,
        "cost-some-regions",
        "Mining one bitcoin costs more than $100,000 in some parts of the United States.",
        ARTICLE,
    )


def where_mined(assumptions: Assumptions) -> Finding:
    """Judge the same of those parts of the United States where a named site mines."""
    return _regions(
        assumptions,
        "cost-where-mined",
        "Mining one bitcoin costs more than $100,000 in some parts of the United States where "
        "mining is known.",
        "what the claim has to mean, if miners are to leave such a place",
        frozenset(sites()),
    )


def _regions(
    assumptions: Assumptions,
    slug: str,
    claim: str,
    said_by: str,
    only: frozenset[str] | None = None,
) -> Finding:
    given = assumptions.has("tariff")
    if given:
        places = [("the tariff given", assumptions.input("tariff"))]
    else:
        rows = [row for row in tables.load("tariffs") if row.series == "US industrial"]
        rows = [row for row in rows if only is None or row.entity in only]
        places = [(row.entity, tariff_of(row)) for row in rows]
    judged = sorted(
        ((cost_case(assumptions, label, tariff), tariff) for label, tariff in places),
        key=lambda pair: -pair[0].found.value,
    )
    cases = tuple(case for case, _ in judged)
    dearest, tariff = judged[0]
    above = [case.label for case in cases if case.verdict == "holds"]
    below = [case.label for case in cases if case.verdict == "does not hold"]
    because = f"{_first_up(dearest.label)}, {dearest.note}"
    if not given:
        because = (
            f"{len(above)} of {len(cases)} places are above in 95 % of draws"
            + (f" ({', '.join(above)})" if above else "")
            + f"; {len(below)} are below"
            + (f" ({', '.join(below)})" if below else "")
        )
        if only is None:
            unmined = [label for label in above if label not in sites()]
            because += f". No mining site is known in {', '.join(unmined)}" if unmined else ""
        cases = tuple(case._replace(note=f"{case.note}; {_site(case.label)}") for case in cases)
    return Finding(
        slug=slug,
        claim=claim,
        said_by=said_by,
        claimed=CLAIMED,
        found=dearest.found,
        measure=f"cost of one bitcoin {'at' if given else 'in the dearest place,'} {dearest.label}",
        interval=dearest.interval,
        verdict=_verdict_on(cases),
        because=f"{because}. {_energy(assumptions, tariff)}.",
        turns=_turns(assumptions, tariff),
        inputs=costed(assumptions, tariff).inputs,
        swings=_swings(assumptions, tariff),
        cases=cases,
        sources=tuple(
            dict.fromkeys(
                (
                    *(tariff.source for _, tariff in judged),
                    *(row.source for row in sites().values() if not given),
                )
            )
        ),
        unsaid=(
            NOT_PAID,
            "How much is mined where. That no site is named does not show that nobody mines: "
            "Foundry's map of July 2023 puts 5.3 % of the US hash rate into New Hampshire.",
            ELECTRICITY,
            NO_INPUTS,
        ),
    )


def united_states(assumptions: Assumptions) -> Finding:
    """Judge the short form: a bitcoin costs more than $100,000 in the United States."""
    rows = [row for row in tables.load("tariffs") if row.series == "US average"]
    industrial = max(
        (row for row in rows if row.entity == "United States, industrial"),
        key=lambda row: row.period,
    )
    given = assumptions.has("tariff")
    tariff = assumptions.input("tariff") if given else tariff_of(industrial)
    main = cost_case(assumptions, "the tariff given" if given else industrial.entity, tariff)
    others = (
        *rows,
        *(row for row in tables.load("tariffs") if row.series in {"country", "miners"}),
    )
    cases = tuple(cost_case(assumptions, row.entity, tariff_of(row)) for row in others)
    return Finding(
        slug="cost-united-states",
        claim="Mining one bitcoin costs more than $100,000 in the United States.",
        said_by="the short form in which the claim above is repeated; no one source",
        claimed=CLAIMED,
        found=main.found,
        measure=f"cost of one bitcoin {'at' if given else 'in the'} {main.label}",
        interval=main.interval,
        verdict=main.verdict,
        because=f"{_first_up(main.label)}, {main.note}. {_energy(assumptions, tariff)}.",
        turns=_turns(assumptions, tariff),
        inputs=costed(assumptions, tariff).inputs,
        swings=_swings(assumptions, tariff),
        cases=cases,
        sources=tuple(dict.fromkeys(row.source for row in others)),
        unsaid=(
            NOT_PAID,
            ELECTRICITY,
            "Country costs that CBECI's method gives are no check: they are those of the "
            "machines that still pay at a tariff, so they stay below the price by construction.",
        ),
    )


def all_in(assumptions: Assumptions) -> Finding:
    """Judge: with everything counted, listed miners pay more than $100,000 a bitcoin."""
    rows = sorted(
        (row for row in tables.load("costs") if row.series == "listed miners all-in"),
        key=lambda row: row.period,
    )
    cash = [row for row in tables.load("costs") if row.series == "listed miners cash"]
    last = rows[-1]

    def published(row: Row) -> Case:
        value = row.number
        kind = row.series.removeprefix("listed miners ")
        verdict = judge(Interval(value, value), LIMIT)
        return Case(f"{kind}, {row.period}", Quantity(value, UNIT), UNKNOWN, verdict)

    paid = next(
        row for row in tables.load("tariffs") if row.entity == "surveyed miners, all operating cost"
    )
    tariff = assumptions.input("tariff") if assumptions.has("tariff") else tariff_of(paid)
    label = "computed at the tariff given" if assumptions.has("tariff") else "computed, operating"
    main = published(last)
    return Finding(
        slug="cost-all-in",
        claim="With machines and shares paid in, listed miners spend over $100,000 a bitcoin.",
        said_by="a reading under which the claim is often defended",
        claimed=CLAIMED,
        found=main.found,
        measure=f"published mean of listed miners, {main.label}",
        interval=main.interval,
        verdict=main.verdict,
        of=last.period.text,
        because=f"CoinShares gives {last.number:,.0f} USD for {last.period}; its cash cost "
        f"for the same miners stays below 100,000. These are published figures, not computed.",
        turns=f"It was {rows[0].number:,.0f} USD in {rows[0].period}. Most of what is above the "
        "cash cost is depreciation and pay in shares, which no miner saves by moving.",
        inputs=costed(assumptions, tariff).inputs,
        cases=(
            *(published(row) for row in (*rows, *cash)),
            cost_case(assumptions, label, tariff),
        ),
        sources=tuple(dict.fromkeys(row.source for row in (*rows, *cash, paid))),
        unsaid=("What unlisted miners spend. How each firm writes off its machines.",),
    )
