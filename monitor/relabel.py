"""Attributing stored blocks anew, from stored coinbases and labels, as registries change."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from analyzers.attribution import attribute_parts
from analyzers.model import Label
from analyzers.registry import Registry, RegistryError
from hashing.errors import HashingError
from hashing.wire import read_coinbase_parts
from monitor.cores import cores
from monitor.errors import ConfigError, StoreError
from monitor.store.base import BlockStore, Judged, Verdict
from monitor.store.rows import verdict_of
from monitor.workers import crew, in_order, sent_registry

_BATCH: Final = 5000
"""Blocks that are judged anew in one transaction; an interrupted run goes on behind them."""
_MANY: Final = 50_000
"""Blocks from which on it pays to start other processes."""


Case = tuple[bytes | None, int, Label | None]
"""What decides about a block: coinbase, height, label."""


class Relabelled(NamedTuple):
    """Blocks that were judged anew: how many, and those whose pool is another now."""

    blocks: int
    moved: list[tuple[Judged, Verdict]]


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


def relabel(
    store: BlockStore, registry: Registry, *, dry_run: bool = False
) -> Iterator[Relabelled]:
    """Judge every stored block anew, active or stale; yield what became of them bit by bit.

    Those that this version of the registry has judged are counted and left alone: what was
    interrupted goes on where it was. Many blocks are shared among the cores. What is stored
    stays when this fails.

    Raises
    ------
    StoreError
        If the store cannot be used, or a process that helped has died.
    """
    bare = pickle.dumps(replace(registry))  # what it has compiled cannot be sent
    waiting: deque[list[Judged]] = deque()

    def calls() -> Iterator[tuple[Any, ...]]:
        for found in _batches(store, registry.version):
            waiting.append(found)
            yield judge, bare, [(block.coinbase, block.height, block.label) for block in found]

    known = store.by_registry()
    done = known.pop(registry.version, 0)
    for start in range(0, done, _BATCH):
        yield Relabelled(min(_BATCH, done - start), [])
    try:
        with crew(cores() if sum(known.values()) >= _MANY else 1) as workers:
            for _, verdicts in in_order(workers.executor, calls(), workers.ahead):
                found = waiting.popleft()
                changed = [
                    (old, new)
                    for old, new in zip(found, verdicts, strict=True)
                    if new != old.verdict
                ]
                if changed and not dry_run:
                    store.judge(changed)
                moved = [(old, new) for old, new in changed if new.pool != old.verdict.pool]
                yield Relabelled(len(found), moved)
    except BrokenExecutor:
        raise StoreError(
            "a process that attributed blocks anew has died (was memory short?); what it did is "
            "stored, so run it again"
        ) from None
    except HashingError as error:
        raise StoreError(
            f"a stored coinbase is damaged ({error}); move the store away and run again, or "
            "restore a backup"
        ) from None


def _batches(store: BlockStore, version: str) -> Iterator[list[Judged]]:
    """Yield the blocks that a registry of another version attributed."""
    last = 0
    while found := store.judged(last, _BATCH, unless=version):
        last = found[-1].number
        yield found


def judge(registry: bytes, cases: Sequence[Case]) -> list[Verdict]:
    """Return the verdict on each of `cases` under a pickled registry."""
    known = sent_registry(registry)
    verdicts = []
    for coinbase, height, label in cases:
        parts = None if coinbase is None else read_coinbase_parts(coinbase)
        script_sig, outputs = (parts.script_sig, parts.outputs) if parts else (b"", ())
        found = attribute_parts(script_sig, outputs, known, height=height, label=label)
        verdicts.append(verdict_of(found))
    return verdicts
