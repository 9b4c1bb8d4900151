"""Reads a registry file (TOML) and refuses what is ambiguous, saying where.

The format is described in ``docs/registry.md``.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from analyzers.escape import terminal_text
from analyzers.leftout import LeftOut
from analyzers.model import Strength
from analyzers.registry.address import AddressError, script_of
from analyzers.registry.pattern import Pattern
from analyzers.registry.registry import Registry
from analyzers.registry.values import (
    ANYWHERE,
    Heights,
    OwnerRule,
    Payee,
    Payout,
    Pool,
    RegistryError,
    Source,
    Tag,
    slugify,
)

RULES_VERSION: Final = 3
"""Part of every registry version: raised when `analyzers.attribution` decides differently."""

MAX_PATTERN_BYTES: Final = 100
_POOL_KEYS: Final = {
    *("slug", "name", "aliases", "website", "ids", "tags", "payouts", "pays", "settled"),
}
_ROW_KEYS: Final = {"strength", "first", "last", "seen", "sources", "note"}
_SOURCE_KEYS: Final = {"where", "date", "followed"}


def load_registry(path: Path | None = None) -> Registry:
    """Read the registry at `path`, or the one that ships.

    Raises
    ------
    RegistryError
        If the file cannot be read, is no registry, or is ambiguous.
    """
    return _bundled() if path is None else parse_registry(read_file(path), str(path))


@lru_cache(maxsize=1)
def _bundled() -> Registry:
    file = resources.files("analyzers.registry") / "pools.toml"
    return parse_registry(file.read_text("utf-8"), "pools.toml")


def read_file(path: Path) -> str:
    """Return the text of `path`; `RegistryError` if it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(f"{path}: cannot be read: {error}") from error


