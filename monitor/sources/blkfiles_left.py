"""What block files hold and is not used, and what is known of the files as such."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from analyzers.leftout import Kind, LeftOut, Tally
from hashing.header import hash_to_hex, sha256d
from monitor.errors import NotFound, SourceError
from monitor.sources.blkfiles_choice import FEW, QUIET, Branch, Heights, Lay
from monitor.sources.blkfiles_records import BlkFolder, Record, file_name
from monitor.sources.blkfiles_scan import FileScan, Gap, Scan

GROWING: Final = 2
"""Last files that may still grow: a node that checks a snapshot in the background has two."""
UNREAD: Final = "the block cannot be read whole"
"""Why a record is left out whose header is used."""
_NAMED: Final = 3
"""Missing files, and pieces of the chain, that are named."""
_NEAR: Final = 6
"""Files near a gap, more than once perhaps, that are looked through body by body."""


@dataclass(slots=True)
class Remains:
    """What scans of the files of a folder leave; `numbers` are those of the files.

    `others` are names of no files, `unread` says why a file cannot be read, by its number.
    """

    numbers: list[int]
    others: Sequence[str] = ()
    unread: dict[int, str] = field(default_factory=dict)
    gaps: dict[int, list[Gap]] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    """Offset behind the last record of each file that may still grow."""
    _looked: set[int] = field(default_factory=set)

    def note(self, number: int, scan: Scan | str) -> None:
        """Take note of a scan, or of why there is none."""
        if isinstance(scan, str):
            self.unread[number] = scan
            return
        self.unread.pop(number, None)
        before = [gap for gap in self.gaps.get(number, ()) if gap.offset < scan.start]
        self.gaps[number] = before + scan.gaps
        if number in self.numbers[-GROWING:]:
            self.ends[number] = scan.end or self.ends.get(number, 0)
        else:
            self.ends.pop(number, None)

    def lay(self, folder: BlkFolder, damaged: Iterable[Record]) -> Lay:
        """Return what is known of the files now; `damaged` are records that do not read."""
        missing = [
            number
            for before, after in pairwise(self.numbers)
            for number in range(before + 1, min(after, before + 1 + _NAMED))
        ]
        broken = {number for number, gaps in self.gaps.items() if self._said(gaps)}
        broken |= {
            record.file for record in damaged if not self._is_end(record.file, record.offset)
        }
        try:
            written = folder.file(self.numbers[-1]).stat().st_mtime
        except OSError:
            written = 0.0
        return Lay(
            tuple(sorted({*missing, *self.unread})),
            frozenset(broken),
            time.time() - written > QUIET,
        )

    def _is_end(self, file: int, offset: int) -> bool:
        """Say whether something lies behind the last record of a file that may still grow."""
        return file in self.ends and offset >= self.ends[file]

    def _said(self, gaps: Iterable[Gap]) -> list[Gap]:
        return [gap for gap in gaps if not self._is_end(gap.file, gap.offset)]

    def left_out(
        self,
        lay: Lay,
        base: Branch | None,
        pieces: Iterable[Branch],
        damaged: Iterable[Record],
        height_of: Heights,
    ) -> tuple[LeftOut, ...]:
        """Return what is not used, given the chain (`base`) and the pieces beside it."""
        tally = Tally()
        for name in self.others:
            tally.add(Kind.BLK_FILE, "it is not a regular file", name)
        for _, why in sorted(self.unread.items()):
            tally.add(Kind.BLK_FILE, "the file cannot be read", why)
        for record in sorted(damaged):
            if not self._is_end(record.file, record.offset):
                tally.add(Kind.BLK_RECORD, UNREAD, _place(record))
        for number in sorted(self.gaps):
            for gap in self._said(self.gaps[number]):
                tally.add(Kind.BLK_RECORD, "no record can be read there", _place(gap))
        large = sorted(pieces, key=lambda piece: -piece.blocks)
        for at, piece in enumerate(large):
            if not self._waits(piece, base, height_of):
                name = _heights(piece, height_of) if at < _NAMED else ""
                tally.add(Kind.UNLINKED_BLOCK, _why(lay), name, piece.blocks)
        return tally.found

    def _waits(self, piece: Branch, base: Branch | None, height_of: Heights) -> bool:
        """Say whether a piece is only a few blocks whose parents are coming, or were pruned."""
        if piece.blocks <= FEW and piece.files <= set(self.numbers[-GROWING:]):
            return True
        if base is None or base.root.header[4:36] == bytes(32) or self.numbers[0] == 0:
            return False
        if piece.blocks <= FEW:
            return True
        first, lowest = height_of(piece), height_of(base)
        return first is not None and lowest is not None and first + piece.length <= lowest

    def look_through(
        self, folder: BlkFolder, pieces: Iterable[Branch], linked: Branch | None
    ) -> Iterator[Scan]:
        """Yield what is found body by body in files near a gap; each is looked through once.

        Something may hide a record there: half of another one that says a length which ends
        where a record begins. `linked` is the piece on the genesis block.
        """
        for number in self._near_gaps(pieces, linked):
            self._looked.add(number)
            found = scan_one(folder, number, whole=True, every=True)
            if isinstance(found, Scan):
                yield found

    def _near_gaps(self, pieces: Iterable[Branch], linked: Branch | None) -> list[int]:
        if self.numbers[0] != 0:
            return []
        growing = set(self.numbers[-GROWING:])
        loose = [
            piece
            for piece in pieces
            if piece is not linked and (piece.blocks > FEW or piece.files <= growing)
        ]
        loose.sort(key=lambda piece: -piece.blocks)
        if not loose and linked:
            return []
        near = [linked.end.file if linked else 0]
        near += [number for piece in loose for number in (piece.root.file, piece.end.file)]
        return [number for number in dict.fromkeys(near[:_NEAR]) if number not in self._looked]


def scan_one(folder: BlkFolder, number: int, *, whole: bool, every: bool = False) -> Scan | str:
    """Return what is in a file (see `FileScan.take`), or why it cannot be read.

    A file that was pruned meanwhile has nothing in it.
    """
    try:
        return FileScan(folder, number).take(whole=whole, every=every) or Scan()
    except NotFound:
        return Scan()
    except SourceError as error:
        return str(error).replace(str(folder.file(number)), file_name(number))


def _place(where: Record | Gap) -> str:
    return f"{file_name(where.file)}, offset {where.offset}"


def _heights(piece: Branch, height_of: Heights) -> str:
    first = height_of(piece)
    if piece.root.header[4:36] == bytes(32):
        first = 0
    if first is None:
        return f"{hash_to_hex(sha256d(piece.root.header))} and those on it"
    return f"heights {first} to {first + piece.length - 1}"


def _why(lay: Lay) -> str:
    """Say what to look for where blocks do not link."""
    if not lay.missing:
        return "the blocks between them and the chain are not in the files"
    names = [file_name(number) for number in lay.missing[:_NAMED]]
    if len(names) == 1:
        return f"is {names[0]} missing?"
    last = "others" if len(lay.missing) > _NAMED else names.pop()
    return f"are {', '.join(names)} and {last} missing?"
