"""Paths as users write them."""

from __future__ import annotations

import os
from pathlib import Path

from monitor.errors import ConfigError


class PathError(ConfigError, ValueError):
    """A path that cannot be used."""


def at_home(text: str | Path) -> Path:
    """Return a path with the home directory that it begins with: ``~`` or ``~user``.

    A file whose name does begin so can be written as ``./~name`` (as text: a `Path` has lost
    the dot). Any other relative path begins in the working directory.

    Raises
    ------
    PathError
        If there is no such home directory.
    """
    path = Path(text)
    if not str(text).startswith("~"):
        return path
    first, *rest = path.parts
    home = os.path.expanduser(first)
    if not home.startswith("/") or (first == "~" and os.environ.get("HOME") == ""):
        raise PathError(
            f"there is no home directory for {first}: write the whole path, beginning with /"
        )
    return Path(home, *rest)
