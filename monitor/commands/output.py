"""How every command writes its answer as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from monitor.answers.base import Versioned


def write_json(answer: Versioned, *, one_line: bool = False) -> None:
    """Write an answer to stdout: for people's eyes, too, or as a line among others.

    It is plain ASCII: a mark of direction in a stranger's text must not reach a terminal.
    """
    click.echo(json_of(answer, indent=None if one_line else 2))


def json_of(answer: Versioned, *, indent: int | None = None) -> str:
    """Return an answer as JSON."""
    return json.dumps(answer.model_dump(mode="json"), indent=indent, allow_nan=False)
