"""The command line: ``poolscope COMMAND``.

Each command lives in a module of its own under `monitor.commands` and is imported only
when it is asked for, so that ``poolscope --help`` and the daemon start fast.
"""

from __future__ import annotations

import functools
import importlib
import io
import operator
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from monitor import __version__
from monitor.errors import PoolscopeError, QuestionError
from monitor.secrets import guard_tracebacks, hide


@dataclass(frozen=True, slots=True)
class Listed:
    """A command in the list: one line of help, and what it writes as JSON, if it does.

    `answer` names shapes as ``module:Shape`` below `monitor`, several with ``|`` between where
    options or lines choose; those of a group by the names of its commands.
    """

    summary: str
    answer: str | Mapping[str, str] = ""


COMMANDS: Final[dict[str, Listed]] = {
    "run": Listed("Follow the chain, store it and serve metrics and the page."),
    "backfill": Listed(
        "Fetch the past of the chain at once, into the store or Parquet files.",
        "answers.operating:Backfilled | answers.operating:Filled",
    ),
    "watch": Listed(
        "Watch a running agent: shares, last blocks, health.", "answers.operating:WatchedState"
    ),
    "status": Listed("Show how the agent and its store are.", "answers.operating:AgentStatus"),
    "pools": Listed("Show who mined the last blocks, with intervals.", "answers.pools:PoolShares"),
    "block": Listed("Show one block with the evidence for its pool.", "answers.blocks:BlockAnswer"),
    "attribute": Listed(
        "Say which pool made a coinbase, and why.",
        "answers.attribution:Attributed | answers.base:CommandError",
    ),
    "audit": Listed(
        "Check registries, labels, unknown blocks and drift.",
        {
            "blocks": "answers.audit:BlocksAudit",
            "drift": "answers.audit:DriftAudit",
            "registry": "answers.audit:RegistryAudit | answers.audit:RegistryComparison",
            "unknown": "answers.audit:UnknownAudit",
        },
    ),
    "relabel": Listed(
        "Apply a new registry to the stored blocks.", "answers.attribution:Relabelled"
    ),
    "concentration": Listed(
        "Measure how concentrated mining is, with intervals.",
        "answers.figures:WindowFigures | answers.windows:WindowSeries"
        " | answers.windows:WindowChange",
    ),
    "network": Listed(
        "Show hash rate, luck, streaks, stale and empty blocks, with intervals.",
        "answers.network:NetworkSeen",
    ),
    "trend": Listed(
        "Test whether concentration rises, and when it changed.", "answers.windows:Trends"
    ),
    "eras": Listed("Measure concentration by era of hardware and subsidy.", "answers.windows:Eras"),
    "risk": Listed("Show what the largest miner could do.", "answers.windows:Risks"),
    "cost": Listed(
        "Compute energy and cost per bitcoin, and hashprice.", "answers.economics:Costs"
    ),
    "claims": Listed("Judge the founding claims by numbers.", "answers.claims:ClaimList"),
    "compare": Listed(
        "Put any market under the same measures.",
        "answers.markets:Market | answers.markets:MarketSizes"
        " | answers.markets:Divergence | answers.markets:SeriesNames",
    ),
    "report": Listed("Write a report with plots, tables and methods (HTML)."),
    "export": Listed(
        "Write the stored blocks as Parquet, CSV or JSON lines.", "answers.export:ExportRow"
    ),
    "hashrate": Listed("Measure how fast this machine hashes.", "answers.operating:HashrateReport"),
    "verify-headers": Listed(
        "Check a file of raw headers by all rules of consensus.",
        "answers.operating:HeadersVerified",
    ),
    "node": Listed(
        "Print what a bitcoind node must allow poolscope to ask.", "answers.operating:NodeWhitelist"
    ),
    "config": Listed(
        "Show the effective settings, secrets hidden.", "answers.operating:EffectiveSettings"
    ),
    "schema": Listed("Print the JSON Schema of what commands write as JSON."),
}


def module_of(name: str) -> str:
    """Return the name of the module of a command."""
    return "monitor.commands." + name.replace("-", "_")


def answers() -> dict[str, Any]:
    """Return the shape of what each command writes as JSON; of a group, by ``GROUP COMMAND``."""
    named: dict[str, str] = {}
    for name, listed in COMMANDS.items():
        if isinstance(listed.answer, str):
            named[name] = listed.answer
        else:
            named |= {f"{name} {part}": text for part, text in listed.answer.items()}
    return {name: _shape(text) for name, text in named.items() if text}


def _shape(text: str) -> Any:
    places = (part.strip().split(":") for part in text.split("|"))
    shapes = (getattr(importlib.import_module(f"monitor.{place}"), kind) for place, kind in places)
    return functools.reduce(operator.or_, shapes)


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order that help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(module_of(cmd_name))
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
            formatter.write_dl([(name, listed.summary) for name, listed in COMMANDS.items()])


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
