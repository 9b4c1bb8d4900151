"""What is shown on a terminal while something takes a while; in a pipe nothing is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

Item = TypeVar("Item")

_PATIENCE: Final = 2.0
"""Seconds of work before progress is shown."""
_REFRESH: Final = 200
"""Items between two looks of the progress bar."""


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show on stderr what is being done while it lasts, if somebody is there to see it."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many more of `total` are done, from any thread.

    On a terminal that is shown on stderr once the work takes over two seconds, even if nothing
    is done by then.
    """
    if not sys.stderr.isatty():
        yield lambda _more: None
        return
    with _bar() as bar:
        task = bar.add_task(what, total=total)
        unseen, lock = 0, Lock()

        def advance(more: int) -> None:
            nonlocal unseen
            with lock:
                unseen += more
                if unseen >= _REFRESH:
                    bar.update(task, advance=unseen)
                    unseen = 0

        yield advance


def watched(
    items: Iterable[Item], total: int, what: str, *, weigh: Callable[[Item], int] = lambda _: 1
) -> Iterator[Item]:
    """Yield `items`; on a terminal, show rate and time left once it takes over two seconds."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rate = TextColumn("{task.fields[rate]:,.0f}/s")
    started, done = time.monotonic(), 0
    with _bar(*columns, rate, TimeLeft()) as bar:
        task = bar.add_task(what, total=total, rate=0)
        for item in items:
            yield item
            done += weigh(item)
            seconds = time.monotonic() - started
            bar.update(task, completed=done, rate=done / max(seconds, 0.01))


def _bar(*columns: ProgressColumn) -> Progress:
    """Return a progress bar on stderr that appears by itself when patience is over."""
    from rich.console import Console, RenderableType
    from rich.progress import Progress

    since = time.monotonic() + _PATIENCE

    class Patient(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            return super().get_renderables() if time.monotonic() >= since else ()

    return Patient(*columns, console=Console(stderr=True), transient=True)
