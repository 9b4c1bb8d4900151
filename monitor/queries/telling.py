"""What a question has to say beside its answer: what it left out, and where a span falls short."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from analyzers.leftout import LeftOut
from analyzers.registry import Registry
from monitor.relabel import registry_of

Tell = Callable[[LeftOut | str], None]
"""Takes what was left out, or a note in words; it may come more than once."""


def warn(said: LeftOut | str) -> None:
    """Say it as a Python warning, for whoever asks from Python."""
    warnings.warn(str(said), stacklevel=3)


def tell_all(left_out: Iterable[LeftOut], tell: Tell) -> None:
    """Tell everything that was left out."""
    for left in left_out:
        tell(left)


def registry_told(path: Path | None, tell: Tell = warn) -> Registry:
    """Return the registry at `path`, or the one that ships; tell what it left out.

    Raises
    ------
    ConfigError
        If it cannot be used.
    """
    registry = registry_of(path)
    tell_all(registry.left_out, tell)
    return registry
