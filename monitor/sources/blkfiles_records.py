"""The records of a bitcoind's blk files, read a few bytes at a time.

A record is the network's magic, the length of the block, and the block. Files are
obfuscated with the 8 bytes of ``xor.dat``, repeated from the start of each file, where
there is one (Bitcoin Core 28 and later). A file that is being written is longer than its
records: the rest is zeros, not obfuscated. Source: ``node/blockstorage.cpp``.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hashing.errors import TargetError, WireError
from hashing.header import HEADER_SIZE, hash_to_hex, sha256d
from hashing.params import NetworkParams
from hashing.proof import begins_with_height, binds_height, leads_to_root
from hashing.target import decode_nbits
from hashing.wire import (
    MAX_BLOCK_SIZE,
    BlockPrefix,
    CoinbaseParts,
    parse_block,
    read_block,
    read_block_parts,
    read_block_prefix,
)
from monitor.errors import (
    BadReply,
    NotKept,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)

Parsed = TypeVar("Parsed")

PREFIX: Final = 8
"""Bytes before a block: the magic and the length."""
_PREFIX: Final = struct.Struct("<4sI")
_COINBASE_READ: Final = 1024
"""Bytes that hold header, count and coinbase of most blocks; more are read where not."""
_PIECE: Final = 1 << 20
"""Bytes of a piece of a file that is searched."""
_MANY: Final = 1 << 12
"""Bytes from which NumPy uncovers them sooner than one large integer does."""
_NAME: Final = re.compile(r"blk(\d{5,9})\.dat", re.ASCII)
_FIRST_WITH_HEIGHT: Final = 2
"""Version of the first blocks that have to begin with their height (BIP34)."""
_COPIES: Final = 16
"""Copies of one block whose bodies are looked at; a crash leaves one or two."""


class Record(NamedTuple):
    """Where a block lies: file number, offset and size of the block, and its header.

    The size is 0 where only the header can be believed: the body does not read.
    """

    file: int
    offset: int
    size: int
    header: bytes

    @property
    def end(self) -> int:
        """The offset behind the block."""
        return self.offset + self.size


class BlkFolder:
    """Reads the records of a ``blocks`` folder.

    Raises
    ------
    SourceError
        If the folder cannot be read or its ``xor.dat`` is no key.
    """

    def __init__(self, folder: Path, params: NetworkParams) -> None:
        self.path = folder
        self.params = params
        try:
            self.key = (folder / "xor.dat").read_bytes()
        except FileNotFoundError:
            self.key = bytes(8)
        except OSError as error:
            raise _unreadable(folder / "xor.dat", error) from None
        if len(self.key) != 8:
            raise SourceRefused(f"{folder / 'xor.dat'} has {len(self.key)} bytes, not a key of 8")

    def file(self, number: int) -> Path:
        """Return the path of a file."""
        return self.path / file_name(number)

    def numbers(self) -> tuple[list[int], list[str]]:
        """Return the numbers of the files, and the names that are of no file (a directory ...).

        The first ones may be pruned away.
        """
        numbers: list[int] = []
        others: list[str] = []
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    name = _NAME.fullmatch(entry.name)
                    if name is None or entry.name != file_name(int(name[1])):
                        continue
                    if _is_file(entry):
                        numbers.append(int(name[1]))
                    else:
                        others.append(entry.name)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        if not numbers:
            raise SourceUnavailable(
                f"no blk files in {self.path}; name the 'blocks' folder of a bitcoind datadir"
            )
        return sorted(numbers), sorted(others)

    def opened(self, number: int) -> BlkFile:
        """Open a file; `NotKept` if it is no longer there."""
        return BlkFile(self.file(number), number, self.key)


def file_name(number: int) -> str:
    """Return the name that Bitcoin Core gives to a file of blocks."""
    return f"blk{number:05}.dat"


class BlkFile:
    """An open blk file, read at any offset, in the clear.

    Every reading raises `SourceUnavailable` where the disk does not give the bytes.
    """

    def __init__(self, path: Path, number: int, key: bytes) -> None:
        self.number = number
        self.path = path
        self._key = key
        try:
            # A pipe of that name would keep the one who opens it waiting.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            raise NotKept(f"{path} is not there; the node has pruned it") from None
        except OSError as error:
            raise _unreadable(path, error) from None
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(self._descriptor)
            raise SourceUnavailable(f"{path} is not a regular file")
        self.size = found.st_size
        self.inode = found.st_ino
        self.written = found.st_mtime_ns
        self._piece = (0, b"")  # where the search is, in the clear

    def __enter__(self) -> BlkFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def raw(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes as they are on disk."""
        try:
            return os.pread(self._descriptor, count, offset)
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes in the clear; fewer at the end of the file.

        `count` is no more than a block can have.
        """
        data = self.raw(offset, count)
        shift = offset % 8
        if len(data) > _MANY:
            tile = _tile(self._key)[shift : shift + len(data)]
            return (np.frombuffer(data, np.uint8) ^ tile).tobytes()
        mask = _mask(self._key, shift, len(data))
        clear = int.from_bytes(data, "little") ^ mask
        return clear.to_bytes(len(data), "little")

    def record_at(self, at: int, params: NetworkParams) -> Record | None:
        """Return the record that begins at `at`, None if there is no magic or header with work.

        Its size is the one that is written there, whatever that is worth.
        """
        data = self._near(at, PREFIX + HEADER_SIZE)
        if len(data) < PREFIX + HEADER_SIZE:
            return None
        magic, size = _PREFIX.unpack_from(data)
        if magic != params.magic:
            return None
        header = data[PREFIX:]
        if not meets_target(header, params):
            return None
        return Record(self.number, at + PREFIX, size, header)

    def holds(self, record: Record) -> bool:
        """Say whether the size of a record can be one, and the file is that long."""
        return HEADER_SIZE < record.size <= MAX_BLOCK_SIZE and record.end <= self.size

    def size_of(self, record: Record) -> int:
        """Return the size of the block at a record, by its bytes; 0 if they do not read.

        They do where they are transactions that lead to the header's Merkle root.
        """
        room = max(0, min(MAX_BLOCK_SIZE, self.size - record.offset))
        for count in sorted({min(record.size, room), room}):
            data = self.read(record.offset, count)
            if data[:HEADER_SIZE] != record.header:
                continue
            try:
                prefix, txids, size = read_block(data)
            except WireError:
                continue
            return size if leads_to_root(txids, prefix.header.merkle_root) else 0
        return 0

    def prefix(self, record: Record) -> BlockPrefix:
        """Return header, count and coinbase of a block, without its body.

        Raises
        ------
        NotKept
            If the bytes are no block.
        BadReply
            If they are another one: the files have changed.
        """
        prefix = self._start(record, read_block_prefix)
        self._check_alone(record, prefix.tx_count, prefix.size)
        return prefix

    def coinbase(self, record: Record) -> tuple[int, bytes, CoinbaseParts]:
        """Return transaction count, raw coinbase and its parts, as `prefix` does, but quicker."""
        tx_count, at, parts = self._start(record, _raw_coinbase)
        self._check_alone(record, tx_count, parts.end)
        return tx_count, at, parts

    def _check_alone(self, record: Record, tx_count: int, end: int) -> None:
        """Hold a block that has nothing but a coinbase against its size."""
        if tx_count == 1 and end != record.size:
            raise NotKept(self._bad(record, f"it ends at byte {end} of {record.size}"))

    def _start(self, record: Record, parse: Callable[[bytes], Parsed]) -> Parsed:
        """Parse the start of a block, reading as little as that takes."""
        wanted = _COINBASE_READ
        while True:
            data = self._block(record, min(wanted, record.size))
            try:
                return parse(data)
            except WireError as error:
                if wanted >= record.size:
                    raise NotKept(self._bad(record, error)) from None
                wanted *= 8

    def body(self, record: Record) -> tuple[BlockPrefix, tuple[bytes, ...]]:
        """Read a whole block; return its prefix and its txids. Raises as `prefix` does."""
        data = self._block(record, record.size)
        try:
            return parse_block(data)
        except WireError as error:
            raise NotKept(self._bad(record, error)) from None

    def _block(self, record: Record, count: int) -> bytes:
        if not record.size:
            raise NotKept(self._bad(record, "it cannot be read whole"))
        data = self.read(record.offset, count)
        if data[:HEADER_SIZE] != record.header:
            raise BadReply(self._bad(record, "another block is there now"))
        return data

    def _bad(self, record: Record, why: object) -> str:
        name = hash_to_hex(sha256d(record.header))
        return f"{self.path}, offset {record.offset}, block {name}: {why}"

    def _near(self, offset: int, count: int) -> bytes:
        """Return what `read` does, from what was searched last if it is in there."""
        first, piece = self._piece
        if piece and first <= offset and offset + count <= first + len(piece):
            return piece[offset - first : offset - first + count]
        return self.read(offset, count)

    def find(self, wanted: bytes, start: int) -> int | None:
        """Return the offset of `wanted` at or after `start`."""
        while start + len(wanted) <= self.size:
            first, piece = self._piece
            if not first <= start < first + len(piece) - len(wanted) + 1:
                # Zeros are what the node has not written yet: there may be megabytes of them.
                if _is_blank(self.raw(start, _PIECE)):
                    start += _PIECE - len(wanted) + 1
                    continue
                first, piece = self._piece = (start, self.read(start, _PIECE))
                if len(piece) < len(wanted):  # the file has become shorter
                    return None
            place = piece.find(wanted, start - first)
            if place >= 0:
                return first + place
            start = first + len(piece) - len(wanted) + 1
        return None

    def first_used(self, start: int, stop: int) -> int | None:
        """Return the offset of the first byte of ``[start, stop)`` that is not zero on disk."""
        stop = min(stop, self.size)
        while start < stop:
            piece = self.raw(start, min(_PIECE, stop - start))
            if not piece:
                return None
            if not _is_blank(piece):
                return start + len(piece) - len(piece.lstrip(b"\0"))
            start += len(piece)
        return None


def best_copy(folder: BlkFolder, copies: Iterable[Record]) -> Record:
    """Return the record of a block that comes several times: the last one whose body reads.

    The last one of all where none does, with the size 0.
    """
    found = list(copies)
    for record in reversed(found[-_COPIES:]):
        try:
            with folder.opened(record.file) as file:
                if size := file.size_of(record):
                    return record._replace(size=size)
        except SourceError:
            continue
    return found[-1]._replace(size=0)


def proved_height(folder: BlkFolder, record: Record) -> int | None:
    """Return the height that a block's coinbase begins with, if the header proves it.

    None, too, where no rule makes that the block's height (BIP34), as in one without a parent
    or of a version before the rule: the coinbase of the genesis block begins as if it were one.
    """
    version = int.from_bytes(record.header[:4], "little", signed=True)
    if version < _FIRST_WITH_HEIGHT or not any(record.header[4:36]):
        return None
    try:
        with folder.opened(record.file) as file:
            prefix, txids = file.body(record)
    except SourceError:
        return None
    if not leads_to_root(txids, prefix.header.merkle_root):
        return None
    script = prefix.coinbase.script_sig
    size = script[0] if script else 0
    height = size - 0x50 if size > 0x50 else int.from_bytes(script[1 : 1 + size], "little")
    if not 0 < height < 1 << 31 or not binds_height(height, folder.params):
        return None
    return height if begins_with_height(script, height, folder.params) else None


def meets_target(header: bytes, params: NetworkParams) -> bool:
    """Say whether a header has the work that it claims, and that is enough for the network."""
    target = _target(header[72:76])
    return target <= params.pow_limit and int.from_bytes(sha256d(header), "little") <= target


def _raw_coinbase(data: bytes) -> tuple[int, bytes, CoinbaseParts]:
    tx_count, at, parts = read_block_parts(data)
    return tx_count, data[at : parts.end], parts


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _is_blank(piece: bytes) -> bool:
    return piece == bytes(len(piece))


@lru_cache(1 << 12)
def _target(nbits: bytes) -> int:
    """Return the target of four bytes of a header, -1 if no hash can meet it."""
    try:
        return decode_nbits(int.from_bytes(nbits, "little"))
    except TargetError:
        return -1


@lru_cache(1)
def _tile(key: bytes) -> NDArray[np.uint8]:
    """Return the key over and over, for as many bytes as are read at once."""
    return np.frombuffer(key * (MAX_BLOCK_SIZE // 8 + 2), np.uint8)


@lru_cache(64)
def _mask(key: bytes, shift: int, count: int) -> int:
    """Return what `count` bytes at an offset of `shift` from the key's start are hidden with."""
    return int.from_bytes((key[shift:] + key * (count // 8 + 1))[:count], "little")


def _unreadable(path: Path, error: OSError) -> SourceError:
    message = f"cannot read {path}: {error.strerror}"
    if isinstance(error, PermissionError):
        return SourceRefused(f"{message}; give the agent's user read permission")
    return SourceUnavailable(message)
