"""Shares, concentration and what follows from them."""

from __future__ import annotations

from monitor.web.answers.base import Answer, Estimate, Exact, Figure, WhenEstimate


class Tip(Answer):
    """The end of the chain that is followed."""

    height: int
    """Its height."""
    hash: str
    """Its hash, in the usual reversed hex."""
    time: int
    """Unix time in its header, which its miner set."""
    difficulty: Exact
    """Difficulty that its header claims and meets: 1 is the easiest of mainnet."""


class Share(Answer):
    """One pool's part of a window."""

    pool: str
    """Slug of the pool (or other entity of the lens)."""
    name: str
    """Its name."""
    blocks: int
    """Blocks that it found in the window."""
    share: Figure
    """These over all blocks of the window, a ratio 0..1."""
    low: Figure
    """Lower end of the 95 % interval of its true share, 0..1."""
    high: Figure
    """Upper end of that interval, 0..1."""
    above_third: Figure
    """Probability 0..1 that its true share of the work is above a third."""
    above_half: Figure
    """Probability 0..1 that its true share of the work is above a half."""


class Shares(Answer):
    """Who found the blocks of a window, under a lens."""

    window: int
    """The window's length in blocks."""
    lens: str
    """The lens that it is seen through."""
    blocks: int
    """Blocks that are really there: fewer than the window while the store is young."""
    unattributed: int
    """Blocks that nothing names a pool for."""
    shares: list[Share]
    """The largest first."""


class Nakamoto(Answer):
    """How many entities together hold more than a threshold of the work."""

    threshold: Figure
    """The threshold, a ratio 0..1."""
    observed: int | None
    """How many by the blocks as they were found; null in an empty window."""
    posterior: dict[int, Figure]
    """Probability 0..1 of each number, given the blocks."""


class TopRatio(Answer):
    """The joint share of the `top` largest."""

    top: int
    """How many are taken together."""
    value: Figure
    """Their share of the blocks, a ratio 0..1."""
    low: Figure
    """Lower end of its 95 % interval, 0..1."""
    high: Figure
    """Upper end of that interval, 0..1."""


class Concentration(Answer):
    """How concentrated a window is, under a lens."""

    window: int
    """Length of the window, in blocks."""
    lens: str
    """The lens that it is seen through."""
    blocks: int
    """Blocks that are really there."""
    unattributed: int
    """Blocks that nothing names a pool for."""
    entities: int
    """Entities that found a block."""
    hhi: Estimate
    """Herfindahl-Hirschman index, unbiased, 0..1: 1 if one entity finds all, 0 if all are tiny."""
    hhi_plug_in: Figure
    """The plain sum of squared shares, 0..1, biased upwards in small windows."""
    hhi_unattributed_as_one: Figure
    """The same, 0..1, if all unattributed blocks were one miner's."""
    effective: Estimate
    """Effective number of entities, 1/HHI: so many equal ones would be as concentrated."""
    nakamoto_half: Nakamoto
    """How many together hold more than half."""
    nakamoto_third: Nakamoto
    """How many together hold more than a third."""
    any_above_half: Figure
    """Probability 0..1 that some entity holds more than half of the work."""
    any_above_third: Figure
    """Probability 0..1 that some entity holds more than a third."""
    any_above_quarter: Figure
    """Probability 0..1 that some entity holds more than a quarter."""
    gini: Figure
    """Gini coefficient of those who found a block, 0..1: 0 if all found the same number."""
    ratios: list[TopRatio]
    """Joint shares of the largest few."""


class Hashrate(Answer):
    """The network's hash rate over a window of blocks."""

    window: int
    """Length of the window, in blocks."""
    hashes_per_second: Estimate
    """The estimate with its interval, in hashes per second (H/s)."""


class Epoch(Answer):
    """The running difficulty epoch and the retarget that ends it."""

    start_height: int
    """Height of its first block."""
    blocks: int
    """Blocks found in it."""
    blocks_left: int
    """Blocks until it ends."""
    change: Estimate
    """New difficulty over old, expected: a ratio, 1 for no change."""
    retarget_time: WhenEstimate
    """Expected end of the epoch."""


class Confirmations(Answer):
    """Confirmations to wait for against the largest entity of a window, if it attacked."""

    window: int
    """Length of the window, in blocks."""
    lens: str
    """The lens that it is seen through."""
    entity: str
    """Slug of the largest entity."""
    name: str
    """Its name."""
    share: Estimate
    """Its share of the blocks, a ratio 0..1."""
    risk: float
    """Accepted probability 0..1 that a payment is replaced."""
    confirmations: int | None
    """How many, at the share as observed; null where no number is enough."""
    low: int | None
    """How many, at the lower end of the share's interval; null where no number is enough."""
    high: int | None
    """How many, at its upper end; null where no number is enough."""


class Point(Answer):
    """Concentration of the window that ends at `height`."""

    height: int
    """Height of its last block."""
    time: int
    """Unix time in the header of that block."""
    blocks: int
    """Blocks in the window."""
    hhi: Estimate
    """Herfindahl-Hirschman index, unbiased, 0..1."""
    effective: Estimate
    """Effective number of entities, 1/HHI."""
    nakamoto_half: int | None
    """Fewest that together found more than half of the blocks; null in an empty window."""
    any_above_third: Figure
    """Probability 0..1 that some entity holds more than a third."""
    any_above_half: Figure
    """Probability 0..1 that some entity holds more than half."""
    share: Estimate | None
    """Share of the pool that was asked for, a ratio 0..1; null where none was."""


class History(Answer):
    """Concentration over time: overlapping windows, the oldest first."""

    window: int
    """Length of the window, in blocks."""
    lens: str
    """The lens that it is seen through."""
    pool: str | None
    """The pool whose share is given besides, null for none."""
    step: int
    """Blocks between two points."""
    points: list[Point]
    """The points, the oldest first."""


class Lens(Answer):
    """A way to look at pools: who is counted as one."""

    name: str
    """The name that parameters take."""
    title: str
    """A heading for it."""
    description: str
    """Who is counted as one under it."""


class Lenses(Answer):
    """The lenses that the agent looks through."""

    lenses: list[Lens]
    """The lenses."""


class Windows(Answer):
    """Shares by window and lens."""

    windows: list[Shares]
    """One entry for each window and lens."""


class Concentrations(Answer):
    """Concentration by window and lens."""

    concentration: list[Concentration]
    """One entry for each window and lens."""
