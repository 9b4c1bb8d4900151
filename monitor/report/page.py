"""The report's page: HTML from values. Everything that comes from outside is escaped."""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Any

from analyzers.changepoints import Change, ChangePoints, change_points
from analyzers.claims import evaluate
from analyzers.concentration import POINTS
from analyzers.figures import figures_of
from analyzers.registry.lenskind import LensKind
from analyzers.series import readings_of, series
from analyzers.simulate import simulate
from analyzers.summary import Summary, summarize
from analyzers.trend import MINIMUM, Trend, by_era, window_trend
from analyzers.windows import CountTable
from analyzers.withheld import without_control
from monitor import __version__
from monitor.answers.flat import flat
from monitor.answers.of_windows import series_rows
from monitor.report import plots
from monitor.report.claims import as_html
from monitor.report.html import grid
from monitor.report.short import compared, in_short, shares_table, year_before
from monitor.words import number, span

MOST_CHANGES = 12
"""Changes of shares that are shown at once, the largest by gain."""

METHODS = (
    (
        "What is counted",
        "Blocks of non-overlapping windows, by the entity that the lens puts behind each pool.",
    ),
    (
        "What is not known",
        "Unknown blocks may be anybody's. Each figure is computed if each of them is of a miner of "
        "its own (alone), if all are of one further miner (one), and if all are of the largest "
        "(largest's). Nobody who found them takes a figure beyond the first and the last, except "
        "where these are marked by ~. Intervals hold the true value under all of them. Where more "
        "than a tenth of a window's blocks are unknown no single figure is given.",
    ),
    (
        "Intervals",
        "Blocks are draws from the hash rate behind them. Shares have Jeffreys' Beta intervals; "
        "HHI and the effective number those under which the unbiased estimate is not too far "
        "off, by its first three moments; the Nakamoto coefficient and the largest share are "
        "drawn from the Dirichlet posterior with Jeffreys' prior (half a block for each entity "
        "seen). Shares that drift inside a window make the truth wider.",
    ),
    (
        "HHI",
        "Simpson's unbiased estimate (1949, doi:10.1038/163688a0). The sum of squared shares "
        "that others publish is too high by (1 - HHI)/n.",
    ),
    (
        "Trend",
        "The slope of a figure that wanders (Ornstein-Uhlenbeck, averaged over windows) and is "
        "measured with the known error of sampling; how far it wanders and how long it remembers "
        "is not known and weighed by its likelihood. A direction is given only where windows of "
        "this and of longer lengths agree. docs/methods.md has how often that errs.",
    ),
    (
        "Change points",
        "PELT (Killick, Fearnhead and Eckley 2012) over multinomial segments, dispersion taken "
        "out, with a penalty simulated for a false-positive rate of 5 %. Slow drift is cut into "
        "steps: a change point says that shares before and after differ.",
    ),
)


