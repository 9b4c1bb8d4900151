"""Attributing stored blocks anew, from stored coinbases and labels, as registries change."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from analyzers.attribution import attribute_parts
from analyzers.model import Label
from analyzers.registry import Registry, RegistryError
from hashing.wire import read_coinbase_parts
from monitor.cores import cores
from monitor.errors import ConfigError
from monitor.store.base import BlockStore, Judged, Verdict
from monitor.store.rows import verdict_of

_BATCH: Final = 5000
"""Blocks that are judged anew in one transaction; an interrupted run can be repeated."""
_MANY: Final = 50_000
"""Blocks from which on it pays to start other processes."""

Case = tuple[bytes | None, int, Label | None]
"""What decides: coinbase, height, label."""
Judge = Callable[[Sequence[Case]], "Future[list[Verdict]]"]


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

    Many blocks are shared among the processors.
    """
    with _judge(registry, store.counts().blocks) as judge:
        for found, verdicts in _judged(store, judge):
            changed = [
                (old, new) for old, new in zip(found, verdicts, strict=True) if new != old.verdict
            ]
            if changed and not dry_run:
                store.judge(changed)
            moved = [(old, new) for old, new in changed if new.pool != old.verdict.pool]
            yield Relabelled(len(found), moved)


def _judged(store: BlockStore, judge: Judge) -> Iterator[tuple[list[Judged], list[Verdict]]]:
    """Yield blocks with their verdicts, while those that follow are being judged."""
    waiting: deque[tuple[list[Judged], Future[list[Verdict]]]] = deque()
    last = 0
    while True:
        found = store.judged(last, _BATCH)
        if found:
            last = found[-1].number
            cases = [(block.coinbase, block.height, block.label) for block in found]
            waiting.append((found, judge(cases)))
        if waiting and (not found or len(waiting) > cores()):
            blocks, verdicts = waiting.popleft()
            yield blocks, verdicts.result()
        if not found and not waiting:
            return


@contextmanager
def _judge(registry: Registry, blocks: int) -> Iterator[Judge]:
    """Give what judges: in this process, or in others where there is much to do."""
    if blocks < _MANY or cores() == 1:
        yield lambda cases: _done(judge_with(registry, cases))
        return
    bare = replace(registry)  # without what it has compiled, which cannot be sent
    # forked, a process with threads may hang, and keep files open that it knows nothing of
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), context, _begin, (bare,)) as executor:
        yield lambda cases: executor.submit(_judge_here, cases)


def judge_with(registry: Registry, cases: Sequence[Case]) -> list[Verdict]:
    """Return the verdict on each of `cases` under `registry`."""
    verdicts = []
    for coinbase, height, label in cases:
        parts = None if coinbase is None else read_coinbase_parts(coinbase)
        script_sig, outputs = (parts.script_sig, parts.outputs) if parts else (b"", ())
        found = attribute_parts(script_sig, outputs, registry, height=height, label=label)
        verdicts.append(verdict_of(found))
    return verdicts


_registry: Registry
"""That of a process which `_judge` started."""


def _begin(registry: Registry) -> None:
    global _registry  # noqa: PLW0603 - a worker process has one task and one registry
    _registry = registry


def _judge_here(cases: Sequence[Case]) -> list[Verdict]:
    return judge_with(_registry, cases)


def _done(verdicts: list[Verdict]) -> Future[list[Verdict]]:
    future: Future[list[Verdict]] = Future()
    future.set_result(verdicts)
    return future
