"""Blocks straight from the files of a bitcoind, whether it runs or not.

Of each block 88 bytes are read to index it, and about a kilobyte when its coinbase is asked
for; bodies only for proofs, and where something is wrong with the files. What they hold is
what the node stored before it judged it: the chain with the most work among them is taken for
the active one, as the node does when all of them are valid.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from analyzers.leftout import LeftOut
from hashing.header import BlockRef, hash_to_hex, sha256d
from hashing.params import NETWORKS, NetworkParams
from monitor.errors import BadReply, NotFound, SourceError, SourceRefused, SourceUnavailable
from monitor.sources.base import Capabilities, SourceBlock, Want
from monitor.sources.blkfiles_choice import Branch, Lasts, ProvedHeights, choose
from monitor.sources.blkfiles_left import GROWING, Remains, scan_one
from monitor.sources.blkfiles_records import BlkFile, BlkFolder, best_copy
from monitor.sources.blkfiles_scan import FileScan, Scan, check_network
from monitor.sources.blkfiles_tree import BlockTree, Node

POLL_INTERVAL: Final = 0.5
"""Seconds between looks at the end of the files."""
PATIENCE: Final = 60.0
"""Seconds that blocks must wait before a running agent follows them: a node that downloads the
chain stores blocks as they come, and those before them follow at once."""
_BATCH: Final = 500
_READERS: Final = 4
"""Files read at once at the start: a disk has several requests at hand then."""


class Tips(NamedTuple):
    """The end of the chain, and those of the branches beside it."""

    best: BlockRef
    stale: tuple[BlockRef, ...]


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

    def __init__(self, blocks_dir: Path, network: str) -> None:
        self._blocks_dir = blocks_dir
        self.network = network
        self.capabilities = Capabilities(batch=_BATCH, stale_tips=True)
        self._params = NETWORKS[network]
        self._lock = asyncio.Lock()
        self._told: BlockRef | None = None
        self._index: _Index | None = None

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What the files hold and are not asked for, as of the last look."""
        return self._index.left_out if self._index else ()

    async def open(self) -> None:
        """Index all files; does nothing when it is open, unless they turned out to be others."""
        async with self._lock:
            if self._index is None:
                self._index = await asyncio.to_thread(_Index, self._blocks_dir, self._params)
                self._adapt()

    async def close(self) -> None:
        """Forget the index."""
        async with self._lock:
            self._index = None

    async def tip(self) -> BlockRef:
        """Return the end of the chain, as the files are now."""
        async with self._lock:
            self._told = await self._look()
            return self._told

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return the ends of the branches beside the chain, as the files are now."""
        async with self._lock:
            await self._look()
            return self._opened().tree.stale()

    async def tips(self) -> Tips:
        """Return all ends of the tree at one look, for programs that read files by themselves."""
        async with self._lock:
            self._told = await self._look()
            return Tips(self._told, tuple(self._opened().tree.stale()))

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return headers of the chain that `tip` told last."""
        async with self._lock:
            return [node.header for node in self._opened().tree.active(start, count)]

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return coinbases by a short read each, or whole blocks' txids to prove them.

        `NotKept` where the chain holds a block whose record does not read.
        """
        async with self._lock:
            index = self._opened()
            if any(index.tree.get(ref.hash) is None for ref in refs):
                await self._look()
            nodes = [index.find(ref) for ref in refs]
        try:
            return await asyncio.to_thread(index.read, nodes, want)
        except BadReply:
            async with self._lock:
                if self._index is index:  # the files were changed: the next `open` looks anew
                    self._index = None
            raise

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Look at the end of the files until the chain ends elsewhere than `tip` told."""
        until = time.monotonic() + timeout
        while True:
            async with self._lock:
                tip = await self._look()
            left = until - time.monotonic()
            if tip != self._told or left <= 0:
                return
            await asyncio.sleep(min(POLL_INTERVAL, left))

    def _opened(self) -> _Index:
        if self._index is None:
            raise SourceUnavailable(f"{self._blocks_dir} is not open")
        return self._index

    async def _look(self) -> BlockRef:
        tip = await asyncio.to_thread(self._opened().look)
        self._adapt()
        return tip

    def _adapt(self) -> None:
        first = self._opened().first_height
        if first != self.capabilities.first_height:
            self.capabilities = Capabilities(batch=_BATCH, stale_tips=True, first_height=first)


