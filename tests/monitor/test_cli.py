import importlib
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from monitor.cli import COMMANDS, cli, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_teaches(name: str) -> None:
    command = importlib.import_module(COMMANDS[name][0]).command
    assert isinstance(command, click.Command)
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output


def test_config_prints_toml_and_json() -> None:
    result = CliRunner().invoke(cli, ["config", "--json", "--set", "web.port=9"])
    assert json.loads(result.output)["web"]["port"] == 9


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


def test_the_daemon_imports_neither_numba_nor_pandas() -> None:
    program = (
        "import sys, monitor.cli, monitor.commands.run, monitor.app\n"
        "print([m for m in ('numba', 'pandas', 'llvmlite', 'scipy.stats') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
