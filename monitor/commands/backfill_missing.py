"""``poolscope backfill --missing``: the rest of blocks of which only the header was to be had."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from monitor.backfill.core import Span
from monitor.backfill.missing import BATCH, Filler, batches, sources_to_fill_from
from monitor.commands.leftout import say
from monitor.commands.output import write_json
from monitor.commands.waiting import progress
from monitor.config import Settings, store_url
from monitor.log import setup_logging
from monitor.relabel import registry_of
from monitor.store.base import BlockStore
from monitor.store.sql import open_store


def fill(
    settings: Settings, asked: tuple[int | None, int | None], size: int, *, as_json: bool
) -> None:
    """Fill header-only blocks, and say what was filled and what was not; exit 1 if any is left.

    Parameters
    ----------
    asked:
        First and last height, None for the ends of the store.
    size:
        Blocks of a transaction, at most.
    """
    setup_logging(settings.log_level)
    registry = registry_of(settings.registry)
    started = time.perf_counter()
    with _written(settings) as store:
        tip = store.tip()
        highest = tip.height if tip else -1
        span = Span(asked[0] or 0, highest if asked[1] is None else asked[1])
        missing = sum(len(found) for found in batches(store, span, BATCH))
        filler = Filler(store, registry)
        if missing:
            with progress("filling", missing) as advance:
                for tried in filler.run(sources_to_fill_from(settings), span, min(size, BATCH)):
                    advance(tried)
    seconds = time.perf_counter() - started
    left = missing - filler.filled
    if as_json:
        from monitor.answers import convert
        from monitor.answers.operating import Filled

        write_json(
            Filled(
                missing_blocks=missing,
                filled_blocks=filler.filled,
                remaining_blocks=left,
                duration_seconds=round(seconds, 3),
                left_out=convert.left_out(filler.left_out),
            )
        )
    else:
        say(filler.left_out)
        what = f"filled {filler.filled} of {missing} blocks that were stored by their headers alone"
        nothing = "no block is stored by its header alone"
        click.echo(f"{what}, in {seconds:.1f} s" if missing else nothing, err=True)
    if left:
        click.get_current_context().exit(1)


@contextmanager
def _written(settings: Settings) -> Iterator[BlockStore]:
    """Open the store of the live chain, which must be there, as its one writer."""
    url = store_url(settings, "")
    open_store(url, settings.network, read_only=True).close()  # none yet is not to be made
    with closing(open_store(url, settings.network)) as store:
        store.claim("it must stop while blocks are filled in")
        yield store
