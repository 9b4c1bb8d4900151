"""Unknown blocks in clusters, and the registry entries that they suggest."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from analyzers.audit.values import AttributedBlock
from analyzers.coinbase import CoinbaseReading, read_parts
from analyzers.escape import escape_text
from analyzers.registry.address import address_of
from analyzers.registry.values import slugify
from hashing.params import MAINNET, NetworkParams

_GENERIC: Final = re.compile(
    rb"/?(?:P2SH|NYA|BIP\d+|NOBIP\d+|EB\d+|AD\d+|EXTBLK|SEGWIT|B\d+|BV\d+)/|^[/.\s]*$"
)
"""Votes, signals and fillers that many pools write."""

Feature = Literal["payout", "text", "shape"]
"""What may join unknown blocks: the script that most of the value goes to; the same text
(digits alike); the same build of the scriptSig with the same commitments."""

_Counted = TypeVar("_Counted", bytes, str)

_DELIMITED: Final = re.compile(rb"/[^/]{3}.*/", re.DOTALL)
"""Text between slashes; printable bytes around it are lengths and extranonces by chance."""

_MIN_TEXT: Final = 6
"""Shorter text is too often chance to hold blocks together."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Blocks of nobody known that share a payout script or a text, and what supports that.

    `texts` are as written, `shapes` how the rest of the scriptSig is built (sizes of the
    parts that are no text, ``mm`` for a merge-mining commitment). All count blocks.
    """

    heights: tuple[int, ...]
    payouts: tuple[tuple[bytes, int], ...]
    texts: tuple[tuple[bytes, int], ...]
    shapes: tuple[tuple[str, int], ...]
    commitments: tuple[tuple[str, int], ...]


def unknown_clusters(
    blocks: Iterable[AttributedBlock],
    min_blocks: int = 2,
    by: Collection[Feature] = ("payout", "text"),
) -> list[Cluster]:
    """Return clusters of the blocks that are attributed to nobody, the largest first.

    Blocks hang together where one of the features `by` is the same. A software's default
    text joins nothing. The shape (sizes of extranonces and what stands between them) and the
    commitments are habits that strangers may share: by default they are told as support
    only; with ``shape`` they join too, which finds programs rather than pools.
    """
    unknown = [block for block in blocks if block.attribution.pool is None]
    read = [read_parts(block.script_sig, block.outputs, block.height) for block in unknown]
    groups = _connect([_keys(*pair, by) for pair in zip(unknown, read, strict=True)])
    clusters = [
        _cluster([unknown[place] for place in group], [read[place] for place in group])
        for group in groups
        if len(group) >= min_blocks
    ]
    return sorted(clusters, key=lambda found: (-len(found.heights), found.heights))


def propose_entry(cluster: Cluster, network: NetworkParams = MAINNET) -> str:
    """Return a registry entry (TOML) for `cluster`, to be named and checked by a person.

    Payouts are written as addresses of `network`; scripts that no address pays are left out.
    """
    blocks = len(cluster.heights)
    note = f"{blocks} blocks, {cluster.heights[0]} to {cluster.heights[-1]}"
    usual = (text for text, seen in cluster.texts if 2 * seen > blocks)
    text = next((text for text in usual if not _is_software(text)), b"")
    name = escape_text(text).strip("/ ") or f"Unknown {cluster.heights[0]}"
    slug = slugify(name)[:40] or f"unknown{cluster.heights[0]}"
    row = f'sources = ["coinbase"], note = {json.dumps(note)}'
    lines = ["[[pool]]", f"slug = {json.dumps(slug)}", f"name = {json.dumps(name)}"]
    if text:
        spelled = f'hex = "{text.hex()}"'
        if text.isascii():
            spelled = f"text = {json.dumps(text.decode())}"
        lines.append(f"tags = [{{ {spelled}, {row} }}]")
    payouts = [
        f'  {{ address = "{address}", {row} }},'
        for script, seen in cluster.payouts
        if seen > 1 and (address := address_of(script, network))
    ]
    if payouts:
        lines += ["payouts = [", *payouts, "]"]
    return "\n".join(lines)


def _keys(
    block: AttributedBlock, reading: CoinbaseReading, by: Collection[Feature]
) -> set[Hashable]:
    keys: set[Hashable] = set()
    if "text" in by:
        texts = (text for text in _texts(reading) if not _is_software(text))
        keys |= {("text", re.sub(rb"\d+", b"#", text)) for text in texts}
    if "payout" in by and block.main_script is not None:
        keys.add(("payout", block.main_script))
    if "shape" in by:
        kinds = sorted({found.kind for found in reading.commitments})
        keys.add(("shape", _shape(reading), *kinds))
    return keys


def _texts(reading: CoinbaseReading) -> list[bytes]:
    """Return the texts of a coinbase, without votes and without what chance put beside."""
    plain = (_GENERIC.sub(b"", run.data).strip() for run in reading.runs)
    texts = (found[0] if (found := _DELIMITED.search(text)) else text for text in plain)
    return [text for text in texts if len(text) >= _MIN_TEXT]


def _is_software(text: bytes) -> bool:
    return bool(read_parts(text).software)


def _shape(reading: CoinbaseReading) -> str:
    parts = [(part.offset, str(len(part.data))) for part in reading.rest]
    parts += [(run.offset, "text") for run in reading.runs]
    if reading.aux_pow is not None:
        parts.append((reading.aux_pow.offset, "mm"))
    return " ".join(part for _, part in sorted(parts))


def _connect(keys: Sequence[Collection[Hashable]]) -> list[list[int]]:
    """Return places grouped so that any two with a key in common are together."""
    parent = list(range(len(keys)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    holder: dict[Hashable, int] = {}
    for place, own in enumerate(keys):
        for key in own:
            parent[root(place)] = root(holder.setdefault(key, place))
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for place in range(len(keys)):
        groups[root(place)].append(place)
    return list(groups.values())


def _cluster(blocks: Sequence[AttributedBlock], read: Sequence[CoinbaseReading]) -> Cluster:
    scripts = (block.main_script for block in blocks)
    kinds = (kind for seen in read for kind in {item.kind for item in seen.commitments})
    return Cluster(
        heights=tuple(sorted(block.height for block in blocks)),
        payouts=_ranked(Counter(script for script in scripts if script is not None)),
        texts=_ranked(Counter(text for seen in read for text in set(_texts(seen)))),
        shapes=_ranked(Counter(_shape(seen) for seen in read)),
        commitments=_ranked(Counter(kinds)),
    )


def _ranked(counts: Counter[_Counted]) -> tuple[tuple[_Counted, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
