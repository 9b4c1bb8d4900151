"""The role that Grafana reads PostgreSQL with can read, and no more."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.support.postgres import new_database, postgres, server_programs

SCRIPT = Path(__file__).parents[2] / "packaging" / "compose" / "postgres-reader.sh"

pytestmark = pytest.mark.postgres


@pytest.fixture
def database() -> Iterator[tuple[str, str]]:
    """Return socket and name of a database in which the script has run."""
    programs = server_programs()
    assert programs is not None
    with postgres(programs) as socket:
        parts = urlsplit(new_database(socket))
        assert parse_qs(parts.query)["host"] == [str(socket)]
        name = parts.path.removeprefix("/")
        environ = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PGHOST": str(socket),
            "POSTGRES_USER": "postgres",
            "POSTGRES_DB": name,
            "POSTGRES_PASSWORD": 'it\'s "quoted"',
        }
        subprocess.run([SCRIPT], env=environ, check=True, stdout=subprocess.DEVNULL)
        yield str(socket), name


@pytest.mark.slow
def test_it_reads_tables_that_come_later_and_writes_none(database: tuple[str, str]) -> None:
    host, name = database
    with psycopg.connect(host=host, dbname=name, user="postgres") as owner:
        owner.execute("CREATE TABLE block AS SELECT 840000 AS height")
    with psycopg.connect(host=host, dbname=name, user="grafana", autocommit=True) as reader:
        assert reader.execute("SELECT height FROM block").fetchall() == [(840000,)]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("DELETE FROM block")
        reader.execute("SET default_transaction_read_only = off")
        for forbidden in ("DELETE FROM block", "DROP TABLE block", "CREATE TABLE mine (x int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(forbidden.encode())
