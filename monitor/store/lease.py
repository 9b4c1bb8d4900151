"""The right to write to a store, which one agent has at a time and loses when it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

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
        if self._file is not None:
            return True
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
        """Say whether it is held still."""
        return self._file is not None

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

    def drop(self) -> None:
        """Let go; safe to call twice."""
        if self._session is not None:
            self._session.close()
            self._session = None
