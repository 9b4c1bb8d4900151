"""What MkDocs changes on the way from docs/ to the site.

A line ``<!-- commands -->`` becomes the reference of the commands, made from their help,
``<!-- command list -->`` the list of them;
``<!-- answers -->`` becomes that of the API's answers, made from its OpenAPI document;
``<!-- command answers -->`` that of what commands write as JSON, ``<!-- vocabulary -->`` the units
of all names, ``<!-- measures -->`` the table of measures, ``<!-- columns -->`` and ``<!-- stored
columns -->`` those of exported files and of the store, ``<!-- modules PACKAGE -->`` what the
docstrings of the package's modules say. A link to a file of the repository outside docs/, which the
site does not have, becomes its path.
"""

from __future__ import annotations

import json
import posixpath
import re
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

from analyzers import columns
from analyzers.figures import MEASURES
from monitor.answers.schema import commands_schema
from monitor.answers.vocabulary import ENDINGS, WORDS
from monitor.cli import COMMANDS, answers, cli
from monitor.web import openapi

ROOT: Final = Path(__file__).parents[1]
MODULES: Final = re.compile(r"<!-- modules ([\w.]+) -->")
OUTWARD: Final = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)\)")


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Change the text of a page."""

    def as_path(link: re.Match[str]) -> str:
        place = posixpath.normpath(f"docs/{page.file.src_uri}/../{link[2]}")
        if place.startswith("docs/"):
            return link[0]
        if not (ROOT / place).exists():
            raise PluginError(f"{page.file.src_uri} links to {place}, which does not exist")
        named = place.endswith(link[1].strip("/`"))
        return f"`{place}`" if named else f"{link[1]} (`{place}`)"

    for mark, reference in REFERENCES.items():
        if mark in markdown:
            markdown = markdown.replace(mark, reference())
    markdown = MODULES.sub(lambda mark: modules_reference(mark[1]), markdown)
    return OUTWARD.sub(as_path, markdown)


def modules_reference(package: str) -> str:
    """Return what makes mkdocstrings show the modules that lie in `package` itself."""
    folder = ROOT / package.replace(".", "/")
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    return "\n\n".join(f"::: {name}" for name in (package, *(f"{package}.{n}" for n in names)))


def commands_reference() -> str:
    """Return the help of every command as Markdown."""
    return "\n\n".join(_command(name) for name in COMMANDS)


def command_list() -> str:
    """Return the commands with a line each as a Markdown table."""
    rows = [f"| `{name}` | {listed.summary} |" for name, listed in COMMANDS.items()]
    return "\n".join(["| command | what it does |", "| --- | --- |", *rows])


def _command(name: str) -> str:
    context = click.Context(cli, info_name="poolscope")
    command = cli.get_command(context, name)
    if command is None:
        raise LookupError(f"no command {name}")
    help_text = command.get_help(
        click.Context(command, info_name=name, parent=context, max_content_width=100)
    )
    return f"## {name}\n\n```text\n{help_text}\n```"


def answers_reference() -> str:
    """Return every kind of answer of the API, field by field, as Markdown."""
    schemas: dict[str, Any] = json.loads(openapi.document())["components"]["schemas"]
    return "\n\n".join(_answer(name, schema) for name, schema in schemas.items())


def command_answers_reference() -> str:
    """Return what each command writes with ``--json``, and every shape in it, as Markdown."""
    schema = commands_schema(answers())
    head = ["| command | answer |", "| --- | --- |"]
    rows = [f"| `{name}` | {_kind(about)} |" for name, about in schema["commands"].items()]
    shapes = schema["$defs"].items()
    shown = [_answer(name, shape) for name, shape in shapes if "properties" in shape]
    return "\n\n".join(["\n".join([*head, *rows]), *shown])


def vocabulary_reference() -> str:
    """Return units with the names that have them as a Markdown table."""
    names: dict[str, list[str]] = {}
    for ending, unit in ENDINGS.items():
        names.setdefault(unit, []).append(f"`…{ending}`")
    for word, unit in WORDS.items():
        names.setdefault(unit, []).append(f"`{word}`")
    rows = [f"| {unit} | {', '.join(found)} |" for unit, found in names.items()]
    return "\n".join(["| unit | names |", "| --- | --- |", *rows])


def _answer(name: str, schema: dict[str, Any]) -> str:
    rows = [
        f"| `{field}` | {_kind(about)} | {about.get('description', '')} |"
        for field, about in schema["properties"].items()
    ]
    head = ["| field | kind | |", "| --- | --- | --- |"]
    return "\n".join([f"### {name}", "", schema["description"], "", *head, *rows])


def _kind(about: dict[str, Any]) -> str:
    """Return a schema's kind in words, with a link where it has a heading of its own."""
    match about:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            kind = f"[{name}](#{name.lower()})"
        case {"anyOf": choices}:
            kind = " or ".join(map(_kind, choices))
        case {"enum": values}:
            kind = ", ".join(f"`{value}`" for value in values)
        case {"prefixItems": items}:
            kind = " and ".join(map(_kind, items))
        case {"type": "array", "items": item}:
            kind = f"list of {_kind(item)}"
        case {"type": "object", "additionalProperties": dict(value)}:
            kind = f"{_kind(value)} by name"
        case _:
            kind = str(about["type"])
    return kind


def measures_reference() -> str:
    """Return every measure of concentration as a Markdown table."""
    head = ["| name | title | unit | what it is | metric |", "| --- | --- | --- | --- | --- |"]
    rows = [
        f"| `{measure.name}` | {measure.title} | {measure.unit} | {measure.help} | "
        f"{f'`poolscope_{measure.metric.name}`' if measure.metric else ''} |"
        for measure in MEASURES
    ]
    return "\n".join([*head, *rows])


REFERENCES: Final = {
    "<!-- measures -->": measures_reference,
    "<!-- commands -->": commands_reference,
    "<!-- command list -->": command_list,
    "<!-- answers -->": answers_reference,
    "<!-- columns -->": partial(columns.markdown, exported=True),
    "<!-- stored columns -->": partial(columns.markdown, exported=False),
    "<!-- command answers -->": command_answers_reference,
    "<!-- vocabulary -->": vocabulary_reference,
}
