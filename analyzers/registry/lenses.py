"""Lenses: who stands behind a pool, by dated rows, each with its source.

Nothing on the chain proves shared templates, owners or custodians. A lens is an input that
is shown beside the plain result (the lens ``tag``), never instead of it.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analyzers.mined import Chain
from analyzers.registry.lenskind import LensKind, kind_named
from analyzers.registry.loader import load_registry, read_file
from analyzers.registry.registry import Registry
from analyzers.registry.values import Heights, RegistryError

_LENS_KEYS: Final = {
    *("name", "kind", "title", "description", "names", "rest", "source", "date", "rows"),
}
_ROW_KEYS: Final = {"pool", "entity", "first", "last", "since", "until", "source", "weak"}
_SLUG: Final = re.compile(r"[a-z0-9]{1,40}")

DEFAULT_KIND: Final = LensKind.COORDINATION
"""The kind of a lens that does not say one: such a lens shows shares, and no attack."""


@dataclass(frozen=True, slots=True)
class LensRow:
    """`pool` is part of `entity` at `heights` and from `since` to before `until` (Unix s).

    `weak` marks a row whose only sources are lists that name none of their own.
    """

    pool: str
    entity: str
    heights: Heights
    since: int | None
    until: int | None
    source: str
    weak: bool = False

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

    Pools without a row stand for themselves; where there is a `rest`, nothing is known of them,
    and of those whose row names `rest`: their blocks are nobody's, and never one entity's.
    """

    name: str
    kind: LensKind
    title: str
    description: str
    names: Mapping[str, str]
    rest: str | None
    rows: Mapping[str, tuple[LensRow, ...]]
    date: datetime.date | None = None
    """The day that its source is of: what changed since is not in it."""

    def row(self, pool: str, height: int, time: int) -> LensRow | None:
        """Return the row of `pool` that holds for a block of this height and time."""
        return next((row for row in self.rows.get(pool, ()) if row.holds(height, time)), None)

    def entity(self, pool: str, height: int, time: int) -> str | None:
        """Return the slug of who stands behind `pool` at such a block, None where not known."""
        row = self.row(pool, height, time)
        if row is not None:
            return None if row.entity == self.rest else row.entity
        return pool if self.rest is None else None

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


@dataclass(frozen=True, slots=True)
class Marks:
    """A lens that only tells whether a row of `lens` applies: to ``row``, or to nobody."""

    lens: Lens

    def __call__(self, pool: str, height: int, time: int) -> str | None:
        """Return ``row`` where one applies; all blocks show something through no rows at all."""
        applies = not self.lens.rows or self.lens.row(pool, height, time) is not None
        return "row" if applies else None

    def steady(self, pool: str) -> bool:
        """Tell whether it says the same of `pool` at every height and time."""
        return self.lens.steady(pool)


def applies_to(lens: Lens, chain: Chain) -> NDArray[np.bool_]:
    """Tell of each block of `chain` whether a row of `lens` applies to it."""
    if not lens.rows:
        return np.ones(len(chain), dtype=np.bool_)
    codes, _ = chain.entities(Marks(lens))
    found: NDArray[np.bool_] = codes >= 0
    return found


TAG_LENS: Final = Lens(
    "tag", LensKind.CONTROL, "By tag", "Pools as their blocks name them.", {}, None, {}
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What the rows of a lens did to some blocks.

    `by_rows` counts the blocks that a row sent to each entity (None: to nobody), `weak` those of
    them whose row is weak. `lens` is None where no lens was looked through.
    """

    lens: Lens | None = None
    by_rows: Mapping[str | None, int] = field(default_factory=dict)
    weak: Mapping[str | None, int] = field(default_factory=dict)

    @property
    def kind(self) -> LensKind:
        """The kind of the lens; blocks that are looked at plainly show who directs the work."""
        return LensKind.CONTROL if self.lens is None else self.lens.kind

    @property
    def applies(self) -> bool:
        """Whether the lens says anything of these blocks that the lens ``tag`` does not."""
        return self.lens is None or not self.lens.rows or bool(self.by_rows)

    def called(self, entity: str, name: str) -> str:
        """Return how to speak of `entity`, whose name is `name`, as of who found blocks.

        A group is spoken of by its pools, unless it directs their work; an entity that no row
        sent blocks to is a pool that stands for itself.
        """
        return self.kind.pools_of(name) if entity in self.by_rows else name


PLAIN_SIGHT: Final = Sight()
"""That of blocks which are looked at through no lens."""

NO_ROW: Final = "no row of this lens applies to these blocks"
"""What is said in place of figures that would be those of the lens ``tag`` again."""


def look(lens: Lens, blocks: Iterable[tuple[str | None, int, int, int]]) -> Sight:
    """Return what the rows of `lens` do to `blocks`: pool, height, time, and how many.

    Examples
    --------
    >>> custody = load_lenses()["custody"]
    >>> look(custody, [("antpool", 826_000, 1_705_000_000, 5)]).applies
    False
    >>> look(custody, [("antpool", 850_000, 1_719_000_000, 5)]).by_rows
    {'sharedcustodian': 5}
    """
    by_rows: dict[str | None, int] = {}
    weak: dict[str | None, int] = {}
    if not lens.rows:
        return Sight(lens)
    for pool, height, time, number in blocks:
        row = None if pool is None else lens.row(pool, height, time)
        if row is not None:
            entity = None if row.entity == lens.rest else row.entity
            by_rows[entity] = by_rows.get(entity, 0) + number
            if row.weak:
                weak[entity] = weak.get(entity, 0) + number
    return Sight(lens, by_rows, weak)


def lens_of(name: str, kind: LensKind, mapping: Mapping[str, str]) -> Lens:
    """Return a lens in which each pool (slug) of `mapping` stands for its entity at all times."""
    always = Heights(None, None)
    rows = {
        pool: (LensRow(pool, entity, always, None, None, name),) for pool, entity in mapping.items()
    }
    return Lens(name, kind, f"By {name}", "", {}, None, rows)


def load_lenses(path: Path | None = None, registry: Registry | None = None) -> dict[str, Lens]:
    """Read the lenses at `path`, or those that ship; ``tag`` is always there, and first.

    Raises
    ------
    RegistryError
        If the file cannot be read, a lens has an unknown kind, a row has no source or names a
        pool that `registry` (by default ours) does not have, or two rows of a lens say different
        things at once.
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
    try:
        kind = kind_named(table.get("kind", DEFAULT_KIND))
    except ValueError as error:
        raise RegistryError(f"{where}: {error}") from None
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
        kind=kind,
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
    if not isinstance(item.get("weak", False), bool):
        raise RegistryError(f"{where}: {dict(item)}: weak is true or false")
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
        weak=item.get("weak", False),
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
