"""Ranges of blocks from the block files of a bitcoind, on any machine that has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from analyzers.columns import PROOFS
from analyzers.leftout import Kind, LeftOut, Tally
from hashing.params import NETWORKS, NetworkParams
from hashing.proof import begins_with_height, leads_to_root, may_be_script_sig
from monitor.backfill.core import Chain, Piece, Span, Target
from monitor.backfill.work import Found, unread
from monitor.errors import BadReply, NotFound, NotKept, ProofError
from monitor.sources.blkfiles_choice import Lay, ProvedHeights
from monitor.sources.blkfiles_index import (
    Chosen,
    Records,
    active_chain,
    as_arrays,
    distinct,
    joined,
    unreadable,
    without_bodies,
)
from monitor.sources.blkfiles_left import GROWING, UNREAD, Remains, scan_one
from monitor.sources.blkfiles_records import BlkFile, BlkFolder, Record, best_copy, file_name
from monitor.sources.blkfiles_scan import Scan

HEADER_PROVED: Final = PROOFS.index("header")
COINBASE_PROVED: Final = PROOFS.index("coinbase")
_LOST: Final = Found(None, b"", (), HEADER_PROVED, None, None)
"""A block of which only the header reads."""


Scanned = tuple[Records, Scan | str]
"""The blocks of a file, and what else its scan tells: it carries no records any more."""


def scan(folder: Path, network: str, number: int, growing: bool) -> Scanned:
    """Return the blocks of one file of `folder`; `growing` if the node may still write to it."""
    return _scanned(BlkFolder(folder, NETWORKS[network]), number, growing=growing)


def _scanned(folder: BlkFolder, number: int, *, growing: bool) -> Scanned:
    found = scan_one(folder, number, whole=not growing)
    if isinstance(found, str):
        return as_arrays([]), found
    records = as_arrays([*found.doubtful, *found.records])
    return records, replace(found, doubtful=[], records=[])


def chain_of(
    folder: BlkFolder, records: Records, remains: Remains
) -> tuple[Chain, tuple[LeftOut, ...]]:
    """Return the chain that the node follows among `records`, and what is left out of them."""
    heights = ProvedHeights(folder)

    def chosen(records: Records) -> tuple[Records, Chosen, Lay]:
        records = distinct(records, partial(best_copy, folder))
        lay = remains.lay(folder, unreadable(records))
        return records, active_chain(records, folder.params, heights, lay.is_lasting), lay

    records, found, lay = chosen(records)
    while scans := list(remains.look_through(folder, found.pieces, found.linked)):
        for scan in scans:
            doubted = without_bodies(records, scan.doubtful)
            records = joined([doubted, as_arrays(scan.records)])
        records, found, lay = chosen(records)
    chain = Chain(found.start, records.headers[found.chain], records.places[found.chain])
    left_out = remains.left_out(lay, found.base, found.beside, unreadable(records), heights)
    return chain, left_out


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
            from monitor.config import load_settings  # of this machine

            folder = load_settings().blkfiles.dir or folder
        params = NETWORKS[self.network]
        opened = BlkFolder(folder, params)
        if piece.places is not None:
            try:
                return self._read(opened, params, piece, strict=self.elsewhere)
            except (BadReply, NotFound):
                if not self.elsewhere:
                    raise
        own = _placed(piece, folder, self.network)
        return self._read(opened, params, own, strict=False)

    def _read(
        self, folder: BlkFolder, params: NetworkParams, piece: Piece, *, strict: bool
    ) -> list[Found]:
        """Read blocks file by file; one whose bytes are no block has no coinbase.

        `NotKept` in its place if `strict`.
        """
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
                    try:
                        block = read(file, records[i])
                        found[i] = _at_height(file, records[i], block, piece.first + i, params)
                    except NotKept:
                        if strict:
                            raise
                        found[i] = _LOST
        return [found[i] for i in range(len(records))]


def _short(file: BlkFile, record: Record) -> Found:
    """Read header, count and coinbase: the node has held the rest against the header."""
    tx_count, raw, parts = file.coinbase(record)
    return Found(raw, parts.script_sig, parts.outputs, HEADER_PROVED, tx_count, record.size)


def _proved(file: BlkFile, record: Record) -> Found:
    """Read the whole block and hold the Merkle root of its transactions against the header."""
    prefix, txids = file.body(record)
    if not leads_to_root(txids, prefix.header.merkle_root):
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


def _at_height(
    file: BlkFile, record: Record, block: Found, height: int, params: NetworkParams
) -> Found:
    """Return `block` if its coinbase begins with its height, where BIP34 demands that.

    Its scriptSig must be as long as consensus allows, too.
    """
    if not may_be_script_sig(block.script_sig):
        reason = "wire"
        problem = f"block {height}: a coinbase scriptSig of {len(block.script_sig)} bytes"
    elif not begins_with_height(block.script_sig, height, params):
        reason, problem = "height", f"block {height}: the coinbase does not begin with its height"
    else:
        return block
    if not file.size_of(record):
        raise NotKept(f"{file.path}, offset {record.offset}: {problem}")
    raise ProofError(reason, problem)


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
    opened = BlkFolder(folder, NETWORKS[network])
    numbers, others = opened.numbers()
    remains = Remains(numbers, others)

    def parts() -> Iterator[Records]:
        for number in numbers:
            records, found = _scanned(opened, number, growing=number in numbers[-GROWING:])
            remains.note(number, found)
            yield records

    return chain_of(opened, joined(parts()), remains)[0]


class Noting:
    """A `Target` that takes note of blocks without a coinbase on their way to another one.

    Those of which the index says so already are not counted again.
    """

    def __init__(self, target: Target, chain: Chain) -> None:
        self._target = target
        self._chain = chain
        self._tally = Tally()

    def missing(self, span: Span, size: int) -> list[Span]:
        """Return what the other target lacks."""
        return self._target.missing(span, size)

    def put(self, span: Span, result: Any) -> None:
        """Hand a range on."""
        self._target.put(span, result)
        assert self._chain.places is not None
        for at in unread(result):
            place = self._chain.places[span.first - self._chain.start + at]
            if place["size"]:
                where = f"{file_name(int(place['file']))}, offset {place['offset']}"
                self._tally.add(Kind.BLK_RECORD, UNREAD, where)

    def finish(self, span: Span) -> None:
        """Let the other target do what is left to do."""
        self._target.finish(span)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What could not be read so far."""
        return self._tally.found
