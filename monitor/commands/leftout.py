"""What a command left out of its input, said the same way by every command."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click

from analyzers.leftout import LeftOut
from analyzers.registry import Registry
from monitor.queries.telling import registry_told

_SAID: Final = "poolscope.left_out"
"""Where the context of a command keeps what it has said."""
_NOTES: Final = "poolscope.notes"
"""Where it keeps the notes that it has said: some commands ask more than once."""


def hear(told: LeftOut | str) -> None:
    """Say on stderr what a question has to say beside its answer; nothing is said twice."""
    if isinstance(told, LeftOut):
        say([told])
        return
    context = click.get_current_context(silent=True)
    notes: set[str] = set() if context is None else context.meta.setdefault(_NOTES, set())
    if told not in notes:
        notes.add(told)
        click.echo(f"note: {told}", err=True)


def say(left_out: Iterable[LeftOut]) -> None:
    """Say on stderr what was left out, a line for each reason; nothing is said twice."""
    before = said()
    for left in left_out:
        if left not in before:
            before.append(left)
            click.echo(str(left), err=True)


def said() -> list[LeftOut]:
    """Return all that this command has said; in its JSON that is ``left_out``."""
    context = click.get_current_context(silent=True)
    found: list[LeftOut] = [] if context is None else context.meta.setdefault(_SAID, [])
    return found


def as_json(left_out: Iterable[LeftOut] | None = None) -> list[dict[str, Any]]:
    """Return the value of a command's ``left_out`` in its JSON: by default all that it said."""
    return [left.as_json() for left in (said() if left_out is None else left_out)]


def registry_said(path: Path | None) -> Registry:
    """Return the registry at `path`, or the one that ships; say what it left out.

    Raises
    ------
    ConfigError
        If it cannot be used.
    """
    return registry_told(path, hear)
