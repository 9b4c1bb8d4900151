"""What MkDocs changes on the way from docs/ to the site.

A line ``<!-- commands -->`` becomes the reference of the commands, made from their help. A link
to a file of the repository outside docs/, which the site does not have, becomes its path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

import click
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

from monitor.cli import COMMANDS, cli

ROOT: Final = Path(__file__).parents[1]
MARK: Final = "<!-- commands -->"
OUTWARD: Final = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)\)")


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Change the text of a page."""

    def as_path(link: re.Match[str]) -> str:
        place = posixpath.normpath(f"docs/{page.file.src_uri}/../{link[2]}")
        if place.startswith("docs/"):
            return link[0]
        if not (ROOT / place).exists():
            raise PluginError(f"{page.file.src_uri} links to {place}, which does not exist")
        return f"{link[1]} (`{place}`)"

    markdown = OUTWARD.sub(as_path, markdown)
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
