"""``poolscope schema``: what the JSON of the commands looks like."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.argument("name", metavar="[COMMAND]", nargs=-1)
def command(*, name: tuple[str, ...]) -> None:
    """Print the JSON Schema of what COMMAND writes with --json, or of all commands.

    Every field is described; numbers have their unit beside them. Where a command writes lines
    (attribute, export, hashrate --json-lines, relabel, watch), the schema is that of a line. The
    API describes itself at /api/v1/openapi.json, by the same shapes.

    \b
    Examples:
      poolscope schema
      poolscope schema pools
      poolscope schema audit blocks
    """
    from monitor.answers.schema import command_schema, commands_schema
    from monitor.cli import answers

    shapes, wanted = answers(), " ".join(name)
    within = {known: shape for known, shape in shapes.items() if known.startswith(f"{wanted} ")}
    if not wanted:
        found = commands_schema(shapes)
    elif wanted in shapes:
        found = command_schema(wanted, shapes[wanted])
    elif within:
        found = commands_schema(within)
    else:
        raise click.BadParameter(f"{wanted!r} writes no JSON; known: {', '.join(sorted(shapes))}")
    click.echo(json.dumps(found, indent=2))
