"""Connections to SQLite (WAL) or PostgreSQL, transactions, and the schema's version."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from socket import gethostname
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from monitor.errors import StoreChanged, StoreError
from monitor.secrets import hide, remember
from monitor.store import tables
from monitor.store.lease import SETTING_UP, FileLease, Lease, LeaseLost, SessionLease, advisory
from monitor.store.place import Place
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
    ("disk I/O error", "its disk cannot be read or written; look at the system's log"),
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
        self.read_only = read_only
        try:
            parsed = _parsed(url)
            self._engine = _engine(parsed, read_only=read_only)
        except UrlError as error:
            raise StoreError(f"store {self.where}: {error}") from None
        except (SQLAlchemyError, ImportError, OSError) as error:
            raise self.error(str(error)) from None
        self._writer = self._engine.execution_options(writes=True)
        database = parsed.database or ""
        is_file = self._engine.dialect.name == "sqlite"
        self._place = Place(database, held=not read_only) if is_file else None
        self._lease: Lease = (
            FileLease(self._writer, database) if is_file else SessionLease(self._writer)
        )
        self._driver_error = self._engine.dialect.loaded_dbapi.Error

    def close(self) -> None:
        """Close all connections; safe to call twice."""
        self._lease.drop()
        self._engine.dispose()

    def renew(self) -> None:
        """Let go of what was opened, and take what is there now for the store.

        Raises
        ------
        StoreError
            If nothing is there, or what was written into the file has damaged it.
        """
        place = self._place
        if place is None:
            self._engine.dispose()
            return
        gone = place.changed()
        overwritten = place.overwritten
        if gone and not overwritten:
            self._empty_log()
        self._engine.dispose()
        if not place.exists():
            raise self.error(gone or "its file is gone")
        if not self.read_only:
            try:
                place.drop_old_log()
            except OSError as error:
                raise self.error(f"unable to open database file: {error.strerror}") from None
        place.note()
        if overwritten:
            self._check_pages()

    def _empty_log(self) -> None:
        """Put all that the log holds into the file that it belongs to, wherever that is now.

        Of a file that takes its place, SQLite would take the log for its own.
        """
        pool = self._engine.pool
        if not isinstance(pool, sa.QueuePool) or not pool.checkedin():
            return  # nothing is open; what would be opened now is the other file
        with suppress(self._driver_error), closing(self._engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _check_pages(self) -> None:
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise self.error(f"malformed: {found}")

    def written(self) -> None:
        """Note that the store is as this agent left it; what is not is refused from now on."""
        if self._place:
            self._place.written()

    def _opened(self) -> None:
        if self._place:
            self._place.opened()

    def _check_place(self) -> None:
        """Raise `StoreChanged` if the file is not the one that was opened."""
        if self._place and (what := self._place.changed()):
            raise StoreChanged(f"store {self.where}: {what}")

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
        if not leads and self._place:
            raise StoreError(
                f"store {self.where}: another agent writes to it; stop that one "
                f"({self._lease.holder()}), or give this one a --store of its own (several agents "
                "can share one in PostgreSQL)"
            )
        return leads

    def claim(self, advice: str) -> None:
        """Become the one that writes, for a command that changes what is stored.

        Raises
        ------
        StoreError
            If an agent, or another command, is that: who it is, and `advice`.
        """
        try:
            taken = self._lease.take()
            holder = None if taken else self._lease.holder()
        except DBAPIError as error:
            raise self.error(str(error.orig)) from None
        except OSError as error:
            raise self.error(str(error)) from None
        if holder is not None:
            raise StoreError(f"store {self.where}: another agent writes to it ({holder}); {advice}")

    def leads(self) -> bool:
        """Say whether this agent is still the one that writes.

        Raises
        ------
        StoreChanged
            If its file is not the one that was opened.
        """
        self._check_place()
        return self._lease.holds()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a transaction that holds nobody up."""
        self._check_place()
        try:
            with self._engine.begin() as connection:
                yield connection
                self._opened()
        except DBAPIError as error:
            raise self.error(str(error.orig)) from None
        except self._driver_error as error:  # from a cursor that is read without SQLAlchemy
            raise self.error(str(error)) from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that is on disk when this ends, or was never there."""
        self._check_place()
        try:
            with self._lease.begin() as connection:
                yield connection
                self._opened()
        except DBAPIError as error:
            raise self.error(str(error.orig)) from None
        except LeaseLost as error:
            raise self.error(str(error)) from None

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Give a transaction that makes tables, while no other of these goes on.

        It takes no leading.
        """
        self._check_place()
        try:
            with self._writer.begin() as connection:
                if connection.dialect.name == "postgresql":
                    lock = sa.func.pg_advisory_xact_lock(*advisory(SETTING_UP))
                    connection.execute(sa.select(lock))
                yield connection
                self._opened()
        except DBAPIError as error:
            raise self.error(str(error.orig)) from None

    def error(self, problem: str) -> StoreError:
        """Return the error of a problem here, with what to do about it."""
        said = hide(problem)
        for symptom, advice in _ADVICE:
            if symptom in problem:
                return StoreError(f"store {self.where}: {advice} ({said.splitlines()[0]})")
        return StoreError(f"store {self.where}: {' '.join(said.split())}")

    def migrate(self, *, create: bool = True) -> None:
        """Bring the schema to this program's version.

        Raises
        ------
        StoreError
            If a newer program made it, or nothing is there and `create` is false.
        """
        with self.alone() as connection:
            version = _schema_version(connection)
            if version == tables.SCHEMA:
                return
            if version is None and not create:
                raise StoreError(
                    f"store {self.where} holds nothing any more; restore it, or stop poolscope "
                    "and start it again to begin a new one"
                )
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
    # what the server's lists of sessions and locks show, unless the URL says otherwise
    options["fallback_application_name"] = f"poolscope {os.getpid()} on {gethostname()}"[:63]
    return sa.create_engine(parsed, pool_pre_ping=True, connect_args=options)


def _sqlite(database: str | None, *, read_only: bool) -> Engine:
    assert database, "the store is a file"
    if not read_only:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
        _make(database)
    # A reader opens the file read-only, so that it can never hold up or harm the agent. It opens
    # it each time: a file that was replaced is not kept open. No connection makes a file, or one
    # that was moved away would be followed by an empty one.
    target = sa.URL.create(
        "sqlite",
        database=f"file:{quote(database)}",
        query={"mode": "ro" if read_only else "rw", "uri": "true"},
    )
    engine = sa.create_engine(
        target,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        poolclass=sa.NullPool if read_only else sa.QueuePool,
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


def _make(database: str) -> None:
    """Make an empty file where there is none: that is an empty database."""
    try:
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
    except OSError as error:
        if not Path(database).exists():
            raise OSError(f"unable to open database file: {error.strerror}") from None


def _schema_version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