class _Index:
    """What is where in the files of a folder, kept up as they grow.

    Raises
    ------
    SourceError
        If there is no chain in them that can be followed.
    """

    def __init__(self, blocks_dir: Path, params: NetworkParams) -> None:
        self._params = params
        self._folder = folder = BlkFolder(blocks_dir, params)
        numbers, others = folder.numbers()
        check_network(folder, numbers)
        self.tree = BlockTree(params, lambda former, new: best_copy(folder, (former, new)))
        self._remains = Remains(numbers, others)
        self._heights = ProvedHeights(folder)
        self._since: dict[bytes, float] = {}
        self._known = -1
        self.left_out: tuple[LeftOut, ...] = ()
        self._take_closed(numbers[:-GROWING])
        self._growing = {number: FileScan(folder, number) for number in numbers[-GROWING:]}
        self._take_growing()
        self._look_through()
        self._choose(self._remains.lay(folder, self.tree.damaged()).is_lasting)
        if self.first_height > self.best.height:
            raise SourceRefused(
                f"{blocks_dir}: the chain begins at {self.tree.first_height} there (what lies "
                "below is pruned or does not link), and no difficulty period begins before its "
                f"end at {self.best.height}; follow the node with --bitcoind"
            )

    @property
    def best(self) -> Node:
        """The end of the chain."""
        if self.tree.best is None:
            name, where = self._params.name, self._folder.path
            raise SourceUnavailable(f"no block of {name} in {where} yet")
        return self.tree.best

    @property
    def first_height(self) -> int:
        """The lowest height to begin at, which may be above the tip."""
        return self._begin_of(self.tree.first_height)

    def _begin_of(self, lowest: int) -> int:
        if self._params.no_retarget:
            return lowest
        return lowest + -lowest % self._params.retarget_interval

    def _begins(self, branch: Branch, height: int) -> bool:
        """Say whether a chain that begins at `height` can be followed."""
        return self._begin_of(height) < height + branch.length

    def look(self) -> BlockRef:
        """Take in what was written since the last look; return the end of the chain."""
        numbers = self._remains.numbers
        while self._folder.file(numbers[-1] + 1).is_file():
            numbers.append(numbers[-1] + 1)
            self._growing[numbers[-1]] = FileScan(self._folder, numbers[-1])
        if self._take_growing() or self._since:
            self._choose(None)
        return self.best.ref

    def _take_closed(self, numbers: Sequence[int]) -> None:
        """Add the records of files that are no longer written."""
        with ThreadPoolExecutor(_READERS) as readers:
            scans = readers.map(partial(scan_one, self._folder, whole=True), numbers)
            for number, found in zip(numbers, scans, strict=True):
                self._add(number, found)

    def _take_growing(self) -> bool:
        """Add what is new in the files that may still grow; say whether anything has changed."""
        changed = False
        newest = self._remains.numbers[-GROWING:]
        for number, scan in list(self._growing.items()):
            found: Scan | str | None
            try:
                found = scan.take(whole=number not in newest)
            except NotFound:
                if number == newest[-1]:
                    raise SourceUnavailable(f"{self._folder.file(number)} is gone") from None
                found = None
            except SourceError as error:
                if number == newest[-1]:
                    raise
                found = str(error)
            if number not in newest:
                del self._growing[number]
            if found is not None:
                changed = True
                self._add(number, found)
        self.tree.settle()
        return changed

    def _add(self, number: int, found: Scan | str) -> None:
        self._remains.note(number, found)
        if isinstance(found, Scan):
            self.tree.forget_doubtful(number, found.start)
            for record in (*found.doubtful, *found.records):
                self.tree.add(record)

    def _look_through(self) -> None:
        """Look for records that others hide, where blocks are missing, until nothing is found."""
        found = True
        while found:
            found = False
            pieces = dict(self.tree.branches())
            linked = pieces.get(self.tree.linked or b"")
            for scan in self._remains.look_through(self._folder, pieces.values(), linked):
                found = True
                for record in scan.records:
                    self.tree.add(record)
                for record in scan.doubtful:
                    self.tree.doubt(record)
        self.tree.settle()

    def _choose(self, lasts: Lasts | None) -> None:
        """Choose the chain, and count what is beside it.

        Without `lasts`, pieces count as such that do not link when they have waited long.
        """
        tree, now = self.tree, time.monotonic()
        pieces = dict(self.tree.branches())
        self._since = {
            digest: self._since.get(digest, now) for digest in pieces if digest != tree.base
        }
        old = pieces
        if lasts is None:
            old = {
                digest: piece
                for digest, piece in pieces.items()
                if now - self._since.get(digest, -math.inf) >= PATIENCE
            }
        if len(old) > 1 or tree.base is None:
            linked = pieces.get(tree.linked or b"")
            found = choose(list(old.values()), linked, self._heights, lasts or _anyway)
            if found is not None and (lasts is not None or self._begins(*found)):
                tree.adopt(sha256d(found[0].root.header), found[1])
        tree.settle()
        base = pieces.pop(tree.base or b"", None)
        damaged = list(tree.damaged())
        lay = self._remains.lay(self._folder, damaged)
        self.left_out = self._remains.left_out(lay, base, pieces.values(), damaged, self._heights)

    def find(self, ref: BlockRef) -> Node:
        """Return a block of the tree."""
        node = self.tree.get(ref.hash)
        if node is None or node.ref != ref:
            raise NotFound(
                f"block {hash_to_hex(ref.hash)} at {ref.height} is not in {self._folder.path}"
            )
        return node

    def read(self, nodes: Sequence[Node], want: Want) -> list[SourceBlock]:
        """Return blocks in the order of `nodes`, reading file after file."""
        read = _proved if want is Want.PROVED else _coinbase
        in_files = sorted(nodes, key=lambda node: node.record[:2])
        found: dict[bytes, SourceBlock] = {}
        for number, group in groupby(in_files, key=lambda node: node.file):
            with self._folder.opened(number) as file:
                found.update((node.hash, read(file, node)) for node in group)
        return [found[node.hash] for node in nodes]


def _anyway(_base: Branch, _piece: Branch, _between: int) -> bool:
    return True


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
