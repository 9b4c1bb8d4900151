"""The examples of docs/export.md, run as they stand on an exported file."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from analyzers import columns
from analyzers.frames import EXPORT, chain_from, mined_from, read_export
from monitor.cli import cli
from monitor.export import ARROW, SCHEMA
from monitor.store.sql import open_store
from tests.support import longchain

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "export.md").read_text("utf-8")
TOUR = (DOCS / "tours" / "researchers.md").read_text("utf-8")
BLOCKS = 10_000


def examples(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def asked(code: str) -> dict[str, list[Any]]:
    """Return the answer to the last statement of `code`, by column."""
    relation = duckdb.sql(code)
    assert relation is not None
    columns: dict[str, list[Any]] = relation.to_arrow_table().to_pydict()
    return columns


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the file of the examples lies."""
    folder = tmp_path_factory.mktemp("export")
    store = open_store(folder / "store.sqlite", "mainnet")
    store.append(list(longchain.rows(BLOCKS)))
    store.close()
    words = ["export", "--network", "mainnet", "--store", f"sqlite:///{folder / 'store.sqlite'}"]
    result = CliRunner().invoke(cli, [*words, "--out", str(folder / "blocks.parquet")])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("code", examples("python"))
def test_python(code: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, object] = {}
    exec(code, seen)
    assert "mainnet a former registry" in capsys.readouterr().out
    months = seen["months"]
    assert isinstance(months, pd.DataFrame)
    assert months["blocks"].tolist() == [144 * 30] * 2


@pytest.mark.slow
def test_the_check_of_the_tour_agrees_with_the_program(here: Path) -> None:
    (code,) = examples("python", TOUR)
    own: dict[str, Any] = {}
    exec(code, own)
    words = ["--network", "mainnet", "--store", f"sqlite:///{here / 'store.sqlite'}"]
    asked = ["concentration", *words, "--window", "1008", "--json"]
    result = CliRunner().invoke(cli, asked)
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    assert said["figures"]["hhi"]["value"] == pytest.approx(own["hhi"], rel=1e-5)
    assert said["figures"]["nakamoto_half"]["value"] == own["nakamoto"]
    assert said["figures"]["cr1"]["value"] == pytest.approx(own["largest"] / own["n"], rel=1e-5)
    shares = [entry["share"] for entry in said["shares"] if entry["blocks"] == own["largest"]]
    assert shares[0]["low"] == pytest.approx(own["low"], rel=1e-5)
    assert shares[0]["high"] == pytest.approx(own["high"], rel=1e-5)


def test_sql(here: Path) -> None:
    by_month, empty, notes = (asked(code) for code in examples("sql"))
    assert sum(by_month["blocks"]) == sum(empty["blocks"]) == BLOCKS
    assert sum(empty["empty"]) == -(-BLOCKS // 4000)
    said = dict(zip(notes["name"], notes["text"], strict=True))
    assert said["poolscope.schema"] == SCHEMA
    assert said["poolscope.registry"] == "a former registry"


def test_the_loader_gives_each_column_its_type(here: Path) -> None:
    frame = read_export("blocks.parquet")
    assert list(EXPORT) == ARROW.names
    assert frame.dtypes.astype(str).to_dict() == EXPORT
    assert frame.attrs["schema"] == SCHEMA
    chain = chain_from(frame)
    rows = list(longchain.rows(600))
    assert list(chain[:600]) == [(row.height, row.time, row.pool) for row in rows]
    assert mined_from(frame.head(600)) == list(chain[:600])


def test_the_loader_refuses_other_files(tmp_path: Path) -> None:
    pd.DataFrame({"height": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="has no column 'time'"):
        read_export(tmp_path / "other.parquet")


def test_the_page_names_every_column() -> None:
    assert "\n<!-- columns -->\n" in PAGE
    table = columns.markdown(exported=True)
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == ARROW.names
    told = CliRunner().invoke(cli, ["export", "--help"]).output
    assert re.findall(r"^ {4}(\w+) ", told[told.index("Columns:") :], re.MULTILINE) == ARROW.names


def test_a_file_of_before_a_column_is_still_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = dataclasses.replace(columns.COLUMNS["size"], name="late", since=int(SCHEMA) + 1)
    monkeypatch.setitem(columns.EXPORTED, "late", late)
    monkeypatch.setitem(EXPORT, "late", late.dtype)
    frame = read_export(folder / "blocks.parquet")
    assert frame["late"].dtype == "Int32"
    assert frame["late"].isna().all()
    table = pq.read_table(folder / "blocks.parquet")
    for version, readable in ((1, True), (int(SCHEMA), True), (int(SCHEMA) + 1, False)):
        noted = {**(table.schema.metadata or {}), b"poolscope.schema": str(version).encode()}
        pq.write_table(table.replace_schema_metadata(noted), tmp_path / "old.parquet")
        if readable:
            assert len(read_export(tmp_path / "old.parquet")) == BLOCKS
        else:
            with pytest.raises(ValueError, match="has no column 'late'"):
                read_export(tmp_path / "old.parquet")
