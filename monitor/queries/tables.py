"""Tables that the user gives, as files or on standard input: counts per entity, and lenses."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analyzers.leftout import Kind, Tally
from analyzers.registry import Registry
from analyzers.registry.values import name_key, slugify
from analyzers.textrows import MOST_DIGITS, Line, decoded, number_of, quoted, rows_of, same
from monitor.errors import QuestionError
from monitor.paths import at_home
from monitor.queries.telling import Tell, registry_told, tell_all, warn

if TYPE_CHECKING:
    from analyzers.registry.lenses import Lens
    from analyzers.registry.lenskind import LensKind

LARGEST: Final = 10_000_000
"""Bytes; a larger file is no table of entities."""
MAX_LINES: Final = 1_000_000
"""More lines than this are no table of entities."""
_POOL_HEADS: Final = {"pool", "slug", "name", "poolslug", "poolname", "miner", "label", "tag"}
_ENTITY_HEADS: Final = {"entity", "group", "owner", "parent", "operator", "cluster", "company"}


def text_of(source: str) -> str:
    """Return the text of a file, or of standard input (``-``): UTF-8, or UTF-16 with its mark.

    Raises
    ------
    ValueError
        If it is larger than `LARGEST` or no text.
    OSError
        If it cannot be read.
    """
    where = "standard input" if source == "-" else source
    if source == "-":
        raw = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with at_home(source).open("rb") as file:
            raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"{where} is larger than {LARGEST // 10**6} MB")
    try:
        return decoded(raw)
    except UnicodeDecodeError:
        raise ValueError(f"{where} is not UTF-8 text") from None


def parse_counts(text: str) -> dict[str, int]:
    """Read counts from ``3,2,1``, from a CSV file of entity,count, or from stdin (``-``).

    Numbers alone are named by their place. A first line that holds no number is a heading;
    an entity that comes twice, in whatever case, is summed; lines that begin with # are
    passed over. Numbers may be written ``1,234`` (in quotes) and ``2.5e20``.

    Raises
    ------
    ValueError
        If a line is no entity with a whole, non-negative number.
    OSError
        If the file cannot be read.
    """
    parts = text.split(",")
    if text == "-" or at_home(text).exists():
        return _read_counts(text_of(text), "stdin" if text == "-" else text)
    if not any(_like_a_number(part) for part in parts):
        raise ValueError(f"{quoted(text)} is neither numbers such as 3,2,1 nor a file")
    return {f"#{place}": _count(part) for place, part in enumerate(parts, start=1)}


def _like_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return number_of(text) is not None
    return True


def _count(text: str) -> int:
    """Return a count; `ValueError` says what is wrong with it."""
    number = number_of(text)
    if number is None:
        raise ValueError(f"{quoted(text.strip())} is no number of blocks")
    if number < 0:
        raise ValueError(f"{quoted(text.strip())}: a number of blocks cannot be negative")
    if number.adjusted() >= MOST_DIGITS:
        raise ValueError(f"{quoted(text.strip())} is too large: counts end at 10^{MOST_DIGITS}")
    if number != int(number):
        raise ValueError(
            f"{quoted(text.strip())} is no whole number; for shares see 'poolscope compare'"
        )
    return int(number)


def _read_counts(text: str, where: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    spelled: dict[str, str] = {}
    heading: Sequence[str] | None = None
    lines = _lines(text, where, range(2, 10))
    for place, (number, row) in enumerate(lines):
        # a line alone is no heading, as it heads nothing
        if place == 0 and len(row) > 1 and len(lines) > 1 and not _like_a_number(row[1]):
            heading = row
            continue
        if len(row) != len(heading or ("entity", "count")) or len(row) < 2:
            raise ValueError(
                f"{where}, line {number}: expected entity,count, got {quoted(','.join(row))}"
            )
        try:
            count = _count(row[1])
        except ValueError as error:
            raise ValueError(f"{where}, line {number}: {error}") from None
        name = spelled.setdefault(same(row[0]), row[0])
        counts[name] = counts.get(name, 0) + count
    return counts


def _lines(text: str, where: str, widths: range) -> list[Line]:
    try:
        found = list(rows_of(text, widths))
    except ValueError as error:
        raise ValueError(f"{where}, {error}") from None
    if len(found) > MAX_LINES:
        raise ValueError(f"{where} has more than {MAX_LINES} lines")
    return found


@dataclass(frozen=True, slots=True)
class LensRow:
    """A row of a lens: `pool` as it is written there stands for `entity`."""

    line: int
    pool: str
    entity: str


_KIND: Final = re.compile(r"^\ufeff?#\s*kind\s*[:=]\s*([^\s,;]+)", re.IGNORECASE | re.MULTILINE)
"""The comment of a lens file that says its kind; a spreadsheet may have put commas behind it."""


def read_lens_rows(path: Path) -> tuple[LensRow, ...]:
    """Return the rows of a CSV file of pool,entity.

    A heading may name the columns in another order, and others beside them.

    Raises
    ------
    QuestionError
        If the file cannot be read or a line has too few columns.
    """
    try:
        lines = _lines(text_of(str(path)), str(path), range(2, 12))
    except (OSError, ValueError) as error:
        raise QuestionError(str(error)) from None
    pool, entity, width = 0, 1, 2
    if lines and (columns := _columns(lines[0].fields)):
        pool, entity, width = *columns, len(lines[0].fields)
        lines = lines[1:]
    for number, fields in lines:
        if len(fields) != width:
            raise QuestionError(f"{path}, line {number}: expected pool,entity")
    return tuple(LensRow(number, fields[pool], fields[entity]) for number, fields in lines)


def _columns(fields: Sequence[str]) -> tuple[int, int] | None:
    """Return the places of pool and entity where `fields` are a heading."""
    heads = ["".join(filter(str.isalpha, same(field))) for field in fields]
    pools = [place for place, head in enumerate(heads) if head in _POOL_HEADS]
    entities = [place for place, head in enumerate(heads) if head in _ENTITY_HEADS]
    if not pools or (not entities and len(fields) != 2):
        return None
    return pools[0], entities[0] if entities else 1 - pools[0]


def lens_mapping(
    rows: Sequence[LensRow], slug_of: Callable[[str], str | None], where: str
) -> tuple[Mapping[str, str], Tally]:
    """Return what each pool (slug) stands for by `rows`, and the rows that are nobody's.

    `slug_of` finds the pool that a name means.

    Raises
    ------
    QuestionError
        If two rows send one pool to different entities, or no row is of any pool.
    """
    mapping: dict[str, str] = {}
    line_of: dict[str, int] = {}
    unused = Tally()
    for row in rows:
        slug = slug_of(row.pool)
        if slug is None:
            unused.add(Kind.LENS_ROW, "no pool has this name", f"line {row.line}: {row.pool}")
        elif not row.entity:
            unused.add(Kind.LENS_ROW, "it names no entity", f"line {row.line}: {row.pool}")
        elif mapping.setdefault(slug, row.entity) != row.entity:
            raise QuestionError(
                f"{where}, line {row.line}: {row.pool} (pool {slug}) is {row.entity!r} here and "
                f"{mapping[slug]!r} in line {line_of[slug]}: keep one of them"
            )
        else:
            line_of.setdefault(slug, row.line)
    if not mapping:
        told = "; ".join(str(left) for left in unused.found) or "it has no row of pool,entity"
        raise QuestionError(f"{where} is without effect: {told}")
    return mapping, unused


def lens_named(
    name: str,
    pools: Collection[str] = (),
    registry: Registry | None = None,
    tell: Tell = warn,
) -> Lens:
    """Return the lens that ships under `name`, or one from a CSV file of pool,entity.

    A file may name pools by slug, name or alias, as `registry` (by default ours) knows them, or
    as `pools` of the chain are. Rows of nobody are told. A comment ``# kind: control`` in it says
    what its entities are; without one they are groups of pools that work together.

    Raises
    ------
    QuestionError
        If there is neither, or the file cannot be used.
    """
    from analyzers.registry.lenses import lens_of, load_lenses

    lenses = load_lenses()
    if name in lenses:
        return lenses[name]
    text = _text_of_lens(name)
    slug_of = slug_finder(pools, registry or registry_told(None, tell))
    mapping, unused = lens_mapping(read_lens_rows(at_home(name)), slug_of, name)
    tell_all(unused.found, tell)
    return lens_of(name, _kind_in(text, name), mapping)


def kind_of(name: str) -> LensKind:
    """Return the kind of the lens that ships under `name`, or that of a CSV file.

    Raises
    ------
    QuestionError
        If there is neither.
    """
    from analyzers.registry.lenses import load_lenses

    lenses = load_lenses()
    if name in lenses:
        return lenses[name].kind
    return _kind_in(_text_of_lens(name), name)


def _text_of_lens(name: str) -> str:
    """Return the text of a lens file."""
    from analyzers.registry.lenses import load_lenses

    path = at_home(name)
    if not path.is_file():
        known = ", ".join(load_lenses())
        raise QuestionError(f"{name!r} is no lens: give {known} or a CSV file of pool,entity")
    try:
        return text_of(str(path))
    except (OSError, ValueError) as error:
        raise QuestionError(str(error)) from None


def _kind_in(text: str, where: str) -> LensKind:
    """Return the kind that a comment of a lens file says, or that of those which say none."""
    from analyzers.registry.lenses import DEFAULT_KIND
    from analyzers.registry.lenskind import kind_named

    said = {match[1].lower() for match in _KIND.finditer(text)}
    if len(said) > 1:
        raise QuestionError(f"{where} says two kinds: {', '.join(sorted(said))}; keep one of them")
    try:
        return kind_named(said.pop()) if said else DEFAULT_KIND
    except ValueError as error:
        raise QuestionError(f"{where}: {error}") from None


def slug_finder(pools: Collection[str], registry: Registry) -> Callable[[str], str | None]:
    """Return what finds the pool that a name means, in `registry` or among `pools` (slugs)."""

    def slug_of(name: str) -> str | None:
        if name in pools:
            return name
        known = registry.slug_of_label("", name)
        return slugify(name) if known is None and slugify(name) in pools else known

    return slug_of


def entity_named(
    name: str, entities: Sequence[str], slug_of: Callable[[str], str | None]
) -> str | None:
    """Return which of `entities` a user means by `name`: itself, its pool, or another spelling."""
    if name in entities:
        return name
    slug = slug_of(name)
    if slug in entities:
        return slug
    alike = [
        entity
        for entity in entities
        if name_key(entity) == name_key(name) or (slug is not None and slug_of(entity) == slug)
    ]
    return alike[0] if len(alike) == 1 else None
