"""What blocks are looked at, in words."""

from __future__ import annotations

from analyzers.registry.lenses import Sight
from analyzers.registry.lenskind import LensKind
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


def of_kind(kind: LensKind) -> str:
    """Return what a lens of this kind does not say, for people; empty for one of control."""
    return f"Lens of {kind.value}. {kind.why_withheld}" if kind.why_withheld else ""


def of_lens(sight: Sight) -> list[str]:
    """Return what to know of the lens that blocks are seen through, a line each.

    What it does not say, and which of its rows have weak sources alone.
    """
    lines = [line for line in (of_kind(sight.kind),) if line]
    if sight.weak and sight.lens is not None:
        weak = ", ".join(
            f"{blocks} blocks of {entity or sight.lens.rest}"
            for entity, blocks in sight.weak.items()
        )
        lines.append(f"Weak sources (lists that name none of their own) stand behind {weak}.")
    return lines
