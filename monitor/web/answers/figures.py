"""Shares, concentration and what follows from them."""

from __future__ import annotations

from monitor.web.answers.base import Answer, Estimate, Exact, Figure, WhenEstimate


class Tip(Answer):
    """The end of the chain that is followed."""

    height: int
    hash: str
    time: int
    """Time in its header, which its miner set."""
    difficulty: Exact


class Share(Answer):
    """One pool's part of a window."""

    pool: str
    """Slug of the pool (or other entity of the lens)."""
    name: str
    blocks: int
    share: Figure
    low: Figure
    high: Figure
    above_third: Figure
    """Probability that its true share of the work is above a third."""
    above_half: Figure


class Shares(Answer):
    """Who found the blocks of a window, under a lens."""

    window: int
    """The window's length in blocks."""
    lens: str
    blocks: int
    """Blocks that are really there: fewer than the window while the store is young."""
    unattributed: int
    """Blocks that nothing names a pool for."""
    shares: list[Share]
    """The largest first."""


class Nakamoto(Answer):
    """How many entities together hold more than a threshold of the work."""

    threshold: Figure
    observed: int | None
    """By the blocks as they were found."""
    posterior: dict[int, Figure]
    """Probability of each number, given the blocks."""


class TopRatio(Answer):
    """The joint share of the `top` largest."""

    top: int
    value: Figure
    low: Figure
    high: Figure


class Concentration(Answer):
    """How concentrated a window is, under a lens."""

    window: int
    lens: str
    blocks: int
    unattributed: int
    entities: int
    hhi: Estimate
    """Herfindahl-Hirschman index, unbiased: 0 is nobody, 1 is one for all."""
    hhi_plug_in: Figure
    """The plain sum of squared shares, biased upwards in small windows."""
    hhi_unattributed_as_one: Figure
    """The same if all unattributed blocks were one miner's."""
    effective: Estimate
    """Effective number of entities, 1/HHI: so many equal ones would be as concentrated."""
    nakamoto_half: Nakamoto
    nakamoto_third: Nakamoto
    any_above_half: Figure
    """Probability that some entity holds more than half of the work."""
    any_above_third: Figure
    any_above_quarter: Figure
    gini: Figure
    ratios: list[TopRatio]


class Hashrate(Answer):
    """The network's hash rate over a window of blocks."""

    window: int
    hashes_per_second: Estimate


class Epoch(Answer):
    """The running difficulty epoch and the retarget that ends it."""

    start_height: int
    blocks: int
    blocks_left: int
    change: Estimate
    """New difficulty over old, expected."""
    retarget_time: WhenEstimate
    """Expected end of the epoch."""


class Confirmations(Answer):
    """Confirmations to wait for against the largest entity of a window, if it attacked."""

    window: int
    lens: str
    entity: str
    name: str
    share: Estimate
    risk: float
    """Accepted probability that a payment is replaced."""
    confirmations: int | None
    """At the share as observed; null where no number is enough."""
    low: int | None
    """At the lower end of the share's interval."""
    high: int | None
    """At its upper end; null where no number is enough."""


class Point(Answer):
    """Concentration of the window that ends at `height`."""

    height: int
    time: int
    blocks: int
    hhi: Estimate
    effective: Estimate
    nakamoto_half: int | None
    any_above_third: Figure
    any_above_half: Figure
    share: Estimate | None
    """Of the pool that was asked for."""


class History(Answer):
    """Concentration over time: overlapping windows, the oldest first."""

    window: int
    lens: str
    pool: str | None
    step: int
    """Blocks between two points."""
    points: list[Point]


class Lens(Answer):
    """A way to look at pools: who is counted as one."""

    name: str
    title: str
    description: str


class Lenses(Answer):
    """The lenses that the agent looks through."""

    lenses: list[Lens]


class Windows(Answer):
    """Shares by window and lens."""

    windows: list[Shares]


class Concentrations(Answer):
    """Concentration by window and lens."""

    concentration: list[Concentration]
