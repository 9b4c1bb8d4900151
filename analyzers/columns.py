"""The columns of a block, each said once: what the store keeps and what files tell of it.

A column is a field of `BlockRow`: its name, its type, and a `Column` that says what kind of value
it is, how it comes from a block, and what it means. From that follow the store's table and rows
(`monitor.store`), the columns of Parquet, CSV and JSON lines (`monitor.export`), the frames of
`analyzers.frames`, and the tables of the documentation. ``docs/contributing.md`` tells how to add
one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_type_hints

from analyzers import evidence
from analyzers.model import Attribution, Label
from hashing.header import sha256d

ProofLevel = Literal["header", "coinbase"]
"""How far a block proved itself: `coinbase` includes `header`."""

PROOFS: Final[tuple[ProofLevel, ...]] = get_args(ProofLevel)
"""Proof levels by the number that stands for them."""


class ProvedBlock(NamedTuple):
    """All that is known of a proved block when it is stored or exported.

    `header` and `coinbase` are the raw bytes, `proof` is an index into `PROOFS`. Times are Unix
    seconds.
    """

    height: int
    header: bytes
    coinbase: bytes | None
    proof: int
    source: str
    label: Label | None
    tx_count: int | None
    size: int | None
    first_seen: int | None
    attribution: Attribution
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of values: SQLAlchemy's type (with its length), Arrow's, and pandas'.

    Those of Arrow and pandas are empty for what no file holds.
    """

    sql: str
    arrow: str = ""
    pandas: str = ""
    length: int | None = None


NAME_ARROW: Final = "dictionary of string"
TIME_ARROW: Final = "timestamp[s, UTC]"

HEIGHT: Final = Kind("Integer", "int64", "int64")
TIME: Final = Kind("BigInteger", TIME_ARROW, "datetime64[s, UTC]")
NAME: Final = Kind("Integer", NAME_ARROW, "category")
CHOICE: Final = Kind("SmallInteger", NAME_ARROW, "category")
COUNT: Final = Kind("Integer", "int32", "int32")
FEW: Final = Kind("SmallInteger", "int16", "int16")
FLAG: Final = Kind("Boolean")
WORD: Final = Kind("String", length=32)
TEXT: Final = Kind("Text")
BYTES: Final = Kind("LargeBinary")
HASH: Final = replace(BYTES, length=32)
HEADER: Final = replace(BYTES, length=80)


@dataclass(frozen=True, slots=True)
class Column:
    """What is to be said of a column.

    Attributes
    ----------
    of:
        Returns its value for a block.
    help:
        What it means, with the unit.
    since:
        The version of the columns of exported files (`EXPORT_VERSION`) that first had it;
        None if no file has it.
    names:
        The table of names whose numbers the store keeps in the place of names.
    texts:
        What its numbers stand for, where they stand for words.
    name, optional:
        As the field of `BlockRow` says: its name, and whether a value may be missing.
    """

    kind: Kind
    of: Callable[[ProvedBlock], Any]
    help: str
    since: int | None = None
    names: Literal["pool", "source", "registry"] | None = None
    texts: tuple[str, ...] = ()
    name: str = ""
    optional: bool = False

    @property
    def stored(self) -> str:
        """Its name in the store's table."""
        return f"{self.name}_id" if self.names else self.name

    @property
    def dtype(self) -> str:
        """Its dtype in a frame: pandas spells integers that may be missing with a capital."""
        missing = self.optional or self.since != 1
        return self.kind.pandas.replace("int", "Int") if missing else self.kind.pandas


def hash_of(block: ProvedBlock) -> bytes:
    """Return the hash of a block's header."""
    return sha256d(block.header)


def time_of(block: ProvedBlock) -> int:
    """Return the time in a block's header, in Unix seconds."""
    return int.from_bytes(block.header[68:72], "little")


def label_of(block: ProvedBlock) -> str | None:
    """Return the pool that a list names."""
    return block.label.pool if block.label else None


def label_source_of(block: ProvedBlock) -> str | None:
    """Return which list that is."""
    return block.label.source if block.label else None


def conflicts_of(block: ProvedBlock) -> int:
    """Return how many pieces of evidence speak against the pool."""
    return len(block.attribution.conflicts)


def evidence_of(block: ProvedBlock) -> str:
    """Return the evidence as JSON."""
    return evidence.to_json(block.attribution)


