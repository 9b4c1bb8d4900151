"""Other people's pool lists, each read as its owner reads it.

Formats, by what is in the file:

``bitcoin-data``, ``mempool``, ``array``
    An array of pools with ids, names, tags and addresses; ``array`` where the ids are of
    neither list. mempool's rule decides by ``mempool`` and by ``array``.
``mempool`` too
    mempool's former ``pools.json``: ``coinbase_tags``, ``payout_addresses`` and ``slugs``.
``btccom``
    The same without ``slugs``, as btccom, blockchain.com and many others have it. Nobody
    publishes a rule for it, so its tags are bytes, and ours decides.
``consensus-decentralization``
    An object of identifiers or addresses, each with a name.

`analyzers.owners` says what each owner does. What a list holds and cannot be used is left
out, counted and named: `Imported.faults` has all of it, `Registry.left_out` the sums.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from analyzers.registry.address import AddressError, script_of
from analyzers.registry.foreign import Faults, Row, build
from analyzers.registry.loader import load_registry, read_file
from analyzers.registry.registry import Registry
from analyzers.registry.values import OwnerRule, RegistryError, slugify

_POOL_FIELDS: Final = frozenset({"id", "name", "tags", "addresses", "link"})
_ENTRY_FIELDS: Final = frozenset({"name", "link"})
_KEYED_FIELDS: Final = frozenset({"name", "link", "homepage", "source"})
_LIST_FIELDS: Final = frozenset({"coinbase_tags", "payout_addresses", "slugs"})
_SLUG: Final = re.compile(r"[a-z0-9]{1,40}")


@dataclass(frozen=True, slots=True)
class Imported:
    """A list as a registry; `format` is how it was read, `faults` what is wrong with it."""

    format: str
    registry: Registry
    faults: tuple[str, ...]


def load_any(path: Path | None = None) -> Registry:
    """Read a registry of our own format (TOML), or a public list (JSON).

    Raises
    ------
    RegistryError
        If the file is neither.
    """
    if path is None or path.suffix.lower() != ".json":
        return load_registry(path)
    return import_list(read_file(path), str(path)).registry


def import_list(text: str, origin: str = "list") -> Imported:
    """Read a public list from its JSON `text`; `origin` names it in messages.

    Raises
    ------
    RegistryError
        If `text` is none of the known formats, or nothing in it can be used.
    """
    faults = Faults()

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                faults.add("the key is there twice: its last value holds", key)
            seen.add(key)
        return dict(pairs)

    try:
        document = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=object_of)
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{origin}: not JSON: {error}") from error
    form, rule, rows = _recognise(document, faults, origin)
    registry = build(form, rule, rows, faults, origin)
    return Imported(form, registry, faults.told)


def _recognise(document: Any, faults: Faults, origin: str) -> tuple[str, OwnerRule, list[Row]]:
    if isinstance(document, list) and any(
        isinstance(item, dict) and {"tags", "addresses"} & set(item) for item in document
    ):
        rows = list(_array_rows(document, faults))
        form = _array_format(rows)
        return form, "bitcoin-data" if form == "bitcoin-data" else "mempool", rows
    if isinstance(document, dict) and {"coinbase_tags", "payout_addresses"} & set(document):
        _tell_unknown(document, _LIST_FIELDS, "", faults)
        rows = list(_section_rows(document, faults))
        if "slugs" in document:
            return "mempool", "mempool", _by_name(rows, document["slugs"])
        return "btccom", "ours", rows
    if isinstance(document, dict) and any(
        isinstance(item, dict) and "name" in item for item in document.values()
    ):
        rows = list(_keyed_rows(document, faults))
        return "consensus-decentralization", "consensus-decentralization", rows
    raise RegistryError(
        f"{origin}: no known pool list: expected an array of pools with tags, an object with "
        "coinbase_tags, or an object of identifiers with names"
    )


def _array_format(rows: list[Row]) -> str:
    """Return whose numbers an array of pools has; bitcoin-data and mempool look alike.

    Their numbers clash, so the file's name is not believed: most pools that we know must
    have the number that we know from that list. ``array`` where neither is so.
    """
    ours = load_registry()
    pools = [(row.number, ours.slug_of_label("", row.name)) for row in rows]
    known = [(number, slug) for number, slug in pools if slug is not None]
    for form in ("mempool", "bitcoin-data"):
        agreed = sum(ours.slug_of_label(form, number) == slug for number, slug in known)
        if 2 * agreed > len(known):
            return form
    return "array"


def _array_rows(document: list[Any], faults: Faults) -> Iterator[Row]:
    for item in document:
        row = _row(item, _POOL_FIELDS, faults)
        if row is None:
            continue
        tags = _texts(item, "tags", row.name, faults)
        addresses = _texts(item, "addresses", row.name, faults)
        if not tags and not addresses:
            faults.add("the pool has neither tags nor addresses", row.name)
        yield row._replace(tags=tags, addresses=addresses)


def _section_rows(document: Mapping[str, Any], faults: Faults) -> Iterator[Row]:
    for section in ("coinbase_tags", "payout_addresses"):
        entries = document.get(section, {})
        if not isinstance(entries, dict):
            faults.add("the section is no object", section)
            continue
        for key, item in entries.items():
            row = _row(item, _ENTRY_FIELDS, faults, key)
            if row is not None and section == "coinbase_tags":
                yield row._replace(tags=(key,))
            elif row is not None:
                yield row._replace(addresses=(key,))


def _by_name(rows: list[Row], slugs: Any) -> list[Row]:
    """Return one row a name, in the order in which the names come, with the slugs given."""
    merged: dict[str, Row] = {}
    for row in rows:
        former = merged.get(row.name, row._replace(tags=(), addresses=()))
        merged[row.name] = former._replace(
            tags=former.tags + row.tags, addresses=former.addresses + row.addresses
        )
    named = slugs if isinstance(slugs, dict) else {}
    return [
        row._replace(slug=slug)
        if isinstance(slug := named.get(row.name), str) and _SLUG.fullmatch(slug)
        else row
        for row in merged.values()
    ]


def _keyed_rows(document: Mapping[str, Any], faults: Faults) -> Iterator[Row]:
    for key, item in document.items():
        row = _row(item, _KEYED_FIELDS, faults, key)
        if row is None:
            continue
        try:
            script_of(key)
        except AddressError:
            yield row._replace(tags=(key,))
        else:
            yield row._replace(addresses=(key,))


def _row(item: Any, known: frozenset[str], faults: Faults, key: str = "") -> Row | None:
    """Return the pool that an entry names, None if it names none."""
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(name, str) or not _is_text(name) or not name.strip():
        faults.add("the entry has no name", key or json.dumps(item)[:60])
        return None
    _tell_unknown(item, known, f"{name}: ", faults)
    link, number = item.get("link"), item.get("id")
    return Row(
        name=name,
        slug=slugify(name) or name.encode().hex()[:40],
        number=str(number) if isinstance(number, int | str) and _is_text(str(number)) else "",
        link=link if isinstance(link, str) and _is_text(link) else "",
    )


def _tell_unknown(
    item: Mapping[str, Any], known: frozenset[str], where: str, faults: Faults
) -> None:
    for key in item:
        if key not in known:
            faults.add("the field is unknown here", f"{where}{key}")


def _texts(item: Mapping[str, Any], key: str, name: str, faults: Faults) -> tuple[str, ...]:
    values = item.get(key)
    if values is None:
        return ()
    if not isinstance(values, list):
        faults.add(f"its {key} are no array of texts", name)
        return ()
    texts = []
    for value in values:
        if isinstance(value, str) and _is_text(value):
            texts.append(value)
        else:
            faults.add(f"one of its {key} is no text", f"{name}: {json.dumps(value)[:60]}")
    return tuple(texts)


def _is_text(text: str) -> bool:
    """Tell whether `text` has no half of a character, which JSON allows."""
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)
