"""The right to write to a store, which one agent has at a time and loses when it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from monitor.store.place import file_at

WRITER: Final = 0x706F6F6C
"""The advisory lock of the agent that writes."""
SETTING_UP: Final = WRITER + 1
"""The advisory lock under which agents that start together make the tables, one by one."""

DEAD_AFTER: Final = {"idle": 10, "interval": 5, "count": 3}
"""Seconds of silence, then probes, after which PostgreSQL takes a far agent for dead."""


def advisory(purpose: int) -> tuple[int, sa.ColumnElement[int]]:
    """Return the two numbers of an advisory lock: stores may share a database by schema."""
    return purpose, sa.func.hashtext(sa.func.current_schema())


class LeaseLost(Exception):
    """What was to be written was not: another agent may be the writer now."""


class Lease(Protocol):
    """The right to write; one instance belongs to one agent."""

    def begin(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that writes; one that never took the lease needs none.

        Raises `LeaseLost`.
        """

    def take(self) -> bool:
        """Try to take the lease; say whether it is held now."""

    def holds(self) -> bool:
        """Say whether it is held still; what is lost must be taken again."""

    def holder(self) -> str:
        """Say who holds it, for people, as far as that is known."""

    def drop(self) -> None:
        """Let go; safe to call twice."""


class FileLease:
    """A lock on a file beside a SQLite database."""

    def __init__(self, engine: Engine, database: str) -> None:
        self._engine = engine
        # a file of its own: to close any handle of the database would undo SQLite's own locks
        self._path = f"{database}.lock"
        self._file: int | None = None

    def begin(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that writes."""
        return self._engine.begin()

    def take(self) -> bool:
        """Try to take the lease; say whether it is held now."""
        if self.holds():
            return True
        self.drop()
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            os.close(file)
            return False
        except OSError:
            os.close(file)
            raise
        self._file = file
        return True

    def holds(self) -> bool:
        """Say whether it is held still: a lock on a file that others do not see is none."""
        if self._file is None:
            return False
        own = os.fstat(self._file)
        return file_at(self._path) == (own.st_dev, own.st_ino)

    def holder(self) -> str:
        """Say who holds it, for people, as far as that is known."""
        try:
            number = Path(self._path).read_text("ascii", "replace").strip()
        except OSError:
            number = ""
        return f"process {number}" if number.isdecimal() else "which did not leave its number"

    def drop(self) -> None:
        """Let go; safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SessionLease:
    """An advisory lock of a PostgreSQL session.

    Whoever holds it writes through that session. So an agent that was cut off from the
    server, and replaced, cannot write any more: its session is gone.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: Connection | None = None
        self._taken = False

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Begin a transaction that writes; one that never took the lease needs none.

        Raises
        ------
        LeaseLost
            If the session that held it is gone.
        """
        if not self._taken:
            with self._engine.begin() as connection:
                yield connection
            return
        session = self._session
        # SQLAlchemy would quietly connect again, without the lock
        if session is None or session.invalidated:
            raise LeaseLost("the connection that made this agent the writer is lost")
        with session.begin():
            yield session

    def take(self) -> bool:
        """Try to take the lease; say whether it is held now."""
        if self._session is not None:
            return True
        session = self._engine.connect()
        session.detach()  # so that closing it ends the session, and with it the lock
        try:
            lock = sa.func.pg_try_advisory_lock(*advisory(WRITER))
            taken = bool(session.execute(sa.select(lock)).scalar())
            for name, value in DEAD_AFTER.items():
                session.exec_driver_sql(f"SET tcp_keepalives_{name} = {value}")
            session.commit()
        except BaseException:
            session.close()
            raise
        if not taken:
            session.close()
            return False
        self._session, self._taken = session, True
        return True

    def holds(self) -> bool:
        """Say whether it is held still; what is lost must be taken again."""
        try:
            with self.begin() as session:
                session.exec_driver_sql("SELECT 1")
        except (DBAPIError, LeaseLost):
            self.drop()
        return self._session is not None

    def holder(self) -> str:
        """Say who holds it, for people, as far as that is known."""
        purpose, schema = advisory(WRITER)
        query = sa.text(
            "SELECT pid, client_addr, application_name FROM pg_locks JOIN pg_stat_activity "
            "USING (pid) WHERE locktype = 'advisory' AND granted AND objsubid = 2 "
            "AND classid::bigint = :purpose AND objid::bigint = :schema & 4294967295 "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with self._engine.begin() as connection:
            number = connection.execute(sa.select(schema)).scalar_one()
            found = connection.execute(query, {"purpose": purpose, "schema": number}).first()
        if found is None:
            return "which has just let go of it"
        where = f" from {found.client_addr}" if found.client_addr else ""
        name = f", {found.application_name}" if found.application_name else ""
        return f"session {found.pid} of its server{where}{name}"

    def drop(self) -> None:
        """Let go; safe to call twice."""
        if self._session is not None:
            self._session.close()
            self._session = None
