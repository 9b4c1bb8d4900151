"""The follower against scripted sources, and the property that it always ends right."""

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hashing.header import BlockHeader, BlockRef
from hashing.params import REGTEST, Milestone, NetworkParams
from monitor.agent.wanted import Apply, GetBlocks, Offer
from monitor.errors import ProofError, SourceUnavailable
from monitor.sources.base import Capabilities
from monitor.store.base import Step
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs
from tests.support.scripted import OFFER, Scripted, active, drive, drive_plan, make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "store.sqlite", "regtest")) as store:
        yield store


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 160)


def knowing(block: Mined) -> NetworkParams:
    """Regtest parameters with a block that is known to be in the chain."""
    milestone = Milestone(block.height, block.header.hash, block.header.nbits)
    return dataclasses.replace(REGTEST, milestone=milestone)


@pytest.mark.slow
def test_a_reorg_deeper_than_is_followed_is_told_with_what_to_do(
    store: SqlStore, chain: list[Mined]
) -> None:
    drive(make(store), Scripted(chain), store)
    other = [*chain[:2], *extend(chain[1], 160, tag=b"/other/")]
    for _ in ("running", "restarted"):
        with pytest.raises(ProofError, match="move the store away and run again") as refusal:
            drive(make(store), Scripted(other), store)
        assert refusal.value.reason == "link"
    assert store.tip() == chain[-1].ref


@pytest.mark.slow
def test_a_made_up_chain_does_not_begin_a_store(store: SqlStore, chain: list[Mined]) -> None:
    params = knowing(extend(chain[99], 1, tag=b"/the real one/")[0])
    with pytest.raises(ProofError, match="its block 101") as refusal:
        drive(make(store, params=params), Scripted(chain), store)
    assert refusal.value.reason == "link"
    assert store.tip() is None
    drive(make(store, params=knowing(chain[100])), Scripted(chain), store)
    assert store.tip() == chain[-1].ref


def test_a_stranger_must_have_reached_what_is_known(store: SqlStore, chain: list[Mined]) -> None:
    params = knowing(extend(chain[-1], 1)[0])
    with pytest.raises(SourceUnavailable, match="far behind"):
        drive(make(store, params=params), Scripted(chain), store)
    own = Offer("node", Capabilities(batch=50, headers_batch=500))
    drive(make(store, params=params), Scripted(chain), store, offer=own)
    assert store.tip() == chain[-1].ref


def test_it_catches_up_only_as_far_as_asked(store: SqlStore, chain: list[Mined]) -> None:
    source = Scripted(chain)
    drive(make(store, catch_up=20), source, store)
    assert active(store) == refs(chain[-20:])
    assert source.asked_blocks == 20


def test_nothing_new_asks_nothing(store: SqlStore, chain: list[Mined]) -> None:
    source = Scripted(chain)
    follower = make(store, catch_up=20)
    drive(follower, source, store)
    source.asked_headers = source.asked_blocks = 0
    drive(follower, source, store)
    assert (source.asked_headers, source.asked_blocks) == (0, 0)


def test_only_what_arrives_while_following_was_first_seen_now(
    store: SqlStore, chain: list[Mined]
) -> None:
    source = Scripted(chain)
    follower = make(store, catch_up=5)
    drive(follower, source, store)
    source.switch(160, extend(chain[-1], 1))
    drive(follower, source, store)
    assert [block.first_seen for block in store.blocks(0, 1000)] == [None] * 5 + [1000]


def test_after_a_restart_at_the_tip_news_is_news(store: SqlStore, chain: list[Mined]) -> None:
    source = Scripted(chain)
    drive(make(store, catch_up=5), source, store)
    follower = make(store)
    drive(follower, source, store)
    source.switch(160, extend(chain[-1], 1))
    drive(follower, source, store)
    assert [block.first_seen for block in store.blocks(160, 1000)] == [None, 1000]


def test_a_time_before_the_parents_is_no_reason_to_refuse(store: SqlStore) -> None:
    before = extend(genesis(), 46)  # the chain of headers begins with the last of these
    back = extend(before[-1], 1, spacing=-1200)
    source = Scripted(before + back + extend(back[-1], 153))
    drive(make(store, catch_up=144), source, store)
    assert store.tip() == source.tip


