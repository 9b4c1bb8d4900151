"""Makes a registry of the rows of a foreign list, and keeps what cannot be taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from analyzers.escape import terminal_text
from analyzers.leftout import Kind, LeftOut, Tally
from analyzers.model import Strength
from analyzers.registry.address import AddressError, OtherChain, script_of
from analyzers.registry.jsregex import NotLinear, translate
from analyzers.registry.loader import make_registry
from analyzers.registry.pattern import Pattern
from analyzers.registry.registry import Registry
from analyzers.registry.values import Heights, OwnerRule, Payout, Pool, RegistryError, Source, Tag

_LONGEST: Final = 1000
"""Characters of a tag; a scriptSig has at most 100 bytes."""
_SAMPLES: Final = (b"\x00\x00", b"\xff\xff", b"/az09 AZ/")
"""A pattern that matches all of these matches about every block."""
_STRONG: Final[Strength] = "strong"
_ALWAYS: Final = Heights()


class Row(NamedTuple):
    """One entry of a list: a pool as it is named there, and what the list says of it."""

    name: str
    slug: str
    number: str
    link: str
    tags: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class Faults:
    """What of a list cannot be used: each in words, and summed up by reason."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._told: list[str] = []

    def add(self, why: str, what: str) -> None:
        """Note that `what` is left out for the reason `why`, one of few fixed texts."""
        self._tally.add(Kind.LIST_ENTRY, why, what)
        self._told.append(f"{terminal_text(what)}: {why}")

    @property
    def told(self) -> tuple[str, ...]:
        """Every fault, in the order in which it was met."""
        return tuple(self._told)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The faults by reason."""
        return self._tally.found


@dataclass
class _Gathered:
    """The rows of one slug as they come together; the first names the pool."""

    row: Row
    ids: set[str] = field(default_factory=set)
    tags: dict[str, Tag] = field(default_factory=dict)
    payouts: dict[bytes, Payout] = field(default_factory=dict)


def build(form: str, rule: OwnerRule, rows: Sequence[Row], faults: Faults, origin: str) -> Registry:
    """Return the registry that `rows`, in the order of the list, make.

    Of two pools that claim one thing the first of the list has it: what the other says of it
    stays in the registry to be seen, and decides nothing.

    Raises
    ------
    RegistryError
        If no row can be used.
    """
    gathered: dict[str, _Gathered] = {}
    tag_owners: dict[tuple[bytes, bytes | None], str] = {}
    payout_owners: dict[bytes, str] = {}
    for rank, row in enumerate(rows):
        pool = gathered.setdefault(row.slug, _Gathered(row))
        pool.ids.add(row.number or row.name)
        for text in row.tags:
            try:
                tag = _tag(row.slug, text, rule, form, rank)
            except RegistryError as error:
                faults.add(str(error), f"{row.name}: {text}")
                continue
            key = (tag.literal, None) if tag.pattern is None else (b"", tag.pattern.source)
            if tag_owners.setdefault(key, row.slug) != row.slug:
                faults.add("another pool of the list has the tag before", f"{row.name}: {text}")
            elif text in pool.tags:
                faults.add("the pool has the tag already", f"{row.name}: {text}")
            pool.tags.setdefault(text, tag)
        for address in row.addresses:
            script = _script(row.name, address, faults)
            if script is None:
                continue
            if payout_owners.setdefault(script, row.slug) != row.slug:
                faults.add(
                    "another pool of the list has the address before", f"{row.name}: {address}"
                )
            elif script in pool.payouts:
                faults.add("the pool has the address already", f"{row.name}: {address}")
            paid = Payout(row.slug, script, address, _STRONG, _ALWAYS, (form,), rank=rank)
            pool.payouts.setdefault(script, paid)
    if not tag_owners and not payout_owners:
        first = next(iter(faults.told), "it has no tag and no address")
        raise RegistryError(f"{origin}: nothing in this list can be used: {first}")
    pools = [_pool(slug, found, form) for slug, found in gathered.items()]
    return make_registry(
        pools, {form: Source(origin)}, origin, strict=False, rule=rule, left_out=faults.left_out
    )


def _pool(slug: str, found: _Gathered, form: str) -> Pool:
    return Pool(
        slug=slug,
        name=terminal_text(found.row.name),
        aliases=(),
        website=found.row.link,
        ids={form: tuple(sorted(found.ids))},
        tags=tuple(sorted(found.tags.values(), key=lambda tag: (tag.rank, tag.text))),
        payouts=tuple(payout for _, payout in sorted(found.payouts.items())),
    )


def _tag(slug: str, text: str, rule: OwnerRule, form: str, rank: int) -> Tag:
    """Return a tag as the owner of the list takes it; `RegistryError` says why it cannot be."""
    if not text:
        raise RegistryError("an empty tag would match every block")
    if len(text) > _LONGEST:
        raise RegistryError("the tag is longer than a scriptSig can be")
    literal = text.encode()
    pattern = None
    if rule == "mempool":
        pattern = _expression(text)
    elif rule == "bitcoin-data":
        # line feeds are taken out of the text before it is looked at
        pattern = Pattern(rb"\n*".join(_escaped(character) for character in text))
    elif rule == "consensus-decentralization":
        pattern = Pattern(_escaped(text))
    written = "" if pattern is None else terminal_text(text)
    return Tag(slug, literal, _STRONG, _ALWAYS, (form,), pattern, written=written, rank=rank)


def _expression(text: str) -> Pattern:
    try:
        source = translate(text)
    except NotLinear:
        raise RegistryError(
            "the expression looks around or back, which takes unbounded time"
        ) from None
    except ValueError:
        raise RegistryError("the tag is no regular expression of JavaScript") from None
    try:
        pattern = Pattern(source)
    except ValueError:
        raise RegistryError("the expression is too large for RE2") from None
    if all(any(pattern.spans(sample)) for sample in _SAMPLES):
        raise RegistryError("the expression would match every block")
    return pattern


def _escaped(text: str) -> bytes:
    data: Iterable[int] = text.encode()
    return b"".join(
        bytes([byte]) if re.match(rb"[A-Za-z0-9/_ ]", bytes([byte])) else b"\\x%02x" % byte
        for byte in data
    )


def _script(name: str, address: str, faults: Faults) -> bytes | None:
    try:
        return script_of(address)
    except OtherChain:
        faults.add("it is an address of another chain", f"{name}: {address}")
    except AddressError:
        faults.add("it is no Bitcoin address", f"{name}: {address}")
    return None
