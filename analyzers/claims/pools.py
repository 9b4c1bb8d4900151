"""The claims that control over mining becomes more concentrated, and did so with hardware."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from analyzers.assumptions import Input
from analyzers.claims.places import POINTS, together
from analyzers.claims.values import (
    ARTICLE,
    NO_NUMBER,
    Case,
    Finding,
    Quantity,
    Verdict,
)
from analyzers.compare import Point
from analyzers.eras import by_division, change
from analyzers.intervals import UNKNOWN, Interval
from analyzers.series import readings_of, series
from analyzers.trend import YEAR, Trend, window_trend
from analyzers.windows import CountTable

BORN: Final = 1970.0
SLOPE: Final = "HHI points a year"

POOLS_ARE_NOT_ALL: Final = (
    "A pool is who builds templates and pays, not who owns machines. Shared templates and "
    "owners are seen through other lenses, and no lens is proved by the chain."
)


def hhi_of_pools(table: CountTable) -> list[Point]:
    """Return HHI (ratio) of each window with its interval, at the year it begins."""
    found = series(table)
    return [
        Point(BORN + start / YEAR, Interval(low, high), sd**2)
        for start, low, high, sd in zip(
            table.start_time.tolist(),
            found.hhi_low.tolist(),
            found.hhi_high.tolist(),
            found.hhi_sd.tolist(),
            strict=True,
        )
        if math.isfinite(low) and math.isfinite(sd)
    ]


def counted(table: CountTable, source: str) -> tuple[Input, ...]:
    """Return what figures of pools are computed from: blocks, and those of nobody known."""
    first, last = (
        datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%d")
        for time in (table.start_time[0], table.start_time[-1])
    )
    blocks, unknown = int(table.blocks.sum()), int(table.unattributed.sum())
    return tuple(
        Input(name, value, value, value, unit, f"{first}/{last}", source)
        for name, value, unit in (
            ("windows that do not overlap", len(table), "windows"),
            ("blocks in them", blocks, "blocks"),
            ("blocks of nobody known", unknown, "blocks"),
        )
    )


def _day(table: CountTable) -> str:
    """Return the day on which the first window begins."""
    return datetime.fromtimestamp(int(table.start_time[0]), UTC).strftime("%Y-%m-%d")


def _upward(found: Trend) -> Verdict:
    direction = found.direction()
    if direction == "rising":
        return "holds"
    return "does not hold" if direction == "falling" else "cannot be said"


def _case(label: str, found: Trend) -> Case:
    low, high = found.slope.interval
    note = f"{found.n} windows, {found.direction()}"
    if math.isfinite(found.p):
        note += f", p {found.p:.3g}"
    slope = Quantity(POINTS * found.slope.value, SLOPE)
    return Case(label, slope, Interval(POINTS * low, POINTS * high), _upward(found), note)


def control(table: CountTable, source: str) -> Finding:
    """Judge: pools' shares of blocks become more concentrated.

    `table` has windows that do not overlap; `source` says whose labels they are. The verdict
    has to be the same in longer windows, and whoever found the blocks of nobody known.
    """
    whole = _case("all windows", window_trend(table))
    one = _case(
        "all windows, one miner behind unknown blocks", window_trend(readings_of(table).as_one)
    )
    eras = by_division(table, "subsidy")
    cases = [_case(f"subsidy {found.era.name}", found.trend) for found in eras]
    turns = "It turns with the span that is looked at: " + "; ".join(
        f"{case.label} {case.note}, {case.found.value:+.0f} points a year"
        for case in cases
        if math.isfinite(case.found.value)
    )
    now = eras[-1].era.name if len(eras) > 1 else ""
    spans = f"Over all windows since {_day(table)}: {together((whole.verdict, one.verdict))}. " + (
        f"In the running era alone ({cases[-1].label}): {cases[-1].verdict}. " if now else ""
    )
    return Finding(
        slug="control",
        claim="Control over mining becomes more concentrated.",
        said_by=ARTICLE,
        claimed=NO_NUMBER,
        found=whole.found,
        measure="slope of the HHI of pools over all windows",
        interval=whole.interval,
        verdict=together((whole.verdict, one.verdict)),
        because=f"{spans}HHI of pools over {whole.note}; with one miner behind all unknown blocks "
        f"{one.found.value:+.0f} points a year, {one.note}. The slope is judged against wander "
        "of the shares and the sampling error of blocks, in windows of this length and longer.",
        turns=f"{turns}.",
        inputs=counted(table, source),
        cases=(whole, one, *cases),
        sources=(source,),
        unsaid=(
            POOLS_ARE_NOT_ALL,
            "A slope over years hides turns: see the spans below.",
        ),
    )


def hardware(table: CountTable, source: str) -> Finding:
    """Judge: mining became more concentrated from personal computers to ASICs."""
    eras = by_division(table, "hardware")
    cases = [
        Case(
            found.era.name,
            Quantity(POINTS * found.hhi, "HHI points"),
            Interval(POINTS * found.bounds.low, POINTS * found.bounds.high),
            "cannot be said",
            f"{found.windows} windows, {found.unattributed:.1%} of blocks of nobody known",
        )
        for found in eras
    ]
    found, interval = Quantity(math.nan, "HHI points", "one era only"), UNKNOWN
    verdict: Verdict = "cannot be said"
    names = ", ".join(era.era.name for era in eras) or "none"
    because = f"The blocks at hand lie in these eras: {names}. One era compares with nothing."
    if len(eras) > 1:
        moved = change(eras[0], eras[-1])
        found = Quantity(POINTS * moved.difference, "HHI points")
        interval = Interval(POINTS * moved.bounds.low, POINTS * moved.bounds.high)
        if interval.low > 0:
            verdict = "holds"
        elif interval.high < 0:
            verdict = "does not hold"
        because = (
            f"From {moved.earlier} to {moved.later} mean HHI moved by {found.value:+.0f} points; "
            f"with anybody behind unknown blocks, by {interval.low:+.0f} to {interval.high:+.0f}."
        )
    return Finding(
        slug="hardware",
        claim="Mining was spread out on personal computers and centralised with ASICs.",
        said_by="Alex Thorn (Galaxy), 2026-04-12, read in igcurrencynews.com",
        claimed=NO_NUMBER,
        found=found,
        measure="mean HHI of the last era less that of the first",
        interval=interval,
        verdict=verdict,
        because=because,
        turns="It needs blocks of two hardware eras with names in most of them: a store that "
        "begins at the genesis block. Before November 2010 no coinbase names a pool, so even "
        "then the bounds of the first era stay wide.",
        inputs=counted(table, source),
        cases=tuple(cases),
        sources=(source, "eras: table eras, by first product"),
        unsaid=(
            "How many people mined alone on their computers. Blocks do not say.",
            "That one thing came after another does not show that hardware did it.",
        ),
    )
