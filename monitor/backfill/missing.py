"""Filling the blocks of which a store has no more than the header, from any sources.

Nothing but the block itself is asked for: the stored header, whose place in the chain was
proved, is what it must fit. What is filled is filled for good, so an interrupted run only
begins again with what is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from analyzers.attribution import attribute
from analyzers.columns import BlockRow
from analyzers.leftout import Kind, LeftOut, Tally
from analyzers.registry import Registry
from hashing.chain import ChainEntry
from hashing.header import BlockHeader, BlockRef
from hashing.params import NETWORKS
from monitor.backfill.core import Span
from monitor.config import Settings
from monitor.errors import (
    BadReply,
    ConfigError,
    NotFound,
    NotKept,
    ProofError,
    SourceError,
    SourceUnavailable,
)
from monitor.proof import prove, stored_block
from monitor.sources.base import BlockSource, SourceBlock, Want
from monitor.sources.each import each_block
from monitor.store.base import BlockStore, HeaderOnly
from monitor.store.rows import to_row

log = logging.getLogger(__name__)

_Answer: TypeAlias = SourceBlock | NotFound | BadReply

BATCH: Final = 100
"""Blocks of one transaction: what an interruption loses."""
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait for a source that does not answer now, where it does not say how long."""


async def sources_to_fill_from(settings: Settings) -> list[BlockSource]:
    """Return the sources of the live chain that the settings name, the preferred one first.

    Where they name none: nodes of this machine. No public API is asked that is not named.

    Raises
    ------
    ConfigError
        If there is none, or the settings cannot be used.
    """
    from monitor.agent.choose import choose_sources

    choice = await choose_sources(settings, live_store=True, reached={})
    named = list(choice.sources)
    sources = [each for each in choice.all if each in named or not each.capabilities.public]
    if not sources or choice.synthetic:
        raise ConfigError(
            "no source of the live chain is named, and this machine shows no node; name one that "
            "keeps old blocks: --source esplora, --blocks-dir or --bitcoind"
        )
    return sources


class Filler:
    """Fills header-only blocks of `store`.

    Each block is asked of one source after the other until one has it and it proves itself.
    """

    def __init__(self, store: BlockStore, registry: Registry) -> None:
        self._store = store
        self._sources: list[BlockSource] = []  # that are still asked
        self._opened: list[BlockSource] = []
        self._problem: SourceError | None = None
        self._registry = registry
        self._params = NETWORKS[store.network]
        self._left = Tally()
        self.filled = 0
        """Blocks that were filled so far."""

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The blocks that could not be filled so far, by reason."""
        return self._left.found

    def run(
        self, sources: Coroutine[Any, Any, Sequence[BlockSource]], span: Span, size: int = BATCH
    ) -> Iterator[int]:
        """Fill the blocks in `span`, `size` in a transaction; yield how many were tried each time.

        `sources` gives whom to ask, the preferred one first; it is awaited where they are used.

        Raises
        ------
        SourceError
            If no source answers any more; what came before is stored.
        StoreError
            If the store cannot be written.
        """
        with asyncio.Runner() as runner:
            everyone = runner.run(sources)
            self._sources = list(everyone)
            try:
                for blocks in batches(self._store, span, size):
                    rows = runner.run(self._fetched(blocks))
                    self.filled += self._store.fill(rows)
                    if not self._sources and self._problem:
                        raise self._problem
                    yield len(blocks)
            finally:
                runner.run(_close(everyone))

    async def _fetched(self, blocks: Sequence[HeaderOnly]) -> list[BlockRow]:
        """Return what the sources have of `blocks`; the rest is counted as left."""
        entries = [_entry(block) for block in blocks]
        found: dict[bytes, BlockRow] = {}
        why: dict[bytes, str] = {}
        for source in list(self._sources):
            if not (lacking := [entry for entry in entries if entry.hash not in found]):
                break
            answers: list[_Answer] = []
            try:
                await self._patiently(source, lacking, answers)
            except SourceError as error:
                self._sources.remove(source)
                self._problem = error
                if self._sources:
                    log.warning("going on without %s: %s", source.name, error)
            for entry, answer in zip(lacking, answers, strict=False):
                row = self._row(source, entry, answer)
                if isinstance(row, BlockRow):
                    found[entry.hash] = row
                else:
                    why[entry.hash] = f"{source.name} {row}"
        for entry in entries:
            if entry.hash not in found and entry.hash in why:
                self._left.add(Kind.HEADER_ONLY, why[entry.hash], str(entry.height))
        return list(found.values())

    async def _patiently(
        self, source: BlockSource, entries: Sequence[ChainEntry], answers: list[_Answer]
    ) -> None:
        """Ask a source; one that does not answer now is waited for, a quarter of a minute in all.

        Patience begins anew with each part of the `answers` that comes.
        """
        refs = [BlockRef(entry.height, entry.hash) for entry in entries]
        pauses = iter(_PAUSES)
        while len(answers) < len(refs):
            try:
                if source not in self._opened:
                    await source.open()
                    self._opened.append(source)
                size = max(1, source.capabilities.batch)
                answers += await _each(source, refs[len(answers) : len(answers) + size])
                pauses = iter(_PAUSES)
            except SourceUnavailable as error:
                pause = next(pauses, None)
                if pause is None:
                    raise
                await asyncio.sleep(max(pause, error.retry_after or 0))

    def _row(self, source: BlockSource, entry: ChainEntry, answer: _Answer) -> BlockRow | str:
        """Return what is to be stored of a block, or why that is nothing."""
        if isinstance(answer, NotKept):
            return "has no more than the header"
        if isinstance(answer, NotFound):
            return "does not have it"
        if isinstance(answer, BadReply):
            return "gives nothing that can be read"
        trusted = not source.capabilities.public
        try:
            level, coinbase = prove(answer, entry, self._params, trusted=trusted)
        except ProofError as error:
            return f"sent a block that does not prove itself ({error.reason})"
        if coinbase is None:
            return "gives no coinbase"
        made = attribute(coinbase, self._registry, height=entry.height, label=answer.label)
        return to_row(stored_block(answer, level, source.name, made))


async def _close(sources: Iterable[BlockSource]) -> None:
    for source in sources:
        await source.close()


async def _each(source: BlockSource, refs: Sequence[BlockRef]) -> list[_Answer]:
    """Return what a source says to each block; nonsense about one is none about the others."""
    try:
        return [*await each_block(source, refs, Want.PROVED)]
    except BadReply as error:
        if len(refs) == 1:
            return [error]
    middle = len(refs) // 2
    return [*await _each(source, refs[:middle]), *await _each(source, refs[middle:])]


def batches(store: BlockStore, span: Span, size: int) -> Iterator[list[HeaderOnly]]:
    """Yield the header-only blocks of `store` within `span`, up to `size` at a time."""
    start = span.first
    while found := _within(store.header_only(start, size), span):
        yield found
        start = found[-1].height + 1


def _within(blocks: Iterable[HeaderOnly], span: Span) -> list[HeaderOnly]:
    return [block for block in blocks if block.height <= span.last]


def _entry(block: HeaderOnly) -> ChainEntry:
    header = BlockHeader.parse(block.header)
    return ChainEntry(block.height, block.hash, header, 0, None)
