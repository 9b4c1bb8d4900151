"""Block and transaction bytes: header, transactions, txids, Merkle root and branch.

Every length read from the wire is checked against what is there before it is used, so
hostile bytes cost no more than their own size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hashing.errors import WireError
from hashing.header import HEADER_SIZE, BlockHeader, sha256d

MAX_BLOCK_SIZE: Final = 4_000_000
"""Upper bound of a serialized block in bytes (the weight limit, BIP141)."""

NULL_OUTPOINT: Final = bytes(32) + b"\xff\xff\xff\xff"
_ONE_NULL_INPUT: Final = b"\x01" + NULL_OUTPOINT


@dataclass(frozen=True, slots=True)
class TxOut:
    """A transaction output: `value` in satoshi, `script` the scriptPubKey."""

    value: int
    script: bytes


@dataclass(frozen=True, slots=True)
class CoinbaseTx:
    """A parsed coinbase transaction.

    `raw` is the transaction as received, `txid` its 32 internal-order bytes (witness
    left out, BIP141), `script_sig` the bytes that miners write into.
    """

    raw: bytes
    txid: bytes
    version: int
    script_sig: bytes
    sequence: int
    outputs: tuple[TxOut, ...]
    lock_time: int


class Reader:
    """A bounds-checked cursor over bytes."""

    __slots__ = ("_data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data = data
        self.offset = offset

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes; `WireError` if there are fewer."""
        end = self.offset + count
        if count < 0 or end > len(self._data):
            raise WireError(
                f"truncated: {count} bytes wanted at offset {self.offset}, "
                f"{len(self._data) - self.offset} left"
            )
        piece = self._data[self.offset : end]
        self.offset = end
        return piece

    def uint(self, size: int) -> int:
        """Return the next little-endian unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def compact_size(self) -> int:
        """Return the next CompactSize integer; a non-canonical one is a `WireError`."""
        first = self.uint(1)
        if first < 0xFD:
            return first
        size, least = {0xFD: (2, 0xFD), 0xFE: (4, 1 << 16), 0xFF: (8, 1 << 32)}[first]
        value = self.uint(size)
        if value < least:
            raise WireError(f"non-canonical CompactSize at offset {self.offset - size - 1}")
        return value

    def var_bytes(self) -> bytes:
        """Return the next length-prefixed byte string."""
        return self.take(self.compact_size())

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self.offset


def _read_transaction(reader: Reader, data: bytes) -> bytes:
    """Advance over one transaction; return its txid."""
    start = reader.offset
    reader.take(4)
    has_witness = data[reader.offset : reader.offset + 2] == b"\x00\x01"
    if has_witness:
        reader.take(2)
    body = reader.offset
    inputs = reader.compact_size()
    if inputs * 41 > reader.left:
        raise WireError(f"truncated: {inputs} inputs announced at offset {body}")
    for _ in range(inputs):
        reader.take(36)
        reader.var_bytes()
        reader.take(4)
    outputs = reader.compact_size()
    if outputs * 9 > reader.left:
        raise WireError(f"truncated: {outputs} outputs announced at offset {reader.offset}")
    for _ in range(outputs):
        reader.take(8)
        reader.var_bytes()
    end = reader.offset
    if has_witness:
        for _ in range(inputs):
            items = reader.compact_size()
            if items > reader.left:
                raise WireError(f"truncated: {items} witness items at offset {reader.offset}")
            for _ in range(items):
                reader.var_bytes()
    reader.take(4)
    if has_witness:
        tail = reader.offset - 4
        return sha256d(data[start : start + 4] + data[body:end] + data[tail : tail + 4])
    return sha256d(data[start : reader.offset])


class CoinbaseParts(NamedTuple):
    """What a coinbase transaction says, and where in the bytes its parts end.

    `end` is behind the transaction, `inputs_end` behind its input, `outputs_end` behind its
    outputs.
    """

    script_sig: bytes
    outputs: tuple[TxOut, ...]
    inputs_end: int
    outputs_end: int
    end: int


def read_coinbase_parts(data: bytes, offset: int = 0) -> CoinbaseParts:
    """Read scriptSig and outputs of a coinbase transaction at `offset`, hashing nothing.

    Raises
    ------
    WireError
        As `read_coinbase`.
    """
    at = offset + 4
    has_witness = data[at : at + 2] == b"\x00\x01"
    if has_witness:
        at += 2
    if data[at : at + 37] != _ONE_NULL_INPUT:
        if len(data) < at + 37:
            raise _truncated(data)
        raise WireError("not a coinbase: it must have one input that spends the null outpoint")
    try:
        size, at = _size_at(data, at + 37)
        script_sig = data[at : at + size]
        inputs_end = at + size + 4
        count, at = _size_at(data, inputs_end)
        if count * 9 > len(data) - at:
            raise _truncated(data)
        outputs = []
        for _ in range(count):
            value = int.from_bytes(data[at : at + 8], "little")
            size, at = _size_at(data, at + 8)
            outputs.append(TxOut(value, data[at : at + size]))
            at += size
        outputs_end = at
        if has_witness:
            items, at = _size_at(data, at)
            if items > len(data) - at:
                raise _truncated(data)
            for _ in range(items):
                size, at = _size_at(data, at)
                at += size
    except IndexError:
        raise _truncated(data) from None
    if at + 4 > len(data):  # then a slice above may have been short, too
        raise _truncated(data)
    return CoinbaseParts(script_sig, tuple(outputs), inputs_end, outputs_end, at + 4)


def _size_at(data: bytes, at: int) -> tuple[int, int]:
    """Return the CompactSize at `at` and the offset behind it."""
    first = data[at]
    if first < 0xFD:
        return first, at + 1
    reader = Reader(data, at)
    return reader.compact_size(), reader.offset


def _truncated(data: bytes) -> WireError:
    return WireError(f"truncated: the coinbase is longer than the {len(data)} bytes there")


def read_coinbase(data: bytes, offset: int = 0) -> tuple[CoinbaseTx, int]:
    """Read a coinbase transaction at `offset`; return it and the offset behind it.

    Raises
    ------
    WireError
        If the bytes are truncated or the transaction is no coinbase (BIP30/34 shape: one
        input that spends the null outpoint).
    """
    parts = read_coinbase_parts(data, offset)
    raw = data[offset : parts.end]
    if parts.outputs_end + 4 == parts.end:
        txid = sha256d(raw)
    else:
        txid = sha256d(raw[:4] + data[offset + 6 : parts.outputs_end] + raw[-4:])
    coinbase = CoinbaseTx(
        raw=raw,
        txid=txid,
        version=int.from_bytes(raw[:4], "little", signed=True),
        script_sig=parts.script_sig,
        sequence=int.from_bytes(data[parts.inputs_end - 4 : parts.inputs_end], "little"),
        outputs=parts.outputs,
        lock_time=int.from_bytes(raw[-4:], "little"),
    )
    return coinbase, parts.end


def parse_coinbase(data: bytes) -> CoinbaseTx:
    """Read a coinbase transaction that fills `data` exactly.

    Raises
    ------
    WireError
        As `read_coinbase`, and if bytes are left over.
    """
    coinbase, end = read_coinbase(data)
    if end != len(data):
        raise WireError(f"{len(data) - end} bytes left over after the coinbase transaction")
    return coinbase


@dataclass(frozen=True, slots=True)
class BlockPrefix:
    """The first part of a block: what attribution needs of it."""

    header: BlockHeader
    tx_count: int
    coinbase: CoinbaseTx
    size: int
    """Bytes read: header, transaction count and coinbase."""


def read_block_prefix(data: bytes) -> BlockPrefix:
    """Read header, transaction count and coinbase from the start of a block's bytes.

    Raises
    ------
    WireError
        If `data` ends before the coinbase does (fetch more), or is no block.
    """
    header = BlockHeader.parse(data[:HEADER_SIZE])
    tx_count, at = _tx_count(data)
    coinbase, end = read_coinbase(data, at)
    return BlockPrefix(header, tx_count, coinbase, end)


def read_block_parts(data: bytes) -> tuple[int, int, CoinbaseParts]:
    """Return transaction count, offset of the coinbase and its parts, as `read_block_prefix`.

    For many blocks: nothing is hashed, and the header is left alone.

    Raises
    ------
    WireError
        As `read_block_prefix`.
    """
    tx_count, at = _tx_count(data)
    return tx_count, at, read_coinbase_parts(data, at)


def _tx_count(data: bytes) -> tuple[int, int]:
    """Return the transaction count of a block and the offset behind it."""
    try:
        tx_count, at = _size_at(data, HEADER_SIZE)
    except IndexError:
        raise _truncated(data) from None
    if tx_count == 0:
        raise WireError("a block has at least one transaction, this one has none")
    return tx_count, at


def read_block(data: bytes) -> tuple[BlockPrefix, tuple[bytes, ...], int]:
    """Read the block that `data` begins with; return its prefix, all txids and its size.

    Raises
    ------
    WireError
        If the bytes are truncated or no block.
    """
    prefix = read_block_prefix(data)
    reader = Reader(data, prefix.size)
    txids = [prefix.coinbase.txid]
    txids.extend(_read_transaction(reader, data) for _ in range(prefix.tx_count - 1))
    return prefix, tuple(txids), reader.offset


def parse_block(data: bytes) -> tuple[BlockPrefix, tuple[bytes, ...]]:
    """Read a whole block; return its prefix and the txids of all its transactions.

    Raises
    ------
    WireError
        If the bytes are truncated, left over, or no block.
    """
    prefix, txids, size = read_block(data)
    if size != len(data):
        raise WireError(f"{len(data) - size} bytes left over after the last transaction")
    return prefix, txids


def merkle_root(txids: Sequence[bytes]) -> bytes:
    """Return the Merkle root over `txids` (32 internal-order bytes each).

    Raises
    ------
    WireError
        If `txids` is empty, or if two adjacent equal nodes show the duplicate-txid
        malleation (CVE-2012-2459): such a list proves nothing about the block.
    """
    if not txids:
        raise WireError("a Merkle root needs at least one txid")
    level = list(txids)
    while len(level) > 1:
        for left, right in zip(level[::2], level[1::2], strict=False):
            if left == right:
                raise WireError("duplicate adjacent Merkle nodes (CVE-2012-2459)")
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256d(a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def merkle_branch(txids: Sequence[bytes], index: int = 0) -> tuple[bytes, ...]:
    """Return the siblings, from the leaf up, that connect ``txids[index]`` to the root."""
    branch: list[bytes] = []
    level = list(txids)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        branch.append(level[index ^ 1])
        level = [sha256d(a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
        index //= 2
    return tuple(branch)


def root_from_branch(txid: bytes, branch: Sequence[bytes], index: int = 0) -> bytes:
    """Return the Merkle root that `branch` (leaf first) gives for `txid` at `index`.

    Raises
    ------
    WireError
        If a sibling is not 32 bytes, the branch is deeper than a block's tree can be, or
        `index` lies outside the tree that the branch spans.
    """
    if len(branch) > 24 or index >> len(branch):
        raise WireError(f"no Merkle tree of a block has {len(branch)} levels at index {index}")
    node = txid
    for sibling in branch:
        if len(sibling) != 32:
            raise WireError(f"a Merkle node has 32 bytes, got {len(sibling)}")
        node = sha256d(sibling + node) if index & 1 else sha256d(node + sibling)
        index >>= 1
    return node
