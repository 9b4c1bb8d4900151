"""What the statistics commands write: described shapes, one vocabulary, CSV in the same words."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import TypeAdapter

from analyzers.figures import MEASURES
from monitor.cli import answers, cli
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

ANSWERS = answers()
HISTORY = ("--history", "--from", "2023-01-01", "--to", "2024-01-01")
SHARES = "date,entity,share\n2024,a,60%\n2025,a,40%\n2025,b,30%\n"

ASKED = (
    ("concentration", *HISTORY),
    ("concentration", "--counts", "5,4,0"),
    ("concentration", "--counts", "0"),
    ("concentration", *HISTORY, "--each"),
    ("concentration", *HISTORY, "--each", "--window", "1d"),
    ("concentration", *HISTORY, "--compare"),
    ("concentration", "--counts", "5,4", "--compare", "0"),
    ("concentration", "STORE", "--window", "10"),
    ("trend", *HISTORY),
    ("trend", *HISTORY, "--measure", "antpool"),
    ("trend", "STORE", "--window", "10"),
    ("eras", *HISTORY),
    ("eras", "STORE", "--window", "10"),
    ("network", "STORE"),
    ("network", "STORE", "--window", "1"),
    ("network", "STORE", "--claim", "antpool=18%"),
    ("risk", "--share", "0.6"),
    ("risk", *HISTORY),
    ("risk", "--counts", "5,4"),
    ("cost", "--no-store"),
    ("cost", "--no-store", "--tariff", "0.05", "--price", "73000"),
    ("cost", "--no-store", "--tariff", "0.05", "--price", "1"),
    ("claims",),
    ("compare", "--list"),
    ("compare", "--series", "Hashrate Index"),
    ("compare", "--series", "CBECI map"),
    ("compare", "--series", "edge AI"),
    ("compare", "SHARES"),
    ("compare", "COUNTS"),
    ("compare", "--series", "Hashrate Index", "--against", "pools"),
)


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of forty blocks, an empty one, and tables."""
    folder = tmp_path_factory.mktemp("answers")
    pools = ("antpool", "viabtc", "antpool", "f2pool", None)
    chain = extend(genesis(), 40)
    with_blocks = open_store(folder / "store.sqlite", "regtest")
    with_blocks.apply(Step([block.stored(pool=pools[i % 5]) for i, block in enumerate(chain)]))
    with_blocks.close()
    open_store(folder / "empty.sqlite", "regtest").close()
    (folder / "shares.csv").write_text(SHARES)
    (folder / "counts.csv").write_text("a,60\nb,84\nUnknown,3\n")
    return folder


def place(where: Path, name: str = "store") -> tuple[str, ...]:
    return ("--network", "regtest", "--store", f"sqlite:///{where / name}.sqlite")


def run(where: Path, *words: str) -> Result:
    full: list[str] = []
    for word in words:
        if word == "STORE":
            full += place(where)
        elif word in ("SHARES", "COUNTS"):
            full.append(str(where / f"{word.lower()}.csv"))
        else:
            full.append(word)
    return CliRunner().invoke(cli, full)


def mappings(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each mapping of an answer with the name that it stands under."""
    if isinstance(value, dict):
        yield name, value
        for key, item in value.items():
            yield from mappings(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from mappings(item, name)


def not_a_number(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


@pytest.mark.slow
@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_json_is_of_the_shape_that_is_described(where: Path, words: tuple[str, ...]) -> None:
    result = run(where, *words, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    found = json.loads(result.stdout, parse_constant=not_a_number)
    shape: Any = ANSWERS[words[0]]
    answer = TypeAdapter(shape).validate_json(result.stdout)
    assert json.loads(answer.model_dump_json()) == found
    assert found["schema_version"] == 1
    assert found["left_out"] == []
    known = {measure.name for measure in MEASURES}
    for name, part in mappings(found):
        former = {"entity", "unattributed", "interval", "hhi_points", "attacker", "median"}
        assert not former & set(part), name
        if name == "figures":
            others = {key for key in part if key not in known}
            assert all(
                (key.startswith("cr") and key.endswith("_30d")) or key == "homogeneity_p"
                for key in others
            ), others
            if (hhi := part.get("hhi")) and hhi["value"] is not None:
                assert 0 <= hhi["value"] <= 1


def described(command: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a command's shape and of all within it, with their descriptions."""
    shape: Any = ANSWERS[command]
    schema = TypeAdapter(shape).json_schema()
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, field in part.get("properties", {}).items():
            yield f"{part.get('title')}.{name}", field.get("description", "")


@pytest.mark.parametrize("command", sorted(ANSWERS))
def test_every_field_is_described(command: str) -> None:
    fields = dict(described(command))
    assert fields
    assert not [name for name, text in fields.items() if not text.endswith(".")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("concentration", *HISTORY, "--each"),
        ("concentration", *HISTORY, "--each", "--window", "1d"),
        ("trend", *HISTORY),
    ],
    ids=" ".join,
)
def test_csv_has_the_values_of_json_under_the_same_names(
    where: Path, words: tuple[str, ...]
) -> None:
    found = json.loads(run(where, *words, "--json").stdout)
    listed = found.get("windows") or found["trends"]
    rows = list(csv.DictReader(io.StringIO(run(where, *words, "--csv").stdout)))
    assert len(rows) == len(listed)
    for row, entry in zip(rows, listed, strict=True):
        flat = entry | entry.pop("figures", {})
        if "start_time" in flat:
            start = datetime.fromisoformat(row.pop("start_time"))
            assert start.timestamp() == flat.pop("start_time")
        for name, value in flat.items():
            ends = value if isinstance(value, dict) else {"value": value}
            assert row.pop(name) == ("" if ends["value"] is None else str(ends["value"])), name
            for end in ("low", "high"):
                held = row.pop(f"{name}_{end}", "")
                assert held == ("" if ends.get(end) is None else str(ends[end])), (name, end)
        assert not row


@pytest.mark.parametrize(
    "words",
    [
        ("concentration",),
        ("concentration", "--each"),
        ("trend",),
        ("eras",),
        ("risk",),
        ("network",),
    ],
    ids=" ".join,
)
def test_an_empty_store_is_said_in_one_sentence(where: Path, words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*words, *place(where, "empty")])
    assert result.exit_code == 1
    assert str(result.exception).startswith(
        "the store is empty yet; is 'poolscope run' catching up?"
    )


@pytest.mark.parametrize("command", ["concentration", "trend", "eras", "risk", "network"])
def test_the_same_options_everywhere(where: Path, command: str) -> None:
    from analyzers.registry.lenses import load_lenses

    text = " ".join(run(where, command, "--help").output.split())
    for option in ("--window", "--lens", "--from", "--to", "--data-dir", "--json"):
        assert option in text
    listed = text.partition("Who counts as one: ")[2].partition(", or a CSV")[0]
    assert listed.split(", ") == list(load_lenses())
    bad = run(where, command, "STORE", "--window", "soon")
    assert bad.exit_code == 2
    late = run(where, command, "STORE", "--from", "2024-01-02", "--to", "2024-01-01")
    assert (late.exit_code, "is not before --to" in late.stderr) == (2, True)
    lens = run(where, command, "STORE", "--lens", "nonesuch", "--window", "7d")
    assert (lens.exit_code, "is no lens" in lens.stderr) == (2, True)
