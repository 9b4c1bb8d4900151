"""The claims about AI: that it spreads out, that its edge grows, that it goes the other way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from analyzers import tables
from analyzers.assumptions import Assumptions, published
from analyzers.claims.places import MOVED, OPEN, ends, together, with_way
from analyzers.claims.pools import counted, hhi_of_pools
from analyzers.claims.values import (
    ARTICLE,
    NO_NUMBER,
    Case,
    Finding,
    Quantity,
    Verdict,
)
from analyzers.compare import (
    Movement,
    Point,
    ShareError,
    Shares,
    divergence,
    from_rows,
    full_lists,
    growth,
    hhi_points,
    measure,
    movement,
)
from analyzers.intervals import UNKNOWN, Interval
from analyzers.tables import Row
from analyzers.windows import CountTable

NO_CENSUS: Final = (
    "Shares of AI are surveys and one router's own traffic. Menlo Ventures is an investor in "
    "Anthropic. None counts models that people run by themselves."
)
OPEN_WEIGHT: Final = "OpenRouter tokens"
"""The series of a router's tokens that went to models whose weights are open."""
OPEN_WEIGHT_CASE: Final = "OpenRouter: part of tokens to open-weight models"
SAID_PERCENT: Final = 300.0
SIZE: Final = "A market's size says nothing of how many share it."


def markets() -> tuple[str, ...]:
    """Return the names of the markets with shares.

    Examples
    --------
    >>> "cloud infrastructure" in markets()
    True
    """
    return tuple(dict.fromkeys(row.series for row in tables.load("markets")))


def _tables(market: str) -> list[Shares]:
    if market not in markets():
        raise ShareError(f"no market {market[:40]!r}; there are {', '.join(markets())}")
    return from_rows(row for row in tables.load("markets") if row.series == market)


def _rounding(shares: Shares) -> float:
    """Return half a unit of the last digit that the largest share is given with."""
    exponent = shares.parts[0][1].as_tuple().exponent
    return 0.5 * 10.0 ** int(exponent)


def _year(shares: Shares) -> float:
    return shares.period.year if shares.period else math.nan


def _share_case(label: str, points: Sequence[Point]) -> Case:
    """Return how a joint share moved; rounding alone decides nothing of it."""
    move = movement(points)
    if move.first is None or move.last is None or move.points < 2:
        return Case(label, Quantity(math.nan, "%", "one date"), UNKNOWN, "cannot be said")
    first, last = move.first, move.last
    return Case(
        label,
        Quantity(100 * (last.middle - first.middle), "percentage points"),
        Interval(
            100 * (last.value.low - first.value.high), 100 * (last.value.high - first.value.low)
        ),
        OPEN,
        with_way(
            f"{first.middle:.1%} in {first.year:.1f}, {last.middle:.1%} in {last.year:.1f}",
            move.change,
        ),
    )


def _market_cases(market: str) -> tuple[Case, ...]:
    dated = [shares for shares in _tables(market) if shares.parts and shares.period]
    full = full_lists(dated)
    found, interval = ends(movement(hhi_points(full)))
    note = f"{full[0].period} to {full[-1].period}" if full else "no list of four firms or more"
    note = with_way(note, movement(hhi_points(full)).change)
    leader, top = [], []
    for shares in dated:
        year, half, known = _year(shares), _rounding(shares), measure(shares)
        leader.append(Point(year, Interval(known.largest - half, known.largest + half)))
        if len(shares.parts) >= 2:
            top.append(Point(year, Interval(known.top3.low - half, known.top3.high + half)))
    return (
        Case(f"{market}: HHI", found, interval, OPEN, note),
        _share_case(f"{market}: largest", leader),
        _share_case(f"{market}: largest three", top),
    )


def _open_weight() -> Case:
    rows = [row for row in tables.load("sizes") if row.series == OPEN_WEIGHT]
    points = [
        Point(row.period.year, Interval(row.number - row.rounding, row.number + row.rounding))
        for row in sorted(rows, key=lambda row: row.period)
    ]
    return _share_case(OPEN_WEIGHT_CASE, points)


def ai_spreads(assumptions: Assumptions) -> Finding:
    """Judge: AI becomes less concentrated.

    No market states its own error, so nothing is decided: rounding alone is no error of theirs.
    """
    chosen = (assumptions.market,) if assumptions.market else markets()
    cases = tuple(case for market in chosen for case in _market_cases(market))
    if not assumptions.market:
        cases += (_open_weight(),)
    rows = [row for row in tables.load("markets") if row.series in chosen]
    if not assumptions.market:
        rows += [row for row in tables.load("sizes") if row.series == OPEN_WEIGHT]
    main = cases[0]
    fell, rose = (
        sum(f"; {way} by" in case.note for case in cases if case.label != OPEN_WEIGHT_CASE)
        for way in MOVED
    )
    moved = main.found.text or f"{main.found.value:+.0f} points"
    return Finding(
        slug="ai",
        claim="AI becomes less concentrated.",
        said_by=ARTICLE,
        claimed=NO_NUMBER,
        found=main.found,
        measure=f"change of {main.label.replace(': HHI', '')}, HHI",
        interval=main.interval,
        verdict=OPEN,
        because=f"Of {len(cases)} measures {fell} of concentration fell and {rose} rose beyond "
        "rounding; the others move within it or have one date. No survey states an error of its "
        f"own, so this decides nothing. {main.label}: {moved}.",
        turns="It would hold if every measure fell beyond the error that its source states: lists "
        "of four firms or more at two dates of each market.",
        inputs=tuple(map(published, rows)),
        cases=cases,
        sources=tuple(dict.fromkeys(row.source for row in rows)),
        unsaid=(NO_CENSUS, "Cloud infrastructure is where AI runs, not who makes it."),
    )