CLAIMS_NOTE = (
    "What the press said of mining and AI in April 2026. Those of pools are judged by the windows "
    "of this report, the others by tables that ship, each row with its source; 'poolscope claims' "
    "judges them under other inputs."
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What the report is about, in words."""

    source: str
    window: str
    lens: str
    span: str
    kind: LensKind = LensKind.CONTROL


def make_report(
    table: CountTable, subject: Subject, *, level: float, draws: int, seed: int, made: datetime
) -> str:
    """Return the report on `table` (non-overlapping windows, one at least) as HTML."""
    found = series(table, level)
    drawn = readings_of(table).each(
        lambda part: simulate(part.counts, part.unattributed, draws=draws, seed=seed, level=level)
    )
    changes = change_points(table, seed=seed)
    last = summarize(
        table.row(-1),
        unattributed=int(table.unattributed[-1]),
        level=level,
        draws=draws,
        seed=seed,
    )
    control = subject.kind.is_control
    if not control:
        last = without_control(last)
    above = drawn.each(lambda each: each.above_third.tolist())
    rows = flat(series_rows(found, {"any_above_third": above} if control else {}))
    trends = _trends_of(table)
    place = year_before(table)
    change = None if place is None else compared(table, place, level)
    since = None if place is None or change is None else (int(table.start_time[place]), change)
    moments = [change.start_time for change in _largest(changes)]
    parts = [
        f"<h1>Mining concentration</h1><p class='note'>{_about(table, subject, made)}</p>",
        in_short(last, [(name, result) for name, _, result in trends], since),
        f"<h2>The last window, from {_day(int(table.start_time[-1]))}</h2>",
        _figure(plots.latest_plot(last), "Bars are intervals, ticks the observed shares."),
        shares_table(last, change),
        _figures(last, control=control),
        "<h2>Concentration over time</h2>",
        _figure(
            plots.hhi_plot(found, moments, level),
            "The band is the interval of each window, whoever found its unknown blocks; where more "
            "than a tenth are unknown there is no line.",
        ),
        _figure(
            plots.largest_plot(found, drawn, level, control=control),
            "The share of whichever is largest"
            + (
                ", and the probability that it is over 1/3: from unknown blocks of a miner each to "
                "all of the largest."
                if control
                else "."
            ),
        ),
        _figure(
            plots.nakamoto_plot(found, drawn),
            "How probable each Nakamoto coefficient is, given the window's blocks.",
        )
        if control
        else "",
        _figure(plots.shares_plot(table), "Observed shares; single windows are noisy."),
        "<h2>Is it rising?</h2>",
        _trends(trends),
        "<h2>When did shares change?</h2>",
        _changes(changes),
        "<h2>Claims, judged</h2>",
        f"<p class='note'>{escape(CLAIMS_NOTE)}</p>",
        as_html(evaluate(table, subject.source, kind=subject.kind, today=made.date()), heading=3),
        "<h2>Methods</h2>",
        f"<dl>{''.join(f'<dt>{name}</dt><dd>{escape(text)}</dd>' for name, text in METHODS)}</dl>",
        "<h2>Data</h2>",
        _data(rows, table),
    ]
    style = (files(__package__) / "style.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Mining concentration</title><style>{style}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _about(table: CountTable, subject: Subject, made: datetime) -> str:
    blocks = int(table.blocks.sum())
    when = made.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return escape(
        f"{blocks} blocks in {len(table)} windows of {subject.window}, "
        f"{_day(int(table.start_time[0]))} to {_day(int(table.start_time[-1]))} ({subject.span}). "
        f"Lens: {subject.lens} ({subject.kind.value}). {subject.kind.why_withheld} "
        f"Source: {subject.source}. Made {when} by poolscope {__version__}."
    )


def _day(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _figures(summary: Summary, *, control: bool) -> str:
    heads = ("figure", "value", f"{summary.level:.0%} interval", "alone", "one", "largest's", "")
    rows = []
    for figure in figures_of(summary, control=control):
        mark = "" if math.isfinite(figure.bounds.low) else "~"
        readings = [f"{mark}{number(reading)}" for reading in figure.readings]
        rows.append(
            (figure.title, number(figure.value), span(figure.interval), *readings, figure.note)
        )
    return f"<p class='note'>{escape(summary.withheld)}</p>{grid(heads, rows)}"


def _trends_of(table: CountTable) -> list[tuple[str, int, Trend]]:
    """Return name, windows and HHI's trend of the whole and of each era."""
    parts = [("all", table), *((era.name, part) for era, part in by_era(table))]
    return [(name, len(part), window_trend(part)) for name, part in parts]


def _trends(found: Sequence[tuple[str, int, Trend]]) -> str:
    rows = []
    for name, windows, result in found:
        low, high = (number(end * POINTS) for end in result.slope.interval)
        rows.append(
            (
                name,
                str(windows),
                result.direction(),
                number(result.p),
                number(result.slope.value * POINTS),
                f"{low} to {high}" if result.n >= MINIMUM else "-",
            )
        )
    return grid(("era", "windows", "HHI is", "p", "points a year", "95% interval"), rows)


def _largest(found: ChangePoints) -> list[Change]:
    """Return the changes with the largest gains, in order of time."""
    kept = sorted(found.changes, key=lambda change: -change.gain)[:MOST_CHANGES]
    return sorted(kept, key=lambda change: change.index)


def _changes(found: ChangePoints) -> str:
    if not found.changes:
        return "<p>No change of shares was found.</p>"
    note = (
        f"Gain is log-likelihood, over a penalty of {found.penalty:.1f}. From window to window "
        f"shares vary {found.dispersion:.1f} times as much as sampling alone."
    )
    page = _change_rows(_largest(found)) + f"<p class='note'>{note}</p>"
    if len(found.changes) > MOST_CHANGES:
        every = _change_rows(found.changes)
        page += f"<details><summary>All {len(found.changes)} changes</summary>{every}</details>"
    return page


def _change_rows(changes: Sequence[Change]) -> str:
    rows = [
        (
            _day(change.start_time),
            f"{change.gain:.0f}",
            ", ".join(f"{name} {100 * shift:+.1f}" for name, shift in change.shifts[:4]),
        )
        for change in changes
    ]
    return grid(("from", "gain", "change in points"), rows)


def _data(rows: Sequence[dict[str, Any]], table: CountTable) -> str:
    cells = [
        ["" if v is None else f"{v:.4f}" if isinstance(v, float) else str(v) for v in row.values()]
        for row in rows
    ]
    heads = ("start_time", "unknown", *table.entities)
    counts = (
        (row["start_time"], own, *found)
        for row, own, found in zip(
            rows, table.unattributed.tolist(), table.counts.tolist(), strict=True
        )
    )
    return (
        f"<p>{_download('concentration.csv', list(rows[0]), (r.values() for r in rows))}: every "
        f"figure of each window. {_download('blocks.csv', heads, counts)}: the blocks of each "
        f"entity, from which all of it follows.</p>"
        f"<details><summary>All {len(rows)} windows</summary>{grid(list(rows[0]), cells)}</details>"
    )


def _download(name: str, heads: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a link that holds a CSV file."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(heads)
    out.writerows(rows)
    data = base64.b64encode(text.getvalue().encode()).decode()
    return f'<a download="{name}" href="data:text/csv;base64,{data}">{name}</a>'
