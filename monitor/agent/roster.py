"""The sources of an agent in their order of preference: which leads, which is asked, and why."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from monitor.agent.follower import Follower
from monitor.agent.turns import Rank, Turn
from monitor.sources.base import BlockSource

NO_NODE: Final = (
    "a bitcoind node on this machine: no cookie is in the usual datadirs; name one with "
    "--bitcoind http://USER:PASSWORD@HOST:PORT"
)
"""What is waited for while there is no source at all."""


LOOKING: Final = 1.0
"""Seconds between looks whether a source that is being asked has answered."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A source that is asked only when none before it has answered for `after` seconds."""

    source: BlockSource
    after: float = 0.0


class Roster:
    """Turns in their order, judged by what `follower` has stored."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self.turns: list[Turn] = []
        """The preferred one first."""
        self.leader: Turn | None = None
        """The one whose hints are waited for, None while none answers."""

    def add(self, source: BlockSource, rank: Rank, standby: float | None = None) -> Turn:
        """Take in a source; return its turn."""
        turn = Turn(rank, source, standby)
        self.turns.append(turn)
        self.turns.sort(key=lambda turn: turn.rank)
        return turn

    def best(self) -> Turn | None:
        """Return the preferred one of those that answer; one that falls behind comes last."""
        answering = [turn for turn in self.turns if turn.answers and not self.is_ahead(turn)]
        return min(answering, key=lambda turn: (turn.lags, turn.rank), default=self.leader)

    def is_ahead(self, turn: Turn) -> bool:
        """Say whether a source has shown a tip that is not followed yet."""
        if not turn.answers or turn.tip is None or turn.trouble.seconds_left() > 0:
            return False
        return self._follower.is_news(turn.tip)

    def until_wanted(self, turn: Turn) -> float:
        """Return the seconds until a source is to be asked while none leads, at most 0 for now."""
        wait = turn.trouble.seconds_left()
        if turn.standby is None:
            return wait
        before = [other for other in self.turns if other.rank < turn.rank]
        if any(other.looking and not other.looking.done() for other in before):
            return LOOKING  # one that is slow is not one that is away
        alive = max((other.alive_at for other in before), default=0.0)
        return max(wait, alive + turn.standby - time.monotonic())

    def elsewhere(self, asked: Iterable[str]) -> list[Turn]:
        """Return the sources that may be asked for a block which those `asked` do not have.

        Strangers who are only on standby are none.
        """
        return [
            turn
            for turn in self.turns
            if turn.name not in asked
            and (turn.standby is None or not turn.source.capabilities.public)
        ]

    def behind(self) -> str | None:
        """Say what is waited for, or that no source has what is stored; None if all is well."""
        if self.leader is None:
            return self._waiting()
        stored = self._follower.tip
        if stored is not None and all(turn.behind for turn in self.turns if turn.answers):
            return self.leader.lag_text(stored)
        return None

    def _waiting(self) -> str:
        reasons = []
        for turn in self.turns:
            why = str(turn.error) if turn.error else "it has not answered yet"
            if turn.standby is None or turn.error:
                reasons.append(why if why.startswith(turn.name) else f"{turn.name}: {why}")
        return "waiting for " + ("; ".join(reasons) or NO_NODE)
