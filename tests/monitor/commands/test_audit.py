"""The audit and relabel commands over a real store of mined blocks."""

from __future__ import annotations

import dataclasses
import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from analyzers.attribution import attribute
from analyzers.model import Label
from analyzers.registry import load_registry
from hashing.wire import parse_coinbase
from monitor.cli import cli
from monitor.store.base import Step, StoredBlock
from monitor.store.sql import open_store
from tests.support.blocks import Mined, extend, genesis

LIST = [
    {"id": 901, "name": "Via", "tags": ["/ViaBTC/"], "addresses": []},
    {"id": 902, "name": "Rig \x1b[2J", "tags": ["/solo rig"], "addresses": ["nonsense"]},
]


def stored(block: Mined, label: str | None = None, *, stale: bool = False) -> StoredBlock:
    coinbase = parse_coinbase(block.coinbase_tx)
    return dataclasses.replace(
        block.stored(stale=stale),
        label=None if label is None else Label(label, "some list"),
        attribution=attribute(coinbase, load_registry(), height=block.height),
    )


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Heights 1 to 4 by ViaBTC, 5 and 6 by nobody known, and a stale block at 6."""
    opened = open_store(tmp_path / "store.sqlite", "regtest")
    named = extend(genesis(), 4, tag=b"/ViaBTC/")
    unknown = extend(named[-1], 2, tag=b"/solo rig 7/")
    lost = extend(unknown[0], 1, tag=b"/F2Pool/")[0]
    blocks = [stored(block, "ViaBTC") for block in named] + [stored(b) for b in unknown]
    opened.apply(Step(blocks, stale=[stored(lost, stale=True)]))
    opened.close()
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def as_json(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def of(store: str) -> tuple[str, ...]:
    return "--store", store, "--network", "regtest"


@pytest.mark.slow
def test_registry(tmp_path: Path) -> None:
    file = tmp_path / "pools-v2.json"
    file.write_text(json.dumps(LIST))
    shown = run("audit", "registry")
    assert "inside     eclipsemc: EMC  (emcdpool: /EMCD/)" in shown.stdout
    findings = as_json("audit", "registry", str(file))
    assert "nonsense" in findings["faults"][0]
    shown = run("audit", "registry", str(file))
    assert "\x1b" not in shown.stdout
    ours = Path(__file__).parents[3] / "analyzers" / "registry" / "pools.toml"
    differences = as_json("audit", "registry", str(ours), str(file))
    assert {
        "kind": "tag",
        "subject": "/solo rig",
        "first_pool": None,
        "second_pool": "rig2j",
    } in differences["differences"]
    shown = run("audit", "registry", str(ours), str(file))
    assert "\x1b" not in shown.stdout
    assert shown.stderr.endswith(" differences\n")


@pytest.mark.parametrize("form", ["csv.gz", "csv", "jsonl", "parquet", "store"])
def test_blocks(form: str, store: str, tmp_path: Path) -> None:
    rows = [{"height": 1, "label": "ViaBTC"}, {"height": 2, "label": "AntPool"}]
    rows += [{"height": 5, "label": "unknown"}, {"height": 99, "label": "x"}]
    file = tmp_path / f"labels.{form}"
    if form == "csv":
        file.write_text("# a list\n" + pd.DataFrame(rows).to_csv(index=False))
    elif form == "csv.gz":
        file.write_bytes(gzip.compress(pd.DataFrame(rows).to_csv(index=False).encode()))
    elif form == "jsonl":
        file.write_text("\n".join(map(json.dumps, rows)))
    elif form == "parquet":
        pytest.importorskip("pyarrow")
        pd.DataFrame(rows).to_parquet(file)
    if form == "store":
        found = as_json("audit", "blocks", *of(store))
        assert (found["blocks"], found["agreed_blocks"], found["disagreements"]) == (4, 4, [])
        return
    found = as_json("audit", "blocks", "--against", str(file), *of(store))
    assert (found["blocks"], found["agreed_blocks"], found["named_blocks"]) == (3, 2, 2)
    (told,) = found["disagreements"]
    assert (told["height"], told["pool"], told["label"]) == (2, "viabtc", "antpool")
    shown = run("audit", "blocks", "--against", str(file), *of(store)).stdout
    assert "2  ours viabtc, theirs antpool: tag /ViaBTC/ (script_sig, byte 1)" in shown
    assert "2 of 3 blocks agree: 66.67% (20.77% to 93.85%); of 2 that both name, 1" in shown


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "height,who\n1,x\n", "columns are height and one of"),
        ("a.csv", "height,label\nx,y\n", "row 1"),
        ("a.jsonl", "[1]\n", "not an object"),
        ("a.jsonl", "{\n", "cannot be read"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read"),
        ("a.csv.gz", "height,label\n1,x\n", "cannot be read"),
        ("a.csv.gz", gzip.compress(b"height,label\n1,x\n", mtime=0)[:-9], "cannot be read"),
        ("a.csv", "height,label\n1,x\n1,y\n", "row 2: height 1 has a second label"),
        ("a.csv", "height,label\n77,x\n", "no stored block has a label in"),
    ],
)
def test_broken_labels(
    name: str, text: str | bytes, message: str, store: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = run("audit", "blocks", "--against", str(file), *of(store))
    assert result.exit_code == 1
    assert message in str(result.exception)


def test_unknown(store: str) -> None:
    (found,) = as_json("audit", "unknown", *of(store))["clusters"]
    assert found["heights"] == [5, 6]
    assert found["texts"] == [{"text": "/solo rig 7/", "blocks": 2}]
    shown = run("audit", "unknown", *of(store))
    assert 'text = "/solo rig 7/"' in shown.stdout
    assert shown.stderr == "1 clusters hold 2 of 2 unknown blocks\n"


def test_drift(store: str) -> None:
    found = as_json("audit", "drift", *of(store))["sightings"]
    assert [(s["pool"], s["kind"], s["registered"]) for s in found] == [("viabtc", "payout", False)]
    assert "only tags" in run("audit", "drift", *of(store)).stdout
    everything = as_json("audit", "drift", "--all", "--pool", "viabtc", *of(store))
    assert len(everything["sightings"]) == 2


def test_relabel(store: str, tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps([LIST[0], {**LIST[1], "name": "Rig"}]))
    arguments = ("relabel", "--registry", str(file), *of(store))
    dry = run(*arguments, "--dry-run")
    assert dry.exit_code == 0, dry.exception
    assert "7 of 7 blocks would change" in dry.stderr
    assert "5  unknown (none) -> rig (tag)" in dry.stdout
    assert "6 (stale)  f2pool (tag) -> unknown (none)" in dry.stdout
    done = run(*arguments, "--json")
    changes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [change["after"]["pool"] for change in changes] == ["via"] * 4 + ["rig"] * 2 + [None]
    again = run(*arguments)
    assert again.stdout == ""
    assert "0 of 7 blocks changed" in again.stderr
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        (kept,) = connection.execute("SELECT count(*) FROM former_attribution").fetchone()
    connection.close()
    assert kept == 7


@pytest.mark.parametrize(
    "command", ["audit blocks", "audit unknown", "audit drift", "relabel --dry-run"]
)
def test_without_a_store(command: str, tmp_path: Path) -> None:
    result = run(*command.split(), "--data-dir", str(tmp_path / "nothing"))
    assert result.exit_code == 1
    assert "no store at" in str(result.exception)


@pytest.mark.parametrize("spelling", ["coinbase_tx", "script"])
def test_coinbases_of_json_lines_cluster_as_those_of_a_store(
    store: str, tmp_path: Path, spelling: str
) -> None:
    stored_ones = as_json("audit", "unknown", "--store", store, "--network", "regtest")
    blocks = extend(genesis(), 4, tag=b"/ViaBTC/")
    blocks += extend(blocks[-1], 2, tag=b"/solo rig 7/")
    lines = []
    for block in blocks:
        coinbase = parse_coinbase(block.coinbase_tx)
        outputs = [{"script": out.script.hex(), "value": out.value} for out in coinbase.outputs]
        lines.append(
            {"coinbase_tx": block.coinbase_tx.hex(), "height": block.height}
            if spelling == "coinbase_tx"
            else {"script": coinbase.script_sig.hex(), "outputs": outputs, "height": block.height}
        )
    file = tmp_path / "coinbases.jsonl"
    text = "".join(json.dumps(line) + "\n" for line in lines)
    file.write_text(text + '{"script": "zz"}\nnonsense\n{"script": ""}\n', "utf-8")
    read = as_json("audit", "unknown", "--jsonl", str(file), "--network", "regtest")
    assert sum(left.pop("count") for left in read.pop("left_out")) == 3
    stored_ones.pop("left_out")
    assert read == stored_ones
    piped = CliRunner().invoke(
        cli, ["audit", "unknown", "--jsonl", "-", "--network", "regtest", "--json"], input=text
    )
    assert json.loads(piped.stdout)["clusters"] == read["clusters"]


def test_a_registry_goes_with_lines_and_a_missing_file_is_named(tmp_path: Path) -> None:
    refused = run("audit", "unknown", "--registry", str(tmp_path / "mine.toml"))
    assert refused.exit_code == 2
    missing = run("audit", "unknown", "--jsonl", str(tmp_path / "none.jsonl"))
    assert missing.exit_code != 0
    assert "none.jsonl" in str(missing.exception)
