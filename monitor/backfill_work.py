"""What is done with a range of blocks, wherever that is: read, prove, attribute.

A `Job` and a piece travel to the worker by pickle, rows or columns travel back.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

import numpy as np

from analyzers.attribution import attribute_parts
from analyzers.model import Label
from analyzers.registry import Registry
from hashing.build import push_height
from hashing.chain import ChainEntry
from hashing.errors import WireError
from hashing.header import BlockHeader, sha256d
from hashing.params import NETWORKS, NetworkParams
from hashing.wire import TxOut, merkle_root
from monitor.backfill import Chain, Piece, Span
from monitor.config import Settings, load_settings
from monitor.errors import BadReply, NotFound, ProofError, SourceUnavailable
from monitor.proof import prove
from monitor.sources.base import BlockRef, BlockSource, SourceBlock, Want
from monitor.sources.blkfiles_index import Records, active_chain, joined, scan_file
from monitor.sources.blkfiles_records import BlkFile, BlkFolder, Record, proved_height
from monitor.store.base import BlockRow
from monitor.store.rows import PROOFS, evidence_json

if TYPE_CHECKING:
    import pyarrow as pa

HEADER_PROVED: Final = PROOFS.index("header")
COINBASE_PROVED: Final = PROOFS.index("coinbase")

_PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait for a node that is busy or starting."""
_BATCH: Final = 500
"""Blocks of one call: a source keeps its own limit of requests under way."""


class Found(NamedTuple):
    """A block as it was read and proved; `proof` is an index into `PROOFS`."""

    coinbase: bytes | None
    script_sig: bytes
    outputs: tuple[TxOut, ...]
    proof: int
    tx_count: int | None
    size: int | None
    label: Label | None = None
    first_seen: int | None = None


class Reader(Protocol):
    """Reads pieces; picklable, and the same for all workers."""

    def read(self, piece: Piece) -> Iterable[Found]:
        """Return the blocks of `piece`, in order."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with every piece; `registry` is a pickled `Registry`."""

    reader: Reader
    source: str
    registry: bytes
    form: Literal["rows", "table"]

    def __call__(self, piece: Piece) -> list[BlockRow] | pa.Table:
        """Read, prove and attribute the blocks of `piece`."""
        registry = _registry(self.registry)
        found = self.reader.read(piece)
        if self.form == "rows":
            return list(_rows(piece, found, registry, self.source))
        return _table(piece, found, registry)


@lru_cache(2)
def _registry(pickled: bytes) -> Registry:
    registry: Registry = pickle.loads(pickled)  # noqa: S301 - from the process that gave the job
    return registry


def _rows(
    piece: Piece, blocks: Iterable[Found], registry: Registry, source: str
) -> Iterator[BlockRow]:
    headers = piece.headers.tobytes()
    for place, block in enumerate(blocks):
        height = piece.first + place
        header = headers[80 * place : 80 * place + 80]
        made = attribute_parts(
            block.script_sig, block.outputs, registry, height=height, label=block.label
        )
        yield BlockRow(
            height=height,
            hash=sha256d(header),
            stale=False,
            time=int.from_bytes(header[68:72], "little"),
            header=header,
            coinbase=block.coinbase,
            proof=block.proof,
            source=source,
            label=block.label.pool if block.label else None,
            label_source=block.label.source if block.label else None,
            tx_count=block.tx_count,
            size=block.size,
            first_seen=block.first_seen,
            pool=made.pool,
            rule=made.rule,
            conflicts=len(made.conflicts),
            evidence=evidence_json(made),
            registry=made.registry_version,
        )


def _table(piece: Piece, blocks: Iterable[Found], registry: Registry) -> pa.Table:
    """Return the columns of `monitor.export`."""
    import pyarrow as pa

    from monitor.export import COLUMNS

    cells = []
    for height, block in enumerate(blocks, piece.first):
        made = attribute_parts(
            block.script_sig, block.outputs, registry, height=height, label=block.label
        )
        proof = PROOFS[block.proof]
        kept = (block.tx_count, block.size, block.first_seen, len(made.conflicts))
        cells.append((made.pool, proof, *kept))
    names = ("pool", "proof", "tx_count", "size", "first_seen", "conflicts")
    columns = dict(zip(names, zip(*cells, strict=True), strict=True))
    times = piece.headers[:, 68:72].copy().view("<u4").ravel().astype(np.int64)
    heights = np.arange(piece.first, piece.first + len(cells))
    arrays = {"height": heights, "time": times} | columns
    schema = pa.schema(list(COLUMNS.items()))
    return pa.table([_column(arrays[field.name], field.type) for field in schema], schema=schema)


def _column(values: object, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)


# -- block files


def chain_of(folder: BlkFolder, records: Records, params: NetworkParams) -> Chain:
    """Return the chain with the most work among `records`."""
    places = records.places

    def height_of(index: int) -> int | None:
        return proved_height(folder, _record(records.headers[index].tobytes(), places[index]))

    start, chosen = active_chain(records, params, height_of)
    return Chain(start, records.headers[chosen], places[chosen])


