"""Shares, concentration and what follows from them."""

from __future__ import annotations

from typing import Literal

from monitor.answers.base import (
    Answer,
    BoundedEstimate,
    CommandAnswer,
    CountEstimate,
    Estimate,
    Exact,
    Figure,
    Reading,
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
    called: str
    """How to speak of it as of who found blocks: its name, or of a group by its pools."""
    blocks: int
    """Blocks that it found in the window."""
    weak_source_blocks: int
    """Those of them that are here by a row of the lens with weak sources alone."""
    share: BoundedEstimate
    """These over all blocks of the window, a ratio 0..1, with the interval of its true share. It
    has this at least, and at most this with all unknown blocks."""
    above_quarter: Figure
    """Probability 0..1 that its true share of the work is above a quarter, if no unknown block is
    its own; null under a lens that is not of control."""
    above_quarter_most: Figure
    """The same if all unknown blocks are its own."""
    above_third: Figure
    """Probability 0..1 that its true share of the work is above a third, if no unknown block is
    its own; null under a lens that is not of control."""
    above_third_most: Figure
    """The same if all unknown blocks are its own."""
    above_half: Figure
    """Probability 0..1 that its true share of the work is above a half, if no unknown block is
    its own; null under a lens that is not of control."""
    above_half_most: Figure
    """The same if all unknown blocks are its own."""


class Shares(Answer):
    """Who found the blocks of a window, under a lens."""

    window: int
    """The window's length in blocks."""
    lens: str
    """The lens that it is seen through."""
    blocks: int
    """Blocks that are really there: fewer than the window while the store is young."""
    unknown: int
    """Blocks that nothing names a pool for, or whose pool the lens knows nothing of."""
    shares: list[Share]
    """The largest first; none where no row of the lens applies."""
    note: str
    """Why there are none: no row of this lens applies to these blocks; else empty."""


class Nakamoto(Answer):
    """How many entities together hold more than a threshold of the work."""

    threshold: Figure
    """The threshold, a ratio 0..1."""
    observed: int | None
    """How many by the blocks as they were found, each unknown one of a miner of its own; null in an
    empty window, and where too many blocks are unknown for a single figure."""
    least: int | None
    """How many if all unknown blocks are of the largest: no fewer, whoever found them."""
    most: int | None
    """How many if each unknown block is of a miner of its own: no more, whoever found them."""
    posterior: dict[int, Figure]
    """Probability 0..1 of each number, given the blocks, if each unknown one is of a miner of its
    own; empty under a lens not of control."""
    posterior_as_one: dict[int, Figure]
    """The same if all unknown blocks are of one further miner."""
    posterior_of_largest: dict[int, Figure]
    """The same if all unknown blocks are of the largest."""


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
    bounded: bool
    """Whether `least` and `most` bound it, whoever found the unknown blocks; else they are null."""


class Measures(Answer):
    """Every measure of concentration."""

    measures: list[Measure]
    """The measures, the most useful first."""


class Figures(Answer):
    """How concentrated some blocks are."""

    blocks: int
    """Blocks that are really there."""
    unknown: int
    """Blocks that nothing names a pool for, or whose pool the lens knows nothing of."""
    entities: int
    """Pools, or groups of the lens, that found a block."""
    withheld: str | None
    """Why the figures have no single value: too many blocks are unknown. Null where they have."""
    withheld_by_lens: str
    """Why probabilities above a threshold are not said under this lens; empty where they are."""
    note: str
    """Why nothing is said: no row of this lens applies to these blocks; else empty."""
    figures: dict[str, Reading]
    """Every measure by its name, in the unit that /measures says, but for those withheld by the
    lens; low and high are null where no interval is known."""
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
    least: Figure
    """The lowest that it can be for all that unknown blocks leave open, in the same unit."""
    most: Figure
    """The highest that it can be, likewise."""
    alone: Figure
    """What it is if each unknown block is of a miner of its own; empty for shares."""
    as_one: Figure
    """What it is if all unknown blocks are of one further miner; empty for shares."""


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
    share: BoundedEstimate
    """Its share of the blocks, a ratio 0..1."""
    risk: float
    """Accepted probability 0..1 that a payment is replaced."""
    confirmations: CountEstimate
    """How many, at the share as observed and at the ends of its interval, the upper one of which
    counts all unknown blocks as its own."""


class Point(Answer):
    """Concentration of the window that ends at `height`."""

    height: int
    """Height of its last block."""
    time: int
    """Unix time in the header of that block."""
    blocks: int
    """Blocks in the window."""
    unknown: int
    """Blocks that nothing names a pool for."""
    withheld: str | None
    """Why the figures have no single value: too many blocks are unknown. Null where they have."""
    figures: dict[str, Reading]
    """Measures of the window by name, those that `/measures` has: the ones that are drawn."""
    share: BoundedEstimate | None
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


class LensRow(Answer):
    """A row of a lens: a pool, and what stands behind it."""

    pool: str
    """Slug of the pool."""
    group: str | None
    """Slug of the group; null where the source says nothing of use."""
    name: str
    """Name of the group."""
    first_height: int | None
    """First height at which it holds; null for any."""
    last_height: int | None
    """Last height at which it holds; null for any."""
    since_time: int | None
    """Unix time from which on it holds; null for any."""
    until_time: int | None
    """Unix time before which it holds; null for any."""
    source: str
    """Who says so."""
    weak: bool
    """Whether the only sources are lists that name none of their own."""


class Lens(Answer):
    """A way to look at pools: who is counted as one."""

    name: str
    """The name that parameters take."""
    title: str
    """A heading for it."""
    kind: Literal["control", "coordination", "custody", "jurisdiction"]
    """What a group is: who directs the work of its pools, what they do together, who keeps their
    rewards, or where their operators sit. Only control speaks of attacks and thresholds."""
    description: str
    """Who is counted as one under it."""
    withheld: str
    """Why attacks and probabilities above a threshold are not said; empty where they are."""
    rest: str
    """What blocks of pools without a row are called: they are nobody's. Empty where such pools
    stand for themselves."""


class LensDetail(Lens):
    """A lens with its rows."""

    rows: list[LensRow]
    """Who stands behind which pool, and who says so."""


class Lenses(Answer):
    """The lenses that the agent looks through."""

    lenses: list[LensDetail]
    """The lenses."""


class Windows(Answer):
    """Shares by window and lens."""

    windows: list[Shares]
    """One entry for each window and lens."""


class Concentrations(Answer):
    """Concentration by window and lens."""

    concentration: list[Concentration]
    """One entry for each window and lens."""
