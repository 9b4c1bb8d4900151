"""The sample that ships: real mainnet headers, published labels, a few real coinbases.

The file is LZMA-compressed: one line of JSON that says what it holds and where it comes
from, then the header fields column by column (previous hashes are left out: each is the
hash of the header before), then one byte a block that points into the list of labels.
``tools/make_sample.py`` makes it.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from hashing.header import HEADER_SIZE, sha256d

FILE: Final = "sample.xz"
COLUMNS: Final = ((0, 4), (36, 32), (68, 4), (72, 4), (76, 4))
"""Offset and size of each stored header field: version, Merkle root, time, nBits, nonce."""


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
    columns = [
        b"".join(header[offset : offset + size] for header in headers) for offset, size in COLUMNS
    ]
    line = json.dumps(about | {"count": len(headers)}, sort_keys=True).encode()
    body = line + b"\n" + b"".join(columns) + label_of
    return lzma.compress(body, preset=9 | lzma.PRESET_EXTREME)


def unpack(data: bytes) -> SampleData:
    """Return the sample from the bytes of its file."""
    line, _, body = lzma.decompress(data).partition(b"\n")
    about = json.loads(line)
    count = about["count"]
    columns = []
    offset = 0
    for _, size in COLUMNS:
        columns.append([body[offset + i * size : offset + (i + 1) * size] for i in range(count)])
        offset += size * count
    headers = bytearray()
    previous = bytes.fromhex(about["previous"])
    for version, *rest in zip(*columns, strict=True):
        header = version + previous + b"".join(rest)
        headers += header
        previous = sha256d(header)
    return SampleData(
        start=about["start"],
        headers=bytes(headers),
        labels=tuple(about["labels"]),
        label_of=body[offset:],
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