@pytest.mark.parametrize("depth", [1, 2, 30, 100])
def test_a_reorg_is_one_rollback(store: SqlStore, chain: list[Mined], depth: int) -> None:
    source = Scripted(chain)
    follower = make(store, catch_up=120)
    drive(follower, source, store)
    branch = extend(chain[-1 - depth], depth + 1, tag=b"/ViaBTC/")
    source.switch(160 - depth, branch)
    drive(follower, source, store)
    assert active(store) == refs(chain[40 : 160 - depth]) + refs(branch)
    assert [block.ref for block in store.stale_blocks()] == refs(chain[160 - depth :])
    (reorg,) = store.reorgs()
    assert (reorg.fork_height, reorg.depth) == (160 - depth, depth)


def test_a_chain_with_less_work_is_ignored(store: SqlStore, chain: list[Mined]) -> None:
    follower = make(store, catch_up=20)
    drive(follower, Scripted(chain), store)
    behind = Scripted(chain[:-3])
    drive(follower, behind, store)
    rival = Scripted(chain[:-3] + extend(chain[-4], 2, tag=b"/rival/"))
    drive(follower, rival, store)
    assert store.tip() == chain[-1].ref


def test_offered_stale_branches_are_kept(store: SqlStore, chain: list[Mined]) -> None:
    source = Scripted(chain)
    side = extend(chain[-6], 3, tag=b"/side/")
    source.known |= {block.ref.hash: block for block in side}
    source.stale = (side[-1].ref, BlockRef(150, bytes(32)))
    follower = make(store, catch_up=20)
    drive(follower, source, store)
    assert [block.ref for block in store.stale_blocks()] == refs(side)
    assert all(block.attribution.pool == "pool" for block in store.stale_blocks())
    source.asked_blocks = 0
    drive(follower, source, store)
    assert source.asked_blocks == 0


def test_a_forged_block_is_refused_and_an_honest_source_goes_on(
    store: SqlStore, chain: list[Mined]
) -> None:
    liar = Scripted(chain)
    liar.tamper = lambda block: dataclasses.replace(block, txids=None)
    follower = make(store, catch_up=20)
    with pytest.raises(ProofError) as refusal:
        drive(follower, liar, store)
    assert refusal.value.reason == "unproved"
    assert store.tip() is None
    drive(follower, Scripted(chain), store)
    assert active(store) == refs(chain[-20:])


def test_a_forged_header_is_refused_and_an_honest_source_goes_on(
    store: SqlStore, chain: list[Mined]
) -> None:
    follower = make(store, catch_up=20)
    drive(follower, Scripted(chain[:-1]), store)
    liar = Scripted(chain)
    liar.tamper_header = lambda header: header[:68] + b"\xff" + header[69:]
    with pytest.raises(ProofError) as refusal:
        drive(follower, liar, store)
    assert refusal.value.reason in {"link", "pow"}
    drive(follower, Scripted(chain), store)
    assert store.tip() == chain[-1].ref


def test_a_poisoned_stale_block_is_taken_from_another_source(
    store: SqlStore, chain: list[Mined]
) -> None:
    side = extend(chain[-6], 3, tag=b"/side/")
    follower = make(store, catch_up=20)
    drive(follower, Scripted(chain), store)
    liar, honest = Scripted(chain), Scripted(chain)
    for source in (liar, honest):
        source.known |= {block.ref.hash: block for block in side}
        source.stale = (side[-1].ref,)
    liar.tamper = lambda block: dataclasses.replace(block, txids=None)
    with pytest.raises(ProofError):
        drive(follower, liar, store)
    assert store.stale_blocks() == []
    drive(follower, honest, store, offer=dataclasses.replace(OFFER, name="honest"))
    assert [block.ref for block in store.stale_blocks()] == refs(side)


def test_a_source_cannot_keep_it_asking_for_ever(store: SqlStore, chain: list[Mined]) -> None:
    follower = make(store, catch_up=20)
    drive(follower, Scripted(chain[:-1]), store)
    liar = Scripted(chain)
    liar.answer_headers = lambda _start: [chain[-3].raw[:80]]
    with pytest.raises(ProofError) as refusal:
        drive(follower, liar, store)
    assert refusal.value.reason == "mismatch"


def test_headers_that_end_before_the_tip_are_asked_again(
    store: SqlStore, chain: list[Mined]
) -> None:
    follower = make(store, catch_up=20)
    drive(follower, Scripted(chain[:-1]), store)
    changing = Scripted(chain)
    changing.answer_headers = lambda start: [b.raw[:80] for b in changing.chain[start:160]]
    with pytest.raises(SourceUnavailable, match="do not lead to its tip 160"):
        drive(follower, changing, store)
    drive(follower, Scripted(chain), store)
    assert store.tip() == chain[-1].ref


