"""``poolscope attribute``: which pool made these coinbases, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.commands.coinbases import bytes_of, coinbase_parts, count_of, lines, object_of_line
from monitor.commands.leftout import registry_said
from monitor.commands.output import json_of
from monitor.commands.paths import HomePath
from monitor.errors import PoolscopeError

if TYPE_CHECKING:
    from analyzers.facts import BlockFacts
    from analyzers.model import Attribution, Evidence
    from analyzers.registry import Registry
    from hashing.wire import TxOut
    from monitor.answers.attribution import Attributed, CoinbaseText, Facts


@click.command("attribute")
@click.argument("coinbases", nargs=-1, metavar="[HEX]...")
@click.option(
    "--jsonl",
    type=HomePath(allow_dash=True),
    help="Read one JSON object a line from a file, or from standard input (-).",
)
@click.option(
    "--registry",
    "registry_path",
    type=HomePath(path_type=Path),
    help="Use this registry: our TOML, or a public pool list (.json).",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON lines for HEX arguments too.")
@click.option("--reading", is_flag=True, help="Add what else the block says (JSON only).")
def command(
    *,
    coinbases: tuple[str, ...],
    jsonl: str | None,
    registry_path: Path | None,
    as_json: bool,
    reading: bool,
) -> None:
    """Attribute coinbases to pools, with the bytes that speak for and against.

    HEX is a whole coinbase transaction, or a scriptSig alone. Lines of --jsonl are objects
    with "coinbase_tx" (hex of the transaction), or "script" (hex of the scriptSig) and
    perhaps "outputs" ([{"script": hex, "value": satoshi}]); "height" limits tags to the
    heights where they hold. Each line gives one line: {"pool": slug or null, "name", "rule",
    "evidence", "conflicts"}. A line that cannot be read gives {"error": {"message": ...}} and a
    message on stderr, and the exit status is 1 at the end; all others are answered.

    --reading adds "coinbase", what else it says, and "facts": how sure the pool is, whom tag
    and payout name, and with "header" (hex) and "tx_count" in the line, who made the template
    (lens template), version bits that signal or were rolled, and whether the block is empty.

    \b
    Examples:
      poolscope attribute 03e6b5062f5669614254432f
      poolscope attribute --jsonl coinbases.jsonl > attributed.jsonl
      zcat coinbases.jsonl.gz | poolscope attribute --jsonl - | jq -r .pool | sort | uniq -c
    """
    if bool(coinbases) == (jsonl is not None):
        raise click.UsageError("give coinbases as hex, or --jsonl FILE (- for standard input)")
    registry = registry_said(registry_path)
    failed = (
        _attribute_hex(coinbases, registry, as_json=as_json, reading=reading)
        if jsonl is None
        else _attribute_lines(jsonl, registry, reading=reading)
    )
    if failed:
        raise PoolscopeError(f"{failed} could not be read; see above")


def _attribute_hex(
    coinbases: tuple[str, ...], registry: Registry, *, as_json: bool, reading: bool
) -> int:
    failed = 0
    for number, text in enumerate(coinbases, 1):
        try:
            given = _object_of_hex(text)
            told = (
                json_of(_answer(given, registry, reading=reading))
                if as_json
                else _describe(given, registry)
            )
        except ValueError as error:
            failed += 1
            _complain(f"argument {number}", error)
            if as_json:
                click.echo(_refusal(error))
            continue
        click.echo(told)
    return failed


def _attribute_lines(source: str, registry: Registry, *, reading: bool) -> int:
    failed = 0
    try:
        with click.open_file(source, "rb") as stream:
            for number, line in enumerate(lines(stream), 1):
                try:
                    text = json_of(_answer(object_of_line(line), registry, reading=reading))
                except ValueError as error:
                    failed += 1
                    _complain(f"line {number}", error)
                    text = _refusal(error)
                sys.stdout.write(text + "\n")
                sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PoolscopeError(f"{source}: cannot be read: {error.strerror or error}") from error
    return failed


def _object_of_hex(text: str) -> dict[str, Any]:
    from hashing.errors import WireError
    from hashing.wire import parse_coinbase

    raw = bytes_of(text, "HEX")
    try:
        parse_coinbase(raw)
    except WireError:
        if len(raw) > 100:
            raise
        return {"script": text}
    return {"coinbase_tx": text}


def _answer(given: dict[str, Any], registry: Registry, *, reading: bool) -> Attributed:
    """Return the answer to one input object; `ValueError` if it cannot be read."""
    from analyzers.attribution import attribute_parts
    from monitor.answers import convert_blocks
    from monitor.answers.attribution import Attributed

    script_sig, outputs, height = coinbase_parts(given)
    found = attribute_parts(script_sig, outputs, registry, height=height)
    return Attributed(
        pool=found.pool,
        name=None if found.pool is None else registry.name_of(found.pool),
        rule=found.rule,
        evidence=convert_blocks.evidence(found.evidence, registry.name_of, None),
        conflicts=convert_blocks.evidence(found.conflicts, registry.name_of, None),
        coinbase=_reading(script_sig, outputs, height) if reading else None,
        facts=_shown(_facts(given, found, script_sig, outputs, height)) if reading else None,
    )


def _refusal(error: ValueError) -> str:
    from monitor.answers.base import CommandError, Fault

    return json_of(CommandError(error=Fault(message=str(error))))


def _reading(script_sig: bytes, outputs: tuple[TxOut, ...], height: int | None) -> CoinbaseText:
    from analyzers.coinbase import read_parts
    from monitor.answers import convert_blocks
    from monitor.answers.attribution import CoinbaseText

    seen = read_parts(script_sig, outputs, height)
    return CoinbaseText(
        height=seen.height,
        runs=convert_blocks.runs(seen),
        merge_mining=None if seen.aux_pow is None else seen.aux_pow.root.hex(),
        commitments=convert_blocks.commitments(seen),
        miners=convert_blocks.miners(seen),
        software=list(seen.software),
    )


def _facts(
    given: dict[str, Any],
    attribution: Attribution,
    script_sig: bytes,
    outputs: tuple[TxOut, ...],
    height: int | None,
) -> BlockFacts:
    from analyzers.facts import block_facts
    from analyzers.registry.lenses import load_lenses
    from hashing.header import BlockHeader

    header = None
    if given.get("header") is not None:
        header = BlockHeader.parse(bytes_of(given["header"], "header"))
    return block_facts(
        attribution,
        script_sig,
        outputs,
        height=height,
        header=header,
        tx_count=count_of(given, "tx_count"),
        lens=load_lenses()["template"],
    )


def _shown(facts: BlockFacts) -> Facts:
    from monitor.answers.attribution import Facts

    return Facts(
        sureness=facts.sureness,
        tag_owner=facts.tag_owner,
        payout_owner=facts.payout_owner,
        producer=facts.producer,
        signalled=None if facts.signalled is None else list(facts.signalled),
        rolled=facts.rolled,
        empty=facts.empty,
    )


def _describe(given: dict[str, Any], registry: Registry) -> str:
    """Return an answer for people, in a few lines; `ValueError` if `given` cannot be read."""
    from analyzers.attribution import attribute_parts
    from analyzers.coinbase import read_parts
    from analyzers.escape import escape_text

    script_sig, outputs, height = coinbase_parts(given)
    found = attribute_parts(script_sig, outputs, registry, height=height)
    sure = _facts(given, found, script_sig, outputs, height).sureness
    seen = read_parts(script_sig, outputs, height)
    name = "unknown" if found.pool is None else registry.name_of(found.pool)
    lines = [f"{name}  (rule: {found.rule}; {sure})"]
    lines += [_told(item, against=item in found.conflicts) for item in found.evidence]
    lines += [f"  text     {escape_text(run.data)}" for run in seen.runs]
    lines += [f"  miner    {escape_text(miner.name)}" for miner in seen.miners]
    lines += [f"  software {name}" for name in seen.software]
    return "\n".join(lines)


def _told(item: Evidence, *, against: bool) -> str:
    from analyzers.escape import escape_text

    mark = "against" if against else item.strength
    what = escape_text(item.matched)
    if item.kind in ("payout", "elsewhere"):
        what = f"{item.share:.1%} of the value"
    if item.kind == "elsewhere":
        what += f" to another script; it {item.source}"
    where = f"{item.where.field}, byte {item.where.offset}"
    return f"  {mark:8} {item.kind:7} {item.pool}: {what}  ({where})"


def _complain(where: str, error: ValueError) -> None:
    click.echo(f"poolscope attribute: {where}: {error}", err=True)
