"""``poolscope block``: one block with the evidence for its pool."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from analyzers.escape import terminal_text
from analyzers.facts import sureness
from analyzers.model import Evidence
from analyzers.registry.address import address_of
from hashing.errors import WireError
from hashing.header import BlockHeader, hash_from_hex, hash_to_hex
from hashing.params import NETWORKS, NetworkParams
from hashing.wire import parse_coinbase
from monitor.agent.bodies import FILL
from monitor.commands import leftout
from monitor.commands.options import settings_options
from monitor.commands.output import write_json
from monitor.commands.reading import reading_store
from monitor.config import Settings
from monitor.errors import NotFound
from monitor.store.base import StoredBlock

if TYPE_CHECKING:
    from monitor.answers.blocks import BlockAnswer


@click.command("block")
@settings_options
@click.argument("which", metavar="HEIGHT|HASH")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(settings: Settings, which: str, *, as_json: bool) -> None:
    """Show a stored block: who mined it, on what evidence, how far it proved itself.

    \b
    Examples:
      poolscope block 830000
      poolscope block 000000000000000000011d55599ed27d7efca05f5849b755319c89eb2cffbc1f
      poolscope block 830000 --json
    """
    key = _key(which)
    with reading_store(settings) as store:
        block = store.block(key)
        if block is None:
            raise NotFound(f"no block {which} in the store; its tip is {_tip(store.tip())}")
        synthetic, network = store.synthetic, NETWORKS[store.network]
    if as_json:
        write_json(_answer(block, network, synthetic, settings))
    else:
        click.echo("\n".join(_lines(block, synthetic, network)))


def _key(which: str) -> int | bytes:
    if which.isascii() and which.isdecimal() and len(which) < 10:
        return int(which)
    try:
        return hash_from_hex(which)
    except WireError:
        raise click.BadParameter(
            f"{which[:80]!r} is neither a height nor a block hash (64 hex digits)"
        ) from None


def _tip(tip: Any) -> str:
    return str(tip.height) if tip else "not there yet"


def _answer(
    block: StoredBlock, network: NetworkParams, synthetic: str, settings: Settings
) -> BlockAnswer:
    from monitor.answers import convert, convert_blocks
    from monitor.answers.blocks import BlockAnswer

    registry = leftout.registry_said(settings.registry)
    found = convert_blocks.detail(block, registry.name_of, network)
    return BlockAnswer(
        **dict(found),
        network=network.name,
        synthetic=synthetic,
        left_out=convert.left_out(leftout.said()),
    )


def _lines(block: StoredBlock, synthetic: str, network: NetworkParams) -> list[str]:
    header = BlockHeader.parse(block.header)
    attribution = block.attribution
    when = datetime.fromtimestamp(header.time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [
        f"block {block.ref.height}{' (STALE)' if block.stale else ''}"
        f"{f' of the {synthetic.upper()}' if synthetic else ''}",
        f"  hash      {hash_to_hex(block.ref.hash)}",
        f"  time      {when}",
        f"  pool      {attribution.pool or 'unknown'}  (decided by: {attribution.rule}; "
        f"{sureness(attribution)})",
        f"  proof     {block.proof}, from {block.source}",
    ]
    if block.header_only:
        lines.append(f"  coinbase  no source had it; '{FILL}' gets it from one that has")
    if block.tx_count is not None:
        lines.append(f"  size      {block.tx_count} transactions, {block.size or '?'} bytes")
    lines += [f"  for       {_evidence_line(entry, network)}" for entry in attribution.evidence]
    lines += [f"  against   {_evidence_line(entry, network)}" for entry in attribution.conflicts]
    if block.coinbase_tx:
        script = parse_coinbase(block.coinbase_tx).script_sig
        lines += [
            f"  scriptSig {script.hex()}",
            f"            {terminal_text(script)}",
        ]
    return [*lines, f"  registry  {attribution.registry_version}"]


def _evidence_line(entry: Evidence, network: NetworkParams) -> str:
    matched = terminal_text(entry.matched)
    if entry.kind in ("payout", "elsewhere"):
        matched = address_of(entry.matched, network) or entry.matched.hex()
    if entry.kind == "elsewhere":
        part = f"{entry.share:.1%} of the value goes to {matched}"
        return f"{part}: it {entry.source} of {entry.pool}"
    text = f"{entry.kind} {matched} ({entry.strength}) names {entry.pool}"
    if entry.kind == "label":
        return f"{text}, says {terminal_text(entry.source)}"
    place = f"{text}, {entry.where.field} bytes {entry.where.offset}+{entry.where.length}"
    return f"{place}, {entry.share:.1%} of the value" if entry.kind == "payout" else place
