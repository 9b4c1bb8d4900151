"""Stored blocks for audits, with progress where reading takes a while, and registries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from monitor.commands.waiting import progress

if TYPE_CHECKING:
    from analyzers.audit import AttributedBlock
    from analyzers.model import Attribution
    from analyzers.registry import Registry
    from monitor.config import Settings
    from monitor.store.base import BlockStore, StoredBlock


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
    with progress(what, tip.height - first + 1) as advance:
        for block in store.blocks(first, tip.height + 1):
            yield block
            advance(1)


def judged_by(registry: Registry, block: StoredBlock) -> Attribution:
    """Return the attribution of a block by `registry`, as ``relabel`` would make it."""
    from analyzers.attribution import attribute_parts

    if block.attribution.registry_version == registry.version:
        return block.attribution
    parts = parts_of(block)
    return attribute_parts(
        parts.script_sig, parts.outputs, registry, height=block.ref.height, label=block.label
    )


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
