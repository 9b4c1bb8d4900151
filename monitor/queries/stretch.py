"""What the stored blocks of a window say about the network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analyzers.mined import Chain, Mined
from analyzers.network import Forecast, Luck, forecast
from analyzers.observed import Claim, Observed, Seen, judge_claims, observe
from analyzers.registry.lenses import NO_ROW, look
from analyzers.windows import Window, between, latest
from hashing.header import BlockHeader
from hashing.params import MEDIAN_TIME_SPAN, NETWORKS
from hashing.target import decode_nbits, difficulty, work_from_target
from monitor.config import Settings
from monitor.errors import QuestionError, StoreEmpty
from monitor.queries.dates import check_span, moment_of
from monitor.queries.reading import reading_store
from monitor.queries.tables import entity_named, lens_named, slug_finder
from monitor.queries.telling import Tell, registry_told, warn

if TYPE_CHECKING:
    from monitor.store.base import BlockStore

UNITS: Final = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21}
"""Hashes a second, by the letter before H."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The blocks of a window, header times before them, and where the chain stands.

    `stale` counts stale blocks at their heights, `registries` the blocks by the version of the
    registry that attributed them. `difficulty` is that of the last block; `forecast` is None
    where its epoch has just begun, or the network does not retarget.
    """

    blocks: Sequence[Seen]
    before: Sequence[int]
    stale: int
    forecast: Forecast | None
    difficulty: float
    synthetic: str
    registries: dict[str, int]


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A stretch, what it shows, and the luck of those of whom something is claimed."""

    stretch: Stretch
    seen: Observed
    luck: dict[str, Luck]


def parse_claim(text: str) -> tuple[str, Claim]:
    """Read ``NAME=0.18``, ``NAME=18%`` or ``NAME=150EH``.

    Raises
    ------
    ValueError
        If it is none of these, or a share above 1.
    """
    name, _, claimed = text.partition("=")
    match = re.fullmatch(
        r"(\d{1,15}(?:\.\d{1,15})?) ?(%|[KMGTPEZ]?H(?:/s)?)?",
        claimed.strip(),
        re.ASCII | re.IGNORECASE,
    )
    if not name.strip() or not match:
        raise ValueError(f"{text[:60]!r} is no claim: write antpool=18% or antpool=150EH")
    value, unit = float(match[1]), (match[2] or "").upper().removesuffix("/S")
    if unit.endswith("H"):
        return name.strip(), Claim(rate=value * UNITS[unit[:-1]])
    share = value / 100 if unit == "%" else value
    if share > 1:
        raise ValueError(f"{text[:60]!r}: a share is at most 1 (or 100%); a hash rate ends in EH")
    return name.strip(), Claim(share=share)


@dataclass(frozen=True, slots=True)
class StretchAsked:
    """Which blocks: the last `window` from `start` to before `end` (Unix time), through `lens`.

    `level` is what intervals hold the true value with, a probability 0..1.
    """

    window: Window
    start: int | None = None
    end: int | None = None
    lens: str = "tag"
    level: float = 0.95

    def __post_init__(self) -> None:
        check_span(self.start, self.end)


def network_view(
    settings: Settings,
    asked: StretchAsked,
    claims: Mapping[str, Claim] | None = None,
    tell: Tell = warn,
) -> NetworkView:
    """Return what the stored blocks of a window say about the network.

    `claims` are shares or hash rates from outside, by pool (slug, name or alias).

    Raises
    ------
    QuestionError
        If no stored block is in the window, or the lens is none or says nothing of the blocks.
    StoreError
        If there is no store, or no block in it.
    """
    stretch = stretch_of(settings, asked, tell)
    seen = observe(stretch.blocks, stretch.before, stretch.stale, asked.level)
    entities = [found.entity for found in seen.entities]
    slug_of = slug_finder(entities, registry_told(settings.registry, tell))
    named = {
        entity_named(name, entities, slug_of) or name: claim
        for name, claim in (claims or {}).items()
    }
    return NetworkView(stretch, seen, judge_claims(seen, named, asked.level))


def stretch_of(settings: Settings, asked: StretchAsked, tell: Tell = warn) -> Stretch:
    """Return the blocks of a window, from the store; raises as `network_view` does."""
    window, end = asked.window, asked.end
    with reading_store(settings, tell) as store:
        tip, first = store.tip(), store.first_height()
        if tip is None or first is None:
            raise StoreEmpty
        low = first
        if window.blocks and end is None:
            low = max(first, tip.height - window.blocks + 1)
        columns = store.columns(("height", "time", "pool", "tx_count", "first_seen"), low)
        rows = list(zip(*columns.values(), strict=True))
        times: list[int] = [row[1] for row in rows]
        held = f"{moment_of(min(times))} to {moment_of(max(times))}"
        chain = between(Chain.of([Mined(*row[:3]) for row in rows]), end=end)
        known = len(chain) - len(between(chain, asked.start))
        rows = rows[max(known, len(chain) - len(latest(chain, window))) : len(chain)]
        entity_of = lens_named(
            asked.lens, chain.pools, registry_told(settings.registry, tell), tell
        )
        if not rows:
            limits = "".join(
                f" {word} {moment_of(time)}"
                for word, time in (("from", asked.start), ("before", end))
                if time is not None
            )
            raise QuestionError(f"the store has no block{limits}; it goes from {held}")
        if not look(
            entity_of, ((pool, height, time, 1) for height, time, pool, *_ in rows)
        ).applies:
            raise QuestionError(f"lens {asked.lens}: {NO_ROW}; they are as the lens tag shows them")
        if not entity_of.kind.is_control:
            tell(f"lens {asked.lens} is one of {entity_of.kind}. {entity_of.kind.why_withheld}")
        low, high = int(rows[0][0]), int(rows[-1][0])
        lead = min(MEDIAN_TIME_SPAN, low - first)
        headers = [
            BlockHeader.parse(raw) for raw in store.headers(low - lead, high - low + lead + 1)
        ]
        stale = sum(low <= block.ref.height <= high for block in store.stale_blocks())
        expected = _forecast(store, high, headers[-1].time, asked.level)
        synthetic, registries = store.synthetic, store.by_registry(low, high + 1)
    blocks = [
        Seen(
            height,
            time,
            float(work_from_target(decode_nbits(header.nbits))),
            None if pool is None else entity_of(pool, height, time),
            tx_count,
            seen,
        )
        for (height, time, pool, tx_count, seen), header in zip(rows, headers[lead:], strict=True)
    ]
    before = [header.time for header in headers[:lead]]
    hard = difficulty(decode_nbits(headers[-1].nbits))
    return Stretch(blocks, before, stale, expected, hard, synthetic, registries)


def _forecast(store: BlockStore, height: int, time: int, level: float) -> Forecast | None:
    """Return what the blocks of the epoch up to `height` say of its retarget."""
    params = NETWORKS[store.network]
    into = height % params.retarget_interval
    first = store.headers(height - into, 1)
    if not into or not first or params.no_retarget:
        return None
    passed = time - BlockHeader.parse(first[0]).time
    return forecast(into, passed, level, period=params.retarget_interval)
