"""What a watcher is: it observes something beside the chain, and can never delay a block.

A watcher is a thin edge. What it observed leaves it as one immutable value, its *part*: that is
put into the snapshot, and from there come metrics, page and API. `monitor.watch.supervise` runs
it, begins it anew when it fails, and says so once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class LocalRate:
    """Double hashes per second on one thread: median, lowest and highest repetition.

    `kernel` is what hashed: a kernel's name, or ``hashlib``.
    """

    median: float
    lowest: float
    highest: float
    kernel: str = ""


@dataclass(frozen=True, slots=True)
class BitcoinPrice:
    """Dollars per bitcoin, whose word it is, and when it was given (Unix time; None: no time)."""

    usd_per_btc: float
    source: str
    time: float | None


Part: TypeAlias = LocalRate | BitcoinPrice
"""What a watcher observed last. A new kind also gets its metrics in `monitor.metrics.watched`."""


class Observed(Protocol):
    """Takes what a watcher has observed."""

    def __call__(self, part: Part, *, partial: bool = False) -> None:
        """Publish `part`; one that is `partial` does not end a trouble yet."""


class Watcher(Protocol):
    """Observes one thing for ever."""

    @property
    def name(self) -> str:
        """Short stable name, the value of a metric label."""

    @property
    def what(self) -> str:
        """What is observed, as messages call it."""

    @property
    def retry(self) -> tuple[float, float]:
        """Seconds until it is begun anew after a first failure, and the most that these grow to."""

    async def open(self) -> None:
        """Get ready; called before each `run`.

        Raises
        ------
        PoolscopeError, OSError, ValueError
            If that is not possible now.
        """

    async def run(self, observed: Observed) -> None:
        """Observe, and tell `observed` each time; returns where there is nothing to observe.

        Raises
        ------
        PoolscopeError, OSError, ValueError
            If it fails; it is begun anew later.
        """

    async def close(self) -> None:
        """Let go of everything; called after each `run`, however it ended."""
