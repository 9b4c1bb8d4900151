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
from monitor.sources.blkfiles_choice import Branch, Heights, Lasts, choose
from monitor.sources.blkfiles_records import Record

Bytes = NDArray[np.uint8]
Indices = NDArray[np.int64]

PLACE: Final = np.dtype([("file", "<u4"), ("offset", "<u4"), ("size", "<u4")])
"""Where a block lies, as in a `monitor.sources.blkfiles_records.Record`."""


_AT_ONCE: Final = 1 << 16
"""Blocks that are counted at once."""


class Records(NamedTuple):
    """Blocks as they lie in files: ``uint8[N, 80]``, their hashes ``uint8[N, 32]``, `PLACE`."""

    headers: Bytes
    hashes: Bytes
    places: NDArray[np.void]

    def at(self, index: int) -> Record:
        """Return one of them."""
        place = self.places[index]
        header = self.headers[index].tobytes()
        return Record(int(place["file"]), int(place["offset"]), int(place["size"]), header)

    def only(self, chosen: NDArray[np.bool_]) -> Records:
        """Return those that are chosen."""
        return Records(self.headers[chosen], self.hashes[chosen], self.places[chosen])


class Chosen(NamedTuple):
    """The active chain: height of its first block, all of it as indices, and as a branch.

    `pieces` are all that do not link to each other; `linked` is the one on the genesis block.
    """

    start: int
    chain: Indices
    base: Branch | None
    pieces: Sequence[Branch]
    linked: Branch | None

    @property
    def beside(self) -> list[Branch]:
        """The pieces beside the chain."""
        return [piece for piece in self.pieces if piece is not self.base]


