"""Attributing stored blocks anew, from stored coinbases and labels, as registries change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from analyzers.attribution import attribute
from analyzers.model import Attribution
from analyzers.registry import Registry, RegistryError
from hashing.wire import parse_coinbase
from monitor.errors import ConfigError
from monitor.store.base import BlockStore, StoredBlock

_BATCH: Final = 500
"""Blocks that are attributed anew in one transaction; an interrupted run can be repeated."""


def registry_of(path: Path | None) -> Registry:
    """Return the registry at `path` (TOML or a public list), or the one that ships.

    Raises
    ------
    ConfigError
        If it cannot be used.
    """
    from analyzers.registry.importers import load_any

    try:
        return load_any(path)
    except RegistryError as error:
        raise ConfigError(str(error)) from error


def all_blocks(store: BlockStore) -> Iterator[StoredBlock]:
    """Yield every stored block: the active chain in height order, then the stale ones."""
    tip, first = store.tip(), store.first_height()
    if tip is not None and first is not None:
        yield from store.blocks(first, tip.height + 1)
    yield from store.stale_blocks()


def relabel(
    store: BlockStore, blocks: Iterable[StoredBlock], registry: Registry, *, dry_run: bool = False
) -> Iterator[tuple[StoredBlock, Attribution]]:
    """Yield each of `blocks` with its attribution under `registry`, storing what is new."""
    pending: list[tuple[bytes, Attribution]] = []
    for block in blocks:
        coinbase = None if block.coinbase_tx is None else parse_coinbase(block.coinbase_tx)
        fresh = attribute(coinbase, registry, height=block.ref.height, label=block.label)
        if fresh != block.attribution and not dry_run:
            pending.append((block.ref.hash, fresh))
        if len(pending) == _BATCH:
            store.reattribute(pending)
            pending = []
        yield block, fresh
    if pending:
        store.reattribute(pending)