@pytest.mark.slow
def test_a_source_far_behind_is_no_liar(store: SqlStore, chain: list[Mined]) -> None:
    grown = chain + extend(chain[-1], 60)
    drive(make(store), Scripted(grown), store)
    behind = Scripted(chain[:20])
    for follower in (make(store), following := make(store)):
        drive(follower, behind, store)
        assert follower.lag(behind.tip) == 200
        assert not follower.is_news(behind.tip)
    drive(following, Scripted(grown), store)
    assert following.lag(grown[-1].ref) == 0
    assert store.tip() == grown[-1].ref


@pytest.mark.parametrize("found", [0, 2])
def test_another_number_of_blocks_than_asked_is_refused(
    store: SqlStore, chain: list[Mined], found: int
) -> None:
    source = Scripted(chain)
    source.stale = (extend(chain[-6], 1, tag=b"/side/")[0].ref,)
    follower = make(store, catch_up=1)
    drive_plan(follower.follow(OFFER, source.tip), source, store)
    plan = follower.branch(OFFER, source.stale[0])
    assert next(plan) == GetBlocks([source.stale[0]])
    with pytest.raises(ProofError) as refusal:
        plan.send([chain[-1].offered()] * found)
    assert refusal.value.reason == "mismatch"


def test_a_source_that_fails_midway_loses_nothing(store: SqlStore, chain: list[Mined]) -> None:
    follower = make(store, catch_up=50)
    plan = follower.follow(OFFER, Scripted(chain).tip)
    source = Scripted(chain)
    wanted = next(plan)
    while not isinstance(wanted, Apply):
        wanted = plan.send(source.answer(wanted, store))
    store.apply(wanted.step)
    plan.send(None)
    with pytest.raises(SourceUnavailable):
        plan.throw(SourceUnavailable("gone"))
    drive(follower, source, store)
    assert active(store) == refs(chain[-50:])


class AnyHistory(RuleBasedStateMachine):
    """Tips, forks, reorgs, gaps, pruning, repeats, crashes and restarts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self._folder.name) / "store.sqlite", "regtest")
        self.source = Scripted(extend(genesis(), 3))
        self.follower = make(self.store)
        self.branches = 0

    @rule(count=st.integers(1, 9))
    def blocks_arrive(self, count: int) -> None:
        self.source.switch(self.source.chain[-1].height, extend(self.source.chain[-1], count))

    @rule(depth=st.integers(1, 100), more=st.integers(1, 3))
    def a_longer_branch_wins(self, depth: int, more: int) -> None:
        depth = min(depth, len(self.source.chain) - 2)
        self.branches += 1
        loser = self.source.chain[-1].ref
        fork = self.source.chain[-1 - depth]
        branch = extend(fork, depth + more, tag=b"/branch %d/" % self.branches)
        self.source.switch(fork.height, branch)
        self.source.stale = (*self.source.stale, loser)

    @rule(kept=st.integers(1, 20))
    def the_source_prunes(self, kept: int) -> None:
        self.source.gone |= set(range(self.source.chain[-1].height - kept))

    @rule()
    def a_hint_comes(self) -> None:
        drive(self.follower, self.source, self.store)

    @rule(answers=st.integers(0, 12))
    def it_is_cut_off(self, answers: int) -> None:
        drive(self.follower, self.source, self.store, stop_after=answers)
        self.follower = make(self.store)

    @rule()
    def it_restarts(self) -> None:
        self.follower = make(self.store)

    @precondition(lambda self: self.store.tip() is not None)
    @rule()
    def the_last_step_is_applied_again(self) -> None:
        tip = self.store.tip()
        assert tip is not None
        block = self.store.block(tip.height)
        assert block is not None
        self.store.apply(Step([block]))

    @invariant()
    def the_store_is_one_chain(self) -> None:
        headers = [BlockHeader.parse(raw) for raw in self.store.headers(0, 100_000)]
        for parent, child in pairwise(headers):
            assert child.prev_hash == parent.hash

    def teardown(self) -> None:
        drive(self.follower, self.source, self.store)
        # below what the source kept when it was first asked, there may be nothing
        stored = active(self.store)
        assert stored == refs(self.source.chain)[-len(stored) :]
        assert self.source.gone or len(stored) == len(self.source.chain)
        bare = {block.height for block in self.store.header_only(1, 100_000)}  # 0 has no more
        assert bare <= self.source.gone
        here = {ref.hash for ref in active(self.store)}
        assert all(block.ref.hash not in here for block in self.store.stale_blocks())
        self.store.close()
        self._folder.cleanup()


AnyHistory.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_any_history_ends_as_a_straight_read = AnyHistory.TestCase
