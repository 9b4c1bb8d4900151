"""Files of the user that name pools: lenses, labels, tables of counts, groups and entities."""

from __future__ import annotations

import gzip
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzers.leftout import Kind
from monitor.cli import cli
from monitor.queries.tables import parse_counts
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

HISTORY = ("concentration", "--history", "--from", "2023-01-01", "--to", "2024-01-01")


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=stdin)


def as_json(*arguments: str, stdin: str | None = None) -> Any:
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def plain() -> Any:
    return as_json(*HISTORY)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    opened = open_store(path, "regtest")
    pools = ("antpool", "viabtc", "antpool", "formerpool", None)
    chain = extend(genesis(), 40)
    opened.apply(Step([block.stored(pool=pools[i % 5]) for i, block in enumerate(chain)]))
    opened.close()
    return "--network", "regtest", "--store", f"sqlite:///{path}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "pool,entity\nfoundryusa,big\nantpool,big\n",
        "Foundry USA,big\nAntPool,big\n",
        "FOUNDRY USA , big\nantpool,big\n",
        "\ufeffPool;Entity\r\nFoundry USA;big\r\nAnt-Pool;big\r\n",
        'name\tgroup\n"Foundry USA"\tbig\nAntPool\tbig',
        "# mine\nentity,source,pool\nbig,me,Foundry USA\nbig,me,AntPool\n",
        "FoundryUSA,big\nFoundry USA,big\nAntPool,big\n",
    ],
)
def test_a_lens_names_pools_as_people_do(text: str, plain: Any, tmp_path: Path) -> None:
    (tmp_path / "lens.csv").write_text(text)
    found = as_json(*HISTORY, "--lens", str(tmp_path / "lens.csv"))
    assert found["left_out"] == []
    blocks = {share["pool"]: share["blocks"] for share in found["shares"]}
    former = {share["pool"]: share["blocks"] for share in plain["shares"]}
    assert blocks["big"] == former["foundryusa"] + former["antpool"]
    assert not {"foundryusa", "antpool"} & set(blocks)
    assert found["entities"] == plain["entities"] - 1


def test_former_names_are_known(tmp_path: Path, plain: Any) -> None:
    (tmp_path / "lens.csv").write_text("SlushPool,slush\n")
    found = as_json(*HISTORY, "--lens", str(tmp_path / "lens.csv"))
    former = {share["pool"]: share["blocks"] for share in plain["shares"]}
    assert {share["pool"]: share["blocks"] for share in found["shares"]}["slush"] == former[
        "braiinspool"
    ]


