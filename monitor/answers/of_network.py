"""From the stored blocks of a window to the answer about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzers import network, observed
from analyzers.intervals import Interval
from monitor.answers import LeftOut
from monitor.answers import network as shapes
from monitor.answers.convert import estimate, spread

if TYPE_CHECKING:
    from monitor.queries.stretch import NetworkView, StretchAsked


def network_seen(
    view: NetworkView, asked: StretchAsked, left_out: list[LeftOut]
) -> shapes.NetworkSeen:
    """Return what the blocks of a window say about the network."""
    stretch, seen = view.stretch, view.seen
    return shapes.NetworkSeen(
        synthetic=stretch.synthetic,
        registries=stretch.registries,
        window=str(asked.window),
        lens=asked.lens,
        level=asked.level,
        first_height=stretch.blocks[0].height,
        last_height=stretch.blocks[-1].height,
        blocks=seen.blocks,
        timed_blocks=seen.timed_blocks,
        duration_seconds=seen.seconds,
        difficulty=stretch.difficulty,
        hashes_per_second=estimate(seen.rate),
        retarget=stretch.forecast and _retarget(stretch.forecast),
        empty=_empty(seen.empty),
        stale_blocks=seen.stale_blocks,
        stale_ratio=estimate(seen.stale),
        delays=_delays(seen.delays),
        any_run=_any_run(seen),
        luck={
            pool: shapes.Luck(
                ratio=estimate(luck.ratio), at_most=luck.at_most, at_least=luck.at_least
            )
            for pool, luck in view.luck.items()
        },
        pools=[
            shapes.PoolSeen(
                pool=entity.entity,
                blocks=entity.blocks,
                share=estimate(entity.share),
                hashes_per_second=estimate(entity.rate),
                run=shapes.Run(
                    blocks=entity.run.length,
                    height=entity.run.height,
                    probability=entity.run.probability,
                ),
                empty=_empty(entity.empty),
                delays=_delays(entity.delays),
            )
            for entity in seen.entities
        ],
        left_out=left_out,
    )


def _retarget(found: network.Forecast) -> shapes.Retarget:
    return shapes.Retarget(
        change=estimate(found.factor),
        seconds_left=estimate(found.seconds_left),
        blocks_left=found.blocks_left,
    )


def _empty(found: observed.EmptyBlocks) -> shapes.EmptyBlocks:
    return shapes.EmptyBlocks(
        blocks=found.found, of_blocks=found.of_blocks, share=estimate(found.share)
    )


def _delays(found: network.Delays) -> shapes.Delays:
    return shapes.Delays(
        blocks=found.blocks, delay_seconds=spread(found.median, Interval(found.p10, found.p90))
    )


def _any_run(seen: observed.Observed) -> shapes.AnyRun | None:
    if seen.any_run is None:
        return None
    pool, run = seen.any_run
    return shapes.AnyRun(
        pool=pool, blocks=run.length, height=run.height, probability=run.probability
    )
