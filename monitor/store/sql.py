"""The store in SQLite (WAL) or, by URL, PostgreSQL: one SQLAlchemy Core implementation."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from analyzers.columns import COLUMNS, BlockRow
from analyzers.mined import Chain
from hashing.header import BlockRef
from monitor.errors import StoreChanged, StoreError
from monitor.store import header_only, revision, rows, tables, verdicts
from monitor.store.base import (
    Arrays,
    Counts,
    HeaderOnly,
    Judged,
    Reorg,
    Step,
    StoredBlock,
    Verdict,
)
from monitor.store.engine import Database
from monitor.store.names import all_names, lookup, numbering, placeholder

_BATCH: Final = 500
"""Rows per statement: below every database's limit of bound parameters."""


def open_store(
    url: str | Path, network: str, *, synthetic: str = "", read_only: bool = False
) -> SqlStore:
    """Open a store, making or migrating it first unless `read_only`.

    Parameters
    ----------
    url:
        Database URL, or the path of a SQLite file.
    network, synthetic:
        What the store must hold; a new one is marked with them.

    Raises
    ------
    StoreError
        If it cannot be used: missing (read-only), of another network, made by a newer
        poolscope, damaged, not writable.
    """
    if isinstance(url, Path) and read_only and not url.exists():
        raise StoreError(f"no store at {url} yet; 'poolscope run' makes one")
    database = Database(url, read_only=read_only)
    store = SqlStore(database)
    try:
        if not read_only:
            database.migrate()
        database.check_schema()
        store.check(network, synthetic, mark=not read_only)
    except BaseException:
        store.close()
        raise
    return store


