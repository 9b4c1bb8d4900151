"""``poolscope status``: how the agent and its store are."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import Final, Literal

import click

from hashing.header import BlockHeader, hash_to_hex
from hashing.target import decode_nbits, difficulty
from monitor.agent.bodies import FILL
from monitor.answers.figures import Tip
from monitor.answers.operating import AgentStatus, StoreState
from monitor.commands.options import settings_options
from monitor.commands.output import write_json
from monitor.commands.reading import reading_store
from monitor.config import Settings
from monitor.errors import StoreError

_TIMEOUT: Final = 2.0


@click.command("status")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(settings: Settings, *, as_json: bool) -> None:
    """Show whether the agent runs and is ready, and what its store holds.

    Exit status 0 when the agent is ready, 3 when it is not.

    \b
    Examples:
      poolscope status
      poolscope status --json
    """
    agent, missing = _agent(settings)
    store = None
    try:
        store = _store(settings)
    except StoreError as error:
        missing = [*missing, str(error)]
    state = AgentStatus(agent=agent, missing=missing, store=store)
    if as_json:
        write_json(state)
    else:
        click.echo("\n".join(_lines(state)))
    if agent != "ready":
        click.get_current_context().exit(3)


def _agent(
    settings: Settings,
) -> tuple[Literal["ready", "not ready", "not running"], list[str]]:
    """Ask a running agent; return its state and what it misses."""
    url = f"http://{settings.web.reached_at}/-/ready"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT):
            return "ready", []
    except urllib.error.HTTPError as answer:
        with answer:
            return "not ready", answer.read(4096).decode("utf-8", "replace").splitlines()
    except OSError as error:
        reason = getattr(error, "reason", error)
        return "not running", [f"no agent at {url}: {reason}; start it with 'poolscope run'"]


def _store(settings: Settings) -> StoreState:
    with reading_store(settings) as store:
        tip, counts = store.tip(), store.counts()
        header = BlockHeader.parse(store.headers(tip.height, 1)[0]) if tip else None
        return StoreState(
            network=store.network,
            synthetic=store.synthetic,
            first_height=store.first_height(),
            tip=Tip(
                height=tip.height,
                hash=hash_to_hex(tip.hash),
                time=header.time,
                difficulty=difficulty(decode_nbits(header.nbits)),
            )
            if tip and header
            else None,
            tip_age_seconds=int(time.time()) - header.time if header else None,
            blocks=counts.blocks,
            stale_blocks=counts.stale,
            header_only_blocks=counts.header_only,
            reorgs=counts.reorgs,
            registries=store.by_registry(),
        )


def _lines(state: AgentStatus) -> list[str]:
    lines = [f"agent     {state.agent}", *(f"          {what}" for what in state.missing)]
    if store := state.store:
        lines.append(
            f"chain     {', '.join(filter(None, (store.network, store.synthetic.upper())))}"
        )
        if store.tip is None:
            return [*lines, "blocks    none yet"]
        lines += [
            f"blocks    {store.blocks} from height {store.first_height}, "
            f"{store.stale_blocks} stale, {store.reorgs} reorgs",
            *_header_only(store.header_only_blocks),
            f"tip       {store.tip.height}  {store.tip.hash}",
            "registry  "
            + ", ".join(
                f"{version[:16]} ({blocks} blocks)" if len(store.registries) > 1 else version
                for version, blocks in store.registries.items()
            ),
        ]
    return lines


def _header_only(blocks: int) -> list[str]:
    """Return what to say of blocks that no source had more of than the header."""
    if not blocks:
        return []
    return [f"          {blocks} of them by the header alone; '{FILL}' gets the rest"]
