"""How every command writes its answer as JSON."""

from __future__ import annotations

import click

from monitor.answers.base import CommandAnswer


def write_json(answer: CommandAnswer, *, one_line: bool = False) -> None:
    """Write an answer to stdout: for people's eyes, too, or as a line among others."""
    click.echo(answer.model_dump_json(indent=None if one_line else 2))
