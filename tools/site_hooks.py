"""What MkDocs fills into the site from the code: the reference of the commands.

A page that holds the line ``<!-- commands -->`` gets it there.
"""

from __future__ import annotations

from typing import Any, Final

import click

from monitor.cli import COMMANDS, cli

MARK: Final = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the marks of a page."""
    return markdown.replace(MARK, commands_reference()) if MARK in markdown else markdown


def commands_reference() -> str:
    """Return the help of every command as Markdown."""
    return "\n\n".join(_section(name) for name in COMMANDS)


def _section(name: str) -> str:
    context = click.Context(cli, info_name="poolscope")
    command = cli.get_command(context, name)
    if command is None:
        raise LookupError(f"no command {name}")
    help_text = command.get_help(
        click.Context(command, info_name=name, parent=context, max_content_width=100)
    )
    return f"## {name}\n\n```text\n{help_text}\n```"
