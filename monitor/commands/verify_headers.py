"""``poolscope verify-headers``: prove a file of raw headers."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hashing.header import HEADER_SIZE, hash_to_hex
from hashing.params import NETWORKS
from monitor.commands.output import write_json
from monitor.commands.paths import HomePath
from monitor.commands.waiting import progress
from monitor.errors import PoolscopeError

if TYPE_CHECKING:
    from hashing.validate import ChainReport
    from monitor.answers.operating import HeadersVerified


@click.command("verify-headers")
@click.argument("file", type=HomePath(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--network",
    type=click.Choice(list(NETWORKS)),
    default="mainnet",
    show_default=True,
    help="Whose rules apply.",
)
@click.option(
    "--start-height",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Height of the first header.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    help="Number of threads (default: one a core).",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(
    file: Path, network: str, start_height: int, threads: int | None, *, as_json: bool
) -> None:
    """Check consecutive raw 80-byte headers in FILE by all rules of consensus.

    Links, proof of work, difficulty with its retargets and 20-minute exceptions, median
    time past, the time warp rule of testnet4, and versions. Exits with status 1 at the first
    header that breaks a rule, and says which. The rule that a time may not be two hours in
    the future is left out: it says nothing about headers of the past.

    What depends on headers before the first one is checked as far as it is known, so a
    file best begins at height 0 or at a multiple of 2016.

    \b
    Examples:
      poolscope verify-headers headers.bin
      poolscope verify-headers part.bin --start-height 822528 --json
      poolscope verify-headers blockchain_headers --network testnet4
    """
    import numpy as np

    from hashing.validate import validate_headers

    size = file.stat().st_size
    if size == 0 or size % HEADER_SIZE:
        raise PoolscopeError(
            f"{file}: {size} bytes are no whole number of {HEADER_SIZE}-byte headers; "
            "is it a file of raw headers?"
        )
    try:
        headers = np.memmap(file, np.uint8, "r").reshape(-1, HEADER_SIZE)
    except OSError as error:
        raise PoolscopeError(f"cannot read {file}: {error.strerror}") from None
    with progress("checking headers", len(headers)) as advance:
        report = validate_headers(
            headers,
            NETWORKS[network],
            start_height,
            threads=threads or os.cpu_count() or 1,
            on_progress=advance,
        )
    if as_json:
        write_json(_answer(report, network, start_height))
    elif report.count:
        click.echo(_text(report, network, start_height))
    if report.failure and not as_json:
        raise PoolscopeError(f"{file}: {report.failure.reject}: {report.failure.message}")
    if report.failure:
        sys.exit(1)


def _answer(report: ChainReport, network: str, start_height: int) -> HeadersVerified:
    from monitor.answers.operating import HeaderFailure, HeadersVerified

    failure = report.failure
    return HeadersVerified(
        network=network,
        start_height=start_height,
        valid_headers=report.count,
        last_height=report.height if report.count else None,
        tip_hash=hash_to_hex(report.tip_hash) if report.tip_hash else None,
        chainwork=f"{report.work:064x}",
        failure=HeaderFailure(**dataclasses.asdict(failure)) if failure else None,
    )


def _text(report: ChainReport, network: str, start_height: int) -> str:
    tip = hash_to_hex(report.tip_hash) if report.tip_hash else ""
    return (
        f"{report.count} headers hold, {network} heights {start_height} to {report.height}\n"
        f"last: {tip}\nwork: {report.work:#x} expected hashes"
    )
