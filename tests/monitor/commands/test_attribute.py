from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.build import build_coinbase
from hashing.wire import TxOut
from monitor.cli import cli
from tests.analyzers.coinbase_vectors import real_coinbases

SIG = b"\x03\xe6\xb5\x06/ViaBTC/Mined by rme100/,".hex()


def run(*arguments: str, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["attribute", *arguments], input=text)


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_lines_of_real_coinbases() -> None:
    real = real_coinbases()
    text = "".join(
        json.dumps(
            {
                "height": one.height,
                "script": one.script_sig.hex(),
                "outputs": [{"script": o.script.hex(), "value": o.value} for o in one.outputs],
            }
        )
        + "\n"
        for one in real
    )
    result = run("--jsonl", "-", text=text)
    assert result.exit_code == 0
    answers = objects(result)
    assert [(a["pool"], a["rule"]) for a in answers] == [(one.pool, one.rule) for one in real]
    for answer in answers:
        assert set(answer) == {
            *("schema_version", "pool", "name", "rule", "evidence", "conflicts"),
            *("coinbase", "facts"),
        }
        assert (answer["pool"] is None) == (answer["name"] is None)


def test_a_whole_transaction(tmp_path: Path) -> None:
    coinbase = build_coinbase(830_000, b"/slush/", [TxOut(5, b"\x51")])
    file = tmp_path / "some.jsonl"
    file.write_text(json.dumps({"coinbase_tx": coinbase.hex(), "script": "ff"}))
    (answer,) = objects(run("--jsonl", str(file), "--reading"))
    assert answer["name"] == "Braiins Pool"
    assert answer["coinbase"]["height"] == 830_000
    assert [c["kind"] for c in answer["coinbase"]["commitments"]] == ["witness"]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"script": "0"}',
        b'{"script": 5}',
        b'{"coinbase_tx": "00"}',
        b'{"script": "00", "height": "x"}',
        b'{"script": "00", "height": -1}',
        b'{"script": "00", "height": true}',
        b'{"script": "00", "height": 1e3}',
        b'{"script": "00", "outputs": 5}',
        b'{"script": "00", "outputs": [{"script": "", "value": -1}]}',
        b'{"script": "00", "outputs": [{"script": "", "value": 1.5}]}',
        b'{"script": "00", "outputs": [{"value": 1}]}',
        b'{"script": ' + b"9" * 10_000 + b"}",
        b'{"script": "' + b"0" * 17_000_000 + b'"}',
    ],
)
def test_a_bad_line_loses_nothing_else(bad: bytes) -> None:
    good = json.dumps({"script": SIG}).encode()
    result = run("--jsonl", "-", text=good + b"\n" + bad + b"\n" + good)
    first, second, third = objects(result)
    assert first == third
    assert first["pool"] == "viabtc"
    assert list(second) == ["schema_version", "error"]
    assert result.stderr.startswith("poolscope attribute: line 2: ")
    assert result.exit_code == 1


def test_text_is_escaped() -> None:
    result = run("--jsonl", "-", "--reading", text=json.dumps({"script": "41" * 4 + "1b5b324a"}))
    assert "\\u001b" not in result.stdout
    shown = run("5c" + b"/ViaBTC/Mined by <b>\x1b[31m/".hex())
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    assert r"\x3cb\x3e" in shown.stdout


def test_facts_of_a_block() -> None:
    block = {"script": SIG, "header": "04e0ff2f" + "00" * 76, "tx_count": 1}
    (answer,) = objects(run("--jsonl", "-", "--reading", text=json.dumps(block)))
    assert answer["facts"] == {
        "sureness": "likely",
        "tag_owner": "viabtc",
        "payout_owner": None,
        "producer": "viabtc",
        "signalled": [2],
        "rolled": 32767,
        "empty": True,
    }
    for broken in ({"header": "00"}, {"tx_count": -1}, {"tx_count": "1"}):
        result = run("--jsonl", "-", "--reading", text=json.dumps(block | broken))
        assert list(objects(result)[0]) == ["schema_version", "error"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"script": "0g"}', "line 1: script is not hex: character 2 is no hex digit"),
        ('{"script": "000"}', "line 1: script is not hex: an odd number of digits"),
        ('{"script": "\x1b"}', "line 1: not JSON: Invalid control character at character 13"),
        ('{"coinbase_tx": ""}', "line 1: truncated: "),
    ],
)
def test_errors_say_line_and_what(line: str, told: str) -> None:
    assert told in run("--jsonl", "-", text=line).stderr


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
HEX = st.binary(max_size=30).map(bytes.hex)
LINES = st.one_of(
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")),
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(["script", "coinbase_tx", "outputs", "height", "header", "tx_count"]),
        HEX
        | JSON_VALUES
        | st.lists(st.fixed_dictionaries({"script": HEX | JSON_VALUES, "value": JSON_VALUES})),
    ).map(lambda value: json.dumps(value).encode()),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.lists(LINES, max_size=6))
def test_any_line_gives_an_answer_or_an_error(lines: list[bytes]) -> None:
    result = run("--jsonl", "-", "--reading", text=b"".join(line + b"\n" for line in lines))
    answers = objects(result)
    assert len(answers) == len(lines)
    errors = [number for number, answer in enumerate(answers, 1) if "error" in answer]
    assert result.exit_code == (1 if errors else 0)
    told = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in told] == [f"line {number}" for number in errors]
    assert all(character.isprintable() for line in told for character in line)


def test_hex_arguments() -> None:
    result = run(SIG, "zz")
    assert result.stdout.startswith("ViaBTC  (rule: tag; likely)\n")
    assert "miner    rme100" in result.stdout
    assert "argument 2: HEX is not hex" in result.stderr
    assert result.exit_code == 1
    assert objects(run("--json", SIG))[0]["pool"] == "viabtc"


def test_another_registry(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps([{"id": 1, "name": "Via", "tags": ["ViaB"], "addresses": []}]))
    assert objects(run("--registry", str(file), "--json", SIG))[0]["name"] == "Via"
    file.write_text("{")
    result = run("--registry", str(file), SIG)
    assert result.exit_code == 1
    assert "list.json: not JSON" in str(result.exception)


def test_what_to_read_must_be_said() -> None:
    assert run().exit_code == 2
    assert run("--jsonl", "-", SIG).exit_code == 2
    result = run("--jsonl", "no-such-file")
    assert "no-such-file" in str(result.exception)


@pytest.mark.slow
def test_lines_are_answered_as_they_come() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "attribute", "--jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(json.dumps({"script": SIG}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["pool"] == "viabtc"
        process.stdin.close()
        assert process.wait(10) == 0
