"""Stored blocks for audits, with progress where reading takes a while, and registries."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from analyzers.audit import AttributedBlock
    from monitor.config import Settings
    from monitor.store.base import BlockStore, StoredBlock

Item = TypeVar("Item")

_PATIENCE: Final = 2.0
"""Seconds of work before progress is shown."""
_REFRESH: Final = 200
"""Items between two looks of the progress bar."""


@contextmanager
def writing_store(settings: Settings, advice: str) -> Iterator[BlockStore]:
    """Open the store that `reading_store` finds, to change what is in it, as the only one.

    Raises
    ------
    StoreError
        If there is none, it cannot be written, or another program writes to it: who, and
        `advice`.
    """
    from monitor.commands.reading import found_store
    from monitor.config import store_url
    from monitor.store.sql import open_store

    with found_store(settings) as found:
        network, synthetic = found.network, found.synthetic
    store = open_store(store_url(settings, synthetic), network, synthetic=synthetic)
    with closing(store):
        store.claim(advice)
        yield store


def active_blocks(store: BlockStore, what: str) -> Iterator[StoredBlock]:
    """Yield all blocks of the active chain; `what` is done to them is shown as progress."""
    tip, first = store.tip(), store.first_height()
    if tip is None or first is None:
        return
    yield from watched(store.blocks(first, tip.height + 1), tip.height - first + 1, what)


def watched(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield `items` as `progress` shows them go by."""
    with progress(what, total) as advance:
        for item in items:
            yield item
            advance(1)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many more of `total` are done.

    On a terminal that is shown on stderr, once the work takes over two seconds.
    """
    if not sys.stderr.isatty():
        yield lambda _more: None
        return
    from rich.console import Console
    from rich.progress import Progress

    patience = time.monotonic() + _PATIENCE
    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(what, total=total, visible=False)
        unseen = 0

        def advance(more: int) -> None:
            nonlocal unseen
            unseen += more
            if unseen >= _REFRESH:
                bar.update(task, advance=unseen, visible=time.monotonic() > patience)
                bar.refresh()
                unseen = 0

        yield advance


def parts_of(block: StoredBlock) -> AttributedBlock:
    """Return what audits look at; a block without its coinbase has no bytes."""
    from analyzers.audit import AttributedBlock
    from hashing.wire import parse_coinbase

    if block.coinbase_tx is None:
        return AttributedBlock(block.ref.height, b"", (), block.attribution)
    coinbase = parse_coinbase(block.coinbase_tx)
    return AttributedBlock(
        block.ref.height, coinbase.script_sig, coinbase.outputs, block.attribution
    )
