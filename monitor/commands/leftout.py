"""What a command left out of its input, said the same way by every command."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from analyzers.leftout import LeftOut
from analyzers.registry import Registry
from monitor.relabel import registry_of


def say(left_out: Iterable[LeftOut]) -> None:
    """Say on stderr what was left out, a line for each reason."""
    for left in left_out:
        click.echo(str(left), err=True)


def as_json(left_out: Iterable[LeftOut]) -> list[dict[str, Any]]:
    """Return the value of a command's ``left_out`` in its JSON."""
    return [left.as_json() for left in left_out]


def registry_said(path: Path | None) -> Registry:
    """Return the registry at `path`, or the one that ships; say on stderr what it left out.

    Raises
    ------
    ConfigError
        If it cannot be used.
    """
    registry = registry_of(path)
    say(registry.left_out)
    return registry
