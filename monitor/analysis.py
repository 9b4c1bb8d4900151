"""From stored blocks to the snapshot: the last blocks in memory, counted as they arrive."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_low
from typing import Final

from analyzers.mined import Mined
from analyzers.network import Estimate, forecast, hash_rate
from analyzers.registry.lenses import Lens, look
from analyzers.windows import AGENT_WINDOWS, tally
from analyzers.withheld import summed_up
from hashing.header import BlockHeader
from hashing.params import MEDIAN_TIME_SPAN, NetworkParams
from hashing.target import decode_nbits, difficulty, work_from_target
from monitor.snapshot import EpochView, HashrateView, Snapshot, WindowView
from monitor.store.base import Step, StoredBlock
from monitor.terms import FEE_BLOCKS, TipTerms, fees_of, terms_of

WINDOWS: Final = tuple(window.blocks for window in AGENT_WINDOWS if window.blocks)
KEPT: Final = max(WINDOWS) + MEDIAN_TIME_SPAN
"""Blocks kept in memory: the largest window, and the median time past before it."""
RECENT: Final = 60
"""Blocks that a snapshot carries whole, with their evidence."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What does not change while the agent runs."""

    params: NetworkParams
    synthetic: str
    registry_version: str
    registry_pools: int
    lenses: Mapping[str, Lens]
    registry_date: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """What the store has counted since it began, and blocks that another registry attributed."""

    reorgs: int = 0
    deepest_reorg: int = 0
    stale_blocks: int = 0
    header_only: int = 0
    other_registry: int = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    block: StoredBlock
    header: BlockHeader
    mined: Mined


class Analysis:
    """Keeps the end of the chain and says what it tells.

    `load` must be called before anything else; `apply` follows the store step by step and
    asks `reload` for the blocks again when a reorg took some away.
    """

    def __init__(self, origin: Origin, reload: Callable[[], Iterable[StoredBlock]]) -> None:
        self._origin = origin
        self._reload = reload
        self._kept: list[_Kept] = []
        self._stale: list[StoredBlock] = []

    def load(self, stale: Sequence[StoredBlock] = ()) -> None:
        """Read the end of the chain; `stale` are the latest stale blocks."""
        self._kept = [_keep(block) for block in self._reload()]
        self._stale = list(stale)[-RECENT:]

    def apply(self, step: Step) -> None:
        """Follow a step that was stored."""
        back = {block.ref for block in step.append}  # a stale branch may have won
        self._stale = [block for block in self._stale if block.ref not in back]
        if step.rollback_to is not None:
            gone = [
                replace(kept.block, stale=True)
                for kept in self._kept
                if kept.block.ref.height > step.rollback_to
            ]
            self.load([*self._stale, *gone, *step.stale])
            return
        self._stale = [*self._stale, *step.stale][-RECENT:]
        self._kept += [_keep(block) for block in step.append]
        del self._kept[:-KEPT]

    def snapshot(self, totals: Totals, made_at: float) -> Snapshot:
        """Return what the blocks tell, all figures with their intervals."""
        last = self._kept[-max(WINDOWS) :]
        tip = last[-1] if last else None
        recent = sorted(
            [kept.block for kept in last[-RECENT:]] + self._stale,
            key=lambda block: (block.ref.height, not block.stale),
            reverse=True,
        )
        return Snapshot(
            network=self._origin.params.name,
            synthetic=self._origin.synthetic,
            registry_version=self._origin.registry_version,
            registry_pools=self._origin.registry_pools,
            registry_date=self._origin.registry_date,
            tip=tip.block.ref if tip else None,
            tip_time=tip.header.time if tip else None,
            difficulty=difficulty(decode_nbits(tip.header.nbits)) if tip else None,
            windows=window_views([kept.mined for kept in self._kept], self._origin.lenses),
            hashrates=self._hashrates(),
            epoch=self._epoch(),
            terms=self._terms(),
            reorgs=totals.reorgs,
            deepest_reorg=totals.deepest_reorg,
            stale_blocks=totals.stale_blocks,
            header_only=totals.header_only,
            proved=Counter(kept.block.proof for kept in last),
            rules=Counter(kept.block.attribution.rule for kept in last),
            conflicts=sum(bool(kept.block.attribution.conflicts) for kept in last),
            empty_blocks=sum(kept.block.tx_count == 1 for kept in last),
            recent=tuple(recent[:RECENT]),
            made_at=made_at,
            other_registry=totals.other_registry,
        )

    def _hashrates(self) -> tuple[HashrateView, ...]:
        views = []
        for window in WINDOWS:
            intervals = min(window, len(self._kept) - MEDIAN_TIME_SPAN)
            if intervals > 0:
                rate = self._hash_rate(intervals)
                views.append(HashrateView(window, rate))
        return tuple(views)

    def _hash_rate(self, intervals: int) -> Estimate:
        """Return the rate over the last `intervals`, timed by median time past."""
        ends = [kept.header for kept in self._kept[-intervals:]]
        work = sum(work_from_target(decode_nbits(header.nbits)) for header in ends)
        seconds = self._median_time(len(self._kept)) - self._median_time(
            len(self._kept) - intervals
        )
        return hash_rate(float(work), intervals, seconds)

    def _median_time(self, end: int) -> int:
        """Return the median header time of the blocks before index `end`."""
        times = [kept.header.time for kept in self._kept[max(0, end - MEDIAN_TIME_SPAN) : end]]
        return median_low(times)

    def _epoch(self) -> EpochView | None:
        if not self._kept or self._origin.params.no_retarget:
            return None
        tip = self._kept[-1]
        period = self._origin.params.retarget_interval
        into = tip.block.ref.height % period
        if into == 0 or into >= len(self._kept):
            return None
        start = self._kept[-1 - into].header.time
        expected = forecast(into, tip.header.time - start, period=period)
        left = expected.seconds_left
        return EpochView(
            start_height=tip.block.ref.height - into,
            start_time=start,
            blocks=into + 1,
            forecast=expected,
            retarget_time=Estimate(
                tip.header.time + left.value,
                type(left.interval)(*(tip.header.time + end for end in left.interval)),
            ),
        )

    def _terms(self) -> TipTerms | None:
        last = self._kept[-FEE_BLOCKS:]
        if not last:
            return None
        params, tip = self._origin.params, last[-1]
        paid = fees_of(((kept.mined.height, kept.block.coinbase_tx) for kept in last), params)
        return terms_of(tip.header, tip.mined.height, paid, params)


def window_views(mined: Sequence[Mined], lenses: Mapping[str, Lens]) -> tuple[WindowView, ...]:
    """Return what the last blocks of a chain say through each lens, in each of `WINDOWS`."""
    views = []
    for name, lens in lenses.items():
        for window in WINDOWS:
            if part := mined[-window:]:
                found = tally(part, lens)
                sight = look(lens, ((pool, height, time, 1) for height, time, pool in part))
                summary = summed_up(found.counts, sight, unattributed=found.unattributed)
                views.append(WindowView(window, name, summary, sight))
    return tuple(views)


def _keep(block: StoredBlock) -> _Kept:
    header = BlockHeader.parse(block.header)
    return _Kept(block, header, Mined(block.ref.height, header.time, block.attribution.pool))
