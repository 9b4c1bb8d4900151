"""Paths as users write them."""

from __future__ import annotations

import os
from pathlib import Path

from monitor.errors import ConfigError


class PathError(ConfigError, ValueError):
    """A path that cannot be used."""


def at_home(path: Path) -> Path:
    """Return `path` with the home directory that it begins with: ``~`` or ``~user``.

    A file whose name does begin so can be written as ``./~name``. Any other relative path
    begins in the working directory.

    Raises
    ------
    PathError
        If there is no such home directory.
    """
    first, *rest = path.parts or ("",)
    if not first.startswith("~"):
        return path
    home = os.path.expanduser(first)
    if not home.startswith("/") or (first == "~" and os.environ.get("HOME") == ""):
        raise PathError(
            f"there is no home directory for {first}: write the whole path, beginning with /"
        )
    return Path(home, *rest)
