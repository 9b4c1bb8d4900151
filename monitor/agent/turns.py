"""A source in its life: whether it answers, where its tip is, and how far that is behind."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from analyzers.leftout import LeftOut
from hashing.header import BlockRef
from monitor.errors import ProofError, SourceError, SourceUnavailable
from monitor.sources.base import BlockSource
from monitor.trouble import Standing, Trouble

log = logging.getLogger(__name__)

LEAVE_AFTER: Final = 5.0
"""Seconds that a source may lack stored blocks before another one leads."""
BEHIND_AFTER: Final = 15.0
"""Seconds that a source may lack stored blocks before it counts as behind."""
BEHIND_BY_ONE_AFTER: Final = 120.0
"""The same for a public API that lacks the newest block only: its servers differ by that."""

RETRY_OWN: Final = 15.0
"""Most seconds until a node of one's own that does not answer yet is asked again."""

Rank: TypeAlias = tuple[float, int]
"""Place in the order of preference, the lowest first."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is, for people.

    `up` is whether it answered last, None before it was asked. `tip` is what it told last;
    `lag` counts the stored blocks that its chain lacks, None before that was looked at.
    `trouble` says what is wrong, empty where nothing is.
    """

    name: str
    up: bool | None
    leads: bool
    tip: BlockRef | None
    lag: int | None
    trouble: str
    left_out: Sequence[LeftOut]


@dataclass(slots=True, eq=False)
class Turn:
    """A source with its rank, and what is known of it.

    `standby` is None for a source that is always asked, once a minute at least. Another one is
    asked only when none of those before it has answered for so many seconds.
    """

    rank: Rank
    source: BlockSource
    standby: float | None = None
    opened: bool = False
    answers: bool | None = None
    """Whether it answered last, None before it was asked."""
    alive_at: float = -math.inf
    """Monotonic seconds when it was last seen to be there, whether it could answer or not."""
    tip: BlockRef | None = None
    lag: int | None = None
    """Stored blocks that its chain lacks, None where that is not known."""
    error: SourceError | ProofError | None = None
    """Why it failed, None while it works."""
    behind: bool = False
    """Whether it has lacked stored blocks for so long that it must be said."""
    due: float = 0.0
    """Monotonic seconds at which it is looked at next while another one leads."""
    nudge: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `due` or the leader has changed."""
    looking: asyncio.Task[bool] | None = None
    """The look that is under way."""
    trouble: Trouble = field(default_factory=partial(Trouble, log))
    lagging: Standing = field(default_factory=partial(Standing, log))
    _lags_since: float | None = None

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.source.name

    def state(self, *, leads: bool, left_out: Sequence[LeftOut]) -> SourceState:
        """Return how it is, for people."""
        trouble = str(self.error) if self.error else ""
        return SourceState(self.name, self.answers, leads, self.tip, self.lag, trouble, left_out)

    def answer(self, message: str) -> None:
        """Note that it works; `message` says so if it did not before."""
        self.error = None
        self.trouble.recovered(message)

    def fail(self, error: SourceError | ProofError, every: float) -> None:
        """Note that it failed; while that lasts it is said once in `every` seconds."""
        self.error = error
        self.opened = self.answers = False
        wait, most = None, math.inf
        if isinstance(error, SourceUnavailable):
            wait = error.retry_after
            most = math.inf if self.source.capabilities.public else RETRY_OWN
        self.trouble.failed(str(error), at_least=wait, at_most=most, every=every)
        self.due = time.monotonic() + self.trouble.seconds_left()

    @property
    def lags(self) -> bool:
        """Whether it has lacked stored blocks for so long that another one should lead."""
        return self._lags_for(LEAVE_AFTER)

    def until_judged(self) -> float:
        """Return the seconds until its lag counts for more than now; infinite if it has none."""
        if self._lags_since is None or self.behind:
            return math.inf
        age = time.monotonic() - self._lags_since
        due = LEAVE_AFTER if age < LEAVE_AFTER else self._patience()
        return max(0.0, due - age)

    def saw_lag(self, lag: int, stored: BlockRef | None) -> None:
        """Take note of how many stored blocks it lacks, and say so once if that lasts.

        `stored` is the stored tip.
        """
        self.lag = lag
        if not lag or self.tip is None or stored is None:
            self._lags_since, self.behind = None, False
            self.lagging.ended(f"{self.name} has all stored blocks again")
            return
        if self._lags_since is None:
            self._lags_since = time.monotonic()
        if self._lags_for(self._patience()):
            self.behind = True
            self.lagging.began(self.lag_text(stored))

    def lag_text(self, stored: BlockRef) -> str:
        """Say where it is and what that may mean; `stored` is the stored tip."""
        height = self.tip.height if self.tip else 0
        lag = self.lag or 0
        if lag > stored.height - height:
            return (
                f"{self.name} is at {height}, on a chain with less work that lacks the last {lag} "
                f"of the stored blocks (up to {stored.height}); was a block invalidated, or does "
                "it follow other rules?"
            )
        return (
            f"{self.name} is at {height}, {lag} below what is stored; is it "
            "reindexing, or was a block invalidated?"
        )

    def _lags_for(self, seconds: float) -> bool:
        since = self._lags_since
        return since is not None and time.monotonic() - since >= seconds

    def _patience(self) -> float:
        if self.lag == 1 and self.source.capabilities.public:
            return BEHIND_BY_ONE_AFTER
        return BEHIND_AFTER
