"""Connections to SQLite (WAL) or PostgreSQL, transactions, and the schema's version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from monitor.errors import StoreError
from monitor.secrets import hide, remember
from monitor.store import tables
from monitor.store.lease import SETTING_UP, FileLease, Lease, LeaseLost, SessionLease, advisory
from monitor.urls import UrlError, parse_store, shown

BUSY_SECONDS: Final = 5
"""How long SQLite waits for another process to end its transaction."""
CACHE_BYTES: Final = 64 << 20
"""Pages that SQLite keeps for a writer: block hashes land all over their index."""
_FULL: Final = "the disk is full; make room: the agent goes on by itself, run others again"
_ADVICE: Final = (
    ("readonly", "it cannot be written; check its permissions and those of its directory"),
    ("read-only", "it cannot be written; check its permissions and those of its directory"),
    ("is full", _FULL),
    ("No space left", _FULL),
    ("is locked", "another process holds it; is a second agent running on it?"),
    ("[Errno", "its folder cannot be made; check the path and its permissions"),
    ("unable to open", "it cannot be opened; check the path and its permissions"),
    ("not a database", "it is no SQLite database; choose another --store"),
    ("malformed", "it is damaged; move it away and run again, or restore a backup"),
    ("no such table", "it is not a poolscope store; choose another --store"),
    (
        "connection failed",
        "the database does not answer or refuses the login; check that it runs, and the URL",
    ),
    ("No module named 'psycopg'", "install its driver: pip install 'poolscope[postgresql]'"),
)


class Database:
    """Where the store is, and transactions there; every failure is a `StoreError`."""

    def __init__(self, url: str | Path, *, read_only: bool) -> None:
        self.where = str(url) if isinstance(url, Path) else shown(url)
        try:
            parsed = _parsed(url)
            self._engine = _engine(parsed, read_only=read_only)
        except UrlError as error:
            raise StoreError(f"store {self.where}: {error}") from None
        except (SQLAlchemyError, ImportError, OSError) as error:
            raise self.error(str(error)) from None
        writing = self._engine.execution_options(writes=True)
        self._lease: Lease = (
            FileLease(writing, parsed.database or "")
            if self._engine.dialect.name == "sqlite"
            else SessionLease(writing)
        )
        self._driver_error = self._engine.dialect.loaded_dbapi.Error

    def close(self) -> None:
        """Close all connections; safe to call twice."""
        self._lease.drop()
        self._engine.dispose()

    def lead(self) -> bool:
        """Try to become the one agent that writes; say whether this one is it.

        Raises
        ------
        StoreError
            If another agent has a SQLite store, which only one can use, or on any failure.
        """
        try:
            leads = self._lease.take()
        except DBAPIError as error:
            raise self.error(str(error.orig)) from None
        except OSError as error:
            raise self.error(str(error)) from None
        if not leads and self._engine.dialect.name == "sqlite":
            raise StoreError(
                f"store {self.where}: another agent writes to it; stop that one, or give this one "
                "a --store of its own (several agents can share one in PostgreSQL)"
            )
        return leads

    def leads(self) -> bool:
        """Say whether this agent is still the one that writes."""
        return self._lease.holds()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a transaction that holds nobody up."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise self.error(str(error.orig)) from None
        except self._driver_error as error:  # from a cursor that is read without SQLAlchemy
            raise self.error(str(error)) from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that is on disk when this ends, or was never there."""
        try:
            with self._lease.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise self.error(str(error.orig)) from None
        except LeaseLost as error:
            raise self.error(str(error)) from None

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Give a transaction as `writing` does, while no other of these goes on."""
        with self.writing() as connection:
            if connection.dialect.name == "postgresql":
                lock = sa.func.pg_advisory_xact_lock(*advisory(SETTING_UP))
                connection.execute(sa.select(lock))
            yield connection

    def error(self, problem: str) -> StoreError:
        """Return the error of a problem here, with what to do about it."""
        said = hide(problem)
        for symptom, advice in _ADVICE:
            if symptom in problem:
                return StoreError(f"store {self.where}: {advice} ({said.splitlines()[0]})")
        return StoreError(f"store {self.where}: {' '.join(said.split())}")

    def migrate(self) -> None:
        """Bring the schema to this program's version.

        Raises
        ------
        StoreError
            If a newer program made it.
        """
        with self.alone() as connection:
            version = _schema_version(connection)
            if version == tables.SCHEMA:
                return
            if version is not None and version > tables.SCHEMA:
                raise StoreError(
                    f"store {self.where} was made by a newer poolscope (schema {version}, this "
                    f"one knows {tables.SCHEMA}); upgrade poolscope or choose another --store"
                )
            from alembic import command
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", "monitor.store:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, tables.SCHEMA)

    def check_schema(self) -> None:
        """Hold the schema against this program's version.

        Raises
        ------
        StoreError
            If it is another.
        """
        with self.reading() as connection:
            version = _schema_version(connection)
        if version != tables.SCHEMA:
            raise StoreError(
                f"store {self.where} has schema {version or 'none'}, this poolscope needs "
                f"{tables.SCHEMA}; 'poolscope run' makes or upgrades a store"
            )


def _parsed(url: str | Path) -> sa.URL:
    """Return the address as SQLAlchemy has it, whose own parser takes others for valid ones."""
    if isinstance(url, Path):
        return sa.URL.create("sqlite", database=str(url))
    parts = parse_store(url)
    if parts.scheme.startswith("sqlite"):
        return sa.URL.create("sqlite", database=parts.path)
    remember(*parts.secrets())
    return sa.URL.create(
        "postgresql+psycopg",
        username=parts.user,
        password=parts.password,
        host=parts.host or None,
        port=parts.port,
        database=unquote(parts.path.removeprefix("/")) or None,
        query={name: tuple(values) for name, values in parse_qs(parts.query).items()},
    )


def _engine(parsed: sa.URL, *, read_only: bool) -> Engine:
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed.database, read_only=read_only)
    options = {"options": "-c default_transaction_read_only=on"} if read_only else {}
    return sa.create_engine(parsed, pool_pre_ping=True, connect_args=options)


def _sqlite(database: str | None, *, read_only: bool) -> Engine:
    assert database, "the store is a file"
    if not read_only:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    # A reader opens the file read-only, so that it can never hold up or harm the agent.
    target = sa.URL.create(
        "sqlite",
        database=f"file:{quote(database)}",
        query={"mode": "ro" if read_only else "rwc", "uri": "true"},
    )
    engine = sa.create_engine(
        target, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{CACHE_BYTES // 1024}")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _schema_version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
