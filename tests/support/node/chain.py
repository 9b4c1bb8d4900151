"""A regtest block tree that Bitcoin Core's own consensus code judges and stores."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import pbk

from hashing.header import HEADER_SIZE, BlockHeader, BlockRef, sha256d
from hashing.params import MEDIAN_TIME_SPAN, REGTEST
from hashing.target import decode_nbits, work_from_target
from hashing.wire import parse_block

TipStatus = Literal["active", "valid-fork", "valid-headers", "headers-only", "invalid"]

_CONTENTS_KEPT = 256

GENESIS_HASH = sha256d(REGTEST.genesis_header)


class Refused(Exception):
    """Bitcoin Core's consensus code does not accept the block."""


class Event(NamedTuple):
    """A block that joined (``C``) or left (``D``) the active chain."""

    label: Literal["C", "D"]
    hash: bytes


class ChainTip(NamedTuple):
    """One line of ``getchaintips``."""

    ref: BlockRef
    branch_length: int
    status: TipStatus


class Content(NamedTuple):
    """The bytes of a block and the txids in it."""

    raw: bytes
    txids: tuple[bytes, ...]


@dataclass(slots=True)
class Entry:
    """A block or bare header in the tree."""

    ref: BlockRef
    header: BlockHeader
    has_block: bool = False
    was_active: bool = False
    invalid: bool = False


