"""Which candidate wins, and what finding out costs, on machines that only exist here."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from hashing.contest import Budget, Candidate, Run, Standing, hold

REFERENCE = 1e-6
"""Seconds of a loop over hashlib for a hash."""


@dataclass
class Machine:
    """A machine with clocks of its own, `slow` times as slow as ours, and `busy` with others.

    A slice of time is 4 ms; where it is busy, so many others have theirs before ours comes again.
    """

    slow: float = 1.0
    busy: int = 0
    processor: float = 0.0
    wall: float = 0.0
    hashes: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    built: list[str] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    _left: float = 0.004

    def work(self, seconds: float) -> None:
        seconds *= self.slow
        self.processor += seconds
        self.wall += seconds
        self._left -= seconds
        while self._left < 0:
            self._left += 0.004
            self.wall += sum(self.chance.uniform(0.001, 0.004) for _ in range(self.busy))

    def program(self, name: str, pace: float) -> Run:
        def run(count: int) -> None:
            self.hashes[name] += count
            before = self.processor
            # Other work in the caches: no run is the quickest possible.
            self.work(count * pace * self.chance.uniform(1.0, 1.05))
            self.seconds[name] += self.processor - before

        return run

    def candidate(
        self, name: str, pace: float, compiling: float = 0.5, cost: float = 1.0, outruns: str = ""
    ) -> Candidate:
        def build() -> Run:
            self.built.append(name)
            self.work(compiling)
            return self.program(name, pace)

        return Candidate(name, build, cost, frozenset(outruns.split()))

    def budget(self, seconds: float = 4.0, wall: float = 30.0, *, coarse: bool = False) -> Budget:
        """Return a budget; where processor time is `coarse`, runs are timed by the wall clock."""
        clocks = (lambda: self.processor), (lambda: self.wall)
        return Budget(seconds, wall, *clocks, clocks[coarse])


@dataclass
class Memory:
    """What a contest hands out to be kept."""

    works: bool = True
    kept: list[Standing] = field(default_factory=list)

    def __call__(self, standing: Standing) -> bool:
        self.kept.append(standing)
        return self.works


def contest(
    machine: Machine,
    *candidates: Candidate,
    standing: Standing | None = None,
    memory: Memory | None = None,
    budget: Budget | None = None,
    rivals: bool = True,
) -> Standing:
    return hold(
        {candidate.name: candidate for candidate in candidates},
        standing or Standing(None, tuple(candidate.name for candidate in candidates)),
        budget or machine.budget(),
        reference=machine.program("reference", REFERENCE),
        keep=memory or Memory(),
        rivals=rivals,
    )


@pytest.mark.parametrize("busy", [0, 1, 8, 50])
@pytest.mark.parametrize("fastest", range(3))
def test_the_fastest_wins_however_busy_the_machine_is(fastest: int, busy: int) -> None:
    machine = Machine(busy=busy)
    paces = [1.0e-7, 1.2e-7, 1.4e-7]
    order = [*paces[fastest:], *paces[:fastest]]
    three = [machine.candidate(f"{pace:.1e}", pace, 0.1) for pace in order]
    assert contest(machine, *three, budget=machine.budget(wall=1e9)) == Standing("1.0e-07")
    assert machine.processor < 1.5


@pytest.mark.parametrize("busy", [0, 1, 3])
def test_by_the_wall_clock_it_is_found_on_a_machine_that_is_not_too_busy(busy: int) -> None:
    machine = Machine(busy=busy)
    three = [machine.candidate(str(pace), pace * 1e-7, 0.1) for pace in (1.4, 1.0, 1.9)]
    budget = machine.budget(wall=1e9, coarse=True)
    assert contest(machine, *three, budget=budget).best == "1.0"


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("factor", [3, 20, 500, 5000])
def test_what_is_hopeless_is_out_after_its_first_runs(factor: int, place: int) -> None:
    machine = Machine()
    three = [machine.candidate("good", 0.5e-7, 0.1), machine.candidate("fair", 0.6e-7, 0.1)]
    three.insert(place, machine.candidate("slow", 0.5e-7 * factor, 0.1))
    assert contest(machine, *three) == Standing("good")
    # A few times 256 hashes, or a few runs of a millisecond.
    assert machine.seconds["slow"] < max(0.02, 8 * 256 * 0.5e-7 * factor)
    assert machine.seconds["slow"] / machine.hashes["slow"] >= 0.5e-7 * factor


def test_one_that_is_twice_as_slow_is_not_run_thirty_times() -> None:
    machine = Machine()
    contest(machine, machine.candidate("good", 1e-7), machine.candidate("slow", 2.5e-7))
    assert machine.seconds["slow"] < 0.012


def test_the_slower_of_two_that_are_close_costs_no_more_than_a_tenth_of_a_second() -> None:
    machine = Machine()
    contest(machine, machine.candidate("one", 1e-7, 0.1), machine.candidate("two", 1.01e-7, 0.1))
    assert machine.seconds["one"] + machine.seconds["two"] < 0.2


def test_what_a_sound_one_outruns_is_never_built() -> None:
    machine = Machine()
    first = machine.candidate("first", 1e-7, outruns="second third")
    rest = [machine.candidate("second", 0.5e-7), machine.candidate("third", 2e-7)]
    assert contest(machine, first, *rest) == Standing("first")
    assert machine.built == ["first"]


def test_a_hopeless_one_outruns_nobody() -> None:
    machine = Machine()
    first = machine.candidate("first", 10 * REFERENCE, outruns="second third")
    rest = [machine.candidate("second", 2e-7, outruns="third"), machine.candidate("third", 1e-7)]
    assert contest(machine, first, *rest) == Standing("second")
    assert machine.built == ["first", "second"]


def test_where_all_are_hopeless_the_least_bad_one_works() -> None:
    machine = Machine()
    three = [machine.candidate(str(n), n * REFERENCE) for n in (3, 1, 2)]
    assert contest(machine, *three) == Standing("1")


@pytest.mark.parametrize("slow", [1, 5, 20, 200])
def test_the_budget_holds_on_slow_machines(slow: float) -> None:
    """But for the one candidate that something has to do the work with."""
    machine = Machine(slow=slow)
    costs = {"a": 2.0, "b": 1.0, "c": 4.0, "d": 4.0}
    candidates = [machine.candidate(name, 1e-7, cost / 2, cost) for name, cost in costs.items()]
    found = contest(machine, *candidates)
    assert found.best is not None
    assert machine.processor < max(4.5, slow * 1.2)
    # What no budget of this size is enough for is not promised either.
    assert all(slow * costs[name] / 2 < 4.0 for name in found.untried)


def test_what_there_was_no_time_for_is_tried_the_next_time() -> None:
    machine = Machine()
    candidates = [machine.candidate(name, pace, 1.5) for name, pace in (("a", 3e-7), ("b", 2e-7))]
    candidates += [machine.candidate("c", 1e-7, 1.5), machine.candidate("d", 1.5e-7, 1.5)]
    found, rounds = contest(machine, *candidates), 1
    assert found == Standing("b", ("c", "d"))
    while found.untried:
        machine.built.clear()
        before = machine.processor
        found, rounds = contest(machine, *candidates, standing=found), rounds + 1
        assert machine.processor - before < 5
        assert "a" not in machine.built
    assert found == Standing("c")
    assert rounds <= 4


def test_a_candidate_that_compiles_for_ever_costs_its_own_time_and_nothing_more() -> None:
    """That it would was not to be foreseen; what was known then stands, and nothing is begun."""
    machine = Machine()
    endless = machine.candidate("endless", 1e-7, compiling=60)
    two = [machine.candidate("a", 2e-7), machine.candidate("b", 1.5e-7)]
    found = contest(machine, two[0], endless, two[1])
    assert machine.built == ["a", "endless"]
    assert found == Standing("endless")
    assert machine.processor < 62
    machine = Machine()
    two = [machine.candidate("a", 2e-7), machine.candidate("b", 1.5e-7)]
    foreseen = machine.candidate("endless", 1e-7, compiling=60, cost=120)
    assert contest(machine, two[0], foreseen, two[1]) == Standing("b")
    assert machine.built == ["a", "b"]


def test_where_the_processor_is_hardly_had_the_wall_clock_ends_it() -> None:
    machine = Machine(busy=400)
    three = [machine.candidate(name, 1e-7) for name in "abc"]
    found = contest(machine, *three)
    assert machine.built == ["a"]
    assert found == Standing("a", ("b", "c"))


def test_without_rivals_the_first_sound_one_does() -> None:
    machine = Machine()
    three = [machine.candidate("a", 5e-6), machine.candidate("b", 2e-7)]
    three.append(machine.candidate("c", 1e-7))
    assert contest(machine, *three, rivals=False) == Standing("b", ("c",))
    assert machine.built == ["a", "b"]


def test_where_nothing_can_be_kept_nothing_more_is_tried_than_it_takes() -> None:
    machine = Machine()
    three = [machine.candidate("a", 5e-6), machine.candidate("b", 2e-7)]
    three.append(machine.candidate("c", 1e-7))
    assert contest(machine, *three, memory=Memory(works=False)) == Standing("b", ("c",))


def test_each_result_is_kept_at_once() -> None:
    machine, memory = Machine(), Memory()
    contest(
        machine, *(machine.candidate(n, 1e-7 / (1 + i)) for i, n in enumerate("abc")), memory=memory
    )
    assert memory.kept[0] == Standing("a", ("b", "c"))
    assert memory.kept[-1] == Standing("c")
    # While one is tried it is not among those that are left: it may end the process.
    assert memory.kept[1] == Standing("a", ("c",))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
def test_who_is_interrupted_loses_the_candidate_at_hand_and_tries_it_again(
    error: type[BaseException],
) -> None:
    machine, memory = Machine(), Memory()

    def fail() -> Run:
        raise error

    three = [machine.candidate("a", 2e-7), Candidate("b", fail), machine.candidate("c", 1e-7)]
    with pytest.raises(error):
        contest(machine, *three, memory=memory)
    assert memory.kept[-1] == Standing("a", ("b", "c"))
    again = [three[0], machine.candidate("b", 1.5e-7), three[2]]
    assert contest(machine, *again, standing=memory.kept[-1]) == Standing("c")


def test_the_one_known_from_before_is_measured_anew_beside_its_rivals() -> None:
    """Paces of another day are no measure: the machine may have been busy, or throttled."""
    machine = Machine()
    two = [machine.candidate("old", 1e-7), machine.candidate("new", 2e-7)]
    assert contest(machine, *two, standing=Standing("old", ("new",))) == Standing("old")
    assert machine.hashes["old"] > 0
