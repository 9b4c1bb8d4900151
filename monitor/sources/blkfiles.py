"""Blocks straight from the files of a bitcoind, whether it runs or not.

Of each block 88 bytes are read to index it, and about a kilobyte when its coinbase is asked
for; bodies only for proofs. What the files hold is what the node stored before it judged it:
the chain with the most work among them is taken for the active one, as the node does when
all of them are valid.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Final

from analyzers.leftout import LeftOut
from hashing.header import hash_to_hex
from hashing.params import NETWORKS, RETARGET_INTERVAL
from monitor.errors import NotFound, SourceRefused, SourceUnavailable
from monitor.sources.base import BlockRef, Capabilities, SourceBlock, Want
from monitor.sources.blkfiles_records import BlkFile, BlkFolder, proved_height
from monitor.sources.blkfiles_tree import BlockTree, Node

POLL_INTERVAL: Final = 0.5
"""Seconds between looks at the end of the files."""
_BATCH: Final = 500
_READERS: Final = 4
"""Files read at once at the start: a disk has several requests at hand then."""
_GROWING: Final = 2
"""Last files that may still grow: a node that checks a snapshot in the background has two."""


class BlkFilesSource:
    """A `BlockSource` over a ``blocks`` folder.

    Parameters
    ----------
    blocks_dir:
        The folder with ``blk00000.dat`` and so on.
    network:
        Whose blocks they must be: a name in `hashing.params.NETWORKS`.
    """

    name = "blkfiles"
    left_out: Sequence[LeftOut] = ()

    def __init__(self, blocks_dir: Path, network: str) -> None:
        self._blocks_dir = blocks_dir
        self.network = network
        self.capabilities = Capabilities(batch=_BATCH, stale_tips=True)
        self._params = NETWORKS[network]
        self._lock = asyncio.Lock()
        self._folder: BlkFolder | None = None
        self._tree = BlockTree(self._params)
        self._ends: dict[int, int] = {}
        self._told: BlockRef | None = None

    async def open(self) -> None:
        """Index all files; does nothing when it is open."""
        async with self._lock:
            if self._folder is None:
                await asyncio.to_thread(self._index)

    async def close(self) -> None:
        """Forget the index."""
        async with self._lock:
            self._folder, self._tree, self._ends = None, BlockTree(self._params), {}

    async def tip(self) -> BlockRef:
        """Return the end of the chain, as the files are now."""
        async with self._lock:
            self._told = await asyncio.to_thread(self._look)
            return self._told

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return the ends of the branches beside the chain, as the files are now."""
        async with self._lock:
            await asyncio.to_thread(self._look)
            return self._tree.stale()

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return headers of the chain that `tip` told last."""
        async with self._lock:
            self._opened()
            return [node.header for node in self._tree.active(start, count)]

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return coinbases by a short read each, or whole blocks' txids to prove them."""
        async with self._lock:
            self._opened()
            if any(self._tree.get(ref.hash) is None for ref in refs):
                await asyncio.to_thread(self._look)
            nodes = [self._find(ref) for ref in refs]
        return await asyncio.to_thread(self._read, nodes, want)

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Look at the end of the files until the chain ends elsewhere than `tip` told."""
        until = time.monotonic() + timeout
        while True:
            async with self._lock:
                tip = await asyncio.to_thread(self._look)
            left = until - time.monotonic()
            if tip != self._told or left <= 0:
                return
            await asyncio.sleep(min(POLL_INTERVAL, left))

    def _opened(self) -> BlkFolder:
        if self._folder is None:
            raise SourceUnavailable(f"{self._blocks_dir} is not open")
        return self._folder

    def _index(self) -> None:
        folder = BlkFolder(self._blocks_dir, self._params)
        numbers = folder.numbers()
        folder.check_magic(numbers[0])
        tree = BlockTree(self._params)
        closed = numbers[:-_GROWING]
        with ThreadPoolExecutor(_READERS) as readers:
            for records, _ in readers.map(lambda n: folder.scan(n, 0, whole=True), closed):
                for record in records:
                    tree.add(record)
        ends = {number: _take(folder, tree, number, 0) for number in numbers[-_GROWING:]}
        if not len(tree):
            tree.adopt(lambda record: proved_height(folder, record))
        tree.settle()
        best = self._best(tree)
        first = tree.first_height
        if not self._params.no_retarget:
            first += -first % RETARGET_INTERVAL
        if first > best.height:
            raise SourceRefused(
                f"{self._blocks_dir} is pruned: it begins at {tree.first_height}, and no "
                f"difficulty period begins before its end at {best.height}; follow the "
                "node with --bitcoind"
            )
        self.capabilities = Capabilities(batch=_BATCH, stale_tips=True, first_height=first)
        self._folder, self._tree, self._ends = folder, tree, ends

    def _look(self) -> BlockRef:
        """Take in what was written since the last look; return the end of the chain."""
        folder, tree = self._opened(), self._tree
        newest = max(self._ends)
        while folder.path(newest + 1).exists():
            newest += 1
            self._ends[newest] = 0
        for number, end in list(self._ends.items()):
            if number > newest - _GROWING:
                self._ends[number] = _take(folder, tree, number, end)
            else:
                del self._ends[number]
                _take(folder, tree, number, end, whole=True)
        tree.settle()
        return self._best(tree).ref

    def _best(self, tree: BlockTree) -> Node:
        if tree.best is None:
            raise SourceUnavailable(f"no block of {self.network} in {self._blocks_dir} yet")
        return tree.best

    def _find(self, ref: BlockRef) -> Node:
        node = self._tree.get(ref.hash)
        if node is None or node.ref != ref:
            raise NotFound(
                f"block {hash_to_hex(ref.hash)} at {ref.height} is not in {self._blocks_dir}"
            )
        return node

    def _read(self, nodes: Sequence[Node], want: Want) -> list[SourceBlock]:
        folder = self._opened()
        read = _proved if want is Want.PROVED else _coinbase
        in_files = sorted(nodes, key=lambda node: node.record[:2])
        found: dict[bytes, SourceBlock] = {}
        for number, group in groupby(in_files, key=lambda node: node.record.file):
            with folder.opened(number) as file:
                found.update((node.hash, read(file, node)) for node in group)
        return [found[node.hash] for node in nodes]


def _take(
    folder: BlkFolder, tree: BlockTree, number: int, start: int, *, whole: bool = False
) -> int:
    """Add the records of a file from `start` on to `tree`; return where to go on."""
    records, end = folder.scan(number, start, whole=whole)
    for record in records:
        tree.add(record)
    return end


def _coinbase(file: BlkFile, node: Node) -> SourceBlock:
    prefix = file.prefix(node.record)
    return SourceBlock(
        ref=node.ref,
        header=node.header,
        coinbase_tx=prefix.coinbase.raw,
        tx_count=prefix.tx_count,
        size=node.record.size,
    )


def _proved(file: BlkFile, node: Node) -> SourceBlock:
    prefix, txids = file.body(node.record)
    return SourceBlock(
        ref=node.ref,
        header=node.header,
        coinbase_tx=prefix.coinbase.raw,
        txids=txids,
        tx_count=prefix.tx_count,
        size=node.record.size,
    )
