"""One vocabulary: every shape of commands and API, and what commands really write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner
from openapi_schema_validator import OAS31Validator
from pydantic import TypeAdapter

from analyzers.figures import MEASURES
from hashing.build import build_coinbase
from hashing.header import BlockHeader
from hashing.wire import TxOut
from monitor.answers.schema import command_schema, commands_schema, is_number
from monitor.answers.vocabulary import FORBIDDEN, INSTEAD, unit_of
from monitor.cli import COMMANDS, answers, cli
from monitor.store.base import Step
from monitor.store.sql import open_store
from monitor.web.endpoints import ENDPOINTS
from monitor.web.openapi import document
from monitor.web.server import build_app
from tests.support.headers import real_runs
from tests.support.webagent import WebAgent, mixed

ANSWERS = answers()
ENDS = {"value", "low", "high"}


def shapes() -> dict[str, dict[str, Any]]:
    of_api: dict[str, Any] = json.loads(document())["components"]["schemas"]
    of_commands: dict[str, Any] = commands_schema(ANSWERS)["$defs"]
    return of_api | of_commands


def fields() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for shape, about in shapes().items():
        for name, field in about["properties"].items():
            yield shape, name, field


def with_json() -> set[str]:
    """The commands that take ``--json``; of a group, by ``GROUP COMMAND``."""
    found = set()
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        parts = (
            {f"{name} {part}": one for part, one in command.commands.items()}
            if isinstance(command, click.Group)
            else {name: command}
        )
        for whole, one in parts.items():
            if any({"--json", "--jsonl"} & set(parameter.opts) for parameter in one.params):
                found.add(whole)
    return found


def test_every_command_that_writes_json_has_a_shape() -> None:
    assert with_json() <= set(ANSWERS)
    assert set(ANSWERS) - with_json() == {"export"}  # it has --format jsonl


def faults(shape: str, name: str, field: dict[str, Any]) -> list[str]:
    """What is wrong with a field, by the vocabulary."""
    found = []
    if name in FORBIDDEN:
        found.append(f"{shape}.{name}: say {FORBIDDEN[name]}")
    if name.endswith(INSTEAD):
        found.append(f"{shape}.{name}: an interval is an object of value, low and high")
    if is_number(field) and unit_of(name) is None:
        found.append(f"{shape}.{name}: the vocabulary has no unit for a number of this name")
    if not field.get("description") and "$ref" not in field:
        found.append(f"{shape}.{name}: not described")
    if "prefixItems" in json.dumps(field):
        found.append(f"{shape}.{name}: a list of different things has no names for them")
    return found


def test_every_field_is_of_the_vocabulary() -> None:
    assert [fault for field in fields() for fault in faults(*field)] == []


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("hhi_points", {"type": "number", "description": "HHI"}),
        ("entity", {"type": "string", "description": "Who"}),
        ("unattributed", {"type": "integer", "description": "Blocks"}),
        ("share_low", {"type": "number", "description": "An end"}),
        ("interval", {"type": "array", "items": {"type": "number"}, "description": "Ends"}),
        ("weight", {"type": "number", "description": "Of what unit?"}),
        ("miles", {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "Far"}),
        ("ages", {"type": "array", "items": {"type": "number"}, "description": "Old"}),
        ("height", {"type": "integer"}),
        ("ends", {"type": "array", "prefixItems": [{"type": "number"}], "description": "Two"}),
    ],
)
def test_what_is_not_of_the_vocabulary_is_found(name: str, field: dict[str, Any]) -> None:
    assert faults("Some", name, field)


def test_an_interval_is_value_low_and_high() -> None:
    for shape, about in shapes().items():
        names = set(about["properties"])
        if names & {"low", "high"}:
            assert names >= ENDS, shape


def test_a_time_is_a_number_but_in_tables() -> None:
    for shape, name, field in fields():
        if unit_of(name) == "Unix time" and shape != "ExportRow":
            assert is_number(field), f"{shape}.{name}"


def test_every_shape_is_described() -> None:
    for shape, about in shapes().items():
        assert about.get("description"), shape


HASHES = re.compile("(?:^|_)(?:hash|txid|root|tip)$")


def walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each plain value with the name of the field that holds it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, name)
    else:
        yield name, value


def check_values(answer: Any) -> None:
    """Hashes are 64 hex digits, bytes are hex, times are of this epoch."""
    for name, value in walk(answer):
        if isinstance(value, str) and HASHES.search(name):
            assert re.fullmatch("[0-9a-f]{64}", value), (name, value)
        if isinstance(value, str) and name in {"hex", "script", "script_sig", "merge_mining"}:
            assert re.fullmatch("(?:[0-9a-f]{2})*", value), (name, value)
        if isinstance(value, int | float) and unit_of(name) == "Unix time":
            assert 1_000_000_000 < value < 10_000_000_000, (name, value)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("answers")
    with WebAgent(folder) as agent:
        agent.mine(mixed(60))
        agent.reorg(2, [b"/rig 7/"] * 3)
        live = open_store(folder / "live.sqlite", "regtest")
        live.apply(Step(append=[block.stored() for block in agent.chain[1:9]]))
        live.close()
        yield folder


LIST = [{"id": 1, "name": "Rig", "tags": ["/rig"], "addresses": ["nonsense"]}]
SCRIPT = b"\x03\xe6\xb5\x06/ViaBTC/Mined by rme100/,".hex()
LINES = (
    ("attribute", "attribute --json --reading {script} zz", 1),
    ("attribute", "attribute --json {coinbase}", 0),
    ("audit blocks", "audit blocks --against {labels} --json {store}", 0),
    ("audit drift", "audit drift --all --json {store}", 0),
    ("audit registry", "audit registry --json", 0),
    ("audit registry", "audit registry {list} --json", 0),
    ("audit registry", "audit registry {ours} {list} --json", 0),
    ("audit unknown", "audit unknown --json {store}", 0),
    ("backfill", "backfill --source sample --from 822528 --to 822540 --json {data}", 0),
    ("backfill", "backfill --missing --json {live}", 0),
    ("block", "block 7 --json {store}", 0),
    ("claims", "claims --json", 0),
    ("compare", "compare --list --json", 0),
    ("compare", "compare --series MinerMetrics --json", 0),
    ("concentration", "concentration --json {store}", 0),
    ("concentration", "concentration --each --window 10 --json {store}", 0),
    ("concentration", "concentration --window 10 --compare --json {store}", 0),
    ("cost", "cost --no-store --json", 0),
    ("cost", "cost --no-store --tariff 0.05 --price 73000 --json", 0),
    ("eras", "eras --window 10 --json {store}", 0),
    ("network", "network --json {store}", 0),
    ("risk", "risk --history --json", 0),
    ("risk", "risk --share 0.6 --json", 0),
    ("trend", "trend --window 10 --json {store}", 0),
    ("config", "config --json", 0),
    ("export", "export --format jsonl --out - {store}", 0),
    ("hashrate", "hashrate --json-lines --seconds 0.05 --threads 1 --kernel portable {store}", 0),
    ("hashrate", "hashrate --json --seconds 0.05 --threads 1 --kernel portable {store}", 0),
    ("node", "node --whitelist --json", 0),
    ("pools", "pools --json {store}", 0),
    ("pools", "pools --window 1d --lens {lens} --json {store}", 0),
    ("pools", "pools --history --json", 0),
    ("relabel", "relabel --dry-run --registry {list} --json {store}", 0),
    ("status", "status --json --set web.port=1 {store}", 3),
    ("status", "status --json --set web.port=1 {nowhere}", 3),
    ("verify-headers", "verify-headers {headers} --json", 0),
    ("verify-headers", "verify-headers {headers} --network signet --json", 1),
)
UNTOLD = [name for name in ANSWERS if name != "watch" and name not in {line[0] for line in LINES}]
COMMAND_LINES = [*LINES, *((name, f"{name} --json {{store}}", 0) for name in UNTOLD)]
"""What is not listed is asked without arguments; `watch` runs until it is stopped."""


def words(place: Path, line: str) -> list[str]:
    files = {
        "labels": "height,label\n1,ViaBTC\n2,Foundry USA\n3,Moon\n9999,x\n",
        "lens": "pool,entity\nfoundryusa,Both\nantpool,Both\nnobody-here,X\n",
        "list.json": json.dumps(LIST),
    }
    for name, text in files.items():
        (place / name).write_text(text)
    (place / "headers").write_bytes(b"".join(real_runs()[0][:20]))
    coinbase = build_coinbase(830_000, b"/slush/", [TxOut(5, b"\x51")]).hex()
    values = {
        "store": f"--network regtest --store sqlite:///{place / 'store.sqlite'}",
        "live": f"--network regtest --store sqlite:///{place / 'live.sqlite'}",
        "data": f"--data-dir {place / 'data'}",
        "nowhere": f"--data-dir {place / 'nowhere'}",
        "labels": place / "labels",
        "lens": place / "lens",
        "list": place / "list.json",
        "headers": place / "headers",
        "ours": Path(__file__).parents[3] / "analyzers" / "registry" / "pools.toml",
        "script": SCRIPT,
        "coinbase": coinbase,
    }
    return line.format(**values).split()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "line", "status"), COMMAND_LINES)
def test_what_a_command_writes_is_of_its_shape(
    name: str, line: str, status: int, place: Path
) -> None:
    result = CliRunner().invoke(cli, words(place, line))
    assert result.exit_code == status, (result.stderr, result.exception)
    text = result.stdout
    by_line = name in {"attribute", "export", "relabel"} or "--json-lines" in line
    answers = [json.loads(part) for part in (text.splitlines() if by_line else [text])]
    assert answers
    schema = OAS31Validator(command_schema(name, ANSWERS[name]))
    for answer in answers:
        assert name == "export" or answer["schema_version"] == 1
        TypeAdapter(ANSWERS[name]).validate_json(json.dumps(answer), strict=True)
        schema.validate(answer)
        check_values(answer)


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", [e for e in ENDPOINTS if e.path not in {"/epoch", "/claims"}])
async def test_what_the_api_answers_is_of_the_vocabulary(endpoint: Any, tmp_path: Path) -> None:
    path = endpoint.path.replace("{slug}", "antpool").replace("{block}", "7")
    with WebAgent(tmp_path) as agent:
        agent.mine(mixed(60))
        agent.reorg(2, mixed(3))
        async with TestClient(TestServer(build_app(agent.context()))) as client:
            async with client.get(f"/api/v1{path}") as response:
                assert response.status == 200
                body = await response.json()
            async with client.get("/api/v1/overview") as response:
                state = {"schema_version": 1, "left_out": [], **await response.json()}
    endpoint.answer.model_validate_json(json.dumps(body), strict=True)
    check_values(body)
    OAS31Validator(command_schema("watch", ANSWERS["watch"])).validate(state)


def test_measures_are_named_as_their_list_says(place: Path) -> None:
    result = CliRunner().invoke(cli, words(place, "concentration --json {store}"))
    known = {measure.name for measure in MEASURES} | {"homogeneity_p"}
    assert set(json.loads(result.stdout)["figures"]) <= known


def test_a_block_is_the_same_on_both_faces(place: Path) -> None:
    result = CliRunner().invoke(cli, words(place, "block 7 --json {store}"))
    (evidence,) = json.loads(result.stdout)["block"]["evidence"]
    header = BlockHeader.parse(bytes.fromhex(json.loads(result.stdout)["header"]["hex"]))
    assert header.time == json.loads(result.stdout)["block"]["time"]
    coinbase = json.loads(result.stdout)["coinbase"]["hex"]
    said = CliRunner().invoke(cli, ["attribute", "--json", coinbase])
    assert json.loads(said.stdout)["evidence"] == [evidence]


@pytest.mark.slow
def test_schema_of_one_of_a_group_and_of_all() -> None:
    one = json.loads(CliRunner().invoke(cli, ["schema", "audit", "blocks"]).stdout)
    assert one["$ref"] == "#/$defs/BlocksAudit"
    group = json.loads(CliRunner().invoke(cli, ["schema", "audit"]).stdout)
    assert set(group["commands"]) == {name for name in ANSWERS if name.startswith("audit ")}
    every = json.loads(CliRunner().invoke(cli, ["schema"]).stdout)
    assert set(every["commands"]) == set(ANSWERS)
    for schema in (one, group, every):
        OAS31Validator.check_schema(schema)
    assert every["$defs"]["HeadersVerified"]["properties"]["last_height"]["unit"] == "height"
    unknown = CliRunner().invoke(cli, ["schema", "moon"])
    assert unknown.exit_code == 2
    assert "'moon' writes no JSON; known: attribute, " in unknown.stderr
