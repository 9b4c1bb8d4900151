"""From the snapshot to the answers that need nothing else."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Final

from analyzers import network, security, summary
from analyzers.intervals import Interval
from monitor.snapshot import EpochView, Snapshot, WindowView
from monitor.web import answers
from monitor.web.blocks import NameOf, brief
from monitor.web.context import WebContext

RISK: Final = 0.001
"""Accepted probability of a replaced payment, as in the whitepaper's table."""
LAST: Final = 15
"""Blocks in the overview."""
LAST_STALE: Final = 5


def overview(context: WebContext) -> answers.Overview:
    """Return everything that the page shows of the present snapshot."""
    snapshot, name_of = context.board.snapshot, context.name_of
    active = [block for block in snapshot.recent if not block.stale][:LAST]
    stale = [block for block in snapshot.recent if block.stale][:LAST_STALE]
    return answers.Overview(
        made_at=snapshot.made_at,
        network=snapshot.network,
        synthetic=snapshot.synthetic,
        tip=tip(snapshot),
        lenses=lenses(context),
        windows=[shares(view, context) for view in snapshot.windows],
        concentration=[concentration(view) for view in snapshot.windows],
        hashrates=[
            answers.Hashrate(window=view.window, hashes_per_second=estimate(view.rate))
            for view in snapshot.hashrates
        ],
        epoch=epoch(snapshot.epoch),
        risk=[found for view in snapshot.windows if (found := risk(view, context))],
        reorgs=snapshot.reorgs,
        deepest_reorg=snapshot.deepest_reorg,
        stale_blocks=snapshot.stale_blocks,
        header_only_blocks=snapshot.header_only,
        conflicts=snapshot.conflicts,
        empty_blocks=snapshot.empty_blocks,
        proved=dict(snapshot.proved),
        blocks=[brief(block, name_of, context.params) for block in active],
        stale=[brief(block, name_of, context.params) for block in stale],
    )


def tip(snapshot: Snapshot) -> answers.Tip | None:
    """Return the end of the chain, None before the first block."""
    if snapshot.tip is None or snapshot.tip_time is None:
        return None
    return answers.Tip(
        height=snapshot.tip.height,
        hash=snapshot.tip.hash[::-1].hex(),
        time=snapshot.tip_time,
        difficulty=snapshot.difficulty,
    )


def estimate(value: network.Estimate) -> answers.Estimate:
    """Return a figure with its interval."""
    return spread(value.value, value.interval)


def spread(value: float, interval: Interval) -> answers.Estimate:
    """Return `value` with `interval`."""
    return answers.Estimate(value=value, low=interval.low, high=interval.high)


def share(entry: summary.Share, name_of: NameOf) -> answers.Share:
    """Return one entity's part of a window."""
    return answers.Share(
        pool=entry.entity,
        name=name_of(entry.entity),
        blocks=entry.blocks,
        share=entry.share,
        low=entry.interval.low,
        high=entry.interval.high,
        above_third=entry.above_third,
        above_half=entry.above_half,
    )


def lenses(context: WebContext) -> list[answers.Lens]:
    """Return the lenses that the agent looks through."""
    return [
        answers.Lens(name=lens.name, title=lens.title, description=lens.description)
        for lens in context.lenses.values()
    ]


def shares(view: WindowView, context: WebContext) -> answers.Shares:
    """Return who found the blocks of a window."""
    name_of = partial(context.entity_name_of, view.lens)
    return answers.Shares(
        window=view.window,
        lens=view.lens,
        blocks=view.summary.blocks,
        unattributed=view.summary.unattributed,
        shares=[share(entry, name_of) for entry in view.summary.shares],
    )


def concentration(view: WindowView) -> answers.Concentration:
    """Return how concentrated a window is."""
    found = view.summary
    return answers.Concentration(
        window=view.window,
        lens=view.lens,
        blocks=found.blocks,
        unattributed=found.unattributed,
        entities=found.entities,
        hhi=spread(found.hhi, found.hhi_interval),
        hhi_plug_in=found.hhi_plug_in,
        hhi_unattributed_as_one=found.hhi_unattributed_as_one,
        effective=spread(found.effective_number, found.effective_number_interval),
        nakamoto_half=_nakamoto(found.nakamoto_half),
        nakamoto_third=_nakamoto(found.nakamoto_third),
        any_above_half=found.any_above[summary.HALF],
        any_above_third=found.any_above[summary.THIRD],
        any_above_quarter=found.any_above[summary.QUARTER],
        gini=found.gini,
        ratios=[
            answers.TopRatio(
                top=ratio.top,
                value=ratio.value,
                low=ratio.interval.low,
                high=ratio.interval.high,
            )
            for ratio in found.ratios
        ],
    )


def _nakamoto(found: summary.Nakamoto) -> answers.Nakamoto:
    return answers.Nakamoto(
        threshold=float(found.threshold),
        observed=found.observed,
        posterior=dict(sorted(found.posterior.items())),
    )


def epoch(view: EpochView | None) -> answers.Epoch | None:
    """Return the running difficulty epoch, None where the network has none."""
    if view is None:
        return None
    end = view.retarget_time
    return answers.Epoch(
        start_height=view.start_height,
        blocks=view.blocks,
        blocks_left=view.forecast.blocks_left,
        change=estimate(view.forecast.factor),
        retarget_time=answers.WhenEstimate(
            value=end.value, low=end.interval.low, high=end.interval.high
        ),
    )


_confirmations = lru_cache(256)(security.confirmations_against)


def risk(view: WindowView, context: WebContext) -> answers.Confirmations | None:
    """Return how long to wait against the largest entity, None where there is none."""
    if not view.summary.shares:
        return None
    largest = view.summary.shares[0]
    found = _confirmations(largest.blocks, view.summary.blocks, RISK)
    return answers.Confirmations(
        window=view.window,
        lens=view.lens,
        entity=largest.entity,
        name=context.entity_name_of(view.lens, largest.entity),
        share=spread(found.share, found.interval),
        risk=RISK,
        confirmations=found.point,
        low=found.low,
        high=found.high,
    )
