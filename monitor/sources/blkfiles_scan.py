"""Finding the records of a blk file, whatever a crash or a bad disk left between them.

As Bitcoin Core's ``LoadExternalBlockFile`` does: a record is followed by the next one. Where
it is not, and its body does not read, the magic is looked for again from behind its own
magic, because half a record says the length of a whole one. What is found in that way has to
read, so a block cannot be made up by what a miner wrote into another one.

A file costs time in proportion to its size, whatever is in it: the search only goes forward,
and so many bytes of bodies are read at most as `_BODIES` says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from hashing.params import NETWORKS, REGTEST, SIGNETS, NetworkParams
from hashing.wire import MAX_BLOCK_SIZE
from monitor.errors import SourceError, SourceRefused
from monitor.sources.blkfiles_records import PREFIX, BlkFile, BlkFolder, Record

_MAGIC: Final = 4
"""Bytes of a magic."""
_BODIES: Final = 4
"""Times the size of a file that may be read of it for bodies; each is read twice at most."""
_LEAST: Final = 64 << 20
"""Bytes of bodies that may be read of a small file."""
_PAGE: Final = 1 << 12
"""Bytes behind a record that say that nothing follows."""
_LOOKED_AT: Final = 3
"""First files that are held against the network, should one hold junk only."""
_SETTLED: Final = 2.0
"""Seconds after which a file that has not changed is taken to be as it was: clocks of file
systems are coarse."""


class Gap(NamedTuple):
    """A place where something lies that is no record."""

    file: int
    offset: int


@dataclass(slots=True)
class Scan:
    """What a scan found.

    The header of a `doubtful` record holds, but its body does not read. The scan began at
    `start`; `end` is the offset behind the last one of `records`.
    """

    records: list[Record] = field(default_factory=list)
    doubtful: list[Record] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    start: int = 0
    end: int = 0


class FileScan:
    """Reads a file once, or again and again while it grows."""

    def __init__(self, folder: BlkFolder, number: int) -> None:
        self._folder = folder
        self._params = folder.params
        self.number = number
        self._resume = 0
        self._sizes: dict[tuple[int, bytes], int] = {}  # of the last record, by offset and header
        self._seen = (0, 0, 0)
        self._since = 0.0
        self._left = 0

    def take(self, *, whole: bool, every: bool = False) -> Scan | None:
        """Return what is there from the last record on; None if nothing has changed.

        Parameters
        ----------
        whole:
            The file is no longer written. Else its last record must read: the node may have
            written half of it. It comes once more in the next scan, because a node that
            crashed overwrites what it had half written.
        every:
            Look at the body of every record, not only where the next one is missing.

        Raises
        ------
        SourceError
            If the file cannot be read; `NotFound` if it is not there.
        """
        with self._folder.opened(self.number) as file:
            now = time.monotonic()
            seen = (file.inode, file.size, file.written)
            if seen != self._seen:
                if file.inode != self._seen[0] or file.size < self._resume:
                    self._resume = 0
                self._seen, self._since = seen, now
            elif not whole and now - self._since > _SETTLED:
                return None
            self._left = _BODIES * file.size + _LEAST
            found = Scan(start=self._resume)
            if every:
                self._search(file, self._resume, found, said=False)
            else:
                self._follow(file, found, whole=whole)
            if found.records:
                last = found.records[-1]
                self._resume, found.end = last.offset - PREFIX, last.end
                kept = (last.offset, last.header)
                self._sizes = {at: size for at, size in self._sizes.items() if at == kept}
            return found

    def _follow(self, file: BlkFile, found: Scan, *, whole: bool) -> None:
        """Go from record to record; search where the next place holds none."""
        params, records = self._params, found.records
        at = self._resume
        last: Record | None = None  # its body has not been looked at
        while True:
            record = file.record_at(at, params)
            if record is not None and file.holds(record):
                if last is not None:
                    records.append(last)
                last, at = record, record.end
                continue
            half = False
            if last is not None:
                blank = file.first_used(at, file.size) is None
                size = last.size if whole and blank else self._size_of(file, last)
                half = not size
                at = last.offset + size if size else last.offset - _MAGIC
                (records if size else found.doubtful).append(last._replace(size=size))
                if size and at != last.end:
                    last = None
                    continue
                last = None
                if blank and not half:
                    return
            next_at = self._search_one(file, at, found, said=half)
            if next_at is None:
                return
            at = next_at

    def _search(self, file: BlkFile, start: int, found: Scan, *, said: bool) -> None:
        """Search to the end of the file, looking at every body."""
        at: int | None = start
        while at is not None:
            at = self._search_one(file, at, found, said=said)

    def _search_one(self, file: BlkFile, start: int, found: Scan, *, said: bool) -> int | None:
        """Return the offset behind the next record that reads, None if there is none.

        `said` tells that what begins here is known as doubtful already, and so is no gap.
        """
        at = start
        while (place := file.find(self._params.magic, at)) is not None:
            record = file.record_at(place, self._params)
            size = 0
            if record is not None:
                size = self._size_of(file, record)
                (found.records if size else found.doubtful).append(record._replace(size=size))
            if record is not None and size:
                self._note(file, start, place, found, said=said)
                return record.offset + size
            at = place + (1 if record is None else _MAGIC)
        self._note(file, start, file.size, found, said=said)
        return None

    def _note(self, file: BlkFile, start: int, stop: int, found: Scan, *, said: bool) -> None:
        """Take note of what lies in ``[start, stop)``, if anything does."""
        if said or (used := file.first_used(start, stop)) is None:
            return
        if all(record.offset - PREFIX != used for record in found.doubtful):
            found.gaps.append(Gap(self.number, used))

    def _size_of(self, file: BlkFile, record: Record) -> int:
        """Return the size of a block that reads, else 0.

        When enough has been read, a record counts that is followed by another one or by nothing.
        """
        known = (record.offset, record.header)
        if known not in self._sizes:
            if self._left <= 0:
                return record.size if self._is_followed(file, record) else 0
            size = file.size_of(record)
            self._left -= size or min(file.size - record.offset, MAX_BLOCK_SIZE)
            if not size:
                return 0
            self._sizes[known] = size
        return self._sizes[known]

    def _is_followed(self, file: BlkFile, record: Record) -> bool:
        if not file.holds(record):
            return False
        beyond = file.raw(record.end, _PAGE)
        return file.record_at(record.end, self._params) is not None or not any(beyond)


def check_network(folder: BlkFolder, numbers: Sequence[int]) -> None:
    """Hold the first files against the network.

    Raises
    ------
    SourceRefused
        If they are another network's, or obfuscated with another key.
    """
    strange = ""
    for number in numbers[:_LOOKED_AT]:
        try:
            with folder.opened(number) as file:
                if file.read(0, _MAGIC) == folder.params.magic:
                    return
                if file.first_used(0, file.size) is None:
                    continue
                strange = strange or f"{file.path} {_described(file, folder.params)}"
            found = FileScan(folder, number).take(whole=True)
        except SourceError:
            continue
        if found is not None and (found.records or found.doubtful):
            return
    if strange:
        raise SourceRefused(strange)


def _described(file: BlkFile, params: NetworkParams) -> str:
    """Say what a file begins with that does not begin with the network's magic."""
    magic = file.read(0, _MAGIC)
    known = (*NETWORKS.values(), *SIGNETS.values())
    other = next((net.name for net in known if net.magic == magic), None)
    begins = f"begins with {magic.hex()}, which is not {params.name}"
    if other in SIGNETS:
        return f'{begins}: another signet? That is {other}: set network = "{other}"'
    if other is not None:
        return f"holds {other}, not {params.name}"
    record = file.record_at(0, replace(params, magic=magic, pow_limit=REGTEST.pow_limit))
    if record is not None and file.holds(record):
        return (
            f'{begins}: another signet? Set network = "signet" and signet.magic = "{magic.hex()}"'
        )
    return f"{begins}: a wrong xor.dat?"
