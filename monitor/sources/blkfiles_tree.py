"""Which of the blocks in a heap of them are the chain, and which are stale."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from hashing.header import sha256d
from hashing.params import NetworkParams
from hashing.target import decode_nbits, work_from_target
from monitor.sources.base import BlockRef
from monitor.sources.blkfiles_records import Record

_GENESIS_PARENT: Final = bytes(32)


class Node:
    """A block in the tree; `work` counts from `root`, its oldest ancestor here.

    Flat, because there is one for each of a million blocks.
    """

    __slots__ = ("_file", "_offset", "_size", "hash", "header", "height", "parent", "root", "work")

    def __init__(self, height: int, digest: bytes, record: Record, parent: Node | None) -> None:
        work = _work(int.from_bytes(record.header[72:76], "little"))
        self.height = height
        self.hash = digest
        self.header = record.header
        self.parent = parent
        self.root: Node = self if parent is None else parent.root
        self.work: int = work if parent is None else parent.work + work
        self.put(record)

    def put(self, record: Record) -> None:
        """Take note of where the block lies."""
        self._file, self._offset, self._size, _ = record

    @property
    def ref(self) -> BlockRef:
        """The block by height and hash."""
        return BlockRef(self.height, self.hash)

    @property
    def record(self) -> Record:
        """Where the block lies."""
        return Record(self._file, self._offset, self._size, self.header)


class BlockTree:
    """Links blocks that come in any order; the chain with the most work is the active one.

    Of two with the same work the one that came first stays. Blocks whose parent is not here
    wait for it, unless `adopt` makes them roots.
    """

    def __init__(self, params: NetworkParams) -> None:
        self._genesis = sha256d(params.genesis_header)
        self._nodes: dict[bytes, Node] = {}
        self._waiting: dict[bytes, list[tuple[bytes, Record]]] = {}
        self._ends: dict[bytes, Node] = {}
        self._active: list[Node] = []
        self._best: Node | None = None

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, block_hash: bytes) -> Node | None:
        """Return the linked block of a hash."""
        return self._nodes.get(block_hash)

    def add(self, record: Record) -> None:
        """Take in a block; of one that comes twice the later copy counts."""
        digest = sha256d(record.header)
        known = self._nodes.get(digest)
        if known is not None:
            known.put(record)
            return
        parent = self._nodes.get(record.header[4:36])
        if parent is not None:
            self._link(digest, record, parent.height + 1, parent)
        elif digest == self._genesis:
            self._link(digest, record, 0, None)
        else:
            self._waiting.setdefault(record.header[4:36], []).append((digest, record))

    def adopt(self, height_of: Callable[[Record], int | None]) -> None:
        """Make roots of blocks whose parents are not here: those of a pruned node.

        `height_of` tells the height of such a block; one without stays out.
        """
        waiting = {digest for entries in self._waiting.values() for digest, _ in entries}
        roots = [
            entry
            for parent, entries in self._waiting.items()
            if parent not in waiting
            for entry in entries
        ]
        for digest, record in roots:
            height = height_of(record)
            if height is not None:
                self._waiting.pop(record.header[4:36], None)
                self._link(digest, record, height, None)

    def _link(self, digest: bytes, record: Record, height: int, parent: Node | None) -> None:
        """Put a block in its place, and those that waited for it."""
        todo = [(digest, record, height, parent)]
        while todo:
            digest, record, height, parent = todo.pop()
            node = Node(height, digest, record, parent)
            if parent is not None:
                self._ends.pop(parent.hash, None)
            self._nodes[digest] = self._ends[digest] = node
            if self._best is None or node.work > self._best.work:
                self._best = node
            children = self._waiting.pop(digest, ())
            todo += [(child, found, height + 1, node) for child, found in reversed(children)]

    def settle(self) -> None:
        """Bring the active chain up to the blocks that were added."""
        path: list[Node] = []
        node = self._best
        first = self.first_height
        while node is not None:
            place = node.height - first
            if 0 <= place < len(self._active) and self._active[place] is node:
                break
            path.append(node)
            node = node.parent
        keep = 0 if node is None else node.height - first + 1
        self._active[keep:] = reversed(path)

    @property
    def first_height(self) -> int:
        """Height of the oldest block of the active chain."""
        return self._active[0].height if self._active else 0

    @property
    def best(self) -> Node | None:
        """The end of the active chain."""
        return self._active[-1] if self._active else None

    def stale(self) -> list[BlockRef]:
        """Return the other ends of the tree that the active chain grew from."""
        best = self.best
        if best is None:
            return []
        ends = (node for node in self._ends.values() if node is not best)
        return [node.ref for node in ends if node.root is best.root]

    def active(self, start: int, count: int) -> list[Node]:
        """Return up to `count` blocks of the active chain from height `start` on."""
        place = start - self.first_height
        return self._active[place : place + max(0, count)] if place >= 0 else []


@cache
def _work(nbits: int) -> int:
    return work_from_target(decode_nbits(nbits))
