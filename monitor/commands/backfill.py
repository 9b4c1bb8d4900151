"""``poolscope backfill``: the past of the chain, at once."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from analyzers.leftout import LeftOut
from monitor import __version__
from monitor.commands import leftout
from monitor.commands.options import SourceNames, setting_option, settings_options
from monitor.commands.output import write_json
from monitor.commands.paths import HomePath
from monitor.commands.waiting import progress, watched
from monitor.errors import PoolscopeError

if TYPE_CHECKING:
    from monitor.backfill.core import Span, Target
    from monitor.backfill.plan import Plan
    from monitor.backfill.work import Job
    from monitor.config import Settings
    from monitor.workers import Crew


_READER: Final = "monitor.backfill.files"
"""What reads a range; workers import it while the headers are fetched."""


@click.command("backfill")
@click.option("--from", "first", type=click.IntRange(0), help="First height (default: the lowest).")
@click.option("--to", "last", type=click.IntRange(0), help="Last height (default: the tip).")
@click.option(
    "--out",
    type=HomePath(path_type=Path),
    help="Write Parquet instead of the store: a folder, or a file that ends in .parquet.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Processes (default: one a processor for block files; a node has never more than one); "
    "with --scheduler, Dask workers to wait for (default 1).",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    default="",
    help="Let the workers of this Dask scheduler read (tcp://HOST:8786); needs poolscope[dask].",
)
@click.option("--prove", is_flag=True, help="Read bodies, too, and hold each Merkle root.")
@click.option(
    "--range",
    "size",
    type=click.IntRange(1, 1_000_000),
    default=5_000,
    show_default=True,
    help="Blocks of a range: the unit of work, and of what an interruption loses.",
)
@click.option(
    "--missing",
    is_flag=True,
    help="Fill the stored blocks of which only the header was to be had, and nothing else.",
)
@click.option("--json", "as_json", is_flag=True, help="Write a summary as one JSON object.")
@settings_options
@setting_option(
    "--source",
    setting="source",
    type=SourceNames("auto", "bitcoind", "blkfiles", "esplora", "sample"),
    help="Where blocks come from (default auto: the first that answers).",
)
@setting_option("--bitcoind", setting="bitcoind", multiple=True, metavar="URL", help="A node.")
@setting_option(
    "--esplora",
    setting="esplora.urls",
    multiple=True,
    metavar="URL",
    help="Base URL of an Esplora or mempool.space API.",
)
@setting_option(
    "--blocks-dir",
    setting="blkfiles.dir",
    type=HomePath(path_type=Path),
    help="The blocks folder of a bitcoind; it is then read instead of asking the node.",
)
@setting_option("--registry", setting="registry", type=HomePath(), help="Another pool registry.")
def command(
    settings: Settings,
    *,
    first: int | None,
    last: int | None,
    out: Path | None,
    workers: int | None,
    scheduler: str,
    prove: bool,
    size: int,
    missing: bool,
    as_json: bool,
) -> None:
    """Fetch, prove and attribute the past of the chain, into the store or Parquet files.

    Stop it when you like, by any means: the same command goes on where it was. With a
    blocks folder it reads a kilobyte of each block, and bitcoind need not run.

    \b
    Examples:
      poolscope backfill --blocks-dir ~/.bitcoin/blocks
      poolscope backfill --blocks-dir ~/.bitcoin/blocks --out history.parquet
      poolscope backfill --bitcoind http://alice:secret@127.0.0.1:8332 --from 800000
      poolscope backfill --blocks-dir /node/blocks --out history/ --scheduler tcp://10.0.0.1:8786
      poolscope backfill --missing --source esplora
    """
    if missing:
        if out or scheduler:
            raise click.UsageError("--missing fills the store: it takes no --out or --scheduler")
        from monitor.commands.backfill_missing import fill

        fill(settings, (first, last), size, as_json=as_json)
        return
    from monitor.backfill.core import backfill
    from monitor.backfill.files import Noting
    from monitor.log import setup_logging

    setup_logging(settings.log_level)
    started = time.perf_counter()
    with ExitStack() as stack:
        try:
            plan, crew = _begin(
                settings, (first, last), stack, workers=workers, scheduler=scheduler, prove=prove
            )
            leftout.say(plan.left_out)
            target, job = _target(settings, plan, out, stack, prove=prove)
            noting = Noting(target, plan.chain) if plan.chain.places is not None else None
            target = noting or target
            todo = target.missing(plan.span, size)
            total = sum(span.last - span.first + 1 for span in todo)
            steps = backfill(plan.chain, todo, job, target, crew.executor, ahead=crew.ahead)
            done = sum(watched(steps, total, "blocks", weigh=int))
        except BrokenExecutor:
            raise PoolscopeError(
                "a worker died (was memory short?); what is done is kept: run the command again"
            ) from None
        crew.executor.shutdown()  # what is left to do has their memory to itself
        target.finish(plan.span)
    unread = noting.left_out if noting else ()
    leftout.say(unread)
    seconds = time.perf_counter() - started
    _sum_up(plan.span, done, seconds, out, [*plan.left_out, *unread], as_json=as_json)


def _begin(
    settings: Settings,
    asked: tuple[int | None, int | None],
    stack: ExitStack,
    *,
    workers: int | None,
    scheduler: str,
    prove: bool,
) -> tuple[Plan, Crew]:
    """Return what to fetch, and who fetches it; block files are always indexed here."""
    from monitor.backfill.plan import files_of, plan_files, plan_source
    from monitor.workers import crew

    folder = files_of(settings)
    usual = (os.cpu_count() or 1) if folder else max(1, len(settings.bitcoind))
    remote = stack.enter_context(crew(workers or 1, scheduler)) if scheduler else None
    wanted = workers if workers and not scheduler else usual
    # one process to a node: its queue of requests is short
    local = stack.enter_context(crew(wanted if folder else min(wanted, usual), preload=_READER))
    if folder is None:
        elsewhere = remote is not None
        plan = asyncio.run(
            plan_source(settings, asked, prove=prove, elsewhere=elsewhere, show=progress)
        )
        # each range opens the source anew, and would say so
        sources = logging.getLogger("monitor.sources")
        stack.callback(sources.setLevel, sources.level)
        sources.setLevel(logging.WARNING)
    else:
        plan = plan_files(
            folder,
            settings,
            asked,
            local.executor,
            prove=prove,
            elsewhere=remote is not None,
            watch=watched,
            show=progress,
        )
    return plan, remote or local


def _target(
    settings: Settings, plan: Plan, out: Path | None, stack: ExitStack, *, prove: bool
) -> tuple[Target, Job]:
    """Return where blocks go, and what has to be done to them for that."""
    if out is None:
        from monitor.backfill.targets import StoreTarget
        from monitor.config import store_url
        from monitor.relabel import registry_of
        from monitor.store.sql import open_store

        url = store_url(settings, plan.synthetic)
        store = stack.enter_context(
            closing(open_store(url, plan.network, synthetic=plan.synthetic))
        )
        store.claim("it must stop while the past comes in")
        job, _ = plan.job(settings, "rows")
        return StoreTarget(store, plan.chain, registry_of(settings.registry)), job
    from monitor.backfill.targets import FileTarget, PartsTarget
    from monitor.export import SCHEMA

    job, registry = plan.job(settings, "table")
    metadata = {
        "version": __version__,
        "schema": SCHEMA,
        "network": plan.network,
        "synthetic": plan.synthetic,
        "registry": registry,
        "source": plan.source,
        "bodies": "proved" if prove else "not read",
    }
    kind = FileTarget if out.suffix == ".parquet" and not out.is_dir() else PartsTarget
    return kind(out, plan.chain, metadata), job


def _sum_up(
    span: Span,
    done: int,
    seconds: float,
    out: Path | None,
    left_out: Sequence[LeftOut],
    *,
    as_json: bool,
) -> None:
    blocks = span.last - span.first + 1
    if as_json:
        from monitor.answers import convert
        from monitor.answers.operating import Backfilled

        write_json(
            Backfilled(
                first_height=span.first,
                last_height=span.last,
                blocks=blocks,
                fetched_blocks=done,
                duration_seconds=round(seconds, 3),
                out=str(out) if out else None,
                left_out=convert.left_out(left_out),
            )
        )
        return
    there = f"; {blocks - done} were there before" if done < blocks else ""
    click.echo(
        f"{done} blocks of {span.first} to {span.last} in {seconds:.1f} s, "
        f"{done / seconds:,.0f} a second{there}",
        err=True,
    )
