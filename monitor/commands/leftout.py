"""What a command left out of its input, said the same way by every command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from analyzers.leftout import LeftOut


def say(left_out: Iterable[LeftOut]) -> None:
    """Say on stderr what was left out, a line for each reason."""
    for left in left_out:
        click.echo(str(left), err=True)


def as_json(left_out: Iterable[LeftOut]) -> list[dict[str, Any]]:
    """Return the value of a command's ``left_out`` in its JSON."""
    return [left.as_json() for left in left_out]
