"""What an input held and the output does not use: counted and named, never dropped in silence.

Whoever reads an input keeps a `Tally`. Every face then says it the same way: text is
``str(left)``, JSON is `LeftOut.as_json`, and the agent's metric counts by `Kind`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from analyzers.escape import terminal_text

_EXAMPLES: Final = 5
"""Examples that are kept of each reason: enough to look for the cause."""
_LONGEST: Final = 80
"""Characters of an example that are shown."""


class Kind(enum.StrEnum):
    """What was left out, as a metric label names it; `NOUNS` are for people."""

    BLK_FILE = "blk_file"
    BLK_RECORD = "blk_record"
    UNLINKED_BLOCK = "unlinked_block"
    HEADER_ONLY = "header_only_block"
    TIP = "tip"
    LENS_ROW = "lens_row"
    LABEL_ROW = "label_row"
    LIST_ENTRY = "list_entry"
    COINBASE_LINE = "coinbase_line"
    URL_PART = "url_part"
    CONF_SETTING = "conf_setting"


NOUNS: Final = {
    # one of them, several of them
    Kind.BLK_FILE: ("block file", "block files"),
    Kind.BLK_RECORD: ("record of the block files", "records of the block files"),
    Kind.UNLINKED_BLOCK: ("block that does not link", "blocks that do not link"),
    Kind.HEADER_ONLY: (
        "block that is stored by its header alone",
        "blocks that are stored by their headers alone",
    ),
    Kind.TIP: ("tip of the source", "tips of the source"),
    Kind.LENS_ROW: ("row of the lens", "rows of the lens"),
    Kind.LABEL_ROW: ("row of the labels", "rows of the labels"),
    Kind.LIST_ENTRY: ("entry of the pool list", "entries of the pool list"),
    Kind.COINBASE_LINE: ("line of coinbases", "lines of coinbases"),
    Kind.URL_PART: ("part of the address", "parts of the address"),
    Kind.CONF_SETTING: ("setting of bitcoin.conf", "settings of bitcoin.conf"),
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many things of a kind were left out for one reason.

    `examples` are at most five, safe to print: a name, a line, a height, a file.
    """

    kind: Kind
    count: int
    why: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        noun = NOUNS[self.kind][self.count != 1]
        more = ", ..." if self.count > len(self.examples) >= _EXAMPLES else ""
        shown = f" ({', '.join(self.examples)}{more})" if self.examples else ""
        return f"left out: {self.count} {noun}{shown}: {self.why}"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind.value,
            "count": self.count,
            "why": self.why,
            "examples": list(self.examples),
        }


class Tally:
    """Counts what a reader leaves out, by kind and reason; memory does not grow with the input.

    Reasons are few and fixed texts: what differs from one thing to the next is its example.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.add(Kind.LENS_ROW, "no pool of the registry has this name", "line 3: Fuondry")
    >>> print(*tally.found)
    left out: 1 row of the lens (line 3: Fuondry): no pool of the registry has this name
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[Kind, str], int] = {}
        self._examples: dict[tuple[Kind, str], list[str]] = {}

    def add(self, kind: Kind, why: str, example: str | bytes = "", count: int = 1) -> None:
        """Count `count` things of `kind`, of which `example` names one."""
        key = (kind, why)
        self._counts[key] = self._counts.get(key, 0) + count
        examples = self._examples.setdefault(key, [])
        if example and len(examples) < _EXAMPLES:
            examples.append(terminal_text(example)[:_LONGEST])

    def extend(self, found: Iterable[LeftOut]) -> None:
        """Add what another reader left out."""
        for left in found:
            first, *rest = left.examples or ("",)
            self.add(left.kind, left.why, first, left.count)
            for example in rest:
                self.add(left.kind, left.why, example, 0)

    @property
    def found(self) -> tuple[LeftOut, ...]:
        """What was left out so far, in the order in which it was met."""
        return tuple(
            LeftOut(kind, count, why, tuple(self._examples[kind, why]))
            for (kind, why), count in self._counts.items()
        )