def scan(folder: Path, network: str, number: int) -> Records:
    """Return the blocks of one file of `folder`."""
    return scan_file(BlkFolder(folder, NETWORKS[network]), number)


def _record(header: bytes, place: np.void) -> Record:
    return Record(int(place["file"]), int(place["offset"]), int(place["size"]), header)


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads blocks where they lie in a ``blocks`` folder.

    Another machine's folder has them in other places: then it is indexed there, once.
    """

    folder: Path
    network: str
    prove: bool
    elsewhere: bool = False

    def read(self, piece: Piece) -> Iterable[Found]:
        """Return the blocks of `piece`, in order."""
        folder = self.folder
        if self.elsewhere:
            folder = load_settings().blkfiles.dir or folder
        params = NETWORKS[self.network]
        opened = BlkFolder(folder.expanduser(), params)
        if piece.places is not None:
            try:
                return self._read(opened, params, piece)
            except (BadReply, NotFound):
                if not self.elsewhere:
                    raise
        return self._read(opened, params, _placed(piece, folder.expanduser(), self.network))

    def _read(self, folder: BlkFolder, params: NetworkParams, piece: Piece) -> list[Found]:
        assert piece.places is not None
        headers = piece.headers.tobytes()
        records = [
            Record(number, offset, size, headers[80 * i : 80 * i + 80])
            for i, (number, offset, size) in enumerate(piece.places.tolist())
        ]
        order = sorted(range(len(records)), key=lambda i: records[i][:2])
        found: dict[int, Found] = {}
        read = _proved if self.prove else _short
        for number, group in groupby(order, key=lambda i: records[i].file):
            with folder.opened(number) as file:
                for i in group:
                    found[i] = _at_height(read(file, records[i]), piece.first + i, params)
        return [found[i] for i in range(len(records))]


def _short(file: BlkFile, record: Record) -> Found:
    """Read header, count and coinbase: the node has held the rest against the header."""
    tx_count, raw, parts = file.coinbase(record)
    return Found(raw, parts.script_sig, parts.outputs, HEADER_PROVED, tx_count, record.size)


def _proved(file: BlkFile, record: Record) -> Found:
    """Read the whole block and hold the Merkle root of its transactions against the header."""
    prefix, txids = file.body(record)
    try:
        same = merkle_root(txids) == prefix.header.merkle_root
    except WireError:
        same = False
    if not same:
        raise ProofError(
            "coinbase", f"{file.path}, offset {record.offset}: the Merkle root is not the header's"
        )
    coinbase = prefix.coinbase
    return Found(
        coinbase.raw,
        coinbase.script_sig,
        coinbase.outputs,
        COINBASE_PROVED,
        prefix.tx_count,
        record.size,
    )


def _at_height(block: Found, height: int, params: NetworkParams) -> Found:
    """Return `block` if its coinbase begins with its height, where BIP34 demands that."""
    if height >= params.bip34_height and not block.script_sig.startswith(push_height(height)):
        raise ProofError("height", f"block {height}: the coinbase does not begin with its height")
    return block


def _placed(piece: Piece, folder: Path, network: str) -> Piece:
    """Return `piece` with where its blocks lie in the folder of this machine."""
    chain = _index(folder, network)
    last = piece.first + len(piece.headers) - 1
    if chain.start <= piece.first and last <= chain.tip:
        own = chain.piece(Span(piece.first, last))
        if np.array_equal(own.headers, piece.headers):
            return own
    raise NotFound(f"{folder} does not hold blocks {piece.first} to {last} of this chain")


@lru_cache(1)
def _index(folder: Path, network: str) -> Chain:
    params = NETWORKS[network]
    opened = BlkFolder(folder, params)
    return chain_of(opened, joined(scan_file(opened, n) for n in opened.numbers()), params)


# -- sources that are asked


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
    """Return the sources of the settings; a sample is replayed up to `reached`."""
    from monitor.sources.choose import choose_sources

    known = {"sample": reached} if reached else {}
    choice = await choose_sources(settings, live_store=False, reached=known)
    return list(choice.sources)


async def _patiently(
    sources: Sequence[BlockSource], refs: Sequence[BlockRef], *, prove: bool
) -> list[SourceBlock]:
    """Ask one source after the other; wait where all are busy, a quarter of a minute in all."""
    for pause in (*_PAUSES, None):
        for source in sources:
            try:
                return await _fetch(source, refs, prove=prove)
            except SourceUnavailable as error:
                problem = error
        if pause is not None:
            await asyncio.sleep(max(pause, problem.retry_after or 0))
    raise problem


async def _fetch(
    source: BlockSource, refs: Sequence[BlockRef], *, prove: bool
) -> list[SourceBlock]:
    try:
        await source.open()
        want = Want.PROVED if prove or source.capabilities.public else Want.COINBASE
        size = max(source.capabilities.batch, _BATCH)
        return [
            block
            for start in range(0, len(refs), size)
            for block in await source.blocks(refs[start : start + size], want)
        ]
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
