"""What every store must do, held against SQLite and against a real PostgreSQL."""

import dataclasses
import gzip
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzers.model import Attribution, Label
from hashing.header import BlockRef
from monitor.errors import StoreError
from monitor.store import tables
from monitor.store.base import HeaderOnly, Judged, Reorg, Step, Verdict
from monitor.store.rows import to_row, verdict_of
from monitor.store.sql import SqlStore, open_store
from tests.support.blocks import Mined, extend, genesis, refs

STORES = Path(__file__).parents[2] / "vectors" / "stores"


@pytest.fixture(scope="module")
def chain() -> list[Mined]:
    return extend(genesis(), 12)


@pytest.fixture(scope="module")
def branch(chain: list[Mined]) -> list[Mined]:
    """A rival chain that leaves after height 8 and is longer."""
    return extend(chain[7], 6, tag=b"/ViaBTC/")


@pytest.fixture
def store(url: str, chain: list[Mined]) -> Iterator[SqlStore]:
    with closing(open_store(url, "regtest")) as store:
        store.apply(Step([block.stored() for block in chain]))
        yield store


def active(store: SqlStore) -> list[BlockRef]:
    return [block.ref for block in store.blocks(0, 1000)]


def test_an_empty_store_has_nothing(url: str) -> None:
    with closing(open_store(url, "regtest")) as store:
        assert store.tip() is None
        assert store.first_height() is None
        assert store.headers(0, 10) == []
        assert active(store) == []
        assert store.stale_blocks() == []
        assert store.reorgs() == []
        assert store.counts() == (0, 0, 0, 0, 0)
        store.apply(Step())
        assert store.tip() is None


def test_what_is_put_in_comes_out(store: SqlStore, url: str, chain: list[Mined]) -> None:
    labelled = dataclasses.replace(
        extend(chain[-1], 1)[0].stored(pool=None), label=Label("f2pool", "a list"), first_seen=7
    )
    store.apply(Step([labelled]))
    with closing(open_store(url, "regtest", read_only=True)) as again:
        assert again.tip() == labelled.ref
        assert again.first_height() == 1
        assert again.block(13) == labelled
        assert again.block(labelled.ref.hash) == labelled
        assert again.block(14) is None
        assert list(again.blocks(3, 6)) == [block.stored() for block in chain[2:5]]
        assert again.headers(11, 99) == [chain[10].raw[:80], chain[11].raw[:80], labelled.header]
        assert again.knows(chain[0].ref.hash)
        assert not again.knows(bytes(32))


@pytest.mark.slow
def test_more_blocks_than_one_statement_takes(store: SqlStore, chain: list[Mined]) -> None:
    long = extend(chain[-1], 1100)
    store.apply(Step([block.stored() for block in long]))
    assert [block.ref for block in store.blocks(0, 10_000)] == refs([*chain, *long])
    assert len(store.headers(0, 10_000)) == 1112


def test_appending_in_bulk_stores_what_a_step_does(url: str, chain: list[Mined]) -> None:
    blocks = [block.stored() for block in chain]
    labelled = dataclasses.replace(
        extend(chain[-1], 1)[0].stored(pool=None), label=Label("f2pool", "a list"), first_seen=7
    )
    batch = [to_row(block) for block in (*blocks, labelled)]
    with closing(open_store(url, "regtest")) as store:
        store.append(batch[:5])
        store.append(batch[:8])
        store.append(batch)
        store.append(batch)
        store.append([])
        assert list(store.blocks(0, 99)) == [*blocks, labelled]
        assert store.counts() == (13, 0, 0, 0, 0)


def test_appending_in_bulk_makes_a_stale_block_active(
    store: SqlStore, chain: list[Mined], branch: list[Mined]
) -> None:
    store.apply(Step(stale=[branch[0].stored(stale=True)]))
    store.apply(Step(rollback_to=8))
    store.append([to_row(block.stored()) for block in branch])
    assert active(store) == refs(chain[:8]) + refs(branch)


def test_bulk_that_does_not_continue_the_chain_is_refused_whole(
    store: SqlStore, chain: list[Mined]
) -> None:
    longer = [to_row(block.stored()) for block in extend(chain[-1], 5)]
    for blocks in (longer[1:], [longer[0], *longer[2:]], longer[::-1]):
        with pytest.raises(StoreError, match="do not continue"):
            store.append(blocks)
    assert active(store) == refs(chain)


