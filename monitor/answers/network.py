"""What ``network`` says: the stored blocks of a window."""

from __future__ import annotations

from monitor.answers.base import Answer, CommandAnswer, Estimate, Exact, Figure


class Retarget(Answer):
    """What the next retarget will do, as far as the epoch's blocks tell."""

    change: Estimate
    """New difficulty over old: a ratio, 1 for no change."""
    seconds_left: Estimate
    """Seconds until the last block of the epoch."""
    blocks_left: int
    """Blocks until then."""


class Run(Answer):
    """The longest run of blocks of one pool."""

    blocks: int
    """Blocks in it."""
    height: int
    """Height of its first block."""
    probability: Figure
    """Probability 0..1 of so long a run of this pool anywhere in the window, at its share."""


class AnyRun(Answer):
    """The longest run of all."""

    pool: str
    """Slug of the pool (or other entity of the lens) whose run it is."""
    blocks: int
    """Blocks in it."""
    height: int
    """Height of its first block."""
    probability: Figure
    """Probability 0..1 that anybody makes a run as long in the window."""


class EmptyBlocks(Answer):
    """Blocks with no transaction but the coinbase."""

    blocks: int
    """How many."""
    of_blocks: int
    """Blocks whose number of transactions is known."""
    share: Estimate
    """These over those, a ratio 0..1."""


class Delays(Answer):
    """When blocks were first seen, after the time in their header."""

    blocks: int
    """Blocks of which it is known."""
    delay_seconds: Estimate
    """Seconds: the median, with the 10 % and 90 % quantiles as its ends."""


class Luck(Answer):
    """How the blocks found compare with what a claim from outside lets expect."""

    ratio: Estimate
    """Blocks found over blocks expected, a ratio: 1 is as claimed."""
    at_most: Figure
    """Probability 0..1 of so few blocks, or fewer, if the claim holds."""
    at_least: Figure
    """Probability 0..1 of so many blocks, or more, if the claim holds."""


class PoolSeen(Answer):
    """One pool in the window."""

    pool: str
    """Slug of the pool (or other entity of the lens)."""
    blocks: int
    """Blocks that it found."""
    share: Estimate
    """Its share of all blocks, a ratio 0..1."""
    hashes_per_second: Estimate
    """Its hash rate, in hashes per second (H/s)."""
    run: Run
    """Its longest run of blocks."""
    empty: EmptyBlocks
    """Its empty blocks."""
    delays: Delays
    """When its blocks were first seen."""


class NetworkSeen(CommandAnswer):
    """What the stored blocks of a window say about the network."""

    synthetic: str
    """Empty for the live chain, else why the blocks are not live: sample, rehearsal."""
    registries: dict[str, int]
    """Blocks by the version of the registry that attributed them."""
    window: str
    """Length of the window, as it was asked for (2016, 7d)."""
    lens: str
    """The lens that it is seen through."""
    level: float
    """What the intervals hold the true value with, a probability 0..1."""
    first_height: int
    """Height of its first block."""
    last_height: int
    """Height of its last block."""
    blocks: int
    """Blocks in it."""
    timed_blocks: int
    """Blocks between the median times that the rates are from."""
    duration_seconds: int
    """Seconds between these median times."""
    difficulty: Exact
    """Difficulty of its last block: 1 is the easiest of mainnet."""
    hashes_per_second: Estimate
    """The network's hash rate, in hashes per second (H/s)."""
    retarget: Retarget | None
    """The next retarget; null where the epoch has just begun, or it does not end here."""
    empty: EmptyBlocks
    """Empty blocks of all."""
    stale_blocks: int
    """Stale blocks that the source heard of."""
    stale_ratio: Estimate
    """These per active block, a ratio: at least so many."""
    delays: Delays
    """When blocks were first seen."""
    any_run: AnyRun | None
    """The longest run of all; null where nobody is known."""
    luck: dict[str, Luck]
    """Luck by pool, of those of whom something is claimed."""
    pools: list[PoolSeen]
    """The pools, the largest first."""
