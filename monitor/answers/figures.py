"""Shares, concentration and what follows from them."""

from __future__ import annotations

from monitor.answers.base import (
    Answer,
    CommandAnswer,
    CountEstimate,
    Estimate,
    Exact,
    Figure,
    WhenEstimate,
)


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
    share: Estimate
    """These over all blocks of the window, a ratio 0..1, with the interval of its true share."""
    above_quarter: Figure
    """Probability 0..1 that its true share of the work is above a quarter."""
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
    unknown: int
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


class Measure(Answer):
    """A measure of concentration: the words for a name under `figures`."""

    name: str
    """What data calls it."""
    title: str
    """What people call it."""
    unit: str
    """Its unit: ratio and probability are 0..1; entities, bits and nats are numbers."""
    help: str
    """What it is, in a sentence."""
    metric: str | None
    """The Prometheus metric that carries it; null where none does."""


class Measures(Answer):
    """Every measure of concentration."""

    measures: list[Measure]
    """The measures, the most useful first."""


class Figures(Answer):
    """How concentrated some blocks are."""

    blocks: int
    """Blocks that are really there."""
    unknown: int
    """Blocks that nothing names a pool for."""
    entities: int
    """Pools, or groups of the lens, that found a block."""
    figures: dict[str, Estimate]
    """Every measure by its name, in the unit that /measures says; low and high are null where
    no interval is known."""
    notes: dict[str, str]
    """What else to know of a figure, by its name: such as that it may be larger than it says."""
    nakamoto_half: Nakamoto
    """How many together hold more than half, and how probable each number is."""
    nakamoto_third: Nakamoto
    """How many together hold more than a third, and how probable each number is."""


class WindowFigures(Figures, CommandAnswer):
    """What the command line says of one window of blocks, or of a table."""

    source: str
    """Where the blocks come from."""
    window: str | None
    """The window as it was asked for (2016, 7d); null for a table."""
    lens: str | None
    """The lens that it is seen through; null for a table."""
    start_time: int | None
    """Time in the header of its first block, Unix time; null for a table."""
    first_height: int | None
    """Height of its first block; null for a table."""
    level: float
    """What the intervals hold the true value with, a probability 0..1."""
    shares: list[Share]
    """Who found the blocks, the largest first."""
    groups: list[Share]
    """Joint shares of the groups that were asked for."""


class FigureRow(Answer):
    """A figure as a row of CSV."""

    figure: str
    """Name of the measure; share:POOL or group:A + B for a share."""
    value: Figure
    """The estimate, in the unit of the measure."""
    low: Figure
    """Lower end of its interval, in the same unit."""
    high: Figure
    """Upper end of its interval, in the same unit."""


class Concentration(Figures):
    """How concentrated a window is, under a lens."""

    window: int
    """Length of the window, in blocks."""
    lens: str
    """The lens that it is seen through."""


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
    """Confirmations to wait for against the largest pool of a window, if it attacked."""

    window: int
    """Length of the window, in blocks."""
    lens: str
    """The lens that it is seen through."""
    pool: str
    """Slug of the largest pool (or other entity of the lens)."""
    name: str
    """Its name."""
    share: Estimate
    """Its share of the blocks, a ratio 0..1."""
    risk: float
    """Accepted probability 0..1 that a payment is replaced."""
    confirmations: CountEstimate
    """How many, at the share as observed and at the ends of its interval."""


class Point(Answer):
    """Concentration of the window that ends at `height`."""

    height: int
    """Height of its last block."""
    time: int
    """Unix time in the header of that block."""
    blocks: int
    """Blocks in the window."""
    figures: dict[str, Estimate]
    """Measures of the window by name, those that `/measures` has: the ones that are drawn."""
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