def parse_registry(text: str, origin: str = "registry") -> Registry:
    """Read a registry from TOML `text`; `origin` names it in messages.

    Raises
    ------
    RegistryError
        If `text` is no registry or two rows claim the same bytes, script, slug or name.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RegistryError(f"{origin}: not TOML: {error}") from error
    named = document.get("sources", {})
    tables = document.get("pool", [])
    if not isinstance(named, dict) or not isinstance(tables, list) or not tables:
        raise RegistryError(f"{origin}: a registry has [sources] and at least one [[pool]]")
    sources = {name: _source(name, value, origin) for name, value in named.items()}
    pools = [_Table(table, sources, origin).pool() for table in tables]
    return make_registry(pools, sources, origin, date=_date(document, origin))


def _source(name: str, value: Any, origin: str) -> Source:
    """Read a row of [sources]: where it is found, or that and its date in a table."""
    if isinstance(value, str):
        return Source(value)
    where = f"{origin}: source {name!r}"
    if not isinstance(value, dict) or not isinstance(value.get("where"), str):
        raise RegistryError(f"{where}: say where it is found, in a text or as where in a table")
    if unknown := sorted(set(value) - _SOURCE_KEYS):
        known = ", ".join(sorted(_SOURCE_KEYS))
        raise RegistryError(f"{where}: unknown key {unknown[0]!r}; known: {known}")
    date, followed = _date(value, where), value.get("followed", False)
    if not isinstance(followed, bool):
        raise RegistryError(f"{where}: followed is true or false")
    if followed and date is None:
        raise RegistryError(f"{where}: a source that is followed has a date")
    return Source(value["where"], date, followed)


def _date(table: Mapping[str, Any], where: str) -> datetime.date | None:
    date = table.get("date")
    # a TOML time of day is a datetime, which is a date as well
    if date is not None and type(date) is not datetime.date:
        raise RegistryError(f"{where}: date is a day, written as 2026-02-28, not {date!r}")
    return date


def make_registry(
    pools: Sequence[Pool],
    sources: Mapping[str, Source],
    origin: str = "registry",
    *,
    strict: bool = True,
    date: datetime.date | None = None,
    rule: OwnerRule = "ours",
    left_out: tuple[LeftOut, ...] = (),
) -> Registry:
    """Return a registry of `pools`; with `strict`, no two rows may claim the same thing.

    `rule` says whose rule decides by it, `left_out` what its file held beside.

    Raises
    ------
    RegistryError
        Naming what is claimed twice, and by whom.
    """
    owners: dict[tuple[str, str], str] = {}
    for pool in pools if strict else ():
        for kind, claimed in _claims(pool):
            if (kind, claimed) in owners:
                raise RegistryError(
                    f"{origin}: {kind} {claimed} is claimed by {owners[kind, claimed]!r} and by "
                    f"{pool.slug!r}: give it to one of them, and say why in a note"
                )
            owners[kind, claimed] = pool.slug
    by_slug = {pool.slug: pool for pool in sorted(pools, key=lambda pool: pool.slug)}
    version = _content_hash(by_slug, rule)
    return Registry(by_slug, dict(sources), version, date, rule, left_out)


def _claims(pool: Pool) -> Iterator[tuple[str, str]]:
    """Return what `pool` claims for itself alone, as (kind, spelling)."""
    yield "slug", pool.slug
    for tag in pool.tags:
        yield ("tag", repr(tag.literal)) if tag.pattern is None else ("pattern", tag.text)
    yield from (("payout script", pay.script.hex()) for pay in pool.payouts)
    yield from (("name", name) for name in {slugify(n) for n in (pool.name, *pool.aliases)} - {""})
    for list_name, labels in pool.ids.items():
        yield from ((f"id in {list_name}", label) for label in labels)


def _content_hash(pools: Mapping[str, Pool], rule: OwnerRule) -> str:
    """Return a hash of what decides an attribution; notes and sources do not count.

    The order of the file counts where its owner's rule goes by it.
    """
    rows = [
        (
            pool.slug,
            sorted(
                (
                    tag.literal.hex(),
                    tag.pattern.source.hex() if tag.pattern else "",
                    tag.strength,
                    str(tag.heights),
                    *([tag.bounds] if tag.bounds else []),
                )
                for tag in pool.tags
            ),
            sorted((pay.script.hex(), pay.strength, str(pay.heights)) for pay in pool.payouts),
            sorted((name, *sorted(labels)) for name, labels in pool.ids.items()),
            sorted({slugify(name) for name in (pool.name, *pool.aliases)}),
            *([str(pool.settled)] if pool.settled is not None else []),
        )
        for _, pool in sorted(pools.items())
    ]
    ranks = [
        (rule, pool.slug, [tag.rank for tag in pool.tags], [pay.rank for pay in pool.payouts])
        for _, pool in sorted(pools.items())
        if rule != "ours"
    ]
    decides = [RULES_VERSION, rows, *([ranks] if ranks else [])]
    canonical = json.dumps(decides, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


class _Table:
    """One ``[[pool]]`` table; each method checks what it reads."""

    def __init__(self, table: Any, sources: Mapping[str, Source], origin: str) -> None:
        if not isinstance(table, dict):
            raise RegistryError(f"{origin}: [[pool]] must be a table")
        self._table = table
        self._sources = sources
        self._slug = table.get("slug")
        self._where = f"{origin}: pool {self._slug!r}"
        if not isinstance(self._slug, str) or not re.fullmatch(r"[a-z0-9]{1,40}", self._slug):
            raise self._error("a slug is 1 to 40 lower-case letters and digits")
        self._only(table, _POOL_KEYS, "")

    def pool(self) -> Pool:
        """Return the pool of this table."""
        name = self._text(self._table, "name")
        if not name:
            raise self._error("name is missing")
        if terminal_text(name) != name:
            raise self._error(f"name {name!r} has characters that do not show as themselves")
        ids = self._table.get("ids", {})
        if not isinstance(ids, dict):
            raise self._error("ids is a table of list names, each with an array of strings")
        pays, settled = self._paying()
        return Pool(
            slug=str(self._slug),
            name=name,
            aliases=self._texts(self._table, "aliases"),
            website=self._text(self._table, "website"),
            ids={list_name: self._texts(ids, list_name) for list_name in ids},
            tags=tuple(self._tag(row) for row in self._rows("tags")),
            payouts=tuple(self._payout(row) for row in self._rows("payouts")),
            pays=pays,
            settled=settled,
        )

    def _paying(self) -> tuple[Payee, Heights | None]:
        """Return whom the pool's coinbases pay, and at which heights always a known script."""
        pays, settled = self._table.get("pays", "pool"), self._span(self._table, "settled")
        if pays not in ("pool", "miners"):
            raise self._error(f"pays is pool or miners, not {pays!r}")
        if settled is not None and (pays == "miners" or not self._table.get("payouts")):
            raise self._error("settled is said of a pool that pays itself, to known payouts")
        return pays, settled

    def _tag(self, row: dict[str, Any]) -> Tag:
        self._only(row, _ROW_KEYS | {"text", "hex", "pattern", "anchor", "bounds"}, "tags: ")
        forms = [key for key in ("text", "hex", "pattern") if key in row]
        if len(forms) != 1:
            raise self._error(f"tag {row}: give one of text, hex and pattern")
        pattern = None
        if forms == ["pattern"]:
            if not row.get("anchor") or not row.get("note"):
                raise self._error(f"pattern {row}: needs its anchor, and the reason in note")
            pattern = self._pattern(self._text(row, "pattern"))
            literal = self._text(row, "anchor").encode()
        elif forms == ["hex"]:
            literal = self._hex(row)
        else:
            literal = self._text(row, "text").encode()
        if not 2 <= len(literal) <= MAX_PATTERN_BYTES:
            raise self._error(f"tag {row}: a tag has 2 to {MAX_PATTERN_BYTES} bytes")
        bounds = row.get("bounds", "")
        if bounds not in ("", "word", "field") or (bounds and pattern):
            raise self._error(f"tag {row}: bounds are word or field, of a text or of bytes")
        strength, heights, sources, note = self._common(row)
        return Tag(
            *(str(self._slug), literal, strength, heights, sources, pattern, note),
            bounds=bounds,
            seen=self._span(row, "seen") or ANYWHERE,
        )

    def _payout(self, row: dict[str, Any]) -> Payout:
        self._only(row, _ROW_KEYS | {"address", "hex"}, "payouts: ")
        strength, heights, sources, note = self._common(row)
        if ("address" in row) == ("hex" in row):
            raise self._error(f"payout {row}: give either address or hex (a scriptPubKey)")
        address = self._text(row, "address")
        try:
            script = script_of(address) if address else self._hex(row)
        except AddressError as error:
            raise self._error(str(error)) from error
        return Payout(
            *(str(self._slug), script, address, strength, heights, sources, note),
            seen=self._span(row, "seen") or ANYWHERE,
        )

    def _common(self, row: dict[str, Any]) -> tuple[Strength, Heights, tuple[str, ...], str]:
        strength = row.get("strength", "strong")
        if strength not in ("strong", "weak"):
            raise self._error(f"{row}: strength is strong or weak")
        first, last = row.get("first"), row.get("last")
        for height in (first, last):
            if height is not None and not _is_height(height):
                raise self._error(f"{row}: first and last are heights")
        if first is not None and last is not None and first > last:
            raise self._error(f"{row}: first is above last")
        sources = self._texts(row, "sources")
        unknown = [source for source in sources if source not in self._sources]
        if not sources or unknown:
            raise self._error(f"{row}: every row names its sources, keys of [sources]")
        return strength, Heights(first, last), sources, self._text(row, "note")

    def _span(self, table: dict[str, Any], key: str) -> Heights | None:
        """Return the first and the last height of an array of both; None where there is none."""
        span = table.get(key)
        if span is None:
            return None
        heights = isinstance(span, list) and len(span) == 2 and all(map(_is_height, span))
        if not heights or span[0] > span[1]:
            raise self._error(f"{key} is the first and the last height, [700000, 710000]: {span}")
        return Heights(*span)

    def _pattern(self, text: str) -> Pattern:
        try:
            return Pattern(text.encode())
        except ValueError as error:
            raise self._error(f"pattern {text!r}: {error} (the syntax is RE2's)") from None

    def _hex(self, row: dict[str, Any]) -> bytes:
        try:
            return bytes.fromhex(self._text(row, "hex"))
        except ValueError as error:
            raise self._error(f"{row}: {error}") from error

    def _rows(self, key: str) -> list[dict[str, Any]]:
        rows = self._table.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._error(f"{key} is an array of tables")
        return rows

    def _text(self, table: dict[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self._error(f"{key} is a string, not {value!r}")
        return value

    def _texts(self, table: dict[str, Any], key: str) -> tuple[str, ...]:
        values = table.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self._error(f"{key} is an array of strings, not {values!r}")
        return tuple(values)

    def _only(self, table: dict[str, Any], known: set[str], where: str) -> None:
        unknown = sorted(set(table) - known)
        if unknown:
            raise self._error(
                f"{where}unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}"
            )

    def _error(self, message: str) -> RegistryError:
        return RegistryError(f"{self._where}: {message}")


def _is_height(value: Any) -> bool:
    """Tell whether a TOML value is a block height; true and false are no numbers."""
    return type(value) is int and value >= 0
