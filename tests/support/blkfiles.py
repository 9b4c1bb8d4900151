"""Folders of block files as tests break them, and both ways to read one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from analyzers.leftout import LeftOut
from hashing.header import BlockRef, sha256d
from hashing.params import NETWORKS, REGTEST
from monitor.backfill.files import chain_of, scan
from monitor.errors import NotKept
from monitor.sources.base import Want
from monitor.sources.blkfiles import BlkFilesSource
from monitor.sources.blkfiles_index import joined
from monitor.sources.blkfiles_left import GROWING, Remains
from monitor.sources.blkfiles_records import BlkFolder
from tests.support.blocks import Mined, extend, genesis
from tests.support.sparse import GENESIS_COINBASE

KEY = bytes.fromhex("1ed82663d54de682")


@cache
def chain(length: int) -> tuple[Mined, ...]:
    """The genesis block and `length` more."""
    return (genesis(), *extend(genesis(), length))


def whole(block: Mined) -> bytes:
    """All bytes of a block; `tests.support.blocks.genesis` has the header only."""
    return block.raw if block.height else block.raw + b"\x01" + GENESIS_COINBASE


def record(block: Mined, magic: bytes = REGTEST.magic) -> bytes:
    """The record of a block in a blk file."""
    raw = whole(block)
    return magic + len(raw).to_bytes(4, "little") + raw


def records(length: int) -> list[bytes]:
    """The records of `chain`."""
    return [record(block) for block in chain(length)]


def covered(data: bytes, key: bytes) -> bytes:
    """What Bitcoin Core writes for `data` from the start of a file."""
    return bytes(byte ^ key[i % 8] for i, byte in enumerate(data))


def write(folder: Path, number: int, data: bytes, key: bytes = b"") -> Path:
    """Write a file, obfuscated if there is a key."""
    folder.mkdir(parents=True, exist_ok=True)
    if key:
        (folder / "xor.dat").write_bytes(key)
    path = folder / f"blk{number:05}.dat"
    path.write_bytes(covered(data, key) if key else data)
    return path


def write_all(folder: Path, files: Sequence[bytes], key: bytes = b"") -> None:
    """Write files from number 0 on; an empty one is missing."""
    for number, data in enumerate(files):
        if data:
            write(folder, number, data, key)


@contextlib.asynccontextmanager
async def opened(folder: Path, network: str = "regtest") -> AsyncIterator[BlkFilesSource]:
    """A source that is open."""
    source = BlkFilesSource(folder, network)
    await source.open()
    yield source
    await source.close()


@dataclass(slots=True)
class Read:
    """What is read of a folder: the chain, blocks without a body, and what is left out."""

    first: int
    headers: list[bytes]
    lost: list[int] = field(default_factory=list)
    left_out: tuple[LeftOut, ...] = ()

    @property
    def tip(self) -> int:
        return self.first + len(self.headers) - 1

    def count(self, kind: str) -> int:
        """How many things of a kind are left out."""
        return sum(left.count for left in self.left_out if left.kind.value == kind)

    def said(self) -> str:
        """What is left out, as text."""
        return "\n".join(map(str, self.left_out))


async def read_by_source(folder: Path, network: str = "regtest") -> Read:
    """Read every block of the chain by the source that an agent follows."""
    async with opened(folder, network) as source:
        tip = await source.tip()
        first = source.capabilities.first_height
        headers = await source.headers(first, tip.height + 1)
        lost = []
        for height, header in enumerate(headers, first):
            ref = BlockRef(height, sha256d(header))
            try:
                for want in Want:
                    await source.blocks([ref], want)
            except NotKept:
                lost.append(height)
        assert ref == tip
        return Read(first, headers, lost, tuple(source.left_out))


def read_at_once(folder: Path, network: str = "regtest") -> Read:
    """Read the same by the index of arrays that a backfill makes."""
    files = BlkFolder(folder, NETWORKS[network])
    numbers, others = files.numbers()
    remains = Remains(numbers, others)
    parts = []
    for number in numbers:
        part, found = scan(folder, network, number, number in numbers[-GROWING:])
        remains.note(number, found)
        parts.append(part)
    found_chain, left_out = chain_of(files, joined(parts), remains)
    assert found_chain.places is not None
    headers = [header.tobytes() for header in found_chain.headers]
    lost = [
        found_chain.start + at for at, place in enumerate(found_chain.places) if not place["size"]
    ]
    return Read(found_chain.start, headers, lost, left_out)
