"""``poolscope watch``: a live view of a running agent in the terminal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from monitor.commands.options import setting_option, settings_options
from monitor.config import Settings
from monitor.errors import PoolscopeError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

WINDOWS: Final = ("144", "1008", "2016")
SHARES: Final = 10
BLOCKS: Final = 8
RETRY: Final = 3.0
"""Seconds between attempts to reach an agent that went away."""
SILENCE: Final = 30.0
"""Seconds without a word after which the agent counts as gone; it speaks every ten."""
MAX_LINE: Final = 1 << 22
"""Bytes of the longest event that is read."""
_BAR: Final = 24


@dataclass
class Seen:
    """What the agent has told so far."""

    url: str
    status: dict[str, Any] = field(default_factory=dict)
    overview: dict[str, Any] = field(default_factory=dict)
    lost: str = ""


@click.command("watch")
@settings_options
@setting_option("--port", setting="web.port", type=int, help="Port of the agent (default 9431).")
@setting_option("--host", setting="web.host", help="Address of the agent (default 127.0.0.1).")
@click.option(
    "--window",
    type=click.Choice(WINDOWS),
    default="144",
    show_default=True,
    help="Blocks over which shares are shown.",
)
@click.option("--lens", default="tag", show_default=True, help="Lens of the shares.")
@click.option("--json", "as_json", is_flag=True, help="Write each state as a line of JSON.")
def command(settings: Settings, *, window: str, lens: str, as_json: bool) -> None:
    """Watch a running agent: shares, last blocks and health, live.

    Ends with Ctrl-C. In a pipe, or on a terminal that cannot move its cursor, it writes a line
    for each new block instead.

    \b
    Examples:
      poolscope watch
      poolscope watch --window 2016
      poolscope watch --port 9999 | tee blocks.txt
      poolscope watch --json | jq .tip.height
    """
    url = f"http://{settings.web.reached_at}"
    try:
        if as_json:
            asyncio.run(_follow(url, _JsonLines()))
        elif sys.stdout.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}:
            _watch(url, int(window), lens)
        else:
            asyncio.run(_follow(url, _BlockLines()))
    except KeyboardInterrupt:
        click.echo(err=True)


async def _follow(url: str, show: Callable[[Seen], None]) -> None:
    """Call `show` after each event, for ever; wait for an agent that went away.

    Raises
    ------
    PoolscopeError
        If there is no agent at the start.
    """
    import aiohttp

    seen = Seen(url)
    # Only silence ends a connection: the stream itself has no end.
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE)
    async with aiohttp.ClientSession(timeout=timeout, read_bufsize=MAX_LINE) as session:
        while True:
            try:
                async with session.get(f"{url}/api/v1/events") as response:
                    response.raise_for_status()
                    seen.lost = ""
                    async for name, data in _events(response.content):
                        setattr(seen, name, data)
                        show(seen)
                seen.lost = "the agent stopped"
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                if not seen.status:
                    raise PoolscopeError(
                        f"no agent answers at {url}: {error}; start it with 'poolscope run'"
                    ) from None
                seen.lost = str(error) or "the agent is silent"
            show(seen)
            await asyncio.sleep(RETRY)


async def _events(lines: AsyncIterable[bytes]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield name and data of the events that are known here."""
    name = ""
    async for line in lines:
        key, _, value = line.rstrip(b"\r\n").partition(b": ")
        if key == b"event":
            name = value.decode("ascii", "replace")
        elif key == b"data" and name in {"status", "overview"}:
            yield name, json.loads(value)


class _JsonLines:
    """Writes each state of the chain as a line of JSON."""

    def __init__(self) -> None:
        from monitor.answers.base import SCHEMA_VERSION

        self._last: dict[str, Any] = {}
        # what makes the agent's overview the answer of a command: a WatchedState
        self._more = {"schema_version": SCHEMA_VERSION, "left_out": []}

    def __call__(self, seen: Seen) -> None:
        if seen.overview and seen.overview is not self._last:
            self._last = seen.overview
            click.echo(json.dumps(self._more | seen.overview, separators=(",", ":")))


