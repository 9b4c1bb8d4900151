"""What strangers write leaves no command as it came in: the same hostile bytes, every exit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from analyzers.attribution import attribute
from analyzers.model import Label
from analyzers.registry.importers import import_list
from hashing.wire import parse_coinbase
from monitor.cli import cli
from monitor.store.base import Step
from monitor.store.sql import open_store
from tests.support.blocks import extend, genesis

HOSTILE = "=cmd|'/C calc'!A0 \x1b[2J\u202egpj <script>alert(1)</script> {{x}}"
RIG = "Rig \x1b[2J\u202e"
LIST = json.dumps(
    [{"id": 1, "name": RIG, "tags": ["/solo rig/", HOSTILE[:20]], "addresses": [RIG]}]
)

COMMANDS = [
    ("audit", "blocks"),
    ("audit", "blocks", "--json"),
    ("audit", "unknown"),
    ("audit", "unknown", "--json"),
    ("audit", "drift", "--all"),
    ("audit", "drift", "--all", "--json"),
    ("relabel", "--dry-run"),
    ("relabel", "--dry-run", "--json"),
    ("block", "2"),
    ("block", "2", "--json"),
    ("block", "5"),
    ("pools", "--window", "6"),
    ("pools", "--window", "6", "--json"),
    ("concentration", "--window", "6", "--csv"),
    ("export", "--format", "csv", "--out", "-"),
    ("export", "--format", "jsonl", "--out", "-"),
]

MACHINE = {"--json", "--csv", "csv", "jsonl"}


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose coinbases and labels are hostile, with a pool list to match."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "list.json").write_text(LIST)
    registry = import_list(LIST).registry
    named = extend(genesis(), 3, tag=b"/solo rig/" + HOSTILE.encode()[:60])
    unknown = extend(named[-1], 3, tag=HOSTILE.encode()[:70])
    store = open_store(folder / "store.sqlite", "regtest")
    store.apply(
        Step(
            [
                dataclasses.replace(
                    block.stored(),
                    label=Label(RIG, "some list"),
                    attribution=attribute(parse_coinbase(block.coinbase_tx), registry),
                )
                for block in (*named, *unknown)
            ]
        )
    )
    store.close()
    return folder


def assert_safe(text: str, *, machine: bool) -> None:
    """No control and no mark of direction; for machines no HTML and no formula either."""
    shown = text.replace("\n", "").replace("\t", "")
    assert shown.isprintable(), [c for c in shown if not c.isprintable()]
    if not machine:
        return
    assert "<script" not in text
    for line in text.splitlines():
        for cell in line.split(","):
            assert cell.strip('" ')[:1] not in ("=", "@"), line


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_lets_it_through(command: tuple[str, ...], where: Path) -> None:
    store = f"sqlite:///{where / 'store.sqlite'}"
    extra = ("--registry", str(where / "list.json")) if command[0] == "relabel" else ()
    result = CliRunner().invoke(cli, [*command, *extra, "--store", store, "--network", "regtest"])
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert_safe(result.stdout, machine=bool(MACHINE & set(command)))
    assert_safe(result.stderr, machine=False)


def test_nor_do_commands_without_a_store(where: Path) -> None:
    listed = str(where / "list.json")
    script = (b"\x03\x01\x02\x03/solo rig/" + HOSTILE.encode()).hex()
    for arguments in (
        ("attribute", "--registry", listed, script),
        ("attribute", "--registry", listed, "--json", "--reading", script),
        ("audit", "registry", listed),
        ("audit", "registry", listed, "--json"),
    ):
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, (result.stderr, result.exception)
        assert_safe(result.stdout, machine=bool(MACHINE & set(arguments)))
        assert_safe(result.stderr, machine=False)
