"""``~`` in every path, wherever it is written."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from monitor.cli import COMMANDS, cli
from monitor.commands.paths import HomePath
from monitor.config import load_settings, store_url
from monitor.errors import ConfigError
from monitor.paths import PathError, at_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    return path


@pytest.mark.parametrize(
    ("text", "there"),
    [("~", ""), ("~/", ""), ("~/a/b", "a/b"), ("~/a b#?", "a b#?"), ("~//a/../b", "a/../b")],
)
def test_home(home: Path, text: str, there: str) -> None:
    assert at_home(text) == at_home(Path(text)) == home / there


@pytest.mark.parametrize("text", ["", "a", "./~/a", "a/~", "/~", "/a/~b"])
def test_what_is_no_home(text: str) -> None:
    assert str(at_home(text)) == str(Path(text))


def test_home_of_a_user() -> None:
    name = getpass.getuser()
    assert at_home(Path(f"~{name}/x")) == Path(os.path.expanduser(f"~{name}")) / "x"
    with pytest.raises(PathError, match="no home directory for ~no-such-user"):
        at_home(Path("~no-such-user/x"))


@pytest.mark.parametrize("home", ["", "relative"])
def test_a_home_that_is_none(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("HOME", home)
    with pytest.raises(PathError, match="write the whole path"):
        at_home(Path("~/x"))


PATHS = [
    ("data_dir", lambda s: s.data_dir),
    ("registry", lambda s: s.registry),
    ("blkfiles.dir", lambda s: s.blkfiles.dir),
    ("bitcoind.0.cookie", lambda s: s.bitcoind[0].cookie),
    ("bitcoind.0.datadir", lambda s: s.bitcoind[0].datadir),
]


def toml(name: str, value: str) -> str:
    *sections, last = name.replace(".0", "").split(".")
    title = "" if not sections else f"[[{sections[0]}]]" if ".0." in name else f"[{sections[0]}]"
    return f'{title}\n{last} = "{value}"\n'


@pytest.mark.parametrize(("name", "read"), PATHS, ids=[name for name, _ in PATHS])
@pytest.mark.parametrize("place", ["file", "variable", "flag"])
def test_every_setting_that_is_a_path(  # noqa: PLR0917
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    read: object,
    place: str,
) -> None:
    assert callable(read)
    file = tmp_path / "poolscope.toml"
    file.write_text(toml(name, "~/x") if place == "file" else "")
    flags: dict[str, object] = {}
    if place == "variable":
        monkeypatch.setenv(f"POOLSCOPE_{name.replace('.', '__').upper()}", "~/x")
    if place == "flag":
        value: object = "~/x"
        for part in reversed(name.split(".")):
            value = {part: value}
        assert isinstance(value, dict)
        flags = value
    assert read(load_settings(file, flags)) == home / "x"
    if place == "file":
        file.write_text(toml(name, "~no-such-user/x"))
        with pytest.raises(ConfigError, match=rf"^setting {name}: there is no home directory"):
            load_settings(file)


def test_every_path_of_the_settings_is_among_them() -> None:
    from monitor.config import Settings, _names
    from monitor.config_values import kind_at

    names = [name for name in _names(Settings) if kind_at(Settings, name.split(".")) is Path]
    names += [f"bitcoind.0.{n}" for n in ("cookie", "datadir")]
    assert sorted(names) == sorted(name for name, _ in PATHS)


@pytest.mark.parametrize("url", ["sqlite:///~/x.sqlite", "sqlite+pysqlite:///~/x.sqlite"])
def test_the_store(home: Path, url: str) -> None:
    assert store_url(load_settings(None, {"store": url}), "") == home / "x.sqlite"
    with pytest.raises(ConfigError, match="setting store: there is no home directory"):
        load_settings(None, {"store": "sqlite:///~no-such-user/x.sqlite"})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_path_of_the_command_line(name: str) -> None:
    def paths(command: click.Command) -> list[click.Parameter]:
        found = [p for p in command.params if isinstance(p.type, click.Path)]
        if isinstance(command, click.Group):
            for inner in command.commands.values():
                found += paths(inner)
        return found

    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for parameter in paths(command):
        assert isinstance(parameter.type, HomePath), parameter.name


@pytest.mark.slow
def test_no_folder_of_that_name_is_made(home: Path, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('data_dir = "~/psdata"\n')
    work = tmp_path / "work"
    work.mkdir()
    for arguments in (
        ["backfill", "--config", "../a.toml", "--source", "sample", "--from", "827000"],
        ["export", "--config", "../a.toml", "--format", "csv", "--out=~/blocks.csv"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "monitor", *arguments],
            cwd=work,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert list(work.iterdir()) == []
    assert (home / "psdata" / "sample.sqlite").exists()
    assert (home / "blocks.csv").read_text().startswith("height,")
