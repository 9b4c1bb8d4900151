"""A chain as long as Bitcoin's, of real coinbases on headers that link without work."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from analyzers.attribution import attribute_parts
from analyzers.columns import PROOFS, BlockRow
from analyzers.evidence import to_json
from analyzers.registry import load_registry
from hashing.header import sha256d
from hashing.wire import TxOut
from tests.analyzers.coinbase_vectors import real_coinbases

BLOCKS = 950_000
GENESIS_TIME = 1_231_006_505
_FORMER = "a former registry"


def rows(count: int = BLOCKS) -> Iterator[BlockRow]:
    """Yield blocks from height 0 on, each ten minutes after the one before.

    They are attributed as by a registry that knew what ours does, under another version.
    """
    registry = load_registry()
    found = []
    for real in sorted(real_coinbases(), key=lambda real: real.height):
        raw = _coinbase(real.script_sig, real.outputs)
        made = attribute_parts(real.script_sig, real.outputs, registry, height=real.height)
        found.append((raw, replace(made, registry_version=_FORMER), to_json(made)))
    parent = bytes(32)
    for height in range(count):
        coinbase, made, evidence = found[height % len(found)]
        time = GENESIS_TIME + 600 * height
        header = struct.pack("<i32s32sIII", 4, parent, bytes(32), time, 0x207FFFFF, height)
        parent = sha256d(header)
        yield BlockRow(
            height=height,
            hash=parent,
            stale=False,
            time=time,
            header=header,
            coinbase=coinbase,
            proof=PROOFS.index("coinbase"),
            source="blkfiles",
            label=None,
            label_source=None,
            tx_count=1 + height % 4000,
            size=1_000_000 + height,
            first_seen=None,
            pool=made.pool,
            rule=made.rule,
            conflicts=len(made.conflicts),
            evidence=evidence,
            registry=made.registry_version,
        )


def _coinbase(script_sig: bytes, outputs: tuple[TxOut, ...]) -> bytes:
    return b"".join(
        (
            struct.pack("<iB32sI", 1, 1, bytes(32), 0xFFFFFFFF),
            _sized(script_sig),
            struct.pack("<IB", 0xFFFFFFFF, len(outputs)),
            *(struct.pack("<Q", out.value) + _sized(out.script) for out in outputs),
            bytes(4),
        )
    )


def _sized(data: bytes) -> bytes:
    return bytes([len(data)]) + data