class SqlStore:
    """A `monitor.store.base.BlockStore` over SQLAlchemy Core; make it with `open_store`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._left: Hashable = None  # the revision as this agent left it; None: no matter
        self.network = ""
        self.synthetic = ""

    def close(self) -> None:
        """Let go of the database; safe to call twice."""
        self._database.close()

    def renew(self) -> None:
        """Open what is there now, after it was changed, moved or replaced, and look at it.

        Raises
        ------
        StoreError
            If nothing is there, or not a store of the same chain.
        """
        self._left = None
        self._database.renew()
        if not self._database.read_only:
            self._database.migrate(create=False)
        self._database.check_schema()
        self.check(self.network, self.synthetic, mark=False)

    def check(self, network: str, synthetic: str, *, mark: bool) -> None:
        """Hold the store against what it must contain; a new one is marked if `mark`.

        Raises
        ------
        StoreError
            If it holds another chain, or its active chain has holes.
        """
        wanted = {"network": network, "synthetic": synthetic}
        where = self._database.where
        if mark:
            self._mark(wanted)
        height = tables.block.c.height
        span = sa.select(sa.func.min(height), sa.func.max(height), sa.func.count())
        with self._database.reading() as connection:
            found = {row.name: row.value for row in connection.execute(sa.select(tables.meta))}
            lowest, highest, count = connection.execute(span.where(~tables.block.c.stale)).one()
        if any(found.get(name) != value for name, value in wanted.items()):
            raise StoreError(
                f"store {where} holds {_describe(found)}, not {_describe(wanted)}; "
                "choose another --store or --network"
            )
        if count and count != highest - lowest + 1:
            raise StoreError(
                f"store {where} is damaged: {highest - lowest + 1 - count} blocks are missing "
                f"between {lowest} and {highest}; move it away and run again"
            )
        self.network, self.synthetic = network, synthetic

    def _mark(self, marks: dict[str, str]) -> None:
        """Note in a new store what it is for."""
        with self._database.alone() as connection:
            if connection.execute(sa.select(tables.meta)).first() is None:
                noted = marks | {"created": str(int(time.time()))}
                entries = [{"name": name, "value": value} for name, value in noted.items()]
                connection.execute(sa.insert(tables.meta), entries)

    # -- one writer

    def lead(self) -> bool:
        """Try to become the one agent that writes; say whether this one is it."""
        return self._database.lead()

    def leads(self) -> bool:
        """Say whether this agent is still the one that writes."""
        return self._database.leads()

    def claim(self, advice: str) -> None:
        """Become the one that writes, or raise `StoreError`: who else does, and `advice`."""
        self._database.claim(advice)

    def watch(self) -> None:
        """Refuse from now on to write to what another program has changed."""
        self._left = self.revision()
        self._database.written()

    def untouched(self) -> bool:
        """Say whether no other program has changed what is stored since `watch`."""
        return self._left is None or self._left == self.revision()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give a transaction that writes, if what is stored is as this agent left it."""
        left = self._left
        with self._database.writing() as connection:
            if left is not None and revision.read(connection) != left:
                raise StoreChanged("another program changed what is in the store; it is read anew")
            yield connection
            if left is not None:
                left = revision.read(connection)
        if left is not None:
            self._left = left
            self._database.written()

    # -- reading

    def revision(self) -> Hashable:
        """Return a value that is another one after every change that shows, cheaply."""
        with self._database.reading() as connection:
            return revision.read(connection)

    def registries(self) -> frozenset[str]:
        """Return the versions of the registries that attributed stored blocks, cheaply."""
        with self._database.reading() as connection:
            return frozenset(revision.registries(connection).values())

    def by_registry(self, start: int | None = None, stop: int | None = None) -> dict[str, int]:
        """Return how many blocks each registry attributed, by its version, most first.

        All blocks, active or stale; with `start` the active ones with start <= height < stop.
        """
        with self._database.reading() as connection:
            return revision.by_registry(connection, start, stop)

    def tip(self) -> BlockRef | None:
        """Return the end of the active chain, None while the store is empty."""
        block = tables.block.c
        query = (
            sa.select(block.height, block.hash)
            .where(~block.stale)
            .order_by(block.height.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return BlockRef(row.height, row.hash) if row else None

    def first_height(self) -> int | None:
        """Return the lowest height of the active chain."""
        query = sa.select(sa.func.min(tables.block.c.height)).where(~tables.block.c.stale)
        with self._database.reading() as connection:
            return cast("int | None", connection.execute(query).scalar())

    def headers(self, start: int, count: int) -> list[bytes]:
        """Return up to `count` headers of the active chain from height `start` on."""
        query = (
            sa.select(tables.block.c.header)
            .where(~tables.block.c.stale, tables.block.c.height.between(start, start + count - 1))
            .order_by(tables.block.c.height)
        )
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def block(self, key: int | bytes) -> StoredBlock | None:
        """Return the active block at a height, or any block by its hash."""
        block = tables.block.c
        chosen = (block.height == key) & ~block.stale if isinstance(key, int) else block.hash == key
        with self._database.reading() as connection:
            return next(self._blocks(connection, sa.select(tables.block).where(chosen)), None)

    def blocks(self, start: int, stop: int) -> Iterator[StoredBlock]:
        """Yield the active blocks with start <= height < stop, in height order."""
        block = tables.block.c
        query = sa.select(tables.block).where(~block.stale, block.height < stop)
        query = query.order_by(block.height).limit(_BATCH)
        while True:
            with self._database.reading() as connection:
                batch = list(self._blocks(connection, query.where(block.height >= start)))
            yield from batch
            if len(batch) < _BATCH:
                return
            start = batch[-1].ref.height + 1

    def stale_blocks(
        self, limit: int | None = None, before: bytes | None = None
    ) -> list[StoredBlock]:
        """Return the stale blocks, the last `limit` by height if given, in height order.

        Only those that come before the stored block of the hash `before`, if given.
        """
        block = tables.block.c
        query = (
            sa.select(tables.block)
            .where(block.stale)
            .order_by(block.height.desc(), block.id.desc())
            .limit(limit)
        )
        if before is not None:
            place = sa.select(block.height, block.id).where(block.hash == before)
            query = query.where(sa.tuple_(block.height, block.id) < place.scalar_subquery())
        with self._database.reading() as connection:
            return list(self._blocks(connection, query))[::-1]

    def judged(self, after: int, limit: int, unless: str | None = None) -> list[Judged]:
        """Return the blocks numbered above `after`, active or stale, the first `limit` of them.

        Only those that a registry of another version than `unless` attributed, if given.
        """
        with self._database.reading() as connection:
            return verdicts.judged(connection, after, limit, unless)

    def header_only(self, start: int, limit: int) -> list[HeaderOnly]:
        """Return blocks of which no more than the header is stored, the first `limit`."""
        with self._database.reading() as connection:
            return header_only.find(connection, start, limit)

    def knows(self, block_hash: bytes) -> bool:
        """Say whether a block is stored, active or stale."""
        query = sa.select(tables.block.c.id).where(tables.block.c.hash == block_hash)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def columns(
        self, names: Sequence[str], start: int = 0, stop: int | None = None
    ) -> dict[str, list[object]]:
        """Return columns of the active chain, in height order, without building blocks."""
        found = self.arrays(names, start, stop)
        spelled: dict[str, tuple[str | None, ...]] = {
            name: COLUMNS[name].texts for name in names if COLUMNS[name].texts
        }
        spelled["pool"] = (*found.pools, None)
        return {
            name: [spelled[name][number] for number in numbers.tolist()]
            if name in spelled
            else [None if number < 0 else number for number in numbers.tolist()]
            for name, numbers in found.columns.items()
        }

    def arrays(self, names: Sequence[str], start: int = 0, stop: int | None = None) -> Arrays:
        """Return columns of the active chain as arrays: the way to read all of it."""
        block = tables.block.c
        chosen = [block[COLUMNS[name].stored] for name in names]
        plain = [sa.func.coalesce(column, -1) if column.nullable else column for column in chosen]
        query = sa.select(*plain).where(~block.stale, block.height >= start).order_by(block.height)
        if stop is not None:
            query = query.where(block.height < stop)
        with self._database.reading() as connection:
            pools = lookup(connection, "pool")
            # straight from the driver: a million rows come by
            found = cast("Iterable[tuple[int, ...]]", connection.execute(query).cursor)
            values = np.fromiter(found, np.dtype((np.int64, len(names))))
        columns = dict(zip(names, values.T.copy(), strict=True))
        if "pool" in columns:
            place = np.full(max(pools, default=0) + 2, -1)  # its last is that of nobody, -1
            place[list(pools)] = range(len(pools))
            columns["pool"] = place[columns["pool"]]
        return Arrays(columns, tuple(pools.values()))

    def chain(self, start: int = 0, stop: int | None = None) -> Chain:
        """Return who mined the active blocks with start <= height < stop."""
        found = self.arrays(("height", "time", "pool"), start, stop)
        columns = found.columns
        return Chain(columns["height"], columns["time"], columns["pool"], found.pools)

    def reorgs(self, limit: int | None = None, before: int | None = None) -> list[Reorg]:
        """Return the reorgs seen, oldest first, the last `limit` numbered below `before`."""
        number = tables.reorg.c.id
        query = sa.select(tables.reorg).order_by(number.desc()).limit(limit)
        if before is not None:
            query = query.where(number < before)
        with self._database.reading() as connection:
            return [Reorg(*row) for row in connection.execute(query)][::-1]

    def counts(self) -> Counts:
        """Return totals."""
        block, reorg = tables.block.c, tables.reorg.c
        stale = sa.select(sa.func.count()).select_from(tables.block).where(block.stale)
        everything = sa.select(sa.func.count()).select_from(tables.block)
        reorgs = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(reorg.depth), 0))
        with self._database.reading() as connection:
            seen, deepest = connection.execute(reorgs.select_from(tables.reorg)).one()
            return Counts(
                connection.execute(everything).scalar_one(),
                connection.execute(stale).scalar_one(),
                seen,
                deepest,
                header_only.count(connection),
            )

    # -- writing

    def apply(self, step: Step) -> None:
        """Apply `step` in one transaction; what it holds is on disk when this returns."""
        append = [rows.to_row(block) for block in step.append]
        with self._writing() as connection:
            if step.rollback_to is not None:
                self._roll_back(connection, step.rollback_to, {row.hash for row in append})
            self._check_link(connection, append)
            self._put(connection, append)
            self._put(connection, [rows.to_row(block) for block in step.stale])

    def append(self, chain: Sequence[BlockRow]) -> None:
        """Extend the active chain by consecutive blocks in one transaction, as `apply` does.

        The way for many blocks: thousands at once cost the least each.
        """
        with self._writing() as connection:
            self._check_link(connection, chain)
            self._put(connection, chain)

    def _roll_back(self, connection: Connection, fork: int, kept: Set[bytes]) -> None:
        """Make active blocks above the height `fork` stale; those `kept` come back at once."""
        block = tables.block.c
        query = (
            sa.select(block.height, block.hash)
            .where(~block.stale, block.height > fork)
            .order_by(block.height)
        )
        gone = [row for row in connection.execute(query) if row.hash not in kept]
        if not gone:
            return
        connection.execute(
            sa.update(tables.block).where(~block.stale, block.height > fork).values(stale=True)
        )
        connection.execute(
            sa.insert(tables.reorg).values(
                at=int(time.time()),
                fork_height=fork,
                depth=len(gone),
                old_tip=gone[-1].hash,
            )
        )

    def _check_link(self, connection: Connection, chain: Sequence[BlockRow]) -> None:
        """Refuse to append what would leave a gap or break the chain of hashes."""
        if not chain:
            return
        first, last = chain[0].height, chain[-1].height
        block = tables.block.c
        query = sa.select(block.height, block.hash, block.header).where(
            ~block.stale, block.height.in_([first - 1, first, last + 1])
        )
        near: dict[int, Any] = {row.height: row for row in connection.execute(query)}
        before = [near[first - 1]] if first - 1 in near else []
        behind = [near[last + 1]] if last + 1 in near else []
        linked = all(
            child.height == parent.height + 1 and child.header[4:36] == parent.hash
            for parent, child in pairwise([*before, *chain, *behind])
        )
        elsewhere = not near and self._any_active(connection)
        if not linked or elsewhere:
            raise StoreError(
                f"store {self._database.where}: blocks {first} to {last} do not continue what "
                "it holds; does another agent write to it?"
            )

    @staticmethod
    def _any_active(connection: Connection) -> bool:
        query = sa.select(tables.block.c.id).where(~tables.block.c.stale).limit(1)
        return connection.execute(query).first() is not None

    def _put(self, connection: Connection, blocks: Sequence[BlockRow]) -> None:
        """Insert blocks; one that is there already is made active if it is to be.

        If no more than its header is stored, it gets the rest.
        """
        known = self._known(connection, blocks)
        number = numbering(connection)
        fresh = [rows.numbered(row, number) for row in blocks if row.hash not in known]
        if fresh:
            marks = ", ".join(placeholder(connection) for _ in rows.STORED)
            connection.exec_driver_sql(
                f"INSERT INTO block ({', '.join(rows.STORED)}) VALUES ({marks})",  # noqa: S608
                fresh,
            )
        revived = [row.hash for row in blocks if not row.stale and row.hash in known]
        for start in range(0, len(revived), _BATCH):
            chosen = tables.block.c.hash.in_(revived[start : start + _BATCH])
            connection.execute(sa.update(tables.block).where(chosen).values(stale=False))
        header_only.fill(connection, [row for row in blocks if row.hash in known])

    @staticmethod
    def _known(connection: Connection, blocks: Sequence[BlockRow]) -> Set[bytes]:
        """Return the hashes stored at the heights of `blocks`."""
        if not blocks:
            return frozenset()
        block = tables.block.c
        heights = [row.height for row in blocks]
        span = block.height.between(min(heights), max(heights))
        # stale or not: the index begins with that
        query = sa.select(block.hash).where(block.stale.in_([False, True]), span)
        return set(connection.execute(query).scalars())

    def fill(self, blocks: Sequence[BlockRow]) -> int:
        """Give header-only blocks the rest of them in one transaction; return how many."""
        with self._writing() as connection:
            return header_only.fill(connection, blocks)

    def judge(self, blocks: Sequence[tuple[Judged, Verdict]]) -> None:
        """Give blocks new verdicts in one transaction; the former is kept where the pool is new."""
        with self._writing() as connection:
            verdicts.judge(connection, blocks)

    def _blocks(self, connection: Connection, query: sa.Select[Any]) -> Iterator[StoredBlock]:
        found = connection.execute(query).all()
        known = all_names(connection)
        try:
            return iter([rows.from_row(row, known) for row in found])
        except (LookupError, TypeError, ValueError) as error:
            raise StoreError(
                f"store {self._database.where}: a block in it is damaged ({error}); move it away "
                "and run again, or restore a backup"
            ) from None


def _describe(marks: dict[str, str]) -> str:
    network, synthetic = marks.get("network", "no network"), marks.get("synthetic", "")
    return f"{network} ({synthetic})" if synthetic else network