def _size(year: str) -> Row:
    rows = tables.load("sizes")
    return next(row for row in rows if row.series == "edge AI" and str(row.period) == year)


def edge_forecast(_assumptions: Assumptions) -> Finding:
    """Judge: the market of AI on devices grows from $25 to $119 billion until 2033."""
    first, last = _size("2025"), _size("2033")
    years = 8.0
    found = growth(first.number, last.number, years)
    chips = [row for row in tables.load("sizes") if row.series == "edge AI chips"]
    of_chips = growth(chips[0].number, chips[1].number, years)
    return Finding(
        slug="edge-forecast",
        claim="The edge AI market grows from about $25 billion in 2025 to $119 billion in 2033.",
        said_by=ARTICLE,
        claimed=Quantity(100 * growth(25, 119, years), "% a year"),
        found=Quantity(100 * found, "% a year"),
        measure="growth a year within the forecast",
        interval=Interval(
            100 * growth(first.number + first.rounding, last.number - last.rounding, years),
            100 * growth(first.number - first.rounding, last.number + last.rounding, years),
        ),
        verdict="cannot be said",
        because=f"The numbers are those of its source ({first.number:g} and {last.number:g} "
        f"billion), {last.number / first.number:.2f} times as much. It is a forecast of one "
        "publisher: nobody can measure 2033 yet.",
        turns="In 2033, or sooner if a measured year leaves the path: 2026 would have to be "
        f"about {first.number * (1 + found):.1f} billion.",
        inputs=(published(first), published(last)),
        cases=(
            Case(
                "edge AI chips, same publisher",
                Quantity(100 * of_chips, "% a year"),
                UNKNOWN,
                "cannot be said",
                f"{chips[0].number:g} to {chips[1].number:g} billion: more than the market "
                "that is said to hold them",
            ),
        ),
        sources=tuple(dict.fromkeys((first.source, last.source, chips[0].source))),
        unsaid=(SIZE,),
    )


def edge_percent(_assumptions: Assumptions) -> Finding:
    """Judge: that growth is about 300 %."""
    first, last = _size("2025"), _size("2033")
    interval = Interval(100 * (118.5 / 25.5 - 1), 100 * (119.5 / 24.5 - 1))
    return Finding(
        slug="edge-percent",
        claim="That is a growth of 300 percent.",
        said_by="press of 2026-04 on the same forecast, read in acurra.ai and coinlogic.online",
        claimed=Quantity(SAID_PERCENT, "%"),
        found=Quantity(100 * (last.number / first.number - 1), "%"),
        measure="the later figure over the earlier, less one",
        interval=interval,
        verdict="holds" if interval.low <= SAID_PERCENT <= interval.high else "does not hold",
        because="From 25 to 119 is 4.76 times as much, which is 376 % more. The interval is that "
        "of figures rounded to whole billions.",
        turns="300 % more than 25 billion would be 100 billion.",
        inputs=(published(first), published(last)),
        sources=tuple(dict.fromkeys((first.source, last.source))),
        unsaid=(SIZE,),
    )


def opposite(table: CountTable, assumptions: Assumptions, source: str) -> Finding:
    """Judge: mining and AI move in opposite directions."""
    chosen = (assumptions.market,) if assumptions.market else markets()
    pools = hhi_of_pools(table)
    cases = []
    unsaid: list[str] = []
    verdicts: list[Verdict] = []
    mining: Movement | None = None
    for market in chosen:
        found = divergence(pools, hhi_points(full_lists(_tables(market))))
        mining = found.first
        verdict: Verdict = "cannot be said"
        if found.opposite is not None:
            verdict = "holds" if found.opposite else "does not hold"
        verdicts.append(verdict)
        number, interval = ends(found.second)
        cases.append(Case(market, number, interval, verdict, "; ".join(found.unsaid)))
        unsaid.extend(found.unsaid)
    rows = [row for row in tables.load("markets") if row.series in chosen]
    number, interval = ends(mining) if mining else (NO_NUMBER, UNKNOWN)
    direction = mining.direction if mining else "unknown"
    return Finding(
        slug="opposite",
        claim="Bitcoin mining and AI move in opposite directions: one centralises, one spreads.",
        said_by=ARTICLE,
        claimed=NO_NUMBER,
        found=number,
        measure="change of HHI of pools, first window to last",
        interval=interval,
        verdict=together(verdicts),
        because=f"Both trends would have to be found. Pools: {direction} over {len(pools)} "
        f"windows. {'; '.join(f'{case.label}: {case.note or case.verdict}' for case in cases)}.",
        turns="It needs ten dates or more of one AI market by one source, of full lists, over "
        "the same years.",
        inputs=(*counted(table, source), *map(published, rows)),
        cases=tuple(cases),
        sources=(source, *dict.fromkeys(row.source for row in rows)),
        unsaid=(
            *dict.fromkeys(unsaid),
            "HHI of pools and of firms have the same formula, and not the same meaning.",
        ),
    )
