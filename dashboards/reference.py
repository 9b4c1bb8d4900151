"""The reference of metrics in ``docs/metrics.md``, made from what agents answer.

``python -m tests.support.metrics_page`` starts two and writes the tables anew; the words around
them stay.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

GROUPS: Final = {
    "Shares": r"pool_|window_blocks",
    "Concentration": r"hhi_|effective_|entities|nakamoto_|any_above_|figures_withheld",
    "Chain and network": (
        r"network_|tip_|difficulty|epoch_|reorgs$|reorg_depth_|stale_blocks|empty_blocks"
    ),
    "Attribution and proof": (
        r"registry_|other_registry_|attributed_|conflicting_|proved_|header_only_"
    ),
    "Economics": r"block_|hashprice_|assumed_|energy_|electricity_|bitcoin_price_",
    "The agent": r"",
}
"""Headings of the page, and what the names below them begin with after ``poolscope_``."""

UNITS: Final = (
    (r"_timestamp_seconds$", "Unix time"),
    (r"_per_second(_lower|_upper|_spread)?$", "hashes per second"),
    (r"_bitcoins_per_hash$", "bitcoin per hash"),
    (r"_seconds(_total)?$", "seconds"),
    (r"_ratio$", "ratio"),
    (r"_joules$", "joules"),
    (r"_dollars$", "US dollars"),
    (r"_bitcoins$", "bitcoin"),
    (r"_bytes$", "bytes"),
    (r"_info$", "1"),
    (
        r"(_|\b)(blocks|entities|entities_(lower|upper|reading)|reorgs|fds)(_stored|_refused|_seen)?"
        r"(_total)?$|_blocks_\w+_total$|reorgs_seen_total$",
        "count",
    ),
    (r"_(requests|failures)_total$", "count"),
    (r"_height$", "height"),
    (r"_difficulty$", "difficulty"),
    (r"_left_out$", "count"),
    (r"_(ready|up|writer|leads|withheld)$", "0 or 1"),
)
"""Units by how names end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A metric as the page has it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def unit(self) -> str:
        """Unit of the values, by the name.

        Raises
        ------
        ValueError
            If the name says none.
        """
        for ending, unit in UNITS:
            if re.search(ending, self.name):
                return unit
        raise ValueError(f"the name of {self.name} says no unit")

    @property
    def group(self) -> str:
        """Heading that it stands below."""
        rest = self.name.removeprefix("poolscope_")
        return next(name for name, begins in GROUPS.items() if re.match(begins, rest))

    def row(self) -> str:
        """Return its row of a table."""
        labels = ", ".join(f"`{label}`" for label in self.labels)
        return f"| `{self.name}` | {self.kind} | {labels} | {self.unit} | {self.meaning} |"


def entries(*scrapes: str) -> list[Entry]:
    """Return poolscope's own metrics in the texts of scrapes, in their order.

    Of a metric that several agents have, the entry with the most labels counts: one without
    values shows none.
    """
    found: dict[str, Entry] = {}
    for family in itertools.chain.from_iterable(map(text_string_to_metric_families, scrapes)):
        if family.name.startswith("poolscope_") and not family.name.endswith("_created"):
            entry = _entry(family)
            known = found.setdefault(entry.name, entry)
            found[entry.name] = max(known, entry, key=lambda each: len(each.labels))
    return list(found.values())


def _entry(family: Metric) -> Entry:
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
    name = family.name + ("_total" if family.type == "counter" else "")
    kept = tuple(label for label in labels if label != "le")
    return Entry(name, family.type, kept, family.documentation)


def tables(found: Iterable[Entry]) -> str:
    """Return the page's tables, one for each group."""
    entries_of: dict[str, list[Entry]] = {group: [] for group in GROUPS}
    for entry in found:
        entries_of[entry.group].append(entry)
    parts = []
    for group, members in entries_of.items():
        if not members:
            continue
        rows = "\n".join(entry.row() for entry in members)
        parts.append(
            f"### {group}\n\n| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n"
            f"{rows}\n"
        )
    return "\n".join(parts)


def page(text: str, found: Iterable[Entry]) -> str:
    """Return the page `text` with the tables of `found` between its marks."""
    start, end = (text.index(f"<!-- {mark} -->") for mark in ("metrics", "end of metrics"))
    head = text[: start + len("<!-- metrics -->")]
    return f"{head}\n\n{tables(found)}\n{text[end:]}"