class BlockRow(NamedTuple):
    """A proved block as the store keeps it, of plain values: cheap to make and to send about.

    `row_of` makes it. Names stand for themselves: the store gives them their numbers. A column
    that is added has None as its default and comes last.
    """

    height: Annotated[
        int,
        Column(HEIGHT, attrgetter("height"), "Height of the block.", since=1),
    ]
    hash: Annotated[
        bytes,
        Column(HASH, hash_of, "Hash, in the order in which it is computed."),
    ]
    stale: Annotated[
        bool,
        Column(FLAG, attrgetter("stale"), "Whether it is beside the active chain."),
    ]
    time: Annotated[
        int,
        Column(
            TIME,
            time_of,
            "Time in the header: the miner's claim, off by up to two hours.",
            since=1,
        ),
    ]
    header: Annotated[
        bytes,
        Column(HEADER, attrgetter("header"), "The raw header."),
    ]
    coinbase: Annotated[
        bytes | None,
        Column(BYTES, attrgetter("coinbase"), "The raw coinbase transaction."),
    ]
    pool: Annotated[
        str | None,
        Column(
            NAME,
            attrgetter("attribution.pool"),
            "Slug of the pool; missing where nobody is known.",
            since=1,
            names="pool",
        ),
    ]
    proof: Annotated[
        int,
        Column(
            CHOICE,
            attrgetter("proof"),
            "How far the block proved itself: `header` or `coinbase`.",
            since=1,
            texts=PROOFS,
        ),
    ]
    source: Annotated[
        str,
        Column(NAME, attrgetter("source"), "Where the block comes from.", names="source"),
    ]
    label: Annotated[
        str | None,
        Column(TEXT, label_of, "The pool that a published list names, as it spells it."),
    ]
    label_source: Annotated[
        str | None,
        Column(NAME, label_source_of, "Which list that is.", names="source"),
    ]
    tx_count: Annotated[
        int | None,
        Column(
            COUNT,
            attrgetter("tx_count"),
            "Transactions, missing where the source did not say.",
            since=1,
        ),
    ]
    size: Annotated[
        int | None,
        Column(
            COUNT,
            attrgetter("size"),
            "Bytes of the block, missing where the source did not say.",
            since=1,
        ),
    ]
    first_seen: Annotated[
        int | None,
        Column(
            TIME,
            attrgetter("first_seen"),
            "When it was first seen; missing for blocks fetched later than that.",
            since=1,
        ),
    ]
    rule: Annotated[
        str,
        Column(WORD, attrgetter("attribution.rule"), "The rule that named the pool."),
    ]
    conflicts: Annotated[
        int,
        Column(FEW, conflicts_of, "Pieces of evidence that speak against `pool`.", since=1),
    ]
    evidence: Annotated[
        str,
        Column(TEXT, evidence_of, "Evidence and conflicts, as JSON."),
    ]
    registry: Annotated[
        str,
        Column(
            NAME,
            attrgetter("attribution.registry_version"),
            "Version of the registry that named the pool.",
            names="registry",
        ),
    ]


def _said() -> dict[str, Column]:
    """Return what the fields of `BlockRow` say, by name."""
    # by default a class's own names stand before the module's, and a lambda would not see these
    hints = get_type_hints(BlockRow, globals(), globals(), include_extras=True)
    columns = {}
    for name, hint in hints.items():
        (column,) = hint.__metadata__
        optional = type(None) in get_args(hint.__origin__)
        columns[name] = replace(column, name=name, optional=optional)
    return columns


COLUMNS: Final = _said()
"""Every column by its name, in the order of a `BlockRow`."""

EXPORTED: Final = {name: column for name, column in COLUMNS.items() if column.since}
"""The columns of a file of ``poolscope export``, in its order."""

EXPORT_VERSION: Final = max(column.since or 0 for column in EXPORTED.values())
"""Version of the columns of such files: a column that is added raises it."""

_VALUES: Final = tuple(column.of for column in COLUMNS.values())


def row_of(block: ProvedBlock) -> BlockRow:
    """Return `block` as a row."""
    return BlockRow._make([value(block) for value in _VALUES])


def markdown(*, exported: bool) -> str:
    """Return the columns of exported files, or those of the store, as a Markdown table."""
    if exported:
        head = ["| column | Parquet type | meaning |", "| --- | --- | --- |"]
        rows = [f"| `{c.name}` | {c.kind.arrow} | {c.help} |" for c in EXPORTED.values()]
    else:
        head = ["| column | meaning |", "| --- | --- |"]
        rows = [f"| `{column.stored}` | {column.help} |" for column in COLUMNS.values()]
    return "\n".join([*head, *rows])
