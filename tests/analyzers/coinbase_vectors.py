"""Real coinbases with what others say of them: tests/vectors/coinbases.csv."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from functools import cache

from hashing.wire import TxOut
from tests.analyzers.vectors import VECTORS


@dataclass(frozen=True, slots=True)
class RealCoinbase:
    """A row of coinbases.csv; slugs are None where nobody is named."""

    height: int
    hash: str
    script_sig: bytes
    outputs: tuple[TxOut, ...]
    first_regex: str | None
    longest_bytes: str | None
    published: str | None
    pool: str | None
    rule: str

    @property
    def key(self) -> tuple[str, str]:
        return str(self.height), self.hash


def csv_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a vector file, whose lines that begin with # say where it is from."""
    lines = (VECTORS / name).read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _output(text: str) -> TxOut:
    value, _, script = text.partition(":")
    return TxOut(int(value), bytes.fromhex(script))


@cache
def real_coinbases() -> tuple[RealCoinbase, ...]:
    return tuple(
        RealCoinbase(
            height=int(row["height"]),
            hash=row["hash"],
            script_sig=bytes.fromhex(row["script"]),
            outputs=tuple(_output(text) for text in row["outputs"].split()),
            first_regex=row["first_regex"] or None,
            longest_bytes=row["longest_bytes"] or None,
            published=row["published"] or None,
            pool=row["pool"] or None,
            rule=row["rule"],
        )
        for row in csv_rows("coinbases.csv")
    )


@cache
def disagreements() -> dict[tuple[str, str], dict[str, str]]:
    """Return the explained disagreements by (height, end of hash)."""
    return {(row["height"], row["hash"]): row for row in csv_rows("coinbase_disagreements.csv")}


@cache
def reasons() -> dict[str, str]:
    return tomllib.loads((VECTORS / "coinbase_reasons.toml").read_text("utf-8"))
