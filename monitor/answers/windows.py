"""What the commands that look at windows of blocks say: each, two, and many over time."""

from __future__ import annotations

from monitor.answers.base import Answer, CommandAnswer, CountEstimate, Estimate, Figure, Reading
from monitor.answers.figures import Nakamoto


class WindowRow(Answer):
    """One window of many."""

    start_time: int
    """Time in the header of its first block, Unix time; of the history the day's beginning."""
    first_height: int
    """Height of its first block."""
    blocks: int
    """Blocks in it."""
    entities: int
    """Pools, or groups of the lens, that found a block."""
    unknown: int
    """Blocks that nothing names a pool for."""
    withheld: str | None
    """Why the figures have no single value: too many blocks are unknown. Null where they have."""
    figures: dict[str, Reading]
    """Measures by name, in the unit that /measures says. Of days also `cr2_30d` to `cr6_30d`:
    the part of the largest two to six in the mean of 30 days, a ratio 0..1."""


class WindowSeries(CommandAnswer):
    """What ``concentration --each`` says: a row for each window, the oldest first."""

    source: str
    """Where the blocks come from."""
    window: str
    """Length of each window, as it was asked for (1008, 7d)."""
    step: str | None
    """How often a window begins (144, 1d); null where they do not overlap."""
    lens: str
    """The lens that they are seen through."""
    level: float
    """What the intervals hold the true value with, a probability 0..1."""
    windows: list[WindowRow]
    """The windows, the oldest first."""


class Side(Answer):
    """One of two windows that are compared."""

    source: str
    """Where its blocks come from."""
    window: str | None
    """Its length as it was asked for (2016, 7d); null for a table."""
    lens: str | None
    """The lens that it is seen through; null for a table."""
    start_time: int | None
    """Time in the header of its first block, Unix time; null for a table."""
    first_height: int | None
    """Height of its first block; null for a table."""
    blocks: int
    """Blocks in it."""


class Change(Answer):
    """How a figure differs between two windows: later minus earlier."""

    difference: Estimate
    """The difference, in the unit of the figure."""
    probability_up: Figure
    """Probability 0..1 that the true figure rose."""


class ChangeRow(Answer):
    """How a figure changed, as a row of CSV."""

    figure: str
    """Name of the measure; share:POOL for a share."""
    difference: Estimate
    """The difference, in the unit of the figure."""
    probability_up: Figure
    """Probability 0..1 that the true figure rose."""


class ShareChange(Answer):
    """How a pool's share differs between two windows."""

    pool: str
    """Slug of the pool (or other entity of the lens)."""
    earlier_blocks: int
    """Blocks that it found in the earlier window."""
    later_blocks: int
    """Blocks that it found in the later window."""
    difference: Estimate
    """Later share minus earlier, a ratio -1..1."""
    probability_up: Figure
    """Probability 0..1 that its true share rose."""


class WindowChange(CommandAnswer):
    """What ``concentration --compare`` says of two windows that share no block."""

    earlier: Side
    """The earlier window."""
    later: Side
    """The later window."""
    level: float
    """What the intervals hold the true value with, a probability 0..1."""
    hhi: Change
    """How the HHI, a ratio 0..1, changed."""
    same_shares_p: Figure
    """P-value that no share changed, a probability 0..1."""
    shares: list[ShareChange]
    """How each share changed, the one that moved furthest first."""


class PeriodTrend(Answer):
    """Whether a measure rises in a period: Mann-Kendall's test, pre-whitened."""

    era: str
    """Name of the era; all for the whole."""
    windows: int
    """Windows in it."""
    direction: str
    """rising, falling, none (no trend found), or unknown (too few windows)."""
    p: Figure
    """P-value of the test, a probability 0..1."""
    p_mann_kendall: Figure
    """P-value of the plain test, which sees trends in noise that lasts: 0..1."""
    slope_per_year: Estimate
    """Change a year, in the unit of the measure; its interval has the level 1 - alpha."""
    autocorrelation: Figure
    """Correlation -1..1 of each window with the one before."""


class SharesMoved(Answer):
    """A time from which on shares differ."""

    start_time: int
    """Unix time at which the first window of the new shares begins."""
    gain: Figure
    """Log-likelihood that the change explains, to be held against the penalty."""
    shifts: dict[str, Figure]
    """Difference of the share by pool, a ratio -1..1, the largest first."""


class ChangePoints(Answer):
    """The times at which shares changed, found on the counts of all pools at once."""

    penalty: Figure
    """Log-likelihood that a change must explain to be one."""
    dispersion: Figure
    """Variance from window to window over that of sampling alone, a ratio."""
    changes: list[SharesMoved]
    """The changes, the oldest first."""


class Trends(CommandAnswer):
    """What ``trend`` says: whether a measure rises, whole and by era, and when shares changed."""

    source: str
    """Where the blocks come from."""
    window: str
    """Length of each window, as it was asked for (1008, 7d)."""
    lens: str
    """The lens that they are seen through."""
    measure: str
    """Name of the measure, as /measures has it; share for that of a pool."""
    pool: str | None
    """The pool whose share it is; null for a measure of the whole."""
    unit: str
    """Unit of the measure: ratio (0..1) or entities (a number)."""
    alpha: float
    """Rate of false positives of each test, a probability 0..1."""
    trends: list[PeriodTrend]
    """The whole first, then the eras."""
    share_changes: ChangePoints
    """When shares changed."""


