"""``poolscope node``: what a bitcoind node must allow."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

import click

from monitor.commands.options import settings_options
from monitor.commands.output import write_json
from monitor.config import Settings
from monitor.sources.bitcoind_methods import METHODS, Method, whitelist_line

_OWN_USER: Final = "poolscope"
"""Whom the line is for where no user is set: the cookie's user is also bitcoin-cli's."""


@click.command("node")
@settings_options
@click.option(
    "--whitelist",
    is_flag=True,
    help="Print the line of bitcoin.conf that allows poolscope what it needs.",
)
@click.option("--optional", is_flag=True, help="Allow what is optional, too.")
@click.option("--user", help="RPC user [default: the one in the settings, else poolscope]")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(
    settings: Settings, *, whitelist: bool, optional: bool, user: str | None, as_json: bool
) -> None:
    """Print what a bitcoind node must allow, as a line for its bitcoin.conf.

    The node is not asked. Comments say what each method is for, and what is lost without
    those that are optional.

    \b
    Examples:
      poolscope node --whitelist
      poolscope node --whitelist --optional --user alice
      poolscope node --whitelist --json
    """
    if not whitelist:
        raise click.UsageError("say what to print: --whitelist")
    line = whitelist_line(user or _user_in(settings), optional=optional)
    if as_json:
        from monitor.answers.operating import NodeMethod, NodeWhitelist

        methods = [
            NodeMethod(method=m.name, needed=m.needed, use=m.use, without=m.without or None)
            for m in METHODS
        ]
        write_json(NodeWhitelist(line=line, methods=methods))
        return
    needed = [method for method in METHODS if method.needed]
    rest = [method for method in METHODS if not method.needed]
    click.echo("# Needed:")
    click.echo("\n".join(map(_comment, needed)))
    click.echo("# Optional, " + ("allowed here too:" if optional else "with --optional:"))
    click.echo("\n".join(map(_comment, rest)))
    click.echo(line)


def _comment(method: Method) -> str:
    without = f"; without: {method.without}" if method.without else ""
    return f"#   {method.name:<19}  {method.use}{without}"


def _user_in(settings: Settings) -> str:
    for node in settings.bitcoind:
        if user := node.user or unquote(urlsplit(node.url).username or ""):
            return user
    return _OWN_USER
