"""A PostgreSQL server of one's own: a throwaway cluster behind a Unix socket."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

FAST = "-c fsync=off -c shared_buffers=16MB -c max_connections=20 -c listen_addresses="
OWNER = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root


def server_programs() -> Path | None:
    """Return the directory of ``initdb`` and ``pg_ctl``; Debian keeps it off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@contextmanager
def postgres(programs: Path) -> Iterator[Path]:
    """Run a server; give the directory of its socket."""
    home = Path(tempfile.mkdtemp(prefix="poolscope-pg-"))
    data = home / "data"
    if OWNER:
        shutil.chown(home, OWNER)

    def run(program: str, *arguments: str) -> None:
        command: list[str | Path] = [programs / program, "-D", data, *arguments]
        subprocess.run(command, user=OWNER, cwd=home, check=True, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "--no-locale")
        run("pg_ctl", "start", "-w", "-l", str(home / "log"), "-o", f"{FAST} -k {home}")
        try:
            yield home
        finally:
            run("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def new_database(socket: Path) -> str:
    """Return the URL of a new, empty database."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(host=str(socket), user="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql://postgres@/{name}?host={socket}"
