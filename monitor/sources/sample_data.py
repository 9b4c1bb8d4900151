"""The sample that ships: real mainnet headers, published labels, a few real coinbases.

The file is one line of JSON that says what it holds and where it comes from, then a zlib
stream: the headers byte by byte in columns (all first bytes, all second bytes ...), without
the previous hashes, for each is the hash of the header before; then one byte a block that
points into the list of labels. ``tools/make_sample.py`` makes it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from hashing.header import HEADER_SIZE, sha256d

FILE: Final = "sample.bin"
STORED: Final = (*range(4), *range(36, HEADER_SIZE))
"""Which bytes of a header are stored: all but the previous hash."""


@dataclass(frozen=True, slots=True)
class ProvedCoinbase:
    """A block whose coinbase is at hand, with the Merkle branch that proves it."""

    height: int
    header: bytes
    coinbase_tx: bytes
    merkle_branch: tuple[bytes, ...]
    tx_count: int
    size: int


@dataclass(frozen=True, slots=True)
class SampleData:
    """The unpacked sample: `headers` are 80 bytes each from height `start` on."""

    start: int
    headers: bytes
    labels: tuple[str, ...]
    label_of: bytes
    label_source: str
    coinbases: tuple[ProvedCoinbase, ...]
    stale: tuple[ProvedCoinbase, ...]

    @property
    def end(self) -> int:
        """The height after the last."""
        return self.start + len(self.headers) // HEADER_SIZE

    def header(self, height: int) -> bytes:
        """Return the header at `height`, which must be inside."""
        offset = (height - self.start) * HEADER_SIZE
        return self.headers[offset : offset + HEADER_SIZE]

    def label(self, height: int) -> str:
        """Return the published label of the block at `height`."""
        return self.labels[self.label_of[height - self.start]]


def pack(about: dict[str, Any], headers: Sequence[bytes], label_of: bytes) -> bytes:
    """Return the bytes of the file; `about` is its first line."""
    joined = b"".join(headers)
    columns = b"".join(joined[place::HEADER_SIZE] for place in STORED)
    line = json.dumps(about | {"count": len(headers)}, sort_keys=True).encode()
    return line + b"\n" + zlib.compress(columns + label_of, level=9)


def unpack(data: bytes) -> SampleData:
    """Return the sample from the bytes of its file."""
    line, _, packed = data.partition(b"\n")
    about = json.loads(line)
    count = about["count"]
    body = zlib.decompress(packed)
    headers = bytearray(count * HEADER_SIZE)
    for column, place in enumerate(STORED):
        headers[place::HEADER_SIZE] = body[column * count : (column + 1) * count]
    previous = bytes.fromhex(about["previous"])
    for offset in range(0, len(headers), HEADER_SIZE):
        headers[offset + 4 : offset + 36] = previous
        previous = sha256d(bytes(headers[offset : offset + HEADER_SIZE]))
    return SampleData(
        start=about["start"],
        headers=bytes(headers),
        labels=tuple(about["labels"]),
        label_of=body[len(STORED) * count :],
        label_source=about["label_source"],
        coinbases=tuple(map(_coinbase, about["coinbases"])),
        stale=tuple(map(_coinbase, about["stale"])),
    )


def load_sample() -> SampleData:
    """Return the sample that ships with the package."""
    return unpack(files("monitor.sources").joinpath("data", FILE).read_bytes())


def _coinbase(row: dict[str, Any]) -> ProvedCoinbase:
    return ProvedCoinbase(
        row["height"],
        bytes.fromhex(row["header"]),
        bytes.fromhex(row["coinbase_tx"]),
        tuple(bytes.fromhex(node) for node in row["merkle_branch"]),
        row["tx_count"],
        row["size"],
    )
