"""``poolscope run``: the agent."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final, get_args

import click

from monitor.commands.options import SourceNames, setting_option, settings_options
from monitor.commands.paths import HomePath
from monitor.config import Settings, SourceName
from monitor.errors import ConfigError

SHOW_AFTER: Final = 2.0
"""Seconds of catching up after which it is shown on a terminal."""


@click.command("run")
@settings_options
@setting_option(
    "--source",
    setting="source",
    type=SourceNames(*get_args(SourceName)),
    help="Where blocks come from, several in order: bitcoind,esplora (default auto: what is "
    "named, else what is found).",
)
@setting_option("--offline", setting="offline", value=True, help="Never ask a public API.")
@setting_option(
    "--bitcoind",
    setting="bitcoind",
    multiple=True,
    metavar="URL",
    help="A node: http://USER:PASSWORD@HOST:PORT; give it again for failover.",
)
@setting_option(
    "--blocks-dir",
    setting="blkfiles.dir",
    type=HomePath(path_type=Path),
    help="The blocks folder of a bitcoind: a source, or the past of a node that is named too.",
)
@setting_option(
    "--esplora",
    setting="esplora.urls",
    multiple=True,
    metavar="URL",
    help="Base URL of an Esplora or mempool.space API.",
)
@setting_option("--catch-up", setting="catch_up", type=int, help="Blocks to fetch at first start.")
@setting_option("--port", setting="web.port", type=int, help="Port to serve on (default 9431).")
@setting_option("--host", setting="web.host", help="Address to serve on (default 127.0.0.1).")
@setting_option("--registry", setting="registry", type=HomePath(), help="Another pool registry.")
@setting_option(
    "--no-hashrate",
    setting="hashrate.enabled",
    value=False,
    help="Do not measure the local hash rate.",
)
def command(settings: Settings) -> None:
    """Follow the chain, store it, and serve metrics, the API and the page.

    Runs until Ctrl-C or SIGTERM. A node, blocks folder or API that is named is followed, or
    waited for, and nothing else is asked. Where none is named it looks for a bitcoind node on
    this machine, then asks public APIs, then replays the built-in sample, and says which.

    \b
    Examples:
      poolscope run
      poolscope run --offline
      poolscope run --bitcoind http://alice:secret@127.0.0.1:8332
      poolscope run --source bitcoind,esplora
      poolscope run --blocks-dir ~/.bitcoin/blocks
      poolscope run --source sample --set sample.speed=2
      poolscope run --source rehearsal --port 9999
    """
    from monitor.app import run
    from monitor.log import setup_logging

    setup_logging(settings.log_level)
    try:
        asyncio.run(run(settings, CatchUp()))
    except* ConfigError as errors:
        raise errors.exceptions[0] from None


class CatchUp:
    """Shows on a terminal how catching up goes; silent in a pipe and when it is quick."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._done = 0
        self._shown = False

    def __call__(self, stored: int, left: int) -> None:
        """Take note of `stored` blocks more, and `left` to come."""
        now = time.monotonic()
        if self._started is None:
            self._started = now
        self._done += stored
        seconds = now - self._started
        if left and seconds > SHOW_AFTER and sys.stderr.isatty():
            remaining = seconds / max(self._done, 1) * left
            click.echo(
                f"\rcatching up: {self._done} blocks, {left} to go, about {remaining:.0f} s  ",
                nl=False,
                err=True,
            )
            self._shown = True
        if not left:
            if self._shown:
                click.echo(err=True)
            self._started, self._done, self._shown = None, 0, False
