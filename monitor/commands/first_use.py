"""A word about the wait while the hashing kernels are compiled, the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hashing.choice import Shape


def announce_first_use(shape: Shape) -> None:
    """Say on stderr that kernels for `shape` are about to be compiled, if they are."""
    from hashing import choice

    if not choice.is_remembered(shape):
        click.echo(
            "compiling kernels for this processor and choosing the fastest: "
            "some seconds, the first time only",
            err=True,
        )
