"""Figures as people read them and as JSON carries them: said once for every face."""

from __future__ import annotations

import math

from analyzers.intervals import Interval


def plain(value: float) -> float | None:
    """Return `value` as JSON can carry it: None where it is not a finite number."""
    return value if math.isfinite(value) else None


def number(value: float) -> str:
    """Return `value` with as many digits as a person reads; a dash where it is undefined."""
    if not math.isfinite(value):
        return "-"
    if value == int(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if 0 < abs(value) < 5e-4:
        return "<0.001" if value > 0 else ">-0.001"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.3f}"


def span(interval: Interval) -> str:
    """Return an interval for people; empty where it is unknown."""
    if not all(map(math.isfinite, interval)):
        return ""
    return f"{number(interval.low)} to {number(interval.high)}"


def ends(least: float | None, most: float | None) -> str:
    """Return what a figure lies between; one number where both ends read the same."""
    shown = (number(math.nan if end is None else end) for end in (least, most))
    return " to ".join(dict.fromkeys(shown))
