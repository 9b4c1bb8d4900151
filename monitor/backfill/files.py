"""Ranges of blocks from the block files of a bitcoind, on any machine that has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from hashing.build import push_height
from hashing.errors import WireError
from hashing.params import NETWORKS, NetworkParams
from hashing.wire import merkle_root
from monitor.backfill.core import Chain, Piece, Span
from monitor.backfill.work import Found
from monitor.errors import BadReply, NotFound, ProofError
from monitor.sources.blkfiles_index import Records, active_chain, joined, scan_file
from monitor.sources.blkfiles_records import BlkFile, BlkFolder, Record, proved_height
from monitor.store.rows import PROOFS

HEADER_PROVED: Final = PROOFS.index("header")
COINBASE_PROVED: Final = PROOFS.index("coinbase")


def chain_of(folder: BlkFolder, records: Records, params: NetworkParams) -> Chain:
    """Return the chain with the most work among `records`."""
    headers, _, places = records

    def height_of(index: int) -> int | None:
        return proved_height(folder, _record(headers[index].tobytes(), places[index]))

    start, chosen = active_chain(records, params, height_of)
    del records  # the hashes of all blocks, before the chain's headers are copied
    return Chain(start, headers[chosen], places[chosen])


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
            from monitor.config import load_settings  # of this machine

            folder = load_settings().blkfiles.dir or folder
        params = NETWORKS[self.network]
        opened = BlkFolder(folder, params)
        if piece.places is not None:
            try:
                return self._read(opened, params, piece)
            except (BadReply, NotFound):
                if not self.elsewhere:
                    raise
        return self._read(opened, params, _placed(piece, folder, self.network))

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