@pytest.mark.slow
def test_rows_of_nobody_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "lens.csv").write_text("Fuondry,big\nAntPool,big\nf2pool,\nNobody,x\n")
    result = run(*HISTORY, "--lens", str(tmp_path / "lens.csv"), "--json")
    told = json.loads(result.stdout)["left_out"]
    assert [(left["kind"], left["count"]) for left in told] == [
        (Kind.LENS_ROW, 2),
        (Kind.LENS_ROW, 1),
    ]
    assert told[0]["examples"] == ["line 1: Fuondry", "line 4: Nobody"]
    assert result.stderr.count("left out: 2 rows of the lens (line 1: Fuondry") == 1
    each = run(*HISTORY, "--each", "--step", "1d", "--lens", str(tmp_path / "lens.csv"), "--csv")
    assert each.stderr.count("left out: 2 rows") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Fuondry,big\nAmtPool,big\n", "is without effect: left out: 2 rows of the lens"),
        ("pool,entity\n", "is without effect"),
        ("", "is without effect"),
        ("AntPool,a\nantpool,b\n", "line 2: antpool (pool antpool) is 'b' here and 'a' in line 1"),
        ("AntPool,a\npoolin\n", "line 2: expected pool,entity"),
        ("AntPool,a,b\n", "line 1: expected pool,entity"),
        ('"AntPool,a\n', "line 1"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
    ],
)
def test_a_lens_that_cannot_be_used_is_an_error(
    text: str | bytes, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "lens.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = run(*HISTORY, "--lens", str(file))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("trend",), ("eras",), ("risk",), ("network",), ("concentration", "--each")]
)
def test_every_command_with_a_lens_takes_names(
    command: tuple[str, ...], store: tuple[str, ...], tmp_path: Path
) -> None:
    """Also of pools that the registry does not know, but blocks are stored of."""
    (tmp_path / "lens.csv").write_text("ViaBTC,both\nFormer-Pool,both\nNoSuch,x\n# kind: control\n")
    size = () if command == ("network",) else ("--window", "10")
    found = as_json(*command, *store, *size, "--lens", str(tmp_path / "lens.csv"))
    (told,) = found["left_out"]
    assert told["examples"] == ["line 3: NoSuch"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Foundry USA", "foundryusa", " FOUNDRY USA "])
def test_groups_and_entities_by_any_name(name: str) -> None:
    (group,) = as_json(*HISTORY, "--group", f"{name},AntPool")["groups"]
    assert group["pool"] == "antpool + foundryusa"
    risk = ("risk", *HISTORY[1:])
    assert as_json(*risk, "--entity", name)["pool"] == "foundryusa"
    found = as_json("trend", *HISTORY[1:], "--measure", name)
    assert found["pool"] == "foundryusa"
    given = as_json("concentration", "--counts", "-", "--group", name, stdin="Foundry USA,3\nb,4")
    assert given["groups"][0]["blocks"] == 3


@pytest.mark.slow
def test_a_misspelt_member_of_a_group_is_an_error() -> None:
    assert "'Fuondry' found no block" in run(*HISTORY, "--group", "Fuondry,antpool").stderr


COUNTED = {"AntPool": 1200, "b": 30}


@pytest.mark.parametrize(
    "text",
    [
        "AntPool,1200\nb,30\nUnknown,7\n",
        "pool,blocks\nAntPool,700\nantpool,500\nb,30\nunknown,7\n",
        "Pool;Blocks\nAntPool;1.2e3\nb;30\nUnattributed;7",
        'AntPool,"1,200"\nb,30\n,7\n',
        "AntPool\t1'200\r\nb\t30\r\nUNKNOWN\t7\r\n",
        "pool,blocks,note\nAntPool,1200,x\nb,30,\nUnknown,7,\n",
    ],
)
def test_tables_of_counts(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    found = as_json("concentration", "--counts", str(tmp_path / "t.csv"))
    assert {share["pool"]: share["blocks"] for share in found["shares"]} == COUNTED
    assert (found["blocks"], found["unknown"]) == (1237, 7)
    risk = as_json("risk", "--counts", str(tmp_path / "t.csv"))
    assert (risk["pool"], risk["holding"]["of_blocks"]) == ("AntPool", 1237)
    change = as_json("concentration", "--counts", "9,8", "--compare", str(tmp_path / "t.csv"))
    assert change["earlier"]["blocks"] == 1237
    assert {move["pool"] for move in change["shares"]} == {"AntPool", "b", "#1", "#2"}


def test_a_table_of_shares_has_a_rest_of_nobody() -> None:
    (found,) = as_json("compare", "-", stdin="AntPool;60 %\nUnknown;40 %\n")["tables"]
    assert (found["entities"], found["covered"], found["counted"]) == (1, 0.6, None)
    (found,) = as_json("compare", "-", stdin="AntPool,600\nantpool,1\nUnknown,400\n")["tables"]
    assert (found["counted"], found["entities"]) == (1001, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AntPool,1,200\n", "line 1: expected entity,count"),
        ("a,5\nb,-1\n", "'-1': a number of blocks cannot be negative"),
        ("a,5\nb,1.5\n", "'1.5' is no whole number; for shares see 'poolscope compare'"),
        ("a,5\nb,nan\n", "'nan' is no number of blocks"),
        ("a,5\nb,1e400\n", "'1e400' is too large: counts end at 10^60"),
        ("Unknown,2000000\na,5\n", "2000000 blocks of nobody known"),
    ],
)
def test_what_is_no_count_is_said_whole(text: str, message: str) -> None:
    result = run("concentration", "--counts", "-", stdin=text)
    assert result.exit_code == 2
    assert message in result.stderr


@given(st.text(max_size=60).filter(lambda text: "\0" not in text))
@settings(max_examples=50)
def test_any_table_is_counted_or_refused(text: str) -> None:
    try:
        counts = parse_counts("0,1" + text)
    except (OSError, ValueError):
        return
    assert all(blocks >= 0 for blocks in counts.values())


LABELS = [(1, "AntPool"), (2, "ViaBTC"), (3, "Wrong Pool"), (5, "unknown"), (999, "AntPool")]


def label_text(form: str) -> bytes:
    rows = [f"{height},{label}" for height, label in LABELS]
    text = {
        "plain": "height,label\n" + "\n".join(rows),
        "bom": "\ufeffheight,label\n" + "\n".join(rows),
        "semicolons": "Height;Pool\r\n" + "\r\n".join(row.replace(",", ";") for row in rows),
        "tabs": "block_height\tpool_name\n" + "\n".join(row.replace(",", "\t") for row in rows),
        "quotes": '"height","label"\n' + "\n".join(f'"{h}","{x.upper()}"' for h, x in LABELS),
        "bare": "\n".join(rows),
        "twice": "height,label\n1,antpool\n" + "\n".join(rows),
        "jsonl": "\n".join(json.dumps({"Height": h, "Label": x}) for h, x in LABELS),
        "gz": "height,label\n" + "\n".join(rows),
    }[form]
    raw = unicodedata.normalize("NFD", text).encode()
    return gzip.compress(raw) if form == "gz" else raw


@pytest.mark.parametrize(
    "form", ["plain", "bom", "semicolons", "tabs", "quotes", "bare", "twice", "jsonl", "gz"]
)
def test_labels_in_any_form_and_what_of_them_is_not_used(
    form: str, store: tuple[str, ...], tmp_path: Path
) -> None:
    name = {"jsonl": "l.jsonl", "gz": "l.csv.gz"}.get(form, "l.csv")
    (tmp_path / name).write_bytes(label_text(form))
    # blocks are as they are stored: the test's registry made them, and no version of ours
    registry = tmp_path / "pools.json"
    rows = [{"id": 1, "name": "AntPool", "tags": ["/Foundry USA Pool/"], "addresses": []}]
    registry.write_text(json.dumps(rows))
    arguments = ("audit", "blocks", "--against", str(tmp_path / name), *store)
    found = as_json(*arguments, "--registry", str(registry))
    assert (found["blocks"], found["agreed_blocks"]) == (4, 1)
    told = {left["why"]: (left["count"], left["examples"]) for left in found["left_out"]}
    assert told["no stored block of the active chain has this height"][0] == 1
    nobody = told["no pool of the registry has this name: it counts as one of its own"]
    assert nobody[0] == 2
    assert [label.lower() for label in nobody[1]] == ["viabtc", "wrong pool"]
    assert "left out: 1 row of the labels" in run(*arguments).stderr


def test_blocks_are_judged_by_the_registry_that_is_named(
    store: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_text("height,label\n1,One\n2,Two\n")
    tags = {"One": ["(?=x)", "foundry usa POOL"], "Two": ["/nothing/"]}
    rows = [
        {"id": place, "name": name, "tags": found, "addresses": []}
        for place, (name, found) in enumerate(tags.items(), start=1)
    ]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    arguments = ("--registry", str(tmp_path / "list.json"), *store)
    found = as_json("audit", "blocks", "--against", str(tmp_path / "l.csv"), *arguments)
    assert (found["blocks"], found["agreed_blocks"]) == (2, 1)
    assert found["left_out"][0]["kind"] == Kind.LIST_ENTRY
    for command in (("attribute", "00"), ("relabel", "--dry-run")):
        place = () if command[0] == "attribute" else store
        told = run(*command, "--registry", str(tmp_path / "list.json"), *place).stderr
        assert "left out: 1 entry of the pool list (One: (?=x)): the expression looks" in told
