"""The records of a bitcoind's blk files, read a few bytes at a time.

A record is the network's magic, the length of the block, and the block. Files are
obfuscated with the 8 bytes of ``xor.dat``, repeated from the start of each file, where
there is one (Bitcoin Core 28 and later). A file that is being written is longer than its
records: the rest is zeros, not obfuscated. Source: ``node/blockstorage.cpp``.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from hashing.build import push_height
from hashing.errors import TargetError, WireError
from hashing.header import HEADER_SIZE, hash_to_hex, sha256d
from hashing.params import NETWORKS, NetworkParams
from hashing.target import decode_nbits
from hashing.wire import (
    MAX_BLOCK_SIZE,
    BlockPrefix,
    CoinbaseParts,
    merkle_root,
    parse_block,
    read_block_parts,
    read_block_prefix,
)
from monitor.errors import (
    BadReply,
    NotFound,
    NotKept,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)

Parsed = TypeVar("Parsed")

_PREFIX: Final = struct.Struct("<4sI")
_COINBASE_READ: Final = 1024
"""Bytes that hold header, count and coinbase of most blocks; more are read where not."""
_SEARCH: Final = 1 << 20


class Record(NamedTuple):
    """Where a block lies: file number, offset and size of the block, and its header."""

    file: int
    offset: int
    size: int
    header: bytes


class BlkFolder:
    """Reads the records of a ``blocks`` folder.

    Raises
    ------
    SourceError
        If the folder cannot be read or its ``xor.dat`` is no key.
    """

    def __init__(self, folder: Path, params: NetworkParams) -> None:
        self._folder = folder
        self._params = params
        try:
            self._key = (folder / "xor.dat").read_bytes()
        except FileNotFoundError:
            self._key = bytes(8)
        except OSError as error:
            raise _unreadable(folder / "xor.dat", error) from None
        if len(self._key) != 8:
            raise SourceRefused(f"{folder / 'xor.dat'} has {len(self._key)} bytes, not a key of 8")

    def path(self, number: int) -> Path:
        """Return the path of a file."""
        return self._folder / f"blk{number:05}.dat"

    def numbers(self) -> list[int]:
        """Return the numbers of the files that are there; the first may be pruned away."""
        try:
            names = [path.stem[3:] for path in self._folder.iterdir() if path.match("blk*.dat")]
        except OSError as error:
            raise _unreadable(self._folder, error) from None
        numbers = sorted(int(name) for name in names if name.isdecimal())
        if not numbers:
            raise SourceUnavailable(
                f"no blk files in {self._folder}; name the 'blocks' folder of a bitcoind datadir"
            )
        return numbers

    def check_magic(self, number: int) -> None:
        """Hold the beginning of a file against the network.

        Raises
        ------
        SourceRefused
            If it is another network's, or obfuscated with another key.
        """
        with self.opened(number) as file:
            found = file.read(0, 4)
            if found == self._params.magic or not any(file.raw(0, 4)):
                return
        other = next((net.name for net in NETWORKS.values() if net.magic == found), None)
        what = f"holds {other}" if other else f"begins with {found.hex()}: a wrong xor.dat?"
        raise SourceRefused(f"{self.path(number)} {what}, not {self._params.name}")

    def scan(self, number: int, start: int, *, whole: bool) -> tuple[list[Record], int]:
        """Return the records from offset `start` on, and where to scan on later.

        A record that is not all there yet ends the scan. The later scan begins with the last
        record once more: a node that crashed overwrites what it had half written. `whole`
        says that the file is no longer written: what is no record is then passed over, up to
        the next magic. A file that was pruned meanwhile has none.
        """
        records: list[Record] = []
        at = resume = start
        try:
            with self.opened(number) as file:
                while True:
                    record = self._record(file, at)
                    if record is not None:
                        records.append(record)
                        resume = at
                        at = record.offset + record.size
                        continue
                    found = file.find(self._params.magic, at + 1) if whole else None
                    if found is None:
                        return records, resume
                    at = found
        except NotFound:
            return [], start

    def _record(self, file: BlkFile, at: int) -> Record | None:
        data = file.read(at, _PREFIX.size + HEADER_SIZE)
        if len(data) < _PREFIX.size + HEADER_SIZE:
            return None
        magic, size = _PREFIX.unpack_from(data)
        offset = at + _PREFIX.size
        if magic != self._params.magic or not HEADER_SIZE < size <= MAX_BLOCK_SIZE:
            return None
        header = data[_PREFIX.size :]
        if offset + size > file.size or not _meets_target(header):
            return None
        return Record(file.number, offset, size, header)

    def opened(self, number: int) -> BlkFile:
        """Open a file; `NotFound` if it is no longer there."""
        return BlkFile(self.path(number), number, self._key)


class BlkFile:
    """An open blk file, read at any offset, in the clear."""

    def __init__(self, path: Path, number: int, key: bytes) -> None:
        self.number = number
        self.path = path
        self._key = key
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise NotKept(f"{path} is not there; the node has pruned it") from None
        except OSError as error:
            raise _unreadable(path, error) from None
        self.size = os.fstat(self._descriptor).st_size

    def __enter__(self) -> BlkFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def raw(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes as they are on disk."""
        return os.pread(self._descriptor, count, offset)

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes in the clear; fewer at the end of the file."""
        data = self.raw(offset, count)
        mask = _mask(self._key, offset % 8, len(data))
        clear = int.from_bytes(data, "little") ^ mask
        return clear.to_bytes(len(data), "little")

    def prefix(self, record: Record) -> BlockPrefix:
        """Return header, count and coinbase of a block, without its body.

        Raises
        ------
        BadReply
            If the bytes are no block, or another one.
        """
        return self._start(record, read_block_prefix)

    def coinbase(self, record: Record) -> tuple[int, bytes, CoinbaseParts]:
        """Return transaction count, raw coinbase and its parts, as `prefix` does, but quicker."""
        return self._start(record, _raw_coinbase)

    def _start(self, record: Record, parse: Callable[[bytes], Parsed]) -> Parsed:
        """Parse the start of a block, reading as little as that takes."""
        wanted = _COINBASE_READ
        while True:
            data = self.read(record.offset, min(wanted, record.size))
            if data[:HEADER_SIZE] != record.header:
                raise self._bad(record, "another block is there now")
            try:
                return parse(data)
            except WireError as error:
                if wanted >= record.size:
                    raise self._bad(record, error) from None
                wanted *= 8

    def body(self, record: Record) -> tuple[BlockPrefix, tuple[bytes, ...]]:
        """Read a whole block; return its prefix and its txids. Raises as `prefix` does."""
        data = self.read(record.offset, record.size)
        if data[:HEADER_SIZE] != record.header:
            raise self._bad(record, "another block is there now")
        try:
            return parse_block(data)
        except WireError as error:
            raise self._bad(record, error) from None

    def _bad(self, record: Record, why: object) -> BadReply:
        name = hash_to_hex(sha256d(record.header))
        return BadReply(f"{self.path}, offset {record.offset}, block {name}: {why}")

    def find(self, wanted: bytes, start: int) -> int | None:
        """Return the offset of `wanted` at or after `start`."""
        while len(piece := self.read(start, _SEARCH)) >= len(wanted):
            place = piece.find(wanted)
            if place >= 0:
                return start + place
            start += len(piece) - len(wanted) + 1
        return None


def proved_height(folder: BlkFolder, record: Record) -> int | None:
    """Return the height that a block's coinbase begins with (BIP34), if the header proves it."""
    try:
        with folder.opened(record.file) as file:
            prefix, txids = file.body(record)
        proved = merkle_root(txids) == prefix.header.merkle_root
    except (BadReply, NotFound, WireError):
        return None
    script = prefix.coinbase.script_sig
    size = script[0] if script else 0
    height = size - 0x50 if size > 0x50 else int.from_bytes(script[1 : 1 + size], "little")
    fits = 0 < height < 1 << 31 and script.startswith(push_height(height))
    return height if proved and fits else None


def _raw_coinbase(data: bytes) -> tuple[int, bytes, CoinbaseParts]:
    tx_count, at, parts = read_block_parts(data)
    return tx_count, data[at : parts.end], parts


def _meets_target(header: bytes) -> bool:
    """Say whether a header has the work that it claims: half-written ones have not."""
    return int.from_bytes(sha256d(header), "little") <= _target(header[72:76])


@lru_cache(1 << 12)
def _target(nbits: bytes) -> int:
    """Return the target of four bytes of a header, -1 if no hash can meet it."""
    try:
        return decode_nbits(int.from_bytes(nbits, "little"))
    except TargetError:
        return -1


@lru_cache(64)
def _mask(key: bytes, shift: int, count: int) -> int:
    """Return what `count` bytes at an offset of `shift` from the key's start are hidden with."""
    return int.from_bytes((key[shift:] + key * (count // 8 + 1))[:count], "little")


def _unreadable(path: Path, error: OSError) -> SourceError:
    message = f"cannot read {path}: {error.strerror}"
    if isinstance(error, PermissionError):
        return SourceRefused(f"{message}; give the agent's user read permission")
    return SourceUnavailable(message)
