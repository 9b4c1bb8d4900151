"""``poolscope audit``: whether the attribution is right, and how one would know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzers.leftout import Kind, Tally
from hashing.params import NETWORKS
from monitor.agent.bodies import FILL
from monitor.commands import leftout
from monitor.commands.audit_learn import command as learn
from monitor.commands.coinbases import coinbase_parts, lines, object_of_line
from monitor.commands.labels import read_labels, unused_labels
from monitor.commands.leftout import registry_said
from monitor.commands.options import settings_options
from monitor.commands.output import write_json
from monitor.commands.paths import HomePath
from monitor.commands.reading import reading_store
from monitor.commands.stored import active_blocks, judged_by, parts_of
from monitor.errors import ConfigError, PoolscopeError

if TYPE_CHECKING:
    from analyzers.audit import AttributedBlock, Cluster, Feature, Finding, Sighting
    from analyzers.model import Attribution
    from analyzers.registry import Registry
    from monitor.config import Settings
    from monitor.store.base import BlockStore, StoredBlock

_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
_REGISTRY = click.option(
    "--registry",
    "registry_path",
    type=HomePath(path_type=Path),
    help="Use this registry: our TOML, or a public pool list (.json).",
)


@click.group("audit")
def command() -> None:
    """Hold registries against each other, and blocks against labels and themselves.

    \b
    Examples:
      poolscope audit registry
      poolscope audit learn --output review.toml
      poolscope audit blocks --against labels.csv
      poolscope audit unknown > proposals.toml
      poolscope audit drift --pool antpool --all
    """


command.add_command(learn)


@command.command("registry")
@click.argument("first", type=HomePath(path_type=Path), metavar="[A]", required=False)
@click.argument("second", type=HomePath(path_type=Path), metavar="[B]", required=False)
@_JSON
def audit_registry(first: Path | None, second: Path | None, *, as_json: bool) -> None:
    """Tell what is wrong within registry A (ours by default), or how B differs from it.

    \b
    clash      two pools claim the same tag or script
    inside     a tag is part of another pool's tag
    dead       a tag can never match
    text-only  it cannot match where tags are used as patterns over Latin-1 text
    word       it is short or a common word, and nothing must bound it
    weak       the registry says so, or it is a program's default text
    chance     so short that random coinbases hold it
    fault      what a public list has that cannot be used

    \b
    Examples:
      poolscope audit registry
      poolscope audit registry pools-v2.json
      poolscope audit registry analyzers/registry/pools.toml pools-v2.json
    """
    from analyzers.audit import compare_registries, inspect_registry
    from analyzers.escape import terminal_text

    if second is not None:
        ours, theirs = registry_said(first), registry_said(second)
        list_name = next(iter(theirs.sources), "")
        differences = compare_registries(ours, theirs, list_name)
        if as_json:
            from monitor.answers import convert_audit

            write_json(convert_audit.comparison(ours, theirs, differences, leftout.said()))
            return
        for item in differences:
            subject = terminal_text(item.subject)
            click.echo(f"{item.kind:7} {item.first or '-':24} {item.second or '-':24} {subject}")
        click.echo(f"{len(differences)} differences", err=True)
        return
    registry = registry_said(first)
    findings = inspect_registry(registry)
    faults = _faults(first)
    if as_json:
        from monitor.answers import convert_audit

        write_json(convert_audit.registry(registry, findings, faults, leftout.said()))
        return
    for finding in findings:
        click.echo(terminal_text(_tell(finding)))
    for fault in faults:
        click.echo(f"fault      {terminal_text(fault)}")
    day = "" if registry.as_of is None else f" as of {registry.as_of}"
    whose = "our own rule decides" if registry.rule == "ours" else f"{registry.rule}'s rule decides"
    click.echo(
        f"{len(findings) + len(faults)} findings in {len(registry)} pools{day}, {whose}, "
        f"version {registry.version}",
        err=True,
    )


def _faults(path: Path | None) -> list[str]:
    from analyzers.registry.importers import import_list
    from analyzers.registry.loader import read_file

    if path is None or path.suffix.lower() != ".json":
        return []
    return list(import_list(read_file(path), str(path)).faults)


def _tell(item: Finding) -> str:
    line = f"{item.kind:10} {item.pool}: {item.subject}"
    if item.other_pool:
        line += f"  ({item.other_pool}: {item.other_subject})"
    if item.expected:
        line += f"  (expected by chance over the chain: {item.expected:.3g})"
    return line


@command.command("blocks")
@click.option(
    "--against",
    type=HomePath(path_type=Path, exists=True, dir_okay=False),
    help="CSV or JSONL (.gz too) or Parquet with height and label; else the labels in the store.",
)
@click.option("--list", "list_name", default="mempool", show_default=True, help="Whose labels.")
@_REGISTRY
@_JSON
@settings_options
def audit_blocks(
    settings: Settings,
    *,
    against: Path | None,
    list_name: str,
    registry_path: Path | None,
    as_json: bool,
) -> None:
    """Hold the attribution of stored blocks against somebody else's labels.

    With --registry the blocks are attributed by it, as relabel would, and nothing is stored.
    Every disagreement is told with its reason; then how often both agree, with a Wilson
    interval (95 %), and the pairs of pools that are confused.

    \b
    Examples:
      poolscope audit blocks --against labels.csv
      poolscope audit blocks --against labels.jsonl --list bitcoin-data --json
    """
    from analyzers.audit import disagreements

    registry = registry_said(registry_path or settings.registry)
    labels = None if against is None else read_labels(against)
    unread = Tally()
    own: dict[int, str] = {}  # of the block under way alone: there may be a million
    compared: set[int] = set()

    def attributed(store: BlockStore) -> Iterator[tuple[int, Attribution]]:
        for block in _read(store, unread):
            if labels is None and block.label is not None:
                own.clear()
                own[block.ref.height] = block.label.pool
            if labels is not None and block.ref.height in labels:
                compared.add(block.ref.height)
            yield block.ref.height, judged_by(registry, block)

    with reading_store(settings) as store:
        network = NETWORKS[store.network]
        found, told = disagreements(
            attributed(store), own if labels is None else labels, registry, list_name, network
        )
    if found.blocks == 0:
        where = "the store" if against is None else str(against)
        raise ConfigError(
            f"no stored block has a label in {where}: nothing to compare; "
            "give labels of heights that are stored with --against FILE"
        )
    leftout.say((*unread.found, *unused_labels(labels or {}, compared, found)))
    if as_json:
        from monitor.answers import convert_audit

        write_json(convert_audit.blocks(found, told, leftout.said()))
        return
    for item in told:
        click.echo(
            f"{item.height}  ours {item.pool or '-'}, theirs {item.label or '-'}: {item.reason}"
        )
    low, high = found.interval
    click.echo(
        f"{found.agreed} of {found.blocks} blocks agree: {found.share:.2%} "
        f"({low:.2%} to {high:.2%}); of {found.named} that both name, {found.named_agreed}"
    )
    for (ours, theirs), blocks in found.ranked:
        if ours != theirs:
            click.echo(f"  {blocks:6}  ours {ours or '-'}, theirs {theirs or '-'}")


@command.command("unknown")
@click.option("--min-blocks", default=2, show_default=True, help="Leave out smaller clusters.")
@click.option(
    "--by",
    type=click.Choice(("payout", "text", "shape")),
    multiple=True,
    default=("payout", "text"),
    show_default=True,
    help="What joins blocks; may be repeated.",
)
@click.option(
    "--jsonl",
    type=HomePath(allow_dash=True),
    help="Read coinbases from a file of JSON lines, or standard input (-), not from the store.",
)
@_REGISTRY
@_JSON
@settings_options
def audit_unknown(
    settings: Settings,
    *,
    min_blocks: int,
    by: tuple[Feature, ...],
    jsonl: str | None,
    registry_path: Path | None,
    as_json: bool,
) -> None:
    """Cluster the stored blocks of nobody known, and propose registry entries.

    Blocks hang together that pay the same script, or hold the same text. By shape, blocks
    hang together whose scriptSigs are built alike: that finds programs rather than pools.

    Lines of --jsonl are as "attribute" takes them: objects with "coinbase_tx", or "script" and
    perhaps "outputs", and "height" where the coinbase does not begin with it. They are
    attributed by the registry first; those it names are no unknown ones.

    \b
    Examples:
      poolscope audit unknown > proposals.toml
      zcat coinbases.jsonl.gz | poolscope audit unknown --jsonl - --json
      poolscope audit unknown --by shape --min-blocks 10 --json
    """
    from analyzers.audit import propose_entry, unknown_clusters

    unread = Tally()
    if jsonl is not None:
        registry = registry_said(registry_path or settings.registry)
        unknown = list(_unknown_lines(jsonl, registry, unread))
        network = NETWORKS[settings.network]
    elif registry_path is not None:
        raise click.UsageError("--registry goes with --jsonl: stored blocks are attributed already")
    else:
        with reading_store(settings) as store:
            unknown = [
                parts_of(block) for block in _read(store, unread) if block.attribution.pool is None
            ]
            network = NETWORKS[store.network]
    leftout.say(unread.found)
    clusters = unknown_clusters(unknown, min_blocks, by)
    if as_json:
        from monitor.answers import convert_audit

        write_json(convert_audit.unknown(len(unknown), clusters, network, leftout.said()))
        return
    for cluster in clusters:
        click.echo(f"# {_support(cluster)}")
        click.echo(propose_entry(cluster, network) + "\n")
    held = sum(len(cluster.heights) for cluster in clusters)
    click.echo(f"{len(clusters)} clusters hold {held} of {len(unknown)} unknown blocks", err=True)


def _unknown_lines(source: str, registry: Registry, unread: Tally) -> Iterator[AttributedBlock]:
    """Yield the coinbases of a file of JSON lines that `registry` gives to nobody."""
    from analyzers.attribution import attribute_parts
    from analyzers.audit import AttributedBlock
    from analyzers.coinbase import read_parts

    try:
        with click.open_file(source, "rb") as stream:
            for number, line in enumerate(lines(stream), 1):
                try:
                    script_sig, outputs, given = coinbase_parts(object_of_line(line))
                except ValueError as error:
                    unread.add(Kind.COINBASE_LINE, str(error), f"line {number}")
                    continue
                height = read_parts(script_sig, outputs, None).height if given is None else given
                if height is None:
                    unread.add(
                        Kind.COINBASE_LINE, "no height, nor in its coinbase", f"line {number}"
                    )
                    continue
                found = attribute_parts(script_sig, outputs, registry, height=height)
                if found.pool is None:
                    yield AttributedBlock(height, script_sig, outputs, found)
    except OSError as error:
        raise PoolscopeError(f"{source}: cannot be read: {error.strerror or error}") from error


def _read(store: BlockStore, unread: Tally) -> Iterator[StoredBlock]:
    """Yield the active blocks but those of which nothing but the header is known: `unread`."""
    for block in active_blocks(store, "reading blocks"):
        if block.header_only:
            unread.add(Kind.HEADER_ONLY, f"nothing to audit until '{FILL}'", str(block.ref.height))
        else:
            yield block


def _support(item: Cluster) -> str:
    shape, seen = item.shapes[0]
    kinds = ", ".join(f"{kind} {count}" for kind, count in item.commitments) or "none"
    return (
        f"{len(item.heights)} blocks, {item.heights[0]} to {item.heights[-1]}; "
        f"shape [{shape}] in {seen}; commitments: {kinds}"
    )


@command.command("drift")
@click.option("--pool", "slug", help="Only this pool (slug).")
@click.option("--all", "everything", is_flag=True, help="Also what neither changed nor is new.")
@_JSON
@settings_options
def audit_drift(settings: Settings, *, slug: str | None, everything: bool, as_json: bool) -> None:
    """Show where pools changed what they write and whom they pay.

    "only tags" marks scripts that the registry does not have: their blocks are attributed
    by tags alone.

    \b
    Examples:
      poolscope audit drift
      poolscope audit drift --pool antpool --all
    """
    from analyzers.audit import sightings

    with reading_store(settings) as store:
        blocks = (parts_of(block) for block in active_blocks(store, "reading blocks"))
        seen = sightings(blocks, network=NETWORKS[store.network])
    found = [
        item
        for item in seen
        if (slug is None or item.pool == slug)
        and (everything or item.began or item.ended or not item.registered)
    ]
    if as_json:
        from monitor.answers import convert_audit

        write_json(convert_audit.drift(found, leftout.said()))
        return
    for item in found:
        click.echo(_seen(item))


def _seen(item: Sighting) -> str:
    marks = [
        *(["began"] if item.began else []),
        *(["ended"] if item.ended else []),
        *(["only tags"] if not item.registered else []),
    ]
    return (
        f"{item.pool:20} {item.kind:7} {item.first:7} to {item.last:7} {item.blocks:6} blocks  "
        f"{item.subject}  {', '.join(marks)}"
    ).rstrip()
