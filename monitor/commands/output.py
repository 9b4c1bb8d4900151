"""How every command writes its answer as JSON, and rows of one as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence

import click

from monitor.answers.base import Answer, CommandAnswer
from monitor.answers.flat import flat


def write_json(answer: CommandAnswer, *, one_line: bool = False) -> None:
    """Write an answer to stdout: for people's eyes, too, or as a line among others."""
    click.echo(answer.model_dump_json(indent=None if one_line else 2))


def write_csv(rows: Sequence[Answer]) -> None:
    """Write answers as the rows of a CSV table to stdout, with a heading."""
    columns = flat(rows)
    out = csv.DictWriter(sys.stdout, columns[0], lineterminator="\n")
    out.writeheader()
    out.writerows(columns)
