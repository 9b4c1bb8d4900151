"""``poolscope audit learn``: payout scripts that proved blocks with a pool's tag teach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from analyzers.leftout import Kind, Tally
from hashing.params import NETWORKS
from monitor.agent.bodies import FILL
from monitor.commands import leftout
from monitor.commands.coinbases import bytes_of, coinbase_parts, lines, object_of_line
from monitor.commands.leftout import registry_said
from monitor.commands.options import settings_options
from monitor.commands.output import write_json
from monitor.commands.paths import HomePath
from monitor.commands.reading import reading_store
from monitor.commands.stored import active_blocks, judged_by
from monitor.commands.stored import parts_of as parts_of_stored
from monitor.errors import PoolscopeError

if TYPE_CHECKING:
    from analyzers.audit import AttributedBlock, Lesson
    from analyzers.registry import Registry
    from hashing.params import NetworkParams
    from monitor.config import Settings
    from monitor.store.base import BlockStore

_DEEPEST: Final = 24
"""Hashes of a Merkle branch; no block has more."""
_UNPROVED: Final = "nothing proves that these coinbases are of a block"


@click.command("learn")
@click.option(
    "--jsonl",
    type=HomePath(allow_dash=True),
    help="Learn from JSON lines (a file, or - for standard input) instead of the store.",
)
@click.option(
    "--min-blocks",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Blocks that must pay a script.",
)
@click.option(
    "--registry",
    "registry_path",
    type=HomePath(path_type=Path),
    help="Use this registry: our TOML, or a public pool list (.json).",
)
@click.option(
    "--output",
    type=HomePath(path_type=Path, dir_okay=False),
    help="Write the review file here instead of standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@settings_options
def command(
    settings: Settings,
    *,
    jsonl: str | None,
    min_blocks: int,
    registry_path: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Learn payout scripts from proved blocks that carry a pool's tag.

    A script that the registry does not have is learned where at least --min-blocks blocks, all
    tagged by the same pool, paid it more than half of their value. A script that blocks of two
    pools' tags paid is named and left out, and so is what pools pay that pay their miners. The
    result is a file in the registry's own format, with the heights at which each script was
    seen: read it, and move its rows to their pools.

    Blocks come from the store, where they are proved by their coinbase, or from JSON lines with
    "header", "coinbase_tx" and "merkle_branch" (hex, from the coinbase up) and "height". Other
    lines are counted and left out. For block files: poolscope backfill stores them first.

    \b
    Examples:
      poolscope audit learn --output review.toml
      poolscope audit learn --jsonl coinbases.jsonl --min-blocks 3 --json
    """
    from analyzers.audit import learn_payouts, propose_payouts

    registry = registry_said(registry_path or settings.registry)
    unread = Tally()
    if jsonl is not None:
        network = NETWORKS[settings.network]
        lesson = learn_payouts(
            _proved_lines(jsonl, registry, network, unread), registry, min_blocks
        )
    else:
        with reading_store(settings) as store:
            network = NETWORKS[store.network]
            lesson = learn_payouts(_proved(store, registry, unread), registry, min_blocks)
    leftout.say(unread.found)
    proposal = propose_payouts(lesson, registry, network)
    if output is not None:
        _write(output, proposal)
    if as_json:
        from monitor.answers import convert_audit

        write_json(convert_audit.learn(lesson, min_blocks, proposal, network, leftout.said()))
        return
    if output is None:
        click.echo(proposal, nl=False)
    click.echo(_summary(lesson, output), err=True)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise PoolscopeError(f"{path}: cannot be written: {error.strerror or error}") from error


def _summary(lesson: Lesson, output: Path | None) -> str:
    where = "" if output is None else f", written to {output}"
    return (
        f"{len(lesson.learned)} payout scripts learned from {lesson.blocks} tagged blocks{where}; "
        f"{len(lesson.contested)} in conflict"
    )


def _proved(store: BlockStore, registry: Registry, unread: Tally) -> Iterator[AttributedBlock]:
    """Yield the stored blocks whose coinbase is proved, as `registry` judges them."""
    from dataclasses import replace

    for block in active_blocks(store, "reading blocks"):
        if block.header_only:
            unread.add(Kind.HEADER_ONLY, f"nothing to audit until '{FILL}'", str(block.ref.height))
        elif block.proof == "coinbase":
            yield replace(parts_of_stored(block), attribution=judged_by(registry, block))


def _proved_lines(
    source: str, registry: Registry, network: NetworkParams, unread: Tally
) -> Iterator[AttributedBlock]:
    """Yield the blocks of JSON lines that prove themselves; the others are `unread`."""
    from analyzers.attribution import attribute_parts
    from analyzers.audit import AttributedBlock

    try:
        with click.open_file(source, "rb") as stream:
            for number, line in enumerate(lines(stream), 1):
                try:
                    given = object_of_line(line)
                    script_sig, outputs, height = coinbase_parts(given)
                    proved = height is not None and _is_proved(given, height, network)
                except ValueError as error:
                    unread.add(Kind.COINBASE_LINE, str(error), str(number))
                    continue
                if not proved or height is None:
                    unread.add(Kind.COINBASE_LINE, _UNPROVED, str(number))
                    continue
                found = attribute_parts(script_sig, outputs, registry, height=height)
                yield AttributedBlock(height, script_sig, outputs, found)
    except OSError as error:
        raise PoolscopeError(f"{source}: cannot be read: {error.strerror or error}") from error


def _is_proved(given: dict[str, Any], height: int, network: NetworkParams) -> bool:
    """Tell whether a line's coinbase leads to its header, which has its work.

    Raises
    ------
    ValueError
        If the header, the transaction or the branch cannot be read.
    """
    from hashing.header import BlockHeader
    from monitor.proof import proves_itself

    branch = given.get("merkle_branch")
    if any(given.get(key) is None for key in ("header", "coinbase_tx", "merkle_branch")):
        return False
    if not isinstance(branch, list) or len(branch) > _DEEPEST:
        raise ValueError(f"merkle_branch must be an array of at most {_DEEPEST} hashes")
    header = BlockHeader.parse(bytes_of(given["header"], "header"))
    coinbase = bytes_of(given["coinbase_tx"], "coinbase_tx")
    inner = [bytes_of(item, "merkle_branch") for item in branch]
    # programs write hashes in either order; only one of them leads to the root
    return any(
        proves_itself(header, coinbase, hashes, height, network)
        for hashes in (inner, [item[::-1] for item in inner])
    )