class _BlockLines:
    """Writes a line for each new block."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __call__(self, seen: Seen) -> None:
        blocks = seen.overview.get("blocks", [])
        for block in reversed(blocks):
            if block["hash"] not in self._known:
                when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(block["time"]))
                click.echo(f"{block['height']}\t{when}\t{_plain(_name(block))}\t{block['rule']}")
        self._known = {block["hash"] for block in blocks}


def _watch(url: str, window: int, lens: str) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        asyncio.run(_follow(url, lambda seen: live.update(view(seen, window, lens), refresh=True)))


def view(seen: Seen, window: int, lens: str) -> RenderableType:
    """Return what the terminal shows."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_headline(seen)]
    if seen.lost:
        parts.append(Text(f"connection lost: {_plain(seen.lost)}; trying again", "bold red"))
    if seen.status.get("missing"):
        parts.append(Text("not up to date: " + _plain("; ".join(seen.status["missing"])), "red"))
    chosen = [
        entry
        for entry in seen.overview.get("windows", [])
        if (entry["window"], entry["lens"]) == (window, lens)
    ]
    lenses = {entry["name"]: entry for entry in seen.overview.get("lenses", [])}
    if chosen and chosen[0]["note"]:
        parts += [Text(), Text(f"lens {lens}: {_plain(chosen[0]['note'])}", "yellow")]
    elif chosen:
        parts += [Text(), _shares(chosen[0])]
        if withheld := lenses.get(lens, {}).get("withheld"):
            parts.append(Text(_plain(withheld), "dim"))
    elif lenses and lens not in lenses:
        known = ", ".join(map(_plain, lenses))
        parts.append(
            Text(
                f"no window of {window} blocks under lens {lens!r}: the agent has {known}", "yellow"
            )
        )
    elif seen.overview:
        parts.append(Text(f"no window of {window} blocks under lens {lens!r} yet", "yellow"))
    if seen.overview.get("blocks"):
        parts += [Text(), _blocks(seen.overview["blocks"])]
    return Group(*parts)


def _headline(seen: Seen) -> RenderableType:
    from rich.text import Text

    status, tip = seen.status, seen.overview.get("tip")
    line = Text.assemble(("poolscope ", "bold"), _plain(status.get("network", "")))
    if status.get("synthetic"):
        line.append(f"  {_plain(status['synthetic'])}: not the live chain", "bold yellow")
    if tip:
        age = max(0, int(time.time() - tip["time"]))
        line.append(f"  block {tip['height']:,}", "bold")
        if not status.get("synthetic"):
            line.append(f"  {spoken_age(age)} ago")
    for source in status.get("sources", []):
        style = "red" if source["up"] is False else "green"
        line.append(
            f"  {_plain(source['name'])} {'down' if source['up'] is False else 'up'}", style
        )
    return line


def _shares(window: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        title=f"last {window['blocks']:,} blocks, {window['unknown']} unknown; 95 % ranges",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    for heading, side in (("pool", "left"), ("blocks", "right"), ("share", "right"), ("", "right")):
        grid.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    grid.add_column("")
    scale = max([entry["share"]["high"] for entry in window["shares"]], default=1)
    for entry in window["shares"][:SHARES]:
        share = entry["share"]
        low, middle, high = (round(_BAR * share[end] / scale) for end in ("low", "value", "high"))
        bar = "".join(
            "━" if place < middle else "─" if low <= place < high else " " for place in range(_BAR)
        )
        grid.add_row(
            Text(_plain(entry["name"])[:24]),
            f"{entry['blocks']:,}",
            f"{share['value']:.1%}",
            Text(f"{share['low']:.1%} to {share['high']:.1%}", "dim"),
            Text(bar, "cyan"),
        )
    return grid


def _blocks(blocks: list[dict[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table(title="last blocks", title_justify="left", title_style="bold", box=None)
    grid.pad_edge = False
    grid.add_column("height", justify="right")
    for heading in ("time (UTC)", "pool", "evidence"):
        grid.add_column(heading, no_wrap=True, overflow="ellipsis")
    for block in blocks[:BLOCKS]:
        first = next(
            (item for item in block["evidence"] if item["pool"] == block["pool"]), {"text": ""}
        )
        grid.add_row(
            f"{block['height']:,}",
            time.strftime("%m-%d %H:%M", time.gmtime(block["time"])),
            Text(_plain(_name(block))[:24]),
            Text(f"{_plain(block['rule'])} {_plain(first['text'])}", "dim"),
        )
    return grid


def spoken_age(seconds: int) -> str:
    """Return a time in its two largest units."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02} min"
    return f"{minutes} min {seconds % 60:02} s"


def _name(block: dict[str, Any]) -> str:
    return str(block["name"] or "unknown")


def _plain(text: str) -> str:
    """Return `text` without what could steer a terminal: an agent may be a stranger's."""
    return "".join(character if character.isprintable() else "?" for character in text)
