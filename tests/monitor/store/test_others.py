"""What other programs do to a store, noticed in SQLite and in a real PostgreSQL alike."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from monitor.errors import StoreChanged, StoreError
from monitor.store import revision, tables
from monitor.store.base import Step, StoredBlock
from monitor.store.rows import to_row
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs

BLOCK = tables.block.c


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 12)


@pytest.fixture
def store(url: str, chain: list[Mined]) -> Iterator[SqlStore]:
    """Blocks 3 to 10, the eighth of them stale beside another one."""
    rival = extend(chain[6], 1, tag=b"/rival/")[0]
    with closing(open_store(url, "regtest")) as store:
        blocks = [block.stored() for block in chain[2:10]]
        store.apply(Step(blocks, stale=[rival.stored(stale=True)]))
        yield store


@pytest.fixture
def other(url: str, store: SqlStore) -> Iterator[SqlStore]:
    """Another program's way to the same store."""
    with closing(open_store(url, "regtest")) as other:
        yield other


def under(version: str, block: Mined, *, stale: bool = False) -> StoredBlock:
    """A block that the registry of this version attributed."""
    stored = block.stored(stale=stale)
    made = dataclasses.replace(stored.attribution, registry_version=version)
    return dataclasses.replace(stored, attribution=made)


def execute(store: SqlStore, *statements: sa.Executable) -> None:
    with store._database.writing() as connection:
        for statement in statements:
            connection.execute(statement)


def relabelled(store: SqlStore, chosen: sa.ColumnElement[bool]) -> None:
    """Give blocks to another registry, as a program that asks nobody does."""
    registry = tables.registry
    number = sa.select(registry.c.id).where(registry.c.name == "registry-2")
    execute(
        store,
        sa.insert(registry).values(name="registry-2"),
        sa.update(tables.block).where(chosen).values(registry_id=number.scalar_subquery()),
    )


def judged_anew(store: SqlStore, place: int) -> None:
    block = store.judged(0, 99)[place]
    store.judge([(block, block.verdict._replace(pool="f2pool"))])


CHAIN = extend(genesis(), 12)
BRANCH = extend(CHAIN[7], 4, tag=b"/ViaBTC/")