class EraRow(Answer):
    """Concentration in an era."""

    era: str
    """Its name."""
    source: str
    """Who says when it begins."""
    windows: int
    """Windows in it."""
    blocks: int
    """Blocks in it."""
    unknown_ratio: Figure
    """Part of the blocks that nothing names a pool for, a ratio 0..1."""
    hhi: Estimate
    """Mean HHI of its windows, a ratio 0..1, with the interval by sampling."""
    hhi_bounds: Estimate
    """The same, with the ends it has if unknown blocks are of a miner each, or all of the largest
    of each window."""
    direction: str
    """Trend of HHI within it: rising, falling, none, or unknown."""
    p: Figure
    """P-value of that trend, a probability 0..1."""
    slope_per_year: Figure
    """Change of HHI a year, a ratio."""


class EraStep(Answer):
    """The step of HHI from one era to the next, later minus earlier."""

    earlier: str
    """Name of the earlier era."""
    later: str
    """Name of the later era."""
    difference: Estimate
    """Difference of HHI, a ratio, with the interval by sampling."""
    difference_bounds: Estimate
    """The same, with the ends that unknown blocks leave room for."""


class Division(Answer):
    """Eras of one kind."""

    eras: list[EraRow]
    """The eras, the oldest first."""
    steps: list[EraStep]
    """From each era to the next."""


class Eras(CommandAnswer):
    """What ``eras`` says: concentration by era of hardware and of subsidy."""

    source: str
    """Where the blocks come from."""
    window: str
    """Length of each window, as it was asked for (1008, 7d)."""
    lens: str
    """The lens that they are seen through."""
    divisions: dict[str, Division]
    """Eras by kind: hardware, subsidy."""


class DoubleSpend(Answer):
    """Chance to replace a payment."""

    confirmations: int
    """Confirmations that the receiver waits for."""
    probability: Estimate
    """Probability 0..1 that the payment is replaced, with the ends by the share's interval."""


class SelfishMining(Answer):
    """What withholding blocks earns."""

    gamma: float
    """Part of the honest hash rate that follows the attacker in a tie, a ratio 0..1."""
    threshold: Figure
    """Share of the hash rate above which it pays, a ratio 0..1."""
    revenue: Estimate
    """Part of the blocks that the attacker gets, a ratio 0..1, with the ends by the share's
    interval."""


class Holding(Answer):
    """What is known of the attacker's share, from blocks."""

    source: str
    """Where the blocks come from."""
    window: str | None
    """Length of the window as it was asked for (2016, 7d); null for a table."""
    lens: str | None
    """The lens that it is seen through; null for a table."""
    blocks: int
    """Blocks that the attacker found."""
    of_blocks: int
    """Blocks in the window."""
    unknown: int
    """Blocks of the window that nothing names a pool for: any of them may be the attacker's."""
    above_quarter: Figure
    """Probability 0..1 that its true share is above a quarter, if no unknown block is its own."""
    above_quarter_most: Figure
    """The same if all unknown blocks are its own."""
    above_third: Figure
    """Probability 0..1 that its true share is above a third, if no unknown block is its own."""
    above_third_most: Figure
    """The same if all unknown blocks are its own."""
    above_half: Figure
    """Probability 0..1 that its true share is above a half, if no unknown block is its own."""
    above_half_most: Figure
    """The same if all unknown blocks are its own."""
    any_above_third: Figure
    """Probability 0..1 that the true share of anybody is above a third, if each unknown block is of
    a miner of its own."""
    any_above_third_most: Figure
    """The same if all unknown blocks are of the largest."""
    any_above_half: Figure
    """Probability 0..1 that the true share of anybody is above a half, if each unknown block is of
    a miner of its own."""
    any_above_half_most: Figure
    """The same if all unknown blocks are of the largest."""
    nakamoto_half: Nakamoto
    """How many together hold more than half, and how probable each number is."""


class Risks(CommandAnswer):
    """What ``risk`` says: what the largest miner could do if all of its hash rate attacked."""

    pool: str | None
    """The attacker: slugs (or entities of the lens) joined by " + "; null for a share alone."""
    share: Estimate
    """Its share of the hash rate, a ratio 0..1; a share that was given has no interval."""
    holding: Holding | None
    """What the share is known from; null where it was given."""
    risk: float
    """Accepted probability 0..1 that a payment is replaced."""
    confirmations: CountEstimate
    """Confirmations to wait for at that risk, by the exact formula."""
    confirmations_whitepaper: CountEstimate
    """The same by the formula of the white paper."""
    double_spend: list[DoubleSpend]
    """Chance to replace a payment by how long its receiver waits."""
    selfish_mining: list[SelfishMining]
    """What withholding blocks earns, by gamma."""
