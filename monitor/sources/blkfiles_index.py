"""The chain in a ``blocks`` folder as arrays: what reading all of it at once needs.

A tree of objects (`monitor.sources.blkfiles_tree`) can grow, but takes 444 bytes a block; a
whole chain is chosen here from some 140, by the same rules.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashing.header import HEADER_SIZE, sha256d
from hashing.params import NetworkParams
from hashing.target import decode_nbits, work_from_target
from monitor.sources.blkfiles_records import BlkFolder

Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]

PLACE: Final = np.dtype([("file", "<u4"), ("offset", "<u4"), ("size", "<u4")])
"""Where a block lies, as in a `monitor.sources.blkfiles_records.Record`."""


class Records(NamedTuple):
    """Blocks as they lie in files: ``uint8[N, 80]``, their hashes ``uint8[N, 32]``, `PLACE`."""

    headers: Bytes
    hashes: Bytes
    places: NDArray[np.void]


def scan_file(folder: BlkFolder, number: int) -> Records:
    """Return the blocks of a file; it is taken as no longer written."""
    records, _ = folder.scan(number, 0, whole=True)
    headers = b"".join(record.header for record in records)
    hashes = b"".join([sha256d(record.header) for record in records])
    return Records(
        np.frombuffer(headers, np.uint8).reshape(-1, HEADER_SIZE),
        np.frombuffer(hashes, np.uint8).reshape(-1, 32),
        np.array([record[:3] for record in records], PLACE),
    )


def joined(parts: Iterable[Records]) -> Records:
    """Return the blocks of several files as one; a part is gone as soon as it is taken in."""
    headers, hashes, places = bytearray(), bytearray(), bytearray()
    for part in parts:
        headers += part.headers.data
        hashes += part.hashes.data
        places += part.places.data
    return Records(
        np.frombuffer(headers, np.uint8).reshape(-1, HEADER_SIZE),
        np.frombuffer(hashes, np.uint8).reshape(-1, 32),
        np.frombuffer(places, PLACE),
    )


def active_chain(
    records: Records, params: NetworkParams, height_of: Callable[[int], int | None]
) -> tuple[int, Indices]:
    """Return the height of the first block of the chain with the most work, and its indices.

    Of two with the same work the one that was whole first wins; of a block that comes twice
    the later copy counts. Without a genesis block (a pruned node) the chain begins at a block
    whose parent is not here and whose height `height_of` tells, given its index.
    """
    if not len(records.hashes):
        return 0, np.empty(0, np.int64)
    parents, tips = _linked(records)
    nbits = array("I", records.headers[:, 72:76].tobytes())
    works = {bits: work_from_target(decode_nbits(bits)) for bits in set(nbits)}
    genesis = np.frombuffer(sha256d(params.genesis_header), np.uint8)
    geneses = np.flatnonzero((records.hashes == genesis).all(axis=1)).tolist()
    heights: dict[int, int | None] = dict.fromkeys(geneses, 0)

    totals = [0] * len(parents)  # work since the root; -1: above no root
    for tip in tips:
        path, at = _path(tip, parents, totals)
        if at >= 0:
            total = totals[at]
        else:
            if path[-1] not in heights:
                heights[path[-1]] = None if geneses else height_of(path[-1])
            total = -1 if heights[path[-1]] is None else 0
        for place in reversed(path):
            if total >= 0:
                total += works[nbits[place]]
            totals[place] = total

    most = max((totals[tip] for tip in tips), default=-1)
    if most <= 0:
        return 0, np.empty(0, np.int64)
    chains = [_path(tip, parents)[0] for tip in tips if totals[tip] == most]
    best = min(chains, key=max)
    return heights[best[-1]] or 0, np.array(best[::-1], np.int64)


def _path(tip: int, parents: array[int], totals: Sequence[int] = ()) -> tuple[array[int], int]:
    """Return the way from `tip` down to a root, or to what has its total; and what follows."""
    path, at = array("q"), tip
    while at >= 0 and not (totals and totals[at]):
        path.append(at)
        at = parents[at]
    return path, at


def _linked(records: Records) -> tuple[array[int], list[int]]:
    """Return each block's parent (-1: not here), and the blocks that are nobody's parent."""
    headers, hashes, _ = records
    keys = hashes[:, :8].copy().view("<u8").ravel()
    order = np.argsort(keys, kind="stable")

    def find(wanted: Bytes) -> Indices:
        key = wanted[:, :8].copy().view("<u8").ravel()
        found = order[np.searchsorted(keys, key, side="right", sorter=order) - 1]
        same = (hashes[found] == wanted).all(axis=1)
        return np.where(same, found, -1)

    parents = find(headers[:, 4:36])
    lonely = find(hashes) == np.arange(len(hashes))
    lonely[parents[parents >= 0]] = False
    return array("q", parents.tobytes()), np.flatnonzero(lonely).tolist()
