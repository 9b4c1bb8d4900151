"""Lenses: who stands behind a pool, by dated rows, each with its source.

Nothing on the chain proves shared templates, owners or custodians. A lens is an input that
is shown beside the plain result (the lens ``tag``), never instead of it.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from analyzers.registry.loader import load_registry, read_file
from analyzers.registry.registry import Registry
from analyzers.registry.values import Heights, RegistryError

_LENS_KEYS: Final = {"name", "title", "description", "names", "rest", "source", "date", "rows"}
_ROW_KEYS: Final = {"pool", "entity", "first", "last", "since", "until", "source"}
_SLUG: Final = re.compile(r"[a-z0-9]{1,40}")


@dataclass(frozen=True, slots=True)
class LensRow:
    """`pool` is part of `entity` at `heights` and from `since` to before `until` (Unix s)."""

    pool: str
    entity: str
    heights: Heights
    since: int | None
    until: int | None
    source: str

    def holds(self, height: int, time: int) -> bool:
        """Tell whether the row holds for a block of this height and header time."""
        return (
            height in self.heights
            and (self.since is None or time >= self.since)
            and (self.until is None or time < self.until)
        )


@dataclass(frozen=True, slots=True)
class Lens:
    """One way to look at pools. Calling it gives the entity behind a pool.

    `rest` is the entity of pools without a row; None: they stand for themselves.
    """

    name: str
    title: str
    description: str
    names: Mapping[str, str]
    rest: str | None
    rows: Mapping[str, tuple[LensRow, ...]]
    date: datetime.date | None = None
    """The day that its source is of: what changed since is not in it."""

    def entity(self, pool: str, height: int, time: int) -> str:
        """Return the slug of who stands behind `pool` at a block of this height and time."""
        for row in self.rows.get(pool, ()):
            if row.holds(height, time):
                return row.entity
        return pool if self.rest is None else self.rest

    __call__ = entity

    def steady(self, pool: str) -> bool:
        """Tell whether the same entity stands behind `pool` at every height and time."""
        return all(
            row.heights.open and row.since is None and row.until is None
            for row in self.rows.get(pool, ())
        )

    def name_of(self, entity: str, registry: Registry) -> str:
        """Return the name to show for an entity."""
        return self.names.get(entity) or registry.name_of(entity)


TAG_LENS: Final = Lens("tag", "By tag", "Pools as their blocks name them.", {}, None, {})


def load_lenses(path: Path | None = None, registry: Registry | None = None) -> dict[str, Lens]:
    """Read the lenses at `path`, or those that ship; ``tag`` is always there, and first.

    Raises
    ------
    RegistryError
        If the file cannot be read, a row has no source or names a pool that `registry` (by
        default ours) does not have, or two rows of a lens say different things at once.
    """
    if path is None and registry is None:
        return dict(_bundled())
    text = _bundled_text() if path is None else read_file(path)
    origin = "lenses.toml" if path is None else str(path)
    return parse_lenses(text, registry or load_registry(), origin)


@lru_cache(maxsize=1)
def _bundled() -> Mapping[str, Lens]:
    return parse_lenses(_bundled_text(), load_registry(), "lenses.toml")


def _bundled_text() -> str:
    return (resources.files("analyzers.registry") / "lenses.toml").read_text("utf-8")


def parse_lenses(text: str, registry: Registry, origin: str = "lenses") -> dict[str, Lens]:
    """Read lenses from TOML `text`; see `load_lenses`."""
    try:
        tables = tomllib.loads(text).get("lens", [])
    except tomllib.TOMLDecodeError as error:
        raise RegistryError(f"{origin}: not TOML: {error}") from error
    if not _are_tables(tables):
        raise RegistryError(f"{origin}: lenses are [[lens]] tables")
    lenses = {TAG_LENS.name: TAG_LENS}
    for table in tables:
        lens = _lens(table, registry, origin)
        if lens.name in lenses:
            raise RegistryError(f"{origin}: lens {lens.name!r} is there twice")
        lenses[lens.name] = lens
    return lenses


def _lens(table: Mapping[str, Any], registry: Registry, origin: str) -> Lens:
    where = f"{origin}: lens {table.get('name')!r}"
    if not set(table) <= _LENS_KEYS or not table.get("title"):
        raise RegistryError(
            f"{where}: needs a title and knows only {', '.join(sorted(_LENS_KEYS))}"
        )
    if not re.fullmatch(r"[a-z][a-z-]{0,30}", str(table.get("name", ""))):
        raise RegistryError(f"{where}: a name is lower-case letters and dashes")
    if not _are_tables(table.get("rows", [])) or not isinstance(table.get("names", {}), dict):
        raise RegistryError(f"{where}: rows are tables, and names a table of entities")
    rows: dict[str, list[LensRow]] = {}
    for item in table.get("rows", []):
        row = _row(item, str(table.get("source", "")), where)
        if row.pool not in registry.pools:
            raise RegistryError(f"{where}: no pool {row.pool!r} in the registry")
        for other in rows.setdefault(row.pool, []):
            if _overlap(row, other):
                raise RegistryError(f"{where}: two rows of {row.pool!r} hold at the same time")
        rows[row.pool].append(row)
    date = _day(table.get("date"), where)
    told = [f"Its source is of {date}: it shows nothing newer."] if date else []
    return Lens(
        name=table["name"],
        title=table["title"],
        description=" ".join([*filter(None, [table.get("description", "")]), *told]),
        names=dict(table.get("names", {})),
        rest=table.get("rest"),
        rows={pool: tuple(found) for pool, found in rows.items()},
        date=date,
    )


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _row(item: Mapping[str, Any], source: str, where: str) -> LensRow:
    if not set(item) <= _ROW_KEYS:
        raise RegistryError(f"{where}: {dict(item)}: known keys are {', '.join(sorted(_ROW_KEYS))}")
    pool, entity = item.get("pool"), item.get("entity")
    if not isinstance(pool, str) or not isinstance(entity, str) or not _SLUG.fullmatch(entity):
        raise RegistryError(f"{where}: {dict(item)}: a row has a pool and an entity, both slugs")
    if not item.get("source", source):
        raise RegistryError(f"{where}: {dict(item)}: every row has a source")
    for key in ("first", "last"):
        if not isinstance(item.get(key, 0), int):
            raise RegistryError(f"{where}: {dict(item)}: {key} is a height")
    return LensRow(
        pool=pool,
        entity=entity,
        heights=Heights(item.get("first"), item.get("last")),
        since=_midnight(item.get("since"), where),
        until=_midnight(item.get("until"), where),
        source=item.get("source", source),
    )


def _midnight(date: Any, where: str) -> int | None:
    """Return a TOML date as Unix seconds of its beginning in UTC."""
    day = _day(date, where)
    return None if day is None else (day - datetime.date(1970, 1, 1)).days * 86_400


def _day(date: Any, where: str) -> datetime.date | None:
    # a TOML time of day is a datetime, which is a date as well
    if date is None or type(date) is datetime.date:
        return date
    raise RegistryError(f"{where}: {date!r} is no date; write it as 2024-04-01")


def _overlap(one: LensRow, two: LensRow) -> bool:
    """Tell whether some height and time fit both rows."""
    heights = _meet((one.heights.first, one.heights.last), (two.heights.first, two.heights.last))
    ends = [None if row.until is None else row.until - 1 for row in (one, two)]
    return heights and _meet((one.since, ends[0]), (two.since, ends[1]))


def _meet(one: tuple[int | None, int | None], two: tuple[int | None, int | None]) -> bool:
    starts = [start for start, _ in (one, two) if start is not None]
    ends = [end for _, end in (one, two) if end is not None]
    return not starts or not ends or max(starts) <= min(ends)
