import importlib
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from monitor.cli import COMMANDS, cli, main, module_of
from monitor.store.sql import open_store


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_teaches(name: str) -> None:
    command = importlib.import_module(module_of(name)).command
    assert isinstance(command, click.Command)
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output


def test_config_prints_toml_and_json() -> None:
    result = CliRunner().invoke(cli, ["config", "--json", "--set", "web.port=9"])
    assert json.loads(result.output)["settings"]["web"]["port"] == 9


def test_config_names_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.touch()
    shown = CliRunner().invoke(cli, ["config", "--config", str(file)]).output
    assert shown.splitlines()[0] == f"# settings file: {file}"


def test_status_says_by_its_exit_that_no_agent_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = ["--data-dir", str(tmp_path), "--set", "web.port=1"]
    monkeypatch.setattr(sys, "argv", ["poolscope", "status", *where])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 3
    assert capsys.readouterr().out.startswith("agent     not running")


def test_status_of_an_empty_store_says_so(tmp_path: Path) -> None:
    open_store(tmp_path / "mainnet.sqlite", "mainnet").close()
    where = ["--data-dir", str(tmp_path), "--set", "web.port=1"]
    shown = CliRunner().invoke(cli, ["status", *where]).output
    assert shown.splitlines()[-1] == "blocks    none yet"


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("mysql://host/db", "a store is a sqlite:///FILE or a postgresql://HOST/DB"),
        ("postgresql://u:p@127.0.0.1:1/db", "the database does not answer or refuses the login"),
    ],
)
def test_a_store_that_cannot_be_used_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, advice: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["poolscope", "pools", "--store", url])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    complaint = capsys.readouterr().err
    assert advice in complaint
    assert complaint.count("\n") == 1
    assert ":p@" not in complaint


def test_an_error_is_one_line_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["poolscope", "config", "--network", "othernet"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("poolscope: setting network: ")
    assert captured.err.count("\n") == 1


@pytest.mark.slow
def test_the_daemon_imports_neither_numba_nor_pandas() -> None:
    program = (
        "import sys, monitor.cli, monitor.commands.run, monitor.app\n"
        "print([m for m in ('numba', 'pandas', 'llvmlite', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
