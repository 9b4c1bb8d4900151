"""Other people's pool lists, read as they are, faults included.

Formats: ``bitcoin-data`` and ``mempool`` (an array of pools with ids, names, tags and
addresses; ``array`` where the ids are of neither), ``btccom`` (also blockchain.com's:
``coinbase_tags`` and ``payout_addresses``), ``consensus-decentralization`` (identifiers or
addresses, each with a name).

An imported registry can take the place of ours. Tags that two pools of a list claim stay
with both, so that they name nobody; what cannot be used at all is left out. Both are told
in `Imported.faults`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from analyzers.escape import terminal_text
from analyzers.registry.address import AddressError, script_of
from analyzers.registry.loader import load_registry, make_registry, read_file
from analyzers.registry.registry import Registry
from analyzers.registry.values import Heights, Payout, Pool, RegistryError, Tag, slugify


class _Row(NamedTuple):
    name: str
    number: str
    link: str
    tags: tuple[str, ...]
    addresses: tuple[str, ...]


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
        If `text` is none of the known formats.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{origin}: not JSON: {error}") from error
    try:
        form, rows = _recognise(document, origin)
        return _build(form, sorted(rows, key=lambda row: (row.name, row.number)), origin)
    except (TypeError, KeyError, AttributeError, UnicodeError) as error:
        raise RegistryError(f"{origin}: not the pool list it looks like: {error!r}") from error


def _recognise(document: Any, origin: str) -> tuple[str, Iterator[_Row]]:
    if isinstance(document, list) and document and all("tags" in item for item in document):
        return _array_format(document), _array_rows(document)
    if isinstance(document, dict) and "coinbase_tags" in document:
        return "btccom", _btccom_rows(document)
    if (
        isinstance(document, dict)
        and document
        and all(isinstance(item, dict) and "name" in item for item in document.values())
    ):
        return "consensus-decentralization", _keyed_rows(document)
    raise RegistryError(
        f"{origin}: no known pool list: expected an array of pools with tags, an object with "
        "coinbase_tags, or an object of identifiers with names"
    )


def _array_format(document: list[dict[str, Any]]) -> str:
    """Return whose numbers an array of pools has; bitcoin-data and mempool look alike.

    Their numbers clash, so the file's name is not believed: most pools that we know must
    have the number that we know from that list. ``array`` where neither is so.
    """
    ours = load_registry()
    pools = [(str(item.get("id")), ours.slug_of_label("", str(item["name"]))) for item in document]
    known = [(number, slug) for number, slug in pools if slug is not None]
    for form in ("mempool", "bitcoin-data"):
        agreed = sum(ours.slug_of_label(form, number) == slug for number, slug in known)
        if 2 * agreed > len(known):
            return form
    return "array"


def _array_rows(document: list[dict[str, Any]]) -> Iterator[_Row]:
    for item in document:
        yield _row(item, tuple(item["tags"]), tuple(item.get("addresses", ())))


def _btccom_rows(document: Mapping[str, Mapping[str, Any]]) -> Iterator[_Row]:
    for tag, item in document["coinbase_tags"].items():
        yield _row(item, (tag,), ())
    for address, item in document.get("payout_addresses", {}).items():
        yield _row(item, (), (address,))


def _keyed_rows(document: Mapping[str, Mapping[str, Any]]) -> Iterator[_Row]:
    for key, item in document.items():
        try:
            script_of(key)
        except AddressError:
            yield _row(item, (key,), ())
        else:
            yield _row(item, (), (key,))


def _row(item: Mapping[str, Any], tags: tuple[str, ...], addresses: tuple[str, ...]) -> _Row:
    link = item.get("link")
    return _Row(
        item["name"],
        str(item.get("id", "")),
        link if isinstance(link, str) else "",
        tags,
        addresses,
    )


def _build(form: str, rows: list[_Row], origin: str) -> Imported:
    faults: list[str] = []
    owners: dict[bytes, set[str]] = {}
    merged: dict[str, tuple[_Row, set[str], set[bytes], dict[bytes, str]]] = {}
    for row in rows:
        slug = slugify(row.name) or row.name.encode().hex()
        _, ids, tags, scripts = merged.setdefault(slug, (row, set(), set(), {}))
        ids.add(row.number or row.name)
        for text in row.tags:
            if text:
                tags.add(text.encode())
            else:
                faults.append(f"{row.name}: an empty tag would match every block")
        for address in row.addresses:
            try:
                script = script_of(address)
            except AddressError as error:
                faults.append(f"{row.name}: {error}")
            else:
                scripts[script] = address
                owners.setdefault(script, set()).add(slug)
    for script, claimants in owners.items():
        if len(claimants) > 1:
            who = ", ".join(sorted(claimants))
            faults.append(f"payout script {script.hex()} is claimed by {who}: it names nobody")
    sources = {form: origin}
    pools = [
        Pool(
            slug=slug,
            name=terminal_text(row.name),
            aliases=(),
            website=row.link,
            ids={form: tuple(sorted(ids))},
            tags=tuple(
                Tag(slug, literal, "strong", Heights(), (form,)) for literal in sorted(tags)
            ),
            payouts=tuple(
                Payout(slug, script, address, "strong", Heights(), (form,))
                for script, address in sorted(scripts.items())
                if len(owners[script]) == 1
            ),
        )
        for slug, (row, ids, tags, scripts) in merged.items()
    ]
    faults += (
        f"tag {literal!r} is claimed by {', '.join(sorted(slugs))}: it names nobody"
        for literal, slugs in _shared_tags(pools).items()
    )
    return Imported(form, make_registry(pools, sources, origin, strict=False), tuple(faults))


def _shared_tags(pools: list[Pool]) -> dict[bytes, set[str]]:
    owners: dict[bytes, set[str]] = {}
    for pool in pools:
        for tag in pool.tags:
            owners.setdefault(tag.literal, set()).add(pool.slug)
    return {literal: slugs for literal, slugs in owners.items() if len(slugs) > 1}
