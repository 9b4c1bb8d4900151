"""Judged claims as text and HTML, for the terminal and pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from analyzers.assumptions import Input
from analyzers.claims import Case, Finding, Quantity, Swing
from analyzers.intervals import Interval
from monitor.report.html import grid


def quantity(found: Quantity) -> str:
    """Return a quantity for people, its unit with it."""
    if not math.isfinite(found.value):
        return found.text or "-"
    return f"{amount(found.value)} {found.unit}".strip()


def amount(value: float) -> str:
    """Return a number with the digits that a person reads; a dash where it is undefined."""
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def between(interval: Interval) -> str:
    """Return an interval for people; empty where it is unknown."""
    if not all(map(math.isfinite, interval)):
        return ""
    low, high = map(amount, interval)
    return f"{low} to {high}" if low != high else ""


def found_in_words(found: Finding) -> str:
    """Return what was found: the number, its interval, and what it is of."""
    span = between(found.interval)
    return f"{quantity(found.found)}{f', {span}' if span else ''} ({found.measure})"


def verdict_in_words(found: Finding) -> str:
    """Return the verdict, with how old the figures behind it are where they are old."""
    return f"{found.verdict} ({found.as_of})" if found.as_of else found.verdict


INPUT_HEADS: Final = ("input", "value", "may be", "unit", "as of", "source")
SWING_HEADS: Final = ("if only this changes", "from", "to", "unit", "found from", "to")
CASE_HEADS: Final = ("case", "found", "interval", "verdict", "note")


def input_row(item: Input) -> tuple[str, str, str, str, str, str]:
    """Return an input as name, value, what it may be, unit, date and source."""
    span = f"{item.low:.6g} to {item.high:.6g}" if item.low < item.high else ""
    return (item.name, f"{item.value:.6g}", span, item.unit, item.date, item.source)


def swing_row(swing: Swing) -> tuple[str, str, str, str, str, str]:
    """Return a swing as name, its ends, unit, and what is found at them."""
    ends = (f"{swing.low:.6g}", f"{swing.high:.6g}", swing.unit)
    return (swing.name, *ends, amount(swing.at_low), amount(swing.at_high))


def case_row(case: Case) -> tuple[str, str, str, str, str]:
    """Return a case as label, found, interval, verdict and note."""
    return (case.label, quantity(case.found), between(case.interval), case.verdict, case.note)


def as_html(findings: Sequence[Finding], heading: int = 2) -> str:
    """Return the claims page as an HTML fragment, everything escaped, without scripts.

    `heading` is the level of a claim's heading. Sections have the claim's short name with
    ``claim-`` before it as id.
    """
    rows = [
        (
            found.claim,
            verdict_in_words(found),
            quantity(found.claimed),
            f"{quantity(found.found)}, {found.measure}",
        )
        for found in findings
    ]
    overview = grid(("claim", "verdict", "claimed", "found"), rows)
    return overview + "".join(_section(found, heading) for found in findings)


def _section(found: Finding, heading: int) -> str:
    facts = (
        ("Verdict", verdict_in_words(found)),
        ("Claimed", quantity(found.claimed)),
        ("Found", found_in_words(found)),
        ("Because", found.because),
        ("What would turn it", found.turns),
        ("Said by", found.said_by),
    )
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    parts = [
        f'<section class="claim" id="claim-{escape(found.slug)}" '
        f'data-verdict="{escape(found.verdict)}">'
        f"<h{heading}>{escape(found.claim)}</h{heading}><dl>{listed}</dl>"
    ]
    if found.inputs:
        rows = [input_row(item) for item in found.inputs]
        parts.append(_details("Inputs", grid(INPUT_HEADS, rows)))
    if found.swings:
        parts.append(
            _details("Sensitivity", grid(SWING_HEADS, [swing_row(s) for s in found.swings]))
        )
    if found.cases:
        parts.append(_details("Cases", grid(CASE_HEADS, [case_row(case) for case in found.cases])))
    for title, texts in (("Sources", found.sources), ("What this cannot show", found.unsaid)):
        if texts:
            items = "".join(f"<li>{escape(text)}</li>" for text in texts)
            parts.append(_details(title, f"<ul>{items}</ul>"))
    return "".join(parts) + "</section>"


def _details(title: str, inner: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"