def as_arrays(records: Iterable[Record]) -> Records:
    """Return records as arrays."""
    listed = list(records)
    headers = b"".join([record.header for record in listed])
    hashes = b"".join([sha256d(record.header) for record in listed])
    return Records(
        np.frombuffer(headers, np.uint8).reshape(-1, HEADER_SIZE),
        np.frombuffer(hashes, np.uint8).reshape(-1, 32),
        np.array([record[:3] for record in listed], PLACE),
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


def distinct(records: Records, pick: Callable[[Sequence[Record]], Record]) -> Records:
    """Return the blocks without copies.

    Of those that come several times `pick` chooses among the ones that may read (their size
    is not 0); the place of the last one is kept.
    """
    keys = records.hashes[:, :8].copy().view("<u8").ravel()
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    if not len(same):
        return records
    copies: dict[bytes, list[int]] = {}
    for index in sorted({*order[same].tolist(), *order[same + 1].tolist()}):
        copies.setdefault(records.hashes[index].tobytes(), []).append(index)
    places, kept = records.places.copy(), np.ones(len(keys), bool)
    for indices in copies.values():
        found = [record for index in indices if (record := records.at(index)).size]
        best = pick(found) if len(found) > 1 else (found or [records.at(indices[-1])])[0]
        kept[indices[:-1]] = False
        places[indices[-1]] = best[:3]
    return Records(records.headers, records.hashes, places).only(kept)


def unreadable(records: Records) -> list[Record]:
    """Return those whose body does not read."""
    return [records.at(index) for index in np.flatnonzero(records.places["size"] == 0).tolist()]


def without_bodies(records: Records, doubtful: Iterable[Record]) -> Records:
    """Return `records`, those in the places of `doubtful` ones with the size 0."""
    places = records.places.copy()
    for record in doubtful:
        here = (places["file"] == record.file) & (places["offset"] == record.offset)
        places["size"][here] = 0
    return records._replace(places=places)


def active_chain(
    records: Records, params: NetworkParams, height_of: Heights, lasts: Lasts
) -> Chosen:
    """Return the chain that the node follows, of `records` without copies.

    That is the one with the most work on the genesis block; of two with the same work the one
    that was whole first wins. See `monitor.sources.blkfiles_choice.choose` for those that do
    not link to it. A record of size 0 counts only where another block builds on it.
    """
    parents = _linked(records)
    lonely = np.ones(len(parents), bool)
    lonely[parents[parents >= 0]] = False
    sizes = records.places["size"]
    if not sizes.all():
        _drop_doubtful(parents, lonely, sizes)
    above = array("q", parents.tobytes())
    pieces = _pieces(records, above, np.flatnonzero(lonely).tolist())
    genesis = sha256d(params.genesis_header)
    linked = next((p for p in pieces if records.hashes[p.root].tobytes() == genesis), None)
    branches = [piece.branch for piece in pieces]
    on_genesis = linked.branch if linked else None
    found = choose(branches, on_genesis, height_of, lasts)
    if found is None:
        return Chosen(0, np.empty(0, np.int64), None, branches, on_genesis)
    base, start = found
    piece = next(piece for piece in pieces if piece.branch is base)
    chain, _ = _path(piece.tip, above)
    return Chosen(start, np.array(chain[::-1], np.int64), base, branches, on_genesis)


class _Piece(NamedTuple):
    root: int
    tip: int
    branch: Branch


def _pieces(records: Records, parents: array[int], tips: Sequence[int]) -> list[_Piece]:
    """Return what hangs together, as indices of root and end of the chain with the most work."""
    nbits = array("I", records.headers[:, 72:76].tobytes())
    works = {bits: work_from_target(decode_nbits(bits)) for bits in set(nbits)}
    totals = [0] * len(parents)  # work since the root
    owners = array("q", [-1]) * len(parents)  # the root
    ends: dict[int, list[int]] = {}
    for tip in tips:
        path, at = _path(tip, parents, totals)
        total, root = (totals[at], owners[at]) if at >= 0 else (0, path[-1])
        for place in reversed(path):
            total += works[nbits[place]]
            totals[place], owners[place] = total, root
        best = ends.setdefault(root, [])
        if not best or total >= totals[best[0]]:
            ends[root] = [*best, tip] if best and total == totals[best[0]] else [tip]
    work = {root: totals[best[0]] for root, best in ends.items()}
    del totals  # a million integers
    blocks, files = _spread(np.frombuffer(owners, np.int64), records.places["file"])
    pieces = []
    for root, best in ends.items():
        # Of equals, the one that was whole first.
        tip = best[0] if len(best) == 1 else min(best, key=lambda t: max(_path(t, parents)[0]))
        branch = Branch(
            root=records.at(root),
            end=records.at(tip),
            length=len(_path(tip, parents)[0]),
            work=work[root],
            blocks=blocks[root],
            files=frozenset(files[root]),
        )
        pieces.append(_Piece(root, tip, branch))
    return pieces


def _spread(
    owners: Indices, files: NDArray[np.uint32]
) -> tuple[dict[int, int], dict[int, set[int]]]:
    """Return how many blocks each root has above it, and in which files they lie."""
    counts: dict[int, int] = {}
    found: dict[int, set[int]] = {}
    for low in range(0, len(owners), _AT_ONCE):
        part = slice(low, low + _AT_ONCE)
        pairs, times = np.unique(owners[part] << 32 | files[part], return_counts=True)
        for pair, count in zip(pairs.tolist(), times.tolist(), strict=True):
            root = pair >> 32
            counts[root] = counts.get(root, 0) + count
            found.setdefault(root, set()).add(pair & 0xFFFFFFFF)
    return counts, found


def _path(tip: int, parents: array[int], totals: Sequence[int] = ()) -> tuple[array[int], int]:
    """Return the way from `tip` down to a root, or to what has its total; and what follows."""
    path, at = array("q"), tip
    while at >= 0 and not (totals and totals[at]):
        path.append(at)
        at = parents[at]
    return path, at


def _linked(records: Records) -> Indices:
    """Return each block's parent, -1 where that is not here."""
    headers, hashes, _ = records
    if not len(hashes):
        return np.empty(0, np.int64)
    keys = hashes[:, :8].copy().view("<u8").ravel()
    order = np.argsort(keys, kind="stable")
    wanted = headers[:, 4:36]
    places = np.searchsorted(keys, wanted[:, :8].copy().view("<u8").ravel(), sorter=order)
    found = order[np.minimum(places, len(order) - 1)]
    return np.where((hashes[found] == wanted).all(axis=1), found, -1)


def _drop_doubtful(parents: Indices, lonely: NDArray[np.bool_], sizes: NDArray[np.uint32]) -> None:
    """Let no chain end with a block that does not read."""
    children = np.bincount(parents[parents >= 0], minlength=len(parents))
    todo: list[int] = np.flatnonzero(lonely & (sizes == 0)).tolist()
    while todo:
        at = todo.pop()
        lonely[at] = False
        below = int(parents[at])
        if below < 0:
            continue
        children[below] -= 1
        if not children[below] and sizes[below]:
            lonely[below] = True
        elif not children[below]:
            todo.append(below)
