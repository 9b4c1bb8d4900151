"""The command line: ``poolscope COMMAND``.

Each command lives in a module of its own under `monitor.commands` and is imported only
when it is asked for, so that ``poolscope --help`` and the daemon start fast.
"""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any, Final

import click

from monitor import __version__
from monitor.errors import PoolscopeError, QuestionError
from monitor.secrets import guard_tracebacks, hide

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    # command -> (module, one line of help)
    "run": ("monitor.commands.run", "Follow the chain, store it and serve metrics and the page."),
    "backfill": (
        "monitor.commands.backfill",
        "Fetch the past of the chain at once, into the store or Parquet files.",
    ),
    "watch": ("monitor.commands.watch", "Watch a running agent: shares, last blocks, health."),
    "status": ("monitor.commands.status", "Show how the agent and its store are."),
    "pools": ("monitor.commands.pools", "Show who mined the last blocks, with intervals."),
    "block": ("monitor.commands.block", "Show one block with the evidence for its pool."),
    "attribute": ("monitor.commands.attribute", "Say which pool made a coinbase, and why."),
    "audit": ("monitor.commands.audit", "Check registries, labels, unknown blocks and drift."),
    "relabel": ("monitor.commands.relabel", "Apply a new registry to the stored blocks."),
    "concentration": (
        "monitor.commands.concentration",
        "Measure how concentrated mining is, with intervals.",
    ),
    "network": (
        "monitor.commands.network",
        "Show hash rate, luck, streaks, stale and empty blocks, with intervals.",
    ),
    "trend": ("monitor.commands.trend", "Test whether concentration rises, and when it changed."),
    "eras": ("monitor.commands.eras", "Measure concentration by era of hardware and subsidy."),
    "risk": ("monitor.commands.risk", "Show what the largest miner could do."),
    "cost": ("monitor.commands.cost", "Compute energy and cost per bitcoin, and hashprice."),
    "claims": ("monitor.commands.claims", "Judge the founding claims by numbers."),
    "compare": ("monitor.commands.compare", "Put any market under the same measures."),
    "report": ("monitor.commands.report", "Write a report with plots, tables and methods (HTML)."),
    "export": ("monitor.commands.export", "Write the stored blocks as Parquet, CSV or JSON lines."),
    "hashrate": ("monitor.commands.hashrate", "Measure how fast this machine hashes."),
    "verify-headers": (
        "monitor.commands.verify_headers",
        "Check a file of raw headers by all rules of consensus.",
    ),
    "node": ("monitor.commands.node", "Print what a bitcoind node must allow poolscope to ask."),
    "config": ("monitor.commands.config", "Show the effective settings, secrets hidden."),
    "schema": ("monitor.commands.schema", "Print the JSON Schema of what commands write as JSON."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order that help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a question that cannot be answered as asked is an error of usage."""
        try:
            return super().invoke(ctx)
        except QuestionError as error:
            raise click.UsageError(str(error)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command list without importing the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="poolscope")
def cli() -> None:
    """Who really mines Bitcoin: follow, prove, attribute and measure mining pools."""


def main() -> None:
    """Run the command line; errors go to stderr in one line, with a non-zero exit."""
    guard_tracebacks()
    try:
        status = cli(standalone_mode=False)
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        click.echo(hide(said.getvalue()), nl=False, err=True)  # it may quote an argument
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except PoolscopeError as error:
        click.echo(f"poolscope: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status)
