"""``poolscope relabel``: attribute the stored blocks anew, from their stored bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hashing.header import hash_to_hex
from monitor.commands.leftout import registry_said
from monitor.commands.options import settings_options
from monitor.commands.output import json_of
from monitor.commands.paths import HomePath
from monitor.commands.reading import reading_store
from monitor.commands.stored import writing_store
from monitor.commands.waiting import progress
from monitor.relabel import registry_of, relabel

if TYPE_CHECKING:
    from monitor.answers.attribution import Relabelled
    from monitor.config import Settings
    from monitor.store.base import Judged, Verdict


_ADVICE: Final = (
    "stop it first, or set 'registry' in its settings and start it again: it attributes all blocks "
    "anew itself"
)


@click.command("relabel")
@click.option(
    "--registry",
    "registry_path",
    type=HomePath(path_type=Path),
    help="Use this registry: our TOML, or a public pool list (.json).",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object for each change.")
@settings_options
def command(
    settings: Settings, *, registry_path: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Apply a registry to the store, from the stored coinbases and labels.

    Prints every block whose pool changes. The former attribution is kept in the store,
    with the hash of its registry. Stop it when you like: the same command goes on where it
    was. No agent may write to the store meanwhile: one that should use another registry is
    told so by its setting, and attributes all blocks anew at its start.

    \b
    Examples:
      poolscope relabel --dry-run
      poolscope relabel --registry my-pools.toml
    """
    registry = registry_said(registry_path or settings.registry)
    seen = changed = 0
    opened = reading_store(settings) if dry_run else writing_store(settings, _ADVICE)
    with (
        opened as store,
        progress("attributing anew", store.counts().blocks) as advance,
    ):
        for part in relabel(store, registry, dry_run=dry_run):
            seen += part.blocks
            changed += len(part.moved)
            advance(part.blocks)
            for block, fresh in part.moved:
                click.echo(_change(block, fresh, as_json=as_json))
    verb = "would change" if dry_run else "changed"
    click.echo(
        f"{changed} of {seen} blocks {verb} their pool under registry {registry.version[:16]}",
        err=True,
    )
    if registry_path and not dry_run and registry_of(settings.registry).version != registry.version:
        click.echo(
            "the setting 'registry' names another one, by which an agent will attribute all of "
            "them anew at its next start",
            err=True,
        )


def _change(block: Judged, fresh: Verdict, *, as_json: bool) -> str:
    former = block.verdict
    if as_json:
        return json_of(_answer(block, fresh))
    mark = " (stale)" if block.stale else ""
    return (
        f"{block.height}{mark}  {former.pool or 'unknown'} ({former.rule}) -> "
        f"{fresh.pool or 'unknown'} ({fresh.rule})"
    )


def _answer(block: Judged, fresh: Verdict) -> Relabelled:
    from monitor.answers.attribution import Decision, Relabelled

    before, after = (
        Decision(pool=one.pool, rule=one.rule, registry_version=one.registry)
        for one in (block.verdict, fresh)
    )
    return Relabelled(
        height=block.height,
        hash=hash_to_hex(block.hash),
        stale=block.stale,
        before=before,
        after=after,
    )
