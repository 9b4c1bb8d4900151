"""From the snapshot to the answers that need nothing else."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Final

from analyzers import security
from monitor import answers
from monitor.answers import convert
from monitor.answers.convert_blocks import brief
from monitor.snapshot import EpochView, Snapshot, WindowView
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
        concentration=[convert.concentration(view) for view in snapshot.windows],
        hashrates=[
            answers.Hashrate(window=view.window, hashes_per_second=convert.estimate(view.rate))
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


def lenses(context: WebContext) -> list[answers.Lens]:
    """Return the lenses that the agent looks through."""
    return [
        convert.lens(lens, partial(context.entity_name_of, name))
        for name, lens in context.lenses.items()
    ]


def shares(view: WindowView, context: WebContext) -> answers.Shares:
    """Return who found the blocks of a window."""
    name_of = partial(context.entity_name_of, view.lens)
    return answers.Shares(
        window=view.window,
        lens=view.lens,
        blocks=view.summary.blocks,
        unknown=view.summary.unattributed,
        shares=[convert.share(entry, name_of, view.sight) for entry in view.summary.shares],
        note=convert.note_of(view.sight),
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
        change=convert.estimate(view.forecast.factor),
        retarget_time=answers.WhenEstimate(
            value=end.value, low=end.interval.low, high=end.interval.high
        ),
    )


_confirmations = lru_cache(256)(security.confirmations_against)


def risk(view: WindowView, context: WebContext) -> answers.Confirmations | None:
    """Return how long to wait against the largest entity, None where none directs work."""
    if not view.summary.shares or not view.sight.kind.is_control:
        return None
    largest = view.summary.shares[0]
    unknown = view.summary.unattributed
    found = _confirmations(largest.blocks, view.summary.blocks, RISK, unknown=unknown)
    return answers.Confirmations(
        window=view.window,
        lens=view.lens,
        pool=largest.entity,
        name=context.entity_name_of(view.lens, largest.entity),
        share=convert.bounded(largest.share, largest.interval, largest.bounds),
        risk=RISK,
        confirmations=answers.CountEstimate(value=found.point, low=found.low, high=found.high),
    )