CHANGES: dict[str, Callable[[SqlStore], None]] = {
    "another block on top": lambda store: store.apply(Step([CHAIN[10].stored()])),
    "blocks below": lambda store: store.append([to_row(b.stored()) for b in CHAIN[:2]]),
    "a reorg": lambda store: store.apply(Step([b.stored() for b in BRANCH], rollback_to=8)),
    "a stale block": lambda store: store.apply(Step(stale=[BRANCH[0].stored(stale=True)])),
    "the tip made stale": lambda store: store.apply(Step(rollback_to=9)),
    "the newest blocks deleted": lambda store: execute(
        store, sa.delete(tables.block).where(BLOCK.height > 8)
    ),
    "the oldest blocks deleted": lambda store: execute(
        store, sa.delete(tables.block).where(BLOCK.height < 5)
    ),
    "one in between deleted": lambda store: execute(
        store, sa.delete(tables.block).where(BLOCK.height == 6)
    ),
    "all blocks deleted": lambda store: execute(store, sa.delete(tables.block)),
    "a pool judged anew": lambda store: judged_anew(store, 2),
    "a pool changed by hand": lambda store: execute(
        store, sa.update(tables.block).where(BLOCK.height == 4).values(pool_id=None)
    ),
    "the first block under another registry": lambda store: relabelled(store, BLOCK.height == 3),
    "the tip under another registry": lambda store: relabelled(store, BLOCK.height == 10),
    "a stale block under another registry": lambda store: relabelled(store, BLOCK.stale),
    "all under another registry": lambda store: relabelled(store, BLOCK.height >= 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_anothers_is_noticed(
    store: SqlStore, other: SqlStore, change: Callable[[SqlStore], None]
) -> None:
    store.watch()
    assert store.untouched()
    change(other)
    assert not store.untouched()
    assert not store.untouched()


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_is_written_on_a_change_of_anothers(
    store: SqlStore, other: SqlStore, change: Callable[[SqlStore], None]
) -> None:
    store.watch()
    change(other)
    before = (list(other.blocks(0, 99)), other.counts(), other.by_registry())
    mine = Step([extend(CHAIN[9], 1, tag=b"/mine/")[0].stored()])
    row = store.judged(0, 1)
    writes: tuple[Callable[[], None], ...] = (
        lambda: store.apply(mine),
        lambda: store.append([to_row(mine.append[0])]),
        lambda: store.judge([(each, each.verdict._replace(pool="ocean")) for each in row]),
    )
    for write in writes:
        with pytest.raises(StoreChanged, match="another program"):
            write()
    assert (list(other.blocks(0, 99)), other.counts(), other.by_registry()) == before


def test_ones_own_changes_are_ones_own(store: SqlStore, chain: list[Mined]) -> None:
    store.watch()
    store.apply(Step([chain[10].stored()]))
    store.apply(Step([b.stored() for b in BRANCH], rollback_to=8))
    with pytest.raises(StoreError, match="do not continue"):
        store.apply(Step([chain[11].stored()]))
    judged_anew(store, 0)
    store.append([to_row(b.stored()) for b in chain[:2]])
    assert store.untouched()
    assert store.tip() == BRANCH[-1].ref


@pytest.mark.slow
def test_who_reads_anew_goes_on(store: SqlStore, other: SqlStore, chain: list[Mined]) -> None:
    store.watch()
    other.apply(Step([chain[10].stored()]))
    assert not store.untouched()
    store.renew()
    assert store.untouched(), "nobody watches yet"
    store.watch()
    store.apply(Step([chain[11].stored()]))
    assert store.untouched()
    assert store.tip() == chain[11].ref


@pytest.mark.slow
def test_one_that_does_not_watch_may_write_as_before(store: SqlStore, other: SqlStore) -> None:
    other.apply(Step([CHAIN[10].stored()]))
    store.apply(Step([CHAIN[11].stored()]))
    assert store.untouched()


def test_the_pools_of_all_blocks_of_a_window_are_looked_at(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revision, "_LOOKED_AT", 3)
    before = store.revision()
    execute(store, sa.update(tables.block).where(BLOCK.height == 7).values(pool_id=None))
    assert store.revision() == before, "below those that are looked at"
    execute(store, sa.update(tables.block).where(BLOCK.height == 8).values(pool_id=None))
    assert store.revision() != before


def test_large_heights_and_many_pools_are_no_trouble(store: SqlStore) -> None:
    many = [{"id": number, "name": f"pool {number}"} for number in (30_000, 2_000_000_000)]
    execute(
        store,
        sa.insert(tables.pool).values(many),
        sa.update(tables.block).values(height=BLOCK.height + 2_000_000, pool_id=2_000_000_000),
    )
    assert store.revision() == store.revision()


# -- registries


def test_the_registries_of_all_blocks_are_known(store: SqlStore, chain: list[Mined]) -> None:
    assert store.registries() == {"registry-1"}
    assert store.by_registry() == {"registry-1": 9}
    assert store.by_registry(4, 7) == {"registry-1": 3}
    assert store.by_registry(20) == {}
    store.apply(Step([under("registry-2", chain[10])]))
    assert store.registries() == {"registry-1", "registry-2"}
    assert store.by_registry() == {"registry-1": 9, "registry-2": 1}
    assert list(store.by_registry()) == ["registry-1", "registry-2"], "most first"
    assert store.by_registry(10) == {"registry-1": 1, "registry-2": 1}
    assert store.by_registry(3, 11) == {"registry-1": 8}, "stale ones are not in a span"


@pytest.mark.parametrize("place", ["stale", "lowest", "highest"])
def test_one_block_of_another_registry_is_found_wherever_it_is(store: SqlStore, place: str) -> None:
    chosen = {"stale": BLOCK.stale, "lowest": BLOCK.height == 3, "highest": BLOCK.height == 10}
    relabelled(store, chosen[place])
    assert store.registries() == {"registry-1", "registry-2"}
    (found,) = store.judged(0, 99, unless="registry-1")
    assert found.verdict.registry == "registry-2"
    assert len(store.judged(0, 99, unless="registry-2")) == 8
    assert len(store.judged(0, 99, unless="nobody's")) == 9
    assert store.judged(found.number, 99, unless="registry-1") == []


def test_a_registry_that_judges_nothing_any_more_does_not_count(store: SqlStore) -> None:
    everything = store.judged(0, 99)
    store.judge([(each, each.verdict._replace(registry="registry-2")) for each in everything])
    assert store.registries() == {"registry-2"}
    assert store.by_registry() == {"registry-2": 9}


def test_an_empty_store_has_no_registry(url: str) -> None:
    with closing(open_store(url, "regtest")) as store:
        assert store.registries() == frozenset()
        assert store.by_registry() == store.by_registry(0, 9) == {}


# -- one that writes


def test_who_writes_is_named_to_those_who_cannot(store: SqlStore, other: SqlStore) -> None:
    store.claim("")
    store.claim("")
    with pytest.raises(
        StoreError, match=rf"another agent writes to it \(.*{os.getpid()}.*\); wait"
    ):
        other.claim("wait for it")
    store.close()
    other.claim("wait for it")
    assert other.leads()


# -- what is there is another one


@pytest.mark.slow
def test_a_store_that_was_emptied_is_no_new_one(store: SqlStore, other: SqlStore) -> None:
    with other._database.writing() as connection:
        for table in reversed(tables.metadata.sorted_tables):
            table.drop(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    with pytest.raises(StoreError):
        store.tip()
    for _ in range(2):
        with pytest.raises(StoreError, match="holds nothing any more; restore it"):
            store.renew()


def test_a_store_that_became_another_chains_is_refused(store: SqlStore, other: SqlStore) -> None:
    marked = sa.update(tables.meta).where(tables.meta.c.name == "network")
    execute(other, marked.values(value="signet"))
    with pytest.raises(StoreError, match="holds signet, not regtest"):
        store.renew()
    execute(other, marked.values(value="regtest"))
    store.renew()
    assert store.tip() == CHAIN[9].ref


def test_a_store_with_a_hole_is_refused(store: SqlStore, other: SqlStore) -> None:
    execute(other, sa.delete(tables.block).where(BLOCK.height == 6))
    with pytest.raises(StoreError, match="1 blocks are missing between 3 and 10"):
        store.renew()


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        {"evidence": "{"},
        {"evidence": "[[],[[1]]]"},
        {"evidence": "7"},
        {"proof": 9},
        {"header": b"short"},
    ],
    ids=str,
)
def test_a_damaged_block_is_said_to_be_one(store: SqlStore, damage: dict[str, object]) -> None:
    execute(store, sa.update(tables.block).where(BLOCK.height == 5).values(damage))
    with pytest.raises(StoreError, match="damaged"):
        list(store.blocks(3, 9))
    assert [block.ref for block in store.blocks(6, 9)] == refs(CHAIN[5:8])
