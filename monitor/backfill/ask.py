"""Ranges of blocks from sources that are asked: nodes, public APIs, the sample."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from analyzers.columns import PROOFS
from hashing.chain import ChainEntry
from hashing.header import BlockHeader, BlockRef
from hashing.params import NETWORKS, NetworkParams
from monitor.backfill.core import Piece
from monitor.backfill.work import Found
from monitor.config import Settings, load_settings
from monitor.errors import ConfigError, SourceUnavailable
from monitor.proof import prove
from monitor.sources.base import BlockSource, SourceBlock, Want

_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait for a node that is busy or starting."""
_BATCH: Final = 500
"""Blocks of one call to a node: it keeps its own limit of requests under way."""


@dataclass(frozen=True, slots=True)
class SourceReader:
    """Asks the sources that the settings name; several take turns.

    `elsewhere`: on another machine, whose own settings name its own nodes.
    """

    settings: Settings
    prove: bool
    elsewhere: bool = False

    def read(self, piece: Piece) -> Iterable[Found]:
        """Return the blocks of `piece`, in order."""
        settings = self.settings
        if self.elsewhere:
            own = load_settings().bitcoind
            settings = settings.model_copy(update={"bitcoind": own} if own else {})
        settings.remember_secrets()  # this may be another process than the one that read them
        return asyncio.run(self._read(piece, settings))

    async def _read(self, piece: Piece, settings: Settings) -> list[Found]:
        headers = [BlockHeader.parse(header.tobytes()) for header in piece.headers]
        entries = [
            ChainEntry(piece.first + i, header.hash, header, 0, None)
            for i, header in enumerate(headers)
        ]
        refs = [BlockRef(entry.height, entry.hash) for entry in entries]
        sources = await backfill_sources(settings, refs[-1])
        turn = piece.first // len(piece.headers) % len(sources)
        blocks = await _patiently([*sources[turn:], *sources[:turn]], refs, prove=self.prove)
        params = NETWORKS[sources[0].network]
        trusted = not sources[0].capabilities.public
        return [
            _found(block, entry, params, trusted=trusted)
            for block, entry in zip(blocks, entries, strict=True)
        ]


async def backfill_sources(settings: Settings, reached: BlockRef | None) -> list[BlockSource]:
    """Return the sources of the settings; a sample is replayed up to `reached`.

    Raises
    ------
    ConfigError
        If there is none, or the settings cannot be used.
    """
    from monitor.agent.choose import choose_sources

    known = {"sample": reached} if reached else {}
    choice = await choose_sources(settings, live_store=False, reached=known)
    if not choice.all:
        raise ConfigError(
            f"no {settings.network} node found: no cookie in the usual datadirs; name one with "
            "--bitcoind http://USER:PASSWORD@HOST:PORT"
        )
    return choice.all


async def _patiently(
    sources: Sequence[BlockSource], refs: Sequence[BlockRef], *, prove: bool
) -> list[SourceBlock]:
    """Ask one source after the other; wait where all are busy, a quarter of a minute in all.

    What has come is kept, and patience begins anew with it.
    """
    found: list[SourceBlock] = []
    pauses = iter(_PAUSES)
    while True:
        before = len(found)
        for source in sources:
            try:
                await _fetch(source, refs, found, prove=prove)
                return found
            except SourceUnavailable as error:
                problem = error
        if len(found) > before:
            pauses = iter(_PAUSES)
        pause = next(pauses, None)
        if pause is None:
            raise problem
        await asyncio.sleep(max(pause, problem.retry_after or 0))


async def _fetch(
    source: BlockSource, refs: Sequence[BlockRef], found: list[SourceBlock], *, prove: bool
) -> None:
    """Add to `found` what is missing of `refs`, as it comes."""
    try:
        await source.open()
        public = source.capabilities.public
        want = Want.PROVED if prove or public else Want.COINBASE
        size = source.capabilities.batch if public else max(source.capabilities.batch, _BATCH)
        for start in range(len(found), len(refs), size):
            found += await source.blocks(refs[start : start + size], want)
    finally:
        await source.close()


def _found(block: SourceBlock, entry: ChainEntry, params: NetworkParams, *, trusted: bool) -> Found:
    level, coinbase = prove(block, entry, params, trusted=trusted)
    return Found(
        coinbase=block.coinbase_tx,
        script_sig=coinbase.script_sig if coinbase else b"",
        outputs=coinbase.outputs if coinbase else (),
        proof=PROOFS.index(level),
        tx_count=block.tx_count,
        size=block.size,
        label=block.label,
        first_seen=block.first_seen,
    )