@pytest.mark.slow
def test_a_reorg_keeps_the_stale_blocks(
    store: SqlStore, chain: list[Mined], branch: list[Mined]
) -> None:
    store.apply(Step([block.stored() for block in branch], rollback_to=8))
    assert active(store) == refs(chain[:8]) + refs(branch)
    assert [block.ref for block in store.stale_blocks()] == refs(chain[8:])
    assert [block.ref for block in store.stale_blocks(limit=2)] == refs(chain[10:])
    assert [block.ref for block in store.stale_blocks(2, chain[10].ref.hash)] == refs(chain[8:10])
    (reorg,) = store.reorgs()
    assert reorg == Reorg(reorg.number, reorg.at, 8, 4, chain[-1].ref.hash)
    assert store.reorgs(before=reorg.number) == []
    assert store.reorgs(before=reorg.number + 1) == [reorg]
    assert store.counts() == (18, 4, 1, 4, 0)


@pytest.mark.slow
def test_the_same_step_twice_changes_nothing_more(
    store: SqlStore, chain: list[Mined], branch: list[Mined]
) -> None:
    step = Step([block.stored() for block in branch], rollback_to=8)
    store.apply(step)
    before = (active(store), store.counts())
    store.apply(step)
    assert (active(store), store.counts()) == before


@pytest.mark.slow
def test_a_branch_can_come_back(store: SqlStore, chain: list[Mined], branch: list[Mined]) -> None:
    store.apply(Step([block.stored() for block in branch], rollback_to=8))
    back = chain[8:] + extend(chain[-1], 3)
    store.apply(Step([block.stored() for block in back], rollback_to=8))
    assert active(store) == refs(chain[:8]) + refs(back)
    assert [block.ref for block in store.stale_blocks()] == refs(branch)


def test_an_active_block_offered_as_stale_stays_active(store: SqlStore, chain: list[Mined]) -> None:
    store.apply(Step(stale=[chain[4].stored(stale=True)]))
    assert active(store) == refs(chain)
    assert store.stale_blocks() == []


def test_blocks_can_be_put_before_the_first(url: str, chain: list[Mined]) -> None:
    with closing(open_store(url, "regtest")) as store:
        store.apply(Step([block.stored() for block in chain[6:]]))
        store.apply(Step([block.stored() for block in chain[2:6]]))
        assert active(store) == refs(chain[2:])


@pytest.mark.slow
@pytest.mark.parametrize("case", ["gap", "other parent", "inside", "before", "unlinked"])
def test_what_does_not_continue_the_chain_is_refused_whole(
    store: SqlStore, chain: list[Mined], branch: list[Mined], case: str
) -> None:
    longer = extend(chain[-1], 5)
    blocks = {
        "gap": longer[1:],
        "other parent": extend(branch[3], 1, tag=b"/x/"),
        "inside": branch[:1],
        "before": [genesis_of(branch)],
        "unlinked": [longer[0], branch[5]],
    }[case]
    with pytest.raises(StoreError):
        store.apply(Step([block.stored() for block in blocks]))
    assert active(store) == refs(chain)
    store.apply(Step([block.stored() for block in longer]))
    assert active(store) == refs(chain + longer)


def genesis_of(branch: list[Mined]) -> Mined:
    """A block that says it comes before all, and is no parent of anything."""
    return dataclasses.replace(branch[0], height=0)


@pytest.mark.slow
def test_columns_come_without_blocks(store: SqlStore, chain: list[Mined]) -> None:
    store.apply(Step([extend(chain[-1], 1)[0].stored(pool=None)]))
    columns = store.columns(["height", "pool", "proof"], start=12)
    assert columns == {
        "height": [12, 13],
        "pool": ["antpool", None],
        "proof": ["coinbase", "coinbase"],
    }
    assert store.columns(["height"], start=3, stop=5) == {"height": [3, 4]}
    assert store.columns(["height"], start=99) == {"height": []}


def judged(store: SqlStore, ref: BlockRef) -> Judged:
    """A stored block as it is judged anew."""
    return next(block for block in store.judged(0, 99) if block.hash == ref.hash)


