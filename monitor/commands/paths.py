"""Paths on the command line."""

from __future__ import annotations

from typing import Any

import click

from monitor.paths import PathError, at_home


class HomePath(click.Path):
    """A path in which ``~`` is the home directory: a shell leaves it alone in ``--out=~/x``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path with its home directory, as `click.Path` returns it."""
        try:
            value = at_home(value) if str(value).startswith("~") else value
        except PathError as error:
            self.fail(str(error), param, ctx)
        return super().convert(value, param, ctx)
