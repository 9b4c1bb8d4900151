"""Blocks whose bodies the followed source does not have: from others, or by their headers."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.agent.bodies import ranges_of
from monitor.agent.wanted import Offer
from monitor.errors import NotFound, NotKept
from monitor.sources.base import Capabilities
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs
from tests.support.scripted import OFFER, Scripted, active, drive, make

OWN = Offer("node", Capabilities(batch=7, headers_batch=50))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "store.sqlite", "regtest")) as store:
        yield store


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 120)


@pytest.fixture
def left(store: SqlStore, chain: list[Mined]) -> SqlStore:
    """The store of an agent that was away after block 60."""
    drive(make(store, catch_up=20), Scripted(chain[:60]), store)
    return store


def offer(bodies_from: int, name: str = "node") -> Offer:
    return Offer(name, dataclasses.replace(OWN.capabilities, bodies_from=bodies_from))


def header_only(store: SqlStore) -> list[int]:
    return [block.height for block in store.header_only(0, 10_000)]


@pytest.mark.parametrize("told", [True, False])
def test_a_first_start_begins_where_the_source_has_blocks(
    store: SqlStore, chain: list[Mined], told: bool
) -> None:
    source = Scripted(chain)
    source.gone = set(range(100))
    drive(make(store, catch_up=50), source, store, offer=offer(100 if told else 0))
    assert active(store) == refs(chain[99:])
    assert header_only(store) == []
    (said,) = source.said
    assert "from height 100 on" in said.text
    assert "not at 71" in said.text
    assert not said.warning
    assert not told or source.asked_blocks == 21


def test_what_was_pruned_since_the_source_told_is_left_too(
    store: SqlStore, chain: list[Mined]
) -> None:
    source = Scripted(chain)
    source.gone = set(range(109))
    drive(make(store, catch_up=50), source, store, offer=offer(100))
    assert active(store) == refs(chain[108:])


@pytest.mark.parametrize("bodies_from", [0, 40, 100])
def test_a_source_that_keeps_what_is_wanted_begins_there(
    store: SqlStore, chain: list[Mined], bodies_from: int
) -> None:
    source = Scripted(chain)
    drive(make(store, catch_up=20), source, store, offer=offer(bodies_from))
    assert active(store) == refs(chain[-20:])
    assert source.said == []


def test_a_source_that_claims_to_keep_nothing_is_asked(store: SqlStore, chain: list[Mined]) -> None:
    drive(make(store, catch_up=20), Scripted(chain), store, offer=offer(4000))
    assert active(store) == refs(chain[-20:])


def test_a_source_without_its_own_tip_does_not_begin_a_store(
    store: SqlStore, chain: list[Mined]
) -> None:
    source = Scripted(chain)
    source.gone = set(range(121))
    with pytest.raises(NotKept):
        drive(make(store, catch_up=20), source, store, offer=OWN)
    assert store.tip() is None


@pytest.mark.parametrize("told", [True, False])
def test_a_gap_that_nobody_has_is_linked_by_headers(
    left: SqlStore, chain: list[Mined], told: bool
) -> None:
    source = Scripted(chain)
    source.gone = set(range(90))
    drive(make(left), source, left, offer=offer(90 if told else 0))
    assert active(left) == refs(chain[40:])
    assert header_only(left) == list(range(61, 90))
    for block in left.blocks(61, 90):
        assert (block.proof, block.coinbase_tx, block.label) == ("header", None, None)
        assert (block.attribution.pool, block.tx_count, block.size) == (None, None, None)
    (said,) = source.said
    assert said.warning
    assert "29 blocks (61 to 89)" in said.text
    assert "poolscope backfill --missing" in said.text


def test_holes_in_the_midst_are_linked_and_named(left: SqlStore, chain: list[Mined]) -> None:
    source = Scripted(chain)
    source.gone = {64, 70, 71, 72, 100}
    drive(make(left), source, left, offer=OWN)
    assert header_only(left) == sorted(source.gone)
    assert "(64, 70 to 72, 100)" in source.said[0].text
    source.switch(120, extend(chain[-1], 3))
    drive(make(left), source, left, offer=OWN)
    assert len(source.said) == 1  # once is enough


def test_one_hole_is_spoken_of_as_one(left: SqlStore, chain: list[Mined]) -> None:
    source = Scripted(chain)
    source.gone = {64}
    drive(make(left), source, left, offer=OWN)
    assert source.said[0].text.startswith("1 block (64) is stored by its header alone")


def test_a_gap_comes_from_others_in_their_order(left: SqlStore, chain: list[Mined]) -> None:
    source, first, second = Scripted(chain), Scripted(chain), Scripted(chain)
    source.gone, first.gone = set(range(90)), set(range(80))
    source.elsewhere = [(offer(80, "files"), first), (OFFER, second)]
    drive(make(left), source, left, offer=offer(90))
    assert active(left) == refs(chain[40:])
    assert header_only(left) == []
    by = [block.source for block in left.blocks(61, 121)]
    assert by == ["test"] * 19 + ["files"] * 10 + ["node"] * 31
    assert {block.attribution.pool for block in left.blocks(61, 121)} == {"pool"}
    assert source.said == []
    assert second.asked_blocks == 19


def test_only_what_others_have_is_filled(left: SqlStore, chain: list[Mined]) -> None:
    source, other = Scripted(chain), Scripted(chain)
    source.gone, other.gone = set(range(90)), set(range(70)) | {85}
    source.elsewhere = [(OFFER, other)]
    drive(make(left), source, left, offer=offer(90))
    assert header_only(left) == [*range(61, 70), 85]
    assert "10 blocks (61 to 69, 85)" in source.said[0].text


def test_other_sources_prove_their_blocks_too(left: SqlStore, chain: list[Mined]) -> None:
    source, liar, honest = Scripted(chain), Scripted(chain), Scripted(chain)
    source.gone = set(range(90))
    liar.tamper = lambda block: dataclasses.replace(block, txids=None)
    source.elsewhere = [(dataclasses.replace(OFFER, name="liar"), liar), (OFFER, honest)]
    drive(make(left), source, left, offer=offer(90))
    assert header_only(left) == []
    assert {block.source for block in left.blocks(61, 90)} == {"test"}
    (refused,) = source.refused
    assert refused.reason == "unproved"
    assert str(refused).startswith("liar: ")
    assert liar.asked_blocks <= OWN.capabilities.batch  # never again on this way


def test_another_source_that_sends_another_number_is_refused(
    left: SqlStore, chain: list[Mined], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, other = Scripted(chain), Scripted(chain)
    source.gone = set(range(90))
    source.elsewhere = [(OFFER, other)]
    monkeypatch.setattr(other, "blocks", lambda _refs: [])
    drive(make(left), source, left, offer=offer(90))
    assert source.refused[0].reason == "mismatch"
    assert header_only(left) == list(range(61, 90))


def test_a_header_from_elsewhere_is_no_better_than_our_own(
    left: SqlStore, chain: list[Mined]
) -> None:
    source, other = Scripted(chain), Scripted(chain)
    source.gone = {70}
    other.tamper = lambda block: dataclasses.replace(block, coinbase_tx=None, txids=None)
    source.elsewhere = [(OFFER, other)]
    drive(make(left), source, left, offer=OWN)
    assert header_only(left) == [70]
    assert [block.source for block in left.blocks(70, 71)] == ["node"]


def test_a_block_that_is_not_there_is_never_linked_by_its_header(
    left: SqlStore, chain: list[Mined]
) -> None:
    source = Scripted(chain)
    del source.known[chain[69].ref.hash]
    with pytest.raises(NotFound):
        drive(make(left), source, left, offer=OWN)
    assert header_only(left) == []
    assert left.tip() == chain[66].ref  # as far as whole batches came
    source.elsewhere = [(OFFER, Scripted(chain))]
    drive(make(left), source, left, offer=OWN)
    assert left.tip() == chain[-1].ref
    assert header_only(left) == []


@pytest.mark.parametrize("error", [NotKept, NotFound])
def test_nothing_is_linked_while_the_tip_itself_is_not_to_be_had(
    left: SqlStore, chain: list[Mined], error: type[NotFound]
) -> None:
    source = Scripted(chain)
    source.gone = set(range(62, 70))
    if error is NotKept:
        source.gone.add(120)
    else:
        del source.known[chain[-1].ref.hash]
    with pytest.raises(error):
        drive(make(left), source, left, offer=OWN)
    assert header_only(left) == []
    assert left.tip() == chain[59].ref


def test_stale_blocks_are_never_stored_by_their_headers(left: SqlStore, chain: list[Mined]) -> None:
    source = Scripted(chain)
    side = extend(chain[-6], 3, tag=b"/side/")
    source.known |= {block.ref.hash: block for block in side[1:]}
    source.stale = (side[-1].ref,)
    drive(make(left), source, left, offer=OWN)
    assert left.stale_blocks() == []


def test_a_crash_amid_a_gap_is_gone_on_from(left: SqlStore, chain: list[Mined]) -> None:
    for answers in range(1, 40, 3):
        source = Scripted(chain)
        source.gone = set(range(90))
        drive(make(left), source, left, offer=offer(90), stop_after=answers)
    drive(make(left), source, left, offer=offer(90))
    assert active(left) == refs(chain[40:])
    assert header_only(left) == list(range(61, 90))


def test_ranges() -> None:
    assert ranges_of([]) == ""
    assert ranges_of([7]) == "7"
    assert ranges_of([1, 3, 5, 7, 9, 11, 12]) == "1, 3, 5, 7, 9, ..."
