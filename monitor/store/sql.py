"""The store in SQLite (WAL) or, by URL, PostgreSQL: one SQLAlchemy Core implementation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from analyzers.model import Attribution
from hashing.header import BlockHeader, hash_to_hex
from monitor.config import public_url
from monitor.errors import StoreError
from monitor.sources.base import BlockRef
from monitor.store import rows, tables
from monitor.store.base import ColumnName, Counts, Reorg, Step, StoredBlock

_BATCH: Final = 500
"""Rows per statement: below every database's limit of bound parameters."""
_BUSY_SECONDS: Final = 5


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
    if isinstance(url, Path):
        if read_only and not url.exists():
            raise StoreError(f"no store at {url} yet; 'poolscope run' makes one")
        url = f"sqlite:///{url}"
    where = public_url(url)
    try:
        engine = _engine(url, read_only=read_only)
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise StoreError(f"store {where}: {error}") from None
    store = SqlStore(engine, where)
    try:
        if not read_only:
            store.migrate()
        store.check(network, synthetic, mark=not read_only)
    except BaseException:
        store.close()
        raise
    return store


def _engine(url: str, *, read_only: bool) -> Engine:
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_pre_ping=True)
    path = Path(parsed.database or "")
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
    # A reader opens the file read-only, so that it can never hold up or harm the agent.
    target = f"file:{path}?mode={'ro' if read_only else 'rwc'}&uri=true"
    engine = sa.create_engine(
        f"sqlite:///{target}", connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


class SqlStore:
    """A `monitor.store.base.BlockStore` over SQLAlchemy Core; make it with `open_store`."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where
        self.network = ""
        self.synthetic = ""

    # -- opening and closing

    def close(self) -> None:
        """Let go of the database; safe to call twice."""
        self._engine.dispose()

    def migrate(self) -> None:
        """Bring the schema to this program's version."""
        with self._transaction() as connection:
            version = _schema_version(connection)
            if version == tables.SCHEMA:
                return
            if version is not None and version > tables.SCHEMA:
                raise StoreError(
                    f"store {self._where} was made by a newer poolscope (schema {version}, this "
                    f"one knows {tables.SCHEMA}); upgrade poolscope or choose another --store"
                )
            from alembic import command
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", "monitor.store:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, tables.SCHEMA)

    def check(self, network: str, synthetic: str, *, mark: bool) -> None:
        """Hold the store against what it must contain; a new one is marked if `mark`."""
        wanted = {"network": network, "synthetic": synthetic}
        with self._transaction() as connection:
            if _schema_version(connection) != tables.SCHEMA:
                raise StoreError(
                    f"store {self._where} has another schema than this poolscope; run "
                    "'poolscope run' of the matching version once"
                )
            found = {
                row.name: row.value
                for row in connection.execute(sa.select(tables.meta))
                if row.name in wanted
            }
            if not found and mark:
                marks = [{"name": name, "value": value} for name, value in wanted.items()]
                connection.execute(sa.insert(tables.meta), marks)
            elif found != wanted:
                raise StoreError(
                    f"store {self._where} holds {_describe(found)}, not {_describe(wanted)}; "
                    "choose another --store or --network"
                )
        self.network, self.synthetic = network, synthetic

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreError(f"store {self._where}: {_advice(str(error.orig))}") from None

    # -- reading

    def tip(self) -> BlockRef | None:
        """Return the end of the active chain, None while the store is empty."""
        block = tables.block.c
        query = (
            sa.select(block.height, block.hash)
            .where(~block.stale)
            .order_by(block.height.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            row = connection.execute(query).first()
        return BlockRef(row.height, row.hash) if row else None

    def first_height(self) -> int | None:
        """Return the lowest height of the active chain."""
        query = sa.select(sa.func.min(tables.block.c.height)).where(~tables.block.c.stale)
        with self._transaction() as connection:
            return cast("int | None", connection.execute(query).scalar())

    def headers(self, start: int, count: int) -> list[bytes]:
        """Return up to `count` headers of the active chain from height `start` on."""
        query = (
            sa.select(tables.block.c.header)
            .where(~tables.block.c.stale, tables.block.c.height.between(start, start + count - 1))
            .order_by(tables.block.c.height)
        )
        with self._transaction() as connection:
            return list(connection.execute(query).scalars())

    def block(self, key: int | bytes) -> StoredBlock | None:
        """Return the active block at a height, or any block by its hash."""
        block = tables.block.c
        chosen = (block.height == key) & ~block.stale if isinstance(key, int) else block.hash == key
        with self._transaction() as connection:
            return next(self._blocks(connection, sa.select(tables.block).where(chosen)), None)

    def blocks(self, start: int, stop: int) -> Iterator[StoredBlock]:
        """Yield the active blocks with start <= height < stop, in height order."""
        block = tables.block.c
        query = sa.select(tables.block).where(~block.stale, block.height < stop)
        query = query.order_by(block.height).limit(_BATCH)
        while True:
            with self._transaction() as connection:
                batch = list(self._blocks(connection, query.where(block.height >= start)))
            yield from batch
            if len(batch) < _BATCH:
                return
            start = batch[-1].ref.height + 1

    def stale_blocks(self, limit: int | None = None) -> list[StoredBlock]:
        """Return the stale blocks, the last `limit` by height if given, in height order."""
        block = tables.block.c
        query = (
            sa.select(tables.block)
            .where(block.stale)
            .order_by(block.height.desc(), block.id.desc())
            .limit(limit)
        )
        with self._transaction() as connection:
            return list(self._blocks(connection, query))[::-1]

    def knows(self, block_hash: bytes) -> bool:
        """Say whether a block is stored, active or stale."""
        query = sa.select(tables.block.c.id).where(tables.block.c.hash == block_hash)
        with self._transaction() as connection:
            return connection.execute(query).first() is not None

    def columns(
        self, names: Sequence[ColumnName], start: int = 0, stop: int | None = None
    ) -> dict[ColumnName, list[object]]:
        """Return columns of the active chain, in height order, without building blocks."""
        block = tables.block.c
        chosen = [block.pool_id if name == "pool" else block[name] for name in names]
        query = sa.select(*chosen).where(~block.stale, block.height >= start).order_by(block.height)
        if stop is not None:
            query = query.where(block.height < stop)
        with self._transaction() as connection:
            found = connection.execute(query).all()
            pools = self._lookup(connection, "pool")
        columns = (
            dict(zip(names, map(list, zip(*found, strict=True)), strict=True)) if found else {}
        )
        result: dict[ColumnName, list[object]] = {name: columns.get(name, []) for name in names}
        if "pool" in result:
            result["pool"] = [pools.get(cast("int", number)) for number in result["pool"]]
        if "proof" in result:
            result["proof"] = [rows.PROOFS[cast("int", level)] for level in result["proof"]]
        return result

    def reorgs(self, limit: int | None = None) -> list[Reorg]:
        """Return the reorgs seen, oldest first, the last `limit` if given."""
        columns = tables.reorg.c
        query = (
            sa.select(columns.at, columns.fork_height, columns.depth, columns.old_tip)
            .order_by(columns.id.desc())
            .limit(limit)
        )
        with self._transaction() as connection:
            return [Reorg(*row) for row in connection.execute(query)][::-1]

    def counts(self) -> Counts:
        """Return totals."""
        block, reorg = tables.block.c, tables.reorg.c
        stale = sa.select(sa.func.count()).select_from(tables.block).where(block.stale)
        everything = sa.select(sa.func.count()).select_from(tables.block)
        reorgs = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(reorg.depth), 0))
        with self._transaction() as connection:
            seen, deepest = connection.execute(reorgs.select_from(tables.reorg)).one()
            return Counts(
                connection.execute(everything).scalar_one(),
                connection.execute(stale).scalar_one(),
                seen,
                deepest,
            )

    # -- writing

    def apply(self, step: Step) -> None:
        """Apply `step` in one transaction; what it holds is on disk when this returns."""
        with self._transaction() as connection:
            if step.rollback_to is not None:
                self._roll_back(connection, step)
            self._put(connection, step.append)
            self._put(connection, step.stale)

    def _roll_back(self, connection: Connection, step: Step) -> None:
        block = tables.block.c
        kept = {entry.ref.hash for entry in step.append}
        query = (
            sa.select(block.height, block.hash)
            .where(~block.stale, block.height > step.rollback_to)
            .order_by(block.height)
        )
        gone = [row for row in connection.execute(query) if row.hash not in kept]
        if not gone:
            return
        connection.execute(
            sa.update(tables.block)
            .where(~block.stale, block.height > step.rollback_to)
            .values(stale=True)
        )
        connection.execute(
            sa.insert(tables.reorg).values(
                at=int(time.time()),
                fork_height=step.rollback_to,
                depth=len(gone),
                old_tip=gone[-1].hash,
            )
        )

    def _put(self, connection: Connection, blocks: Sequence[StoredBlock]) -> None:
        """Insert blocks; of those already there, only whether they are stale changes."""
        number = self._number(connection)
        for start in range(0, len(blocks), _BATCH):
            batch = blocks[start : start + _BATCH]
            hashes = [entry.ref.hash for entry in batch]
            query = sa.select(tables.block.c.hash).where(tables.block.c.hash.in_(hashes))
            known = set(connection.execute(query).scalars())
            fresh = [
                rows.to_row(entry, BlockHeader.parse(entry.header).time, number)
                for entry in batch
                if entry.ref.hash not in known
            ]
            if fresh:
                connection.execute(sa.insert(tables.block), fresh)
            for entry in batch:
                if entry.ref.hash in known:
                    connection.execute(
                        sa.update(tables.block)
                        .where(tables.block.c.hash == entry.ref.hash)
                        .values(stale=entry.stale)
                    )

    def reattribute(self, blocks: Sequence[tuple[bytes, Attribution]]) -> int:
        """Give blocks (by hash) a new attribution and keep the former; return how many changed.

        A block counts as changed when its pool does; one attributed anew to the same pool
        only takes over rule, evidence and registry.
        """
        changed = 0
        block, former = tables.block, tables.former
        kept = ("registry_id", "pool_id", "rule", "conflicts", "evidence")
        with self._transaction() as connection:
            number = self._number(connection)
            for block_hash, attribution in blocks:
                query = sa.select(block.c.id, *(block.c[name] for name in kept))
                old = connection.execute(query.where(block.c.hash == block_hash)).first()
                if old is None:
                    raise StoreError(f"store {self._where}: no block {hash_to_hex(block_hash)}")
                new = rows.attribution_row(attribution, number)
                if new["pool_id"] != old.pool_id:
                    changed += 1
                    past = {name: getattr(old, name) for name in kept}
                    connection.execute(
                        sa.insert(former).values(
                            block_id=old.id, replaced_at=int(time.time()), **past
                        )
                    )
                connection.execute(sa.update(block).where(block.c.id == old.id).values(new))
        return changed

    # -- names and numbers

    def _lookup(self, connection: Connection, table: str) -> dict[int, str]:
        """Return the names of a table by number, as the database has them now."""
        chosen = tables.metadata.tables[table]
        query = sa.select(chosen.c.id, chosen.c.name)
        return {row.id: row.name for row in connection.execute(query)}

    def _number(self, connection: Connection) -> rows.Number:
        """Return a function that gives a name its number, adding it if it is new.

        What it remembers lives as long as the transaction, so that nothing is remembered
        of one that is rolled back.
        """
        known: dict[str, dict[str, int]] = {}

        def number(table: str, name: str) -> int:
            if table not in known:
                known[table] = {text: key for key, text in self._lookup(connection, table).items()}
            if name not in known[table]:
                chosen = tables.metadata.tables[table]
                query = sa.insert(chosen).values(name=name).returning(chosen.c.id)
                known[table][name] = connection.execute(query).scalar_one()
            return known[table][name]

        return number

    def _blocks(self, connection: Connection, query: sa.Select[Any]) -> Iterator[StoredBlock]:
        found = connection.execute(query).all()
        names = {table: self._lookup(connection, table) for table in rows.NAME_TABLES}
        return (rows.from_row(row, names) for row in found)


def _schema_version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _describe(marks: dict[str, str]) -> str:
    network, synthetic = marks.get("network", "no network"), marks.get("synthetic", "")
    return f"{network} ({synthetic})" if synthetic else network


def _advice(problem: str) -> str:
    """Return a database's complaint with what to do about it."""
    for symptom, advice in (
        ("readonly", "it cannot be written; check its permissions and those of its directory"),
        ("read-only", "it cannot be written; check its permissions and those of its directory"),
        ("full", "the disk is full; make room, the agent goes on by itself"),
        ("locked", "another process holds it; is a second agent running on it?"),
        ("unable to open", "it cannot be opened; check the path and its permissions"),
        ("not a database", "it is no SQLite database; choose another --store"),
        ("malformed", "it is damaged; move it away and run again, or restore a backup"),
        ("no such table", "it is not a poolscope store; choose another --store"),
    ):
        if symptom in problem:
            return f"{advice} ({problem})"
    return problem
