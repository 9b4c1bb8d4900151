"""What a backfill begins with: whose blocks, the chain of their headers, who reads them."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from analyzers.leftout import LeftOut
from hashing.chain import anchor_height
from hashing.header import HEADER_SIZE
from hashing.params import NETWORKS
from monitor.backfill.ask import SourceReader, backfill_sources
from monitor.backfill.core import Chain, Span, checked
from monitor.backfill.files import FileReader, chain_of, scan
from monitor.backfill.work import Job, Reader
from monitor.config import Settings
from monitor.errors import ConfigError, SourceError, SourceUnavailable
from monitor.relabel import registry_of
from monitor.sources.base import BlockSource
from monitor.sources.blkfiles_index import Records, joined
from monitor.sources.blkfiles_left import GROWING, Remains
from monitor.sources.blkfiles_records import BlkFolder
from monitor.sources.blkfiles_scan import check_network
from monitor.workers import in_order

log = logging.getLogger(__name__)

_FILES_AHEAD: Final = 64
"""Block files whose records may wait at a time: some 130 blocks each."""

Scanned = tuple[Any, ...]
Watch = Callable[[Iterable[Scanned], int, str], Iterator[Scanned]]
Show = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows that something is done to so many; gives what is told how many more are done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The checked chain of a source, the heights to fetch of it, and how they are read."""

    chain: Chain
    span: Span
    reader: Reader
    source: str
    network: str
    synthetic: str = ""
    left_out: Sequence[LeftOut] = ()

    def job(self, settings: Settings, form: Literal["rows", "table"]) -> tuple[Job, str]:
        """Return what to do with each piece, and the version of the registry."""
        registry = replace(registry_of(settings.registry))  # without its compiled form
        for left in registry.left_out:
            log.warning("%s: %s", settings.registry, left)
        return Job(self.reader, self.source, pickle.dumps(registry), form), registry.version


def files_of(settings: Settings) -> Path | None:
    """Return the folder of block files to read, None where the settings name none."""
    if not {"auto", "bitcoind", "blkfiles"} & set(settings.sources):
        return None
    if settings.blkfiles.dir is None and settings.sources == ("blkfiles",):
        raise ConfigError(
            "source blkfiles needs the blocks folder of a bitcoind: give --blocks-dir"
        )
    return settings.blkfiles.dir


def plan_files(
    folder: Path,
    settings: Settings,
    asked: tuple[int | None, int | None],
    executor: Executor,
    *,
    prove: bool,
    elsewhere: bool,
    watch: Watch,
    show: Show,
) -> Plan:
    """Index all block files on `executor`, choose the chain, check it."""
    params = NETWORKS[settings.network]
    opened = BlkFolder(folder, params)
    numbers, others = opened.numbers()
    check_network(opened, numbers)
    remains = Remains(numbers, others)

    def parts() -> Iterator[Records]:
        growing = numbers[-GROWING:]
        calls = ((scan, folder, params.name, number, number in growing) for number in numbers)
        scanned = in_order(executor, calls, _FILES_AHEAD)
        for call, (records, found) in watch(scanned, len(numbers), "looking at each block"):
            remains.note(call[3], found)
            yield records

    chain, left_out = chain_of(opened, joined(parts()), remains)
    if not len(chain.headers):
        raise SourceUnavailable(f"no block of {params.name} in {folder} yet")
    with show("checking headers", len(chain.headers)) as advance:
        checked(chain, params, "blkfiles", advance)
    span = _span(asked, chain.start, chain.tip, left_out)
    reader = FileReader(folder, params.name, prove, elsewhere)
    return Plan(chain, span, reader, "blkfiles", params.name, left_out=left_out)


async def plan_source(
    settings: Settings,
    asked: tuple[int | None, int | None],
    *,
    prove: bool,
    elsewhere: bool,
    show: Show,
) -> Plan:
    """Ask the first source that answers for its headers, check them."""
    if settings.source == "rehearsal":
        raise ConfigError("a rehearsal has no past to fetch; 'poolscope run' plays it")
    sources = await backfill_sources(settings, None)
    try:
        source = await _first_open(sources)
        tip, able = await source.tip(), source.capabilities
        if able.public and asked[0] is None:
            raise ConfigError(
                f"{source.name} is a public API: say with --from how far back to ask it (each "
                "block takes three requests); a node of your own gives all of the chain"
            )
        span = _span(asked, max(able.first_height, able.bodies_from), tip.height)
        params = NETWORKS[source.network]
        start = anchor_height(params, span.first)
        with show("reading headers", span.last - start + 1) as advance:
            array = await _headers(source, start, span.last, advance)
        with show("checking headers", len(array)) as advance:
            chain = checked(Chain(start, array), params, source.name, advance)
        left_out = tuple(source.left_out)
    finally:
        for each in sources:
            await each.close()
    kind = source.name.partition("-")[0]  # the others of its kind help, and no stranger
    chosen = settings.model_copy(update={"source": kind, "network": params.name})
    reader = SourceReader(chosen, prove, elsewhere)
    return Plan(chain, span, reader, source.name, params.name, able.synthetic, left_out)


async def _headers(
    source: BlockSource, start: int, last: int, tell: Callable[[int], None]
) -> NDArray[np.uint8]:
    """Return the headers from height `start` to `last` of `source`, ``uint8[N, 80]``."""
    headers = bytearray()
    while start + len(headers) // HEADER_SIZE <= last:
        at = start + len(headers) // HEADER_SIZE
        batch = await source.headers(at, min(source.capabilities.headers_batch, last - at + 1))
        if not batch:
            raise SourceUnavailable(f"{source.name}: no header at {at}; has it changed chains?")
        headers += b"".join(batch)
        tell(len(batch))
    return np.frombuffer(bytes(headers), np.uint8).reshape(-1, HEADER_SIZE)


async def _first_open(sources: Sequence[BlockSource]) -> BlockSource:
    problem: SourceError | None = None
    for source in sources:
        try:
            await source.open()
        except SourceError as error:
            problem = problem or error
        else:
            return source
    raise problem or SourceUnavailable("no source is named")


def _span(
    asked: tuple[int | None, int | None],
    lowest: int,
    tip: int,
    left_out: Sequence[LeftOut] = (),
) -> Span:
    first = lowest if asked[0] is None else asked[0]
    last = tip if asked[1] is None else min(asked[1], tip)
    if not lowest <= first <= last:
        raise ConfigError(
            f"no blocks {first} to {asked[1] if asked[1] is not None else 'the tip'}: "
            f"the source has {lowest} to {tip}; choose --from and --to of these"
            + "".join(f" ({left})" for left in left_out)
        )
    return Span(first, last)
