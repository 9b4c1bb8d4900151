"""How old the figures are that a verdict stands on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

from analyzers.claims.values import Finding
from analyzers.tables import Period, TableError

OLD: Final = 90
"""Days from which figures are said to be old: difficulty alone moves by a tenth in as long."""

MOVING: Final = frozenset({"difficulty", "fees", "tariff"})
"""Inputs of a cost that change from month to month: it is as old as the oldest of them."""


def dated(found: Finding, today: date | None) -> Finding:
    """Return `found` with the age of what it stands on, where that is old on the day `today`.

    A cost is as old as the oldest of its inputs that move; others as the newest figure in them.
    """
    if today is None:
        return found
    if found.of and (day := _last_day(found.of)):
        return _told(found, day, today)
    dates = {item.name: day for item in found.inputs if (day := _last_day(item.date))}
    moving = [day for name, day in dates.items() if name in MOVING]
    if not dates:
        return found
    return _told(found, min(moving) if moving else max(dates.values()), today)


def _told(found: Finding, of: date, today: date) -> Finding:
    days = (today - of).days
    return replace(found, as_of=f"as of {of}, {days} days ago") if days > OLD else found


def _last_day(text: str) -> date | None:
    """Return the last day of a date as sources write it, None where it is none."""
    try:
        return Period.parse(text).last
    except TableError:
        return None