class RegtestChain:
    """The tree behind the test node; safe to use from several threads.

    Validation, the active chain and the blk files are Bitcoin Core's. The tree is indexed
    here as well, because the kernel's interface does not list it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.shown: int | None = None
        """The height at which what the chain shows ends; None shows all of it."""
        self.lock = threading.RLock()
        self._events: list[Event] = []
        self._entries: dict[bytes, Entry] = {}
        self._active: list[bytes] = []
        self._contents: dict[bytes, Content] = {}
        self._manager = self._open()
        genesis = BlockHeader.parse(REGTEST.genesis_header)
        self._entries[GENESIS_HASH] = Entry(
            BlockRef(0, GENESIS_HASH), genesis, has_block=True, was_active=True
        )
        for raw in read_blk_files(directory / "blocks"):
            entry = self._index(raw[:HEADER_SIZE])
            entry.has_block = True
            # Only a block that was connected has undo data.
            entry.was_active = self._tree_entry(entry) in self._manager.block_spent_outputs
        self._active = [
            bytes(entry.block_hash) for entry in self._manager.get_active_chain().block_tree_entries
        ]
        for digest in self._active:
            self._entries[digest].was_active = True
        self._events.clear()

    def _open(self) -> pbk.ChainstateManager:
        options = pbk.ContextOptions()
        options.set_chainparams(pbk.ChainParameters(pbk.ChainType.REGTEST))
        options.set_validation_interface(
            pbk.ValidationInterfaceCallbacks(
                block_connected=self._on_connected,
                block_disconnected=self._on_disconnected,
                block_checked=self._on_checked,
            )
        )
        self.directory.mkdir(parents=True, exist_ok=True)
        return pbk.ChainstateManager(
            pbk.ChainstateManagerOptions(
                pbk.Context(options), str(self.directory), str(self.directory / "blocks")
            )
        )

    def close(self) -> None:
        """Write everything out and let go of the files."""
        with self.lock:
            del self._manager

    def _on_connected(self, _: object, block: pbk.Block, entry: pbk.BlockTreeEntry) -> None:
        digest = bytes(entry.block_hash)
        self._active.append(digest)
        if digest in self._entries:
            self._entries[digest].was_active = True
        self._events.append(Event("C", digest))

    def _on_disconnected(self, _: object, block: pbk.Block, entry: pbk.BlockTreeEntry) -> None:
        self._active.pop()
        self._events.append(Event("D", bytes(entry.block_hash)))

    def _on_checked(self, _: object, block: pbk.Block, state: pbk.BlockValidationState) -> None:
        if state.validation_mode is not pbk.ValidationMode.VALID:
            entry = self._entries.get(bytes(block.block_hash))
            if entry is not None:
                entry.invalid = True

    def _index(self, raw_header: bytes) -> Entry:
        digest = sha256d(raw_header)
        entry = self._entries.get(digest)
        if entry is None:
            header = BlockHeader.parse(raw_header)
            height = self._entries[header.prev_hash].ref.height + 1
            entry = self._entries[digest] = Entry(BlockRef(height, digest), header)
        return entry

    def submit(self, raw: bytes) -> list[Event]:
        """Hand a block to the consensus code; return what it changed in the active chain.

        Raises
        ------
        Refused
            If the block is not accepted.
        """
        with self.lock:
            digest = sha256d(raw[:HEADER_SIZE])
            try:
                known = digest in self._entries
                prev_known = raw[4:36] in self._entries
                if prev_known:
                    self._index(raw[:HEADER_SIZE])
                self._manager.process_block(pbk.Block(raw))
            except (pbk.ProcessBlockException, RuntimeError) as error:
                self._events.clear()
                if not known:
                    self._entries.pop(digest, None)
                raise Refused(str(error)) from None
            self._entries[digest].has_block = True
            self._remember(digest, raw)
            events = list(self._events)
            self._events.clear()
            return events

    def submit_header(self, raw_header: bytes) -> BlockRef:
        """Hand over a header whose block stays missing."""
        with self.lock:
            self._manager.process_block_header(pbk.BlockHeader(raw_header))
            return self._index(raw_header).ref

    @property
    def tip(self) -> Entry:
        """The last block of the active chain, as far as it is shown."""
        with self.lock:
            return self._entries[self._active[self._top]]

    @property
    def last(self) -> Entry:
        """The last block of the active chain, shown or not."""
        with self.lock:
            return self._entries[self._active[-1]]

    @property
    def _top(self) -> int:
        last = len(self._active) - 1
        return last if self.shown is None else min(self.shown, last)

    def find(self, digest: bytes) -> Entry | None:
        """Return the entry of a block hash, or None."""
        with self.lock:
            return self._entries.get(digest)

    def at(self, height: int) -> Entry:
        """Return the active block at `height`."""
        with self.lock:
            if not 0 <= height <= self._top:
                raise IndexError(height)
            return self._entries[self._active[height]]

    def is_active(self, entry: Entry) -> bool:
        """Tell whether the entry's block is on the active chain."""
        with self.lock:
            height = entry.ref.height
            return height <= self._top and self._active[height] == entry.ref.hash

    def raw(self, entry: Entry) -> bytes:
        """Return the bytes of a block, read back from the blk files."""
        return self.content(entry).raw

    def content(self, entry: Entry) -> Content:
        """Return the bytes and txids of a block; those of the last ones stay at hand."""
        digest = entry.ref.hash
        with self.lock:
            if digest not in self._contents:
                # The kernel's interface hands bytes over one by one: slow for large blocks.
                raw = bytes(self._manager.blocks[self._tree_entry(entry)])
                self._remember(digest, raw)
            return self._contents[digest]

    def _remember(self, digest: bytes, raw: bytes) -> None:
        if len(self._contents) >= _CONTENTS_KEPT:
            del self._contents[next(iter(self._contents))]
        self._contents[digest] = Content(raw, parse_block(raw)[1])

    def _tree_entry(self, entry: Entry) -> pbk.BlockTreeEntry:
        return self._manager.block_tree_entries[pbk.BlockHash(entry.ref.hash)]

    def ancestors(self, entry: Entry, count: int) -> list[Entry]:
        """Return up to `count` entries, from `entry` down towards the genesis block."""
        with self.lock:
            found = [entry]
            while len(found) < count and found[-1].ref.height > 0:
                found.append(self._entries[found[-1].header.prev_hash])
            return found

    def median_time_past(self, entry: Entry) -> int:
        """Return the median time of `entry` and the ten blocks before it, Unix seconds."""
        times = sorted(e.header.time for e in self.ancestors(entry, MEDIAN_TIME_SPAN))
        return times[len(times) // 2]

    def chain_work(self, entry: Entry) -> int:
        """Return the work of the chain that ends in `entry` (nBits never change here)."""
        return work_from_target(decode_nbits(entry.header.nbits)) * (entry.ref.height + 1)

    def tips(self) -> list[ChainTip]:
        """Return all ends of the tree as ``getchaintips`` lists them, highest first."""
        with self.lock:
            hidden = set(self._active[self._top + 1 :])
            parents = {entry.header.prev_hash for entry in self._entries.values()}
            ends = [
                entry
                for digest, entry in self._entries.items()
                if digest not in parents and digest not in hidden
            ]
            if self.tip not in ends:
                ends.append(self.tip)
            tips = [ChainTip(e.ref, self._branch_length(e), self._status(e)) for e in ends]
        return sorted(tips, key=lambda tip: (-tip.ref.height, tip.status != "active"))

    def _branch_length(self, entry: Entry) -> int:
        length = 0
        while not self.is_active(entry):
            entry = self._entries[entry.header.prev_hash]
            length += 1
        return length

    def _status(self, entry: Entry) -> TipStatus:
        if self.is_active(entry):
            return "active"
        if entry.invalid:
            return "invalid"
        if not entry.has_block:
            return "headers-only"
        return "valid-fork" if entry.was_active else "valid-headers"


def read_blk_files(directory: Path) -> Iterator[bytes]:
    """Yield the blocks of a node's blk files in file order."""
    key_file = directory / "xor.dat"
    key = key_file.read_bytes() if key_file.exists() else bytes(8)
    for path in sorted(directory.glob("blk*.dat")):
        with path.open("rb") as file:
            while True:
                prefix = _read_clear(file, 8, key)
                if prefix[:4] != REGTEST.magic:
                    break
                yield _read_clear(file, int.from_bytes(prefix[4:], "little"), key)


def _read_clear(file: BinaryIO, size: int, key: bytes) -> bytes:
    """Read on in a file that is obfuscated with `key`, repeated from its start."""
    shift = file.tell() % len(key)
    data = file.read(size)
    mask = ((key[shift:] + key[:shift]) * (len(data) // len(key) + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(mask)).to_bytes(len(data))