def test_a_new_verdict_keeps_the_former(store: SqlStore, chain: list[Mined]) -> None:
    first, second = judged(store, chain[0].ref), judged(store, chain[1].ref)
    new = Verdict("f2pool", "payout", 0, "[[],[]]", "registry-2")
    same = second.verdict._replace(registry="registry-2")
    store.judge([(first, new), (second, same)])
    stored = store.block(1)
    assert stored is not None
    assert stored.attribution == Attribution("f2pool", "payout", (), (), "registry-2")
    assert judged(store, chain[0].ref).verdict == new
    assert judged(store, chain[1].ref).verdict == same
    query = (
        sa.select(tables.block.c.height, tables.pool.c.name, tables.registry.c.name)
        .join(tables.former, tables.former.c.block_id == tables.block.c.id)
        .join(tables.pool, tables.pool.c.id == tables.former.c.pool_id)
        .join(tables.registry, tables.registry.c.id == tables.former.c.registry_id)
    )
    with store._database.reading() as connection:
        assert [tuple(row) for row in connection.execute(query)] == [(1, "antpool", "registry-1")]


def test_every_block_is_judged_once(
    store: SqlStore, chain: list[Mined], branch: list[Mined]
) -> None:
    labelled = dataclasses.replace(
        branch[0].stored(stale=True, pool=None), coinbase_tx=None, label=Label("f2pool", "a list")
    )
    store.apply(Step(stale=[labelled]))
    found = store.judged(0, 5)
    while more := store.judged(found[-1].number, 5):
        found += more
    assert sorted(block.hash for block in found) == sorted(
        ref.hash for ref in refs([*chain, branch[0]])
    )
    (stale,) = (block for block in found if block.stale)
    assert (stale.coinbase, stale.label, stale.height) == (None, Label("f2pool", "a list"), 9)


def test_a_reader_sees_what_the_writer_commits_and_cannot_write(
    store: SqlStore, url: str, chain: list[Mined]
) -> None:
    fresh = extend(chain[-1], 1)[0]
    with closing(open_store(url, "regtest", read_only=True)) as reader:
        store.apply(Step([fresh.stored()]))
        assert reader.tip() == fresh.ref
        with pytest.raises(StoreError, match="cannot be written"):
            reader.apply(Step([extend(fresh, 1)[0].stored()]))


def test_a_reader_holds_nobody_up(store: SqlStore, url: str, chain: list[Mined]) -> None:
    with closing(open_store(url, "regtest", read_only=True)) as reader:
        fresh = extend(chain[-1], 1)[0]
        with reader._database.reading() as connection:
            count = sa.select(sa.func.count()).select_from(tables.block)
            assert connection.execute(count).scalar() == 12
            store.apply(Step([fresh.stored()]))
        assert reader.tip() == fresh.ref


def test_another_network_is_refused(store: SqlStore, url: str) -> None:
    with pytest.raises(StoreError, match="holds regtest, not mainnet"):
        open_store(url, "mainnet")
    with pytest.raises(StoreError, match=r"holds regtest, not regtest \(rehearsal\)"):
        open_store(url, "regtest", synthetic="rehearsal")


@pytest.mark.slow
def test_a_header_only_block_is_found_counted_and_filled(
    store: SqlStore, chain: list[Mined]
) -> None:
    gap = extend(chain[-1], 4)
    bare = [block.header_only() for block in gap]
    rest = extend(gap[-1], 2)
    labelled = dataclasses.replace(rest[0].stored(), coinbase_tx=None, label=Label("x", "a list"))
    store.apply(Step([*bare, labelled, rest[1].stored()]))
    assert store.counts().header_only == 4
    found = store.header_only(0, 99)
    assert found == [HeaderOnly(block.height, block.ref.hash, block.raw[:80]) for block in gap]
    assert store.header_only(14, 2) == found[1:3]

    before = store.revision()
    whole = [to_row(block.stored()) for block in gap]
    assert store.fill([whole[0], whole[3], to_row(chain[3].stored(pool="f2pool"))]) == 2
    assert store.revision() != before
    assert [block.height for block in store.header_only(0, 99)] == [14, 15]
    assert store.block(13) == gap[0].stored()
    assert store.block(4) == chain[3].stored()
    assert store.fill([to_row(bare[1])]) == store.fill(whole[:1]) == store.fill([]) == 0
    assert store.fill([*whole, to_row(rest[0].stored())]) == 2
    assert store.fill(whole) == 0
    assert store.counts().header_only == 0
    filled = [block.stored() for block in gap]
    assert list(store.blocks(13, 99)) == [*filled, labelled, rest[1].stored()]


