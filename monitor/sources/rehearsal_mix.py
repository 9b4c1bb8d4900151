"""Who mines the rehearsal chain: scripts of real coinbases, in an illustrative mix."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from analyzers.registry.address import script_of
from hashing.build import build_coinbase
from hashing.wire import TxOut
from monitor.errors import ConfigError

SUBSIDY: Final = 312_500_000
"""Satoshi: mainnet's, from 2024 on. Regtest's own is nothing after some 5000 blocks."""
MEAN_FEES: Final = 3_000_000
_POOL_PART: Final = 50
"""A pool that pays its miners in the coinbase keeps one part of so many."""
_MERGED: Final[tuple[bytes | int, ...]] = (b"\xfa\xbemm", 32, b"\x10" + bytes(7))

Piece = bytes | int


@dataclass(frozen=True, slots=True)
class Miner:
    """How one miner writes its coinbases.

    `script` follows the height: literal bytes, and numbers of random bytes. `payout` is a
    scriptPubKey, or None for a new one in each block; `payees` others are paid before.
    """

    name: str
    share: float
    script: tuple[Piece, ...]
    payout: bytes | None
    payees: int

    def coinbase(self, height: int, rng: random.Random) -> bytes:
        """Return the coinbase of the block at `height`; the same `rng`, the same bytes."""
        tail = b"".join(
            piece if isinstance(piece, bytes) else rng.randbytes(piece) for piece in self.script
        )
        reward = SUBSIDY + int(rng.expovariate(1 / MEAN_FEES))
        outputs = []
        if self.payees:
            each = (reward - reward // _POOL_PART) // self.payees
            outputs = [TxOut(each, _new_script(rng)) for _ in range(self.payees)]
            reward -= each * self.payees
        outputs.append(TxOut(reward, self.payout or _new_script(rng)))
        return build_coinbase(height, tail, outputs)


def _new_script(rng: random.Random) -> bytes:
    return b"\x00\x14" + rng.randbytes(20)


@cache
def illustrative_mix() -> tuple[Miner, ...]:
    """Return the miners that ship, the largest first."""
    text = files("monitor.sources").joinpath("data", "rehearsal.toml").read_text("utf-8")
    return tuple(map(_miner, tomllib.loads(text)["miner"]))


def mix_of(shares: Mapping[str, float] | None) -> tuple[Miner, ...]:
    """Return the miners named in `shares` with those weights; None: the illustrative mix.

    Raises
    ------
    ConfigError
        If a name is none of the miners that ship, or no weight is above zero.
    """
    known = {miner.name: miner for miner in illustrative_mix()}
    if shares is None:
        return tuple(known.values())
    if unknown := shares.keys() - known.keys():
        raise ConfigError(f"rehearsal: no miner {min(unknown)!r}; there are {', '.join(known)}")
    if min(shares.values(), default=0) < 0 or sum(shares.values()) <= 0:
        raise ConfigError("rehearsal: shares must not be negative, and one must be above zero")
    return tuple(
        Miner(m.name, shares[m.name], m.script, m.payout, m.payees)
        for m in known.values()
        if m.name in shares
    )


def _miner(row: Mapping[str, Any]) -> Miner:
    return Miner(
        name=row["name"],
        share=row["share"],
        script=tuple(piece for entry in row["script"] for piece in _pieces(entry)),
        payout=script_of(row["address"]) if "address" in row else None,
        payees=row.get("payees", 0),
    )


def _pieces(entry: str | int | Mapping[str, str]) -> Sequence[Piece]:
    if entry == "merged":
        return _MERGED
    if isinstance(entry, str):
        return (entry.encode(),)
    if isinstance(entry, int):
        return (entry,)
    return (bytes.fromhex(entry["hex"]),)
