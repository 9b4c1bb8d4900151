"""What the commands that operate poolscope write with ``--json``."""

from __future__ import annotations

from typing import Any, Literal

from monitor.answers.base import Answer, CommandAnswer, Exact, Figure, Range
from monitor.answers.figures import Tip
from monitor.answers.overview import Overview


class StoreState(Answer):
    """What a store holds."""

    network: str
    """Name of the network, such as mainnet."""
    synthetic: str
    """Empty for the live chain, else why the blocks are not live: sample, rehearsal."""
    first_height: int | None
    """Height of the lowest block; null while there is none."""
    tip: Tip | None
    """The end of the chain; null before the first block."""
    tip_age_seconds: int | None
    """Seconds since the time in the header of the tip; null before the first block."""
    blocks: int
    """Blocks of the active chain."""
    stale_blocks: int
    """Blocks that lost their place in the chain."""
    header_only_blocks: int
    """Blocks of which no source had more than the header: who mined is unknown."""
    reorgs: int
    """Changes of the chain that made blocks stale."""
    registries: dict[str, int]
    """Blocks by version of the registry that attributed them, most first."""


class AgentStatus(CommandAnswer):
    """How the agent and its store are."""

    agent: Literal["ready", "not ready", "not running"]
    """Whether it runs and is ready."""
    missing: list[str]
    """What is still missing before all is well; empty where nothing is."""
    store: StoreState | None
    """What the store holds; null where it cannot be read."""


class HeaderFailure(Answer):
    """The first header that breaks a rule."""

    height: int
    """Its height."""
    rule: str
    """The rule that it breaks."""
    reject: str
    """What Bitcoin Core calls that, such as high-hash."""
    message: str
    """What is wrong with it."""


class HeadersVerified(CommandAnswer):
    """How far consecutive headers hold by all rules of consensus."""

    network: str
    """Name of the network whose rules were applied."""
    start_height: int
    """Height of the first header."""
    valid_headers: int
    """Headers that hold, from the first on."""
    last_height: int | None
    """Height of the last that holds; null where none does."""
    tip_hash: str | None
    """Hash of the last that holds, in the usual reversed hex; null where none does."""
    chainwork: str
    """Expected hashes of those that hold, as 64 hex digits."""
    failure: HeaderFailure | None
    """The first header that breaks a rule; null where all hold."""


class KernelRate(Answer):
    """Double SHA-256 hashes per second of a kernel."""

    kernel: str
    """Its name; hashlib for a Python loop over hashlib."""
    threads: int
    """Threads that hashed at once."""
    hashes_per_second: Range
    """Hashes per second (H/s) of all threads together."""
    stdev_hashes_per_second: Figure
    """Standard deviation of the repetitions, in H/s."""
    repetitions: int
    """How often it was measured."""
    hashlib_ratio: Figure
    """Its median over that of the loop over hashlib."""


class Alone(Answer):
    """What it would be to mine alone with the fastest rate measured."""

    network: str
    """Name of the network, such as mainnet."""
    height: int
    """Height of the block whose difficulty is taken."""
    difficulty: Exact
    """Its difficulty: 1 is the easiest of mainnet."""
    expected_seconds: Figure
    """Seconds until a block is found, on average."""


class HashrateReport(CommandAnswer):
    """How fast this machine hashes; with ``--json-lines`` as far as it is known."""

    processor: str
    """Name of the processor."""
    cores: int
    """Processors that poolscope may use."""
    hashlib: KernelRate
    """A Python loop over hashlib on one thread, for comparison."""
    results: list[KernelRate]
    """The kernels that were measured."""
    features: list[str] | None = None
    """Features of the processor; null before a kernel was chosen."""
    best_kernel: str | None = None
    """The fastest kernel; null before it was chosen."""
    untried_kernels: list[str] | None = None
    """Kernels to be tried at the next use; null before one was chosen."""
    alone: Alone | None = None
    """What it would be to mine alone; null without a live store."""


class NodeMethod(Answer):
    """A method that poolscope asks of a node."""

    method: str
    """Its name."""
    needed: bool
    """Whether poolscope cannot do without."""
    use: str
    """What it is for."""
    without: str | None
    """What is lost without it; null where it is needed."""


class NodeWhitelist(CommandAnswer):
    """What a bitcoind node must allow."""

    line: str
    """The line for its bitcoin.conf."""
    methods: list[NodeMethod]
    """What poolscope asks, the needed first."""


class EffectiveSettings(CommandAnswer):
    """The effective settings."""

    settings: dict[str, Any]
    """The settings by name and section, each as the page on configuration describes it; what is
    secret is hidden."""


class Backfilled(CommandAnswer):
    """What a backfill fetched."""

    first_height: int
    """Height of the first block that was asked for."""
    last_height: int
    """Height of the last."""
    blocks: int
    """Blocks from the first to the last."""
    fetched_blocks: int
    """Those that were fetched now; the rest was there before."""
    duration_seconds: float
    """Seconds that it took."""
    out: str | None
    """File or folder that was written; null for the store."""


class Filled(CommandAnswer):
    """What was filled of blocks that were stored by their headers alone."""

    missing_blocks: int
    """Blocks that were stored by their headers alone."""
    filled_blocks: int
    """Those that were filled."""
    remaining_blocks: int
    """Those that no source had."""
    duration_seconds: float
    """Seconds that it took."""


class WatchedState(Overview, CommandAnswer):
    """A state of the chain as a running agent tells it, one a line."""
