"""Which of several programs for the same work is the fastest, found out within a budget.

A contest is bounded by time, not by work. Candidates are built and measured one after the
other, the most promising first, and what is learned is handed out at once, so that whoever is
interrupted loses the candidate at hand and no more:

- a candidate below `SOUND` times a reference is hopeless, and is found out by its first hashes;
- a sound one makes those needless that it is known to outrun, and they are never built;
- another one is built only if its cost, foreseen from those before it, is within the budget;
- one that takes `OUT` times as long as the best so far after its first runs is dropped, the
  others alternate with it until the verdict is clear.

All is measured in processor time of this thread, so that a busy machine neither cuts a contest
short nor decides it. Paces are those of the quickest of many runs, all the same: other work
spoils caches, too, and some sandboxes' processor time ticks too coarsely, so that the wall clock
must do. A run is short beside the slice of time that a process gets: who interrupts spoils some
of them, not all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

Run = Callable[[int], object]
"""Does so many units of work."""

SOUND: Final = 2.0
"""Times the reference that every candidate worth its name surpasses."""
OUT: Final = 2.0
_ENOUGH: Final = ((2, OUT), (8, 1.1))
"""After how many runs of each which ratio of paces is clear."""
_ROUNDS: Final = 30
_FEW: Final = 8
"""Runs of one that is measured alone."""
_FIRST_COUNT: Final = 256
_RUN: Final = 1e-3
"""Seconds that a run should take: far above the clock's own, far below a slice of time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program that can be built: `cost` relative to others', `outruns` those named."""

    name: str
    build: Callable[[], Run]
    cost: float = 1.0
    outruns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """The best so far, and those that are still to be tried, the most promising first."""

    best: str | None
    untried: tuple[str, ...] = ()


def _fine_clock() -> Callable[[], float]:
    first = time.thread_time()
    while (now := time.thread_time()) == first:
        pass
    return time.thread_time if now - first < _RUN / 10 else time.perf_counter


@dataclass(slots=True)
class Budget:
    """What a contest may cost: seconds of this thread's processor time, and by the wall clock."""

    seconds: float
    wall: float
    processor_clock: Callable[[], float] = time.thread_time
    wall_clock: Callable[[], float] = time.perf_counter
    run_clock: Callable[[], float] = field(default_factory=_fine_clock)
    _begun: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self.processor_clock(), self.wall_clock()

    def left(self) -> float:
        """Return the seconds of processor time that are left; none once the wall time is over."""
        begun, wall_begun = self._begun
        if self.wall_clock() - wall_begun >= self.wall:
            return 0.0
        return self.seconds - (self.processor_clock() - begun)


def hold(
    candidates: Mapping[str, Candidate],
    standing: Standing,
    budget: Budget,
    *,
    reference: Run,
    keep: Callable[[Standing], bool],
    rivals: bool = True,
) -> Standing:
    """Return the standing after as many candidates as the budget allows.

    Begins with `standing`, which another contest may have left. A sound candidate is found
    whatever the budget is: something has to do the work; without `rivals`, no more than that.
    `keep` is given each new standing; where it returns False nothing can be kept, so that each
    process would measure anew, and then rivals are not tried either.
    """
    contest = _Contest(candidates, standing, budget, reference)
    while (name := contest.next(rivals=rivals)) is not None:
        before = contest.standing
        rest = tuple(other for other in before.untried if other != name)
        if before.best is not None:
            # Should this one take the process down with it, it is not tried again.
            keep(Standing(before.best, rest))
        try:
            contest.enter(candidates[name], rest)
        except BaseException:
            keep(before)
            raise
        rivals = keep(contest.standing) and rivals
    return contest.standing


class _Contest:
    def __init__(
        self,
        candidates: Mapping[str, Candidate],
        standing: Standing,
        budget: Budget,
        reference: Run,
    ) -> None:
        self.standing = standing
        self._candidates = candidates
        self._budget = budget
        self._reference = reference
        self._sound = standing.best is not None
        self._slowest: float | None = None
        """Seconds for a unit of work that a sound candidate stays below."""
        self._best_run: Run | None = None
        self._best_pace = float("inf")
        self._unit = 0.0
        """Processor time that building a candidate of cost 1 takes here, as far as known."""

    def next(self, *, rivals: bool) -> str | None:
        """Return whom to try next, None if that is enough."""
        untried = self.standing.untried
        if not self._sound:
            return untried[0] if untried else None
        if not rivals:
            return None
        left = self._budget.left()
        return next((name for name in untried if self._cost(name) < left), None)

    def enter(self, candidate: Candidate, rest: tuple[str, ...]) -> None:
        """Build and measure `candidate`; `rest` are still to be tried."""
        best = self.standing.best
        if self._best_run is None and best is not None:
            # Known from before: what it costs to load says nothing of what building costs.
            self._best_run = self._candidates[best].build()
            self._best_run(_FIRST_COUNT)
        run = self._built(candidate)
        slowest = self._slowest_sound_pace()
        if self._best_run is None:
            pace = _pace(run, self._budget.run_clock, hopeless=5 * OUT * slowest)
        else:
            self._best_pace, pace = _paces(self._best_run, run, self._budget.run_clock)
        if pace < self._best_pace:
            best, self._best_run, self._best_pace = candidate.name, run, pace
        self._sound = self._best_pace <= slowest
        needless = candidate.outruns if pace <= slowest else frozenset()
        self.standing = Standing(
            best,
            tuple(
                name
                for name in rest
                if name not in needless and self._cost(name) < self._budget.seconds
            ),
        )

    def _built(self, candidate: Candidate) -> Run:
        before = self._budget.processor_clock()
        run = candidate.build()
        run(_FIRST_COUNT)
        spent = self._budget.processor_clock() - before
        self._unit = max(self._unit, spent / candidate.cost)
        return run

    def _cost(self, name: str) -> float:
        return self._candidates[name].cost * self._unit

    def _slowest_sound_pace(self) -> float:
        if self._slowest is None:
            self._slowest = _pace(self._reference, self._budget.run_clock) / SOUND
        return self._slowest


def _pace(run: Run, clock: Callable[[], float], hopeless: float = float("inf")) -> float:
    """Return the seconds for a unit of work, by the quickest of a few short runs.

    One that takes `hopeless` seconds or more in the first of them is not run as often.
    """
    count, seconds = _enough(run, clock)
    for done in range(_FEW):
        if done >= 2 and seconds >= hopeless * count:
            break
        seconds = min(seconds, _timed(run, count, clock))
    return seconds / count


def _paces(best: Run, rival: Run, clock: Callable[[], float]) -> tuple[float, float]:
    """Return the paces of both, measured in turn until it is clear which is the faster one."""
    runs = best, rival
    counts, paces = [], []
    for run in runs:
        count, seconds = _enough(run, clock)
        counts.append(count)
        paces.append(seconds / count)
    for done in range(_ROUNDS):
        ratio = max(paces) / min(paces)
        if any(done >= least and ratio > lead for least, lead in _ENOUGH):
            break
        for i, run in enumerate(runs):
            paces[i] = min(paces[i], _timed(run, counts[i], clock) / counts[i])
    return paces[0], paces[1]


def _enough(run: Run, clock: Callable[[], float]) -> tuple[int, float]:
    """Return how much work takes long enough to be timed, and how long it took."""
    count = _FIRST_COUNT
    while (seconds := _timed(run, count, clock)) < _RUN:
        count *= 2
    return count, seconds


def _timed(run: Run, count: int, clock: Callable[[], float]) -> float:
    start = clock()
    run(count)
    return clock() - start
