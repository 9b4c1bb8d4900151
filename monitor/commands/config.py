"""``poolscope config``: the effective settings."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import click

from monitor.commands.options import CONFIG_PATH, settings_options
from monitor.commands.output import write_json
from monitor.config import HIDDEN, Settings, default_config_path, public_settings
from monitor.urls import HIDDEN as HIDDEN_PART

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
"""A name that TOML takes without quotes."""


def _toml_lines(values: dict[str, Any], section: str = "") -> list[str]:
    """Return `values` as TOML; JSON scalars and lists of them are TOML as well.

    What is hidden, or hidden in part, is a comment: read back, it would be taken as it stands.
    """
    lines: list[str] = []
    tables: list[tuple[str, str, dict[str, Any]]] = []
    for key, value in values.items():
        name = key if _BARE.fullmatch(key) else json.dumps(key)
        path = f"{section}{name}"
        if isinstance(value, dict):
            tables += [(f"[{path}]", path, value)] if value else []
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables += [(f"[[{path}]]", path, item) for item in value]
        elif value is None:
            lines.append(f"# {name} = (not set)")
        elif value in (HIDDEN, HIDDEN_PART):
            lines.append(f"# {name} = (hidden)")
        else:
            text = json.dumps(value, ensure_ascii=False)
            hidden = HIDDEN_PART in text
            lines.append(f"{'# ' * hidden}{name} = {text}{'  (hidden in part)' * hidden}")
    for title, path, table in tables:
        lines += ["", title, *_toml_lines(table, f"{path}.")]
    return lines


@click.command("config")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of TOML.")
def command(settings: Settings, *, as_json: bool) -> None:
    """Show the effective settings, secrets hidden.

    Settings come from the settings file, then POOLSCOPE_… environment variables, then
    flags; the later is the stronger. In a variable's name a double underscore goes into a
    section.

    \b
    Examples:
      poolscope config
      POOLSCOPE_WEB__PORT=9000 poolscope config --json
      poolscope config > poolscope.toml
    """
    values = public_settings(settings)
    if as_json:
        from monitor.answers.operating import EffectiveSettings

        write_json(EffectiveSettings(settings=values))
        return
    path = click.get_current_context().meta[CONFIG_PATH] or default_config_path()
    there = "" if path.exists() else ", which does not exist yet"
    click.echo(f"# settings file: {path}{there}")
    click.echo("\n".join(_toml_lines(values)))
