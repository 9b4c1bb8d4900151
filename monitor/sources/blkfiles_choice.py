"""Which of several pieces of a chain is the one that the node follows.

Blocks link to the genesis block, unless it was pruned, a file or record is lost, or the node
began with a snapshot of the coins (assumeutxo) and fetches the blocks before it later. Then
nothing says how much work lies below a piece, but its heights are proved (BIP34): a coinbase
that leads to the Merkle root of a header begins with the block's height.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from monitor.sources.blkfiles_records import PREFIX, BlkFolder, Record, proved_height

FEW: Final = 8
"""Blocks that may wait for others without a word: a node stores them as they come."""
WINDOW: Final = 1024
"""Blocks above its tip that a node downloads in any order (``BLOCK_DOWNLOAD_WINDOW``)."""
EASIEST: Final = 16
"""How many times easier than the linked blocks, on average, a piece above them may be."""
QUIET: Final = 600.0
"""Seconds without a write after which a node downloads nothing."""


class Branch(NamedTuple):
    """Blocks that hang together; below the first of them is nothing.

    `end` ends the chain with the most work in it, of `length` blocks with together `work`;
    `blocks` are in all its chains, and they lie in `files`.
    """

    root: Record
    end: Record
    length: int
    work: int
    blocks: int
    files: frozenset[int]


@dataclass(frozen=True, slots=True)
class Lay:
    """What is known of the files as such.

    `missing` are numbers between the lowest and the highest of which there is no file that can be
    read; `damaged` those of files in which something lies that is no record; `quiet` says
    that nobody has written for a while.
    """

    missing: tuple[int, ...] = ()
    damaged: frozenset[int] = frozenset()
    quiet: bool = False

    def is_lasting(self, base: Branch, piece: Branch, between: int) -> bool:
        """Say whether the blocks between `base` and a piece that ends above it are not coming.

        A node that downloads the chain stores blocks of a window above its tip as they come,
        in the file that holds its tip or the next ones. Lost files and records, another
        window, no block `between` and files of their own (as the blocks on a snapshot have) are
        no such thing.
        """
        return (
            between < 1
            or between + piece.length > WINDOW
            or self.quiet
            or bool(self.missing)
            or not base.files & piece.files
            or not self.damaged.isdisjoint((base.end.file, piece.root.file))
        )


Heights = Callable[[Branch], int | None]
Lasts = Callable[[Branch, Branch, int], bool]
"""`Lay.is_lasting`, or another judgement of what it judges."""


def choose(
    branches: Sequence[Branch], linked: Branch | None, height_of: Heights, lasts: Lasts
) -> tuple[Branch, int] | None:
    """Return the piece that the node follows, and the height of its first block.

    That is the one on the genesis block (`linked`), or else the one with the most work, unless
    another one is proved to end above it: one of more than a few blocks, and with so much work
    each that nobody made them up.
    """
    base, height = linked, 0
    if base is None:
        for branch in sorted(branches, key=lambda branch: branch.work, reverse=True):
            found = height_of(branch)
            if found is not None:
                base, height = branch, found
                break
        else:
            return None
    top = height + base.length
    best = (top, 0, base, height)
    for branch in branches:
        if branch is base or branch.blocks <= FEW or not _has_work(branch, base):
            continue
        found = height_of(branch)
        if found is None:
            continue
        reached = found + branch.length
        strange = _is_strange(branches, base, branch, top, height_of)
        if reached > top and (strange or lasts(base, branch, found - top)):
            best = max(best, (reached, branch.work, branch, found), key=lambda entry: entry[:2])
    return best[2:]


def _is_strange(
    branches: Sequence[Branch], base: Branch, above: Branch, top: int, height_of: Heights
) -> bool:
    """Say whether a block beside the end of `base` should link to it, and does not.

    A wrong bit makes such a block where headers take no work.
    """
    behind, before = (base.end.file, base.end.end + PREFIX), above.root[:2]
    for piece in branches:
        root = piece.root
        if root[:2] == behind or (root.file, root.end + PREFIX) == before:
            height = height_of(piece)
            if piece is not above and height is not None and height <= top:
                return True
    return False


def _has_work(branch: Branch, base: Branch) -> bool:
    return branch.work * EASIEST * base.length >= base.work * branch.length


class ProvedHeights:
    """Heights of first blocks, as coinbases prove them; each is looked for once."""

    def __init__(self, folder: BlkFolder) -> None:
        self._folder = folder
        self._known: dict[tuple[Record, Record], int | None] = {}

    def __call__(self, branch: Branch) -> int | None:
        """Return the height of a piece's first block.

        None if neither that one nor the last one proves it, or the two disagree.
        """
        key = (branch.root, branch.end)
        if key not in self._known:
            known = {root: height for (root, _), height in self._known.items() if height}
            first = known.get(branch.root) or proved_height(self._folder, branch.root)
            last = proved_height(self._folder, branch.end)
            after = branch.length - 1
            if first is None and last is not None and last >= after:
                first = last - after
            if first is not None and last is not None and first + after != last:
                first = None
            self._known = {k: v for k, v in self._known.items() if k[0] != branch.root}
            self._known[key] = first
        return self._known[key]
