import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import new_database, postgres, server_programs


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    programs = server_programs()
    if programs is None and not os.environ.get("CI"):
        pytest.skip("no PostgreSQL server here; on Debian: apt-get install postgresql")
    assert programs is not None
    with postgres(programs) as socket:
        yield socket


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new store can be, in each kind of database."""
    if request.param == "postgres":
        return new_database(request.getfixturevalue("postgres_socket"))
    return f"sqlite:///{tmp_path / 'store.sqlite'}"
