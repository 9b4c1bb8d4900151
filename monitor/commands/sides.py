"""What blocks are looked at, in words."""

from __future__ import annotations

from monitor.queries.dates import moment_of
from monitor.queries.selection import Counted


def in_words(found: Counted) -> str:
    """Return where blocks come from: source, window, lens, and where they begin."""
    facts = {
        "source": found.source,
        "window": found.window,
        "lens": found.lens,
        "start": None if found.start_time is None else moment_of(found.start_time),
        "first_height": found.first_height,
    }
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