def test_a_header_only_block_that_comes_again_gets_the_rest(
    store: SqlStore, chain: list[Mined], branch: list[Mined]
) -> None:
    (tip,) = extend(chain[-1], 1)
    store.apply(Step([tip.header_only()]))
    store.apply(Step([block.stored() for block in branch], rollback_to=8))
    assert store.counts().header_only == 0  # it is stale now
    store.apply(Step([*(block.stored() for block in chain[8:]), tip.stored()], rollback_to=8))
    assert store.counts().header_only == 0
    assert store.block(13) == tip.stored()


@pytest.mark.slow
def test_a_newer_schema_is_refused(store: SqlStore, url: str) -> None:
    with store._database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer poolscope"):
        open_store(url, "regtest")
    with pytest.raises(StoreError, match="has schema 9999"):
        open_store(url, "regtest", read_only=True)


def test_a_hole_in_the_chain_is_found_at_once(store: SqlStore, url: str) -> None:
    with store._database.writing() as connection:
        connection.execute(sa.delete(tables.block).where(tables.block.c.height == 5))
    with pytest.raises(StoreError, match="damaged: 1 blocks are missing between 1 and 12"):
        open_store(url, "regtest")


@pytest.mark.slow
@pytest.mark.parametrize("schema", ["0001", "0002", "0003", "0004"])
def test_an_older_store_is_upgraded(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: str
) -> None:
    """Its rows are those that 0.1.0 wrote, in the columns that it had."""
    with monkeypatch.context() as older:
        older.setattr(tables, "SCHEMA", schema)
        with closing(open_store(url, "regtest", synthetic="rehearsal")) as store:
            copy_rows(tmp_path / "old.sqlite", store._database._engine)
    if schema != tables.SCHEMA:
        with pytest.raises(StoreError, match=f"has schema {schema}, this poolscope needs"):
            open_store(url, "regtest", synthetic="rehearsal", read_only=True)
    with closing(open_store(url, "regtest", synthetic="rehearsal")) as store:
        assert store.counts()[:2] == (170, 53)
        assert len(list(store.blocks(0, 1_000_000))) == 117
        indexes = sa.inspect(store._database._engine).get_indexes("block")
        made = {index["name"] for index in indexes}
        assert {"ix_block_columns", "ix_block_header_only", "ix_block_registry_id"} <= made


def copy_rows(path: Path, into: sa.Engine) -> None:
    """Copy what the rehearsal of 0.1.0 stored, by way of a file at `path`."""
    path.write_bytes(gzip.decompress((STORES / "rehearsal-0.1.0.sqlite.gz").read_bytes()))
    old, new = sa.MetaData(), sa.MetaData()
    with closing_engine(sa.create_engine(f"sqlite:///{path}")) as source:
        old.reflect(source)
        new.reflect(into)
        with source.connect() as reading, into.begin() as writing:
            for table in old.sorted_tables:
                if table.name not in ("alembic_version", "meta"):
                    rows = [dict(row._mapping) for row in reading.execute(sa.select(table))]
                    writing.execute(sa.insert(new.tables[table.name]), rows)


@contextmanager
def closing_engine(engine: sa.Engine) -> Iterator[sa.Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.mark.slow
def test_a_migrated_store_is_what_the_program_expects(store: SqlStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store._database.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []


@pytest.mark.slow
@given(text=st.text(max_size=20), matched=st.binary(max_size=40), height=st.integers(1, 12))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_attribution_comes_back_as_it_was(
    store: SqlStore, chain: list[Mined], text: str, matched: bytes, height: int
) -> None:
    old = chain[height - 1].stored().attribution
    evidence = dataclasses.replace(old.evidence[0], pool=text, matched=matched, share=0.25)
    new = dataclasses.replace(old, evidence=(evidence,), conflicts=(evidence, evidence))
    store.judge([(judged(store, chain[height - 1].ref), verdict_of(new))])
    stored = store.block(height)
    assert stored is not None
    assert stored.attribution == new
