"""The wait while the fastest kernel is found, the first time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from monitor.commands.waiting import busy

if TYPE_CHECKING:
    from hashing.choice import Shape


@contextmanager
def choosing(shape: Shape) -> Iterator[None]:
    """Say on a terminal that the kernel for `shape` is being chosen, if that takes seconds."""
    from hashing import choice

    if choice.is_remembered(shape) and not choice.untried(shape):
        yield
        return
    with busy("first use: choosing the fastest kernel, a few seconds, once"):
        yield
