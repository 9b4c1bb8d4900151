"""How the agent is."""

from __future__ import annotations

from monitor.answers.base import Answer, Exact, Figure, LeftOut


class Source(Answer):
    """One place that blocks come from."""

    name: str
    """Its name, such as bitcoind or esplora."""
    up: bool | None
    """Whether it answered last; null before the first request."""
    requests: int
    """Requests since the agent started."""
    failures: int
    """Requests that failed since the agent started."""
    last_success: Exact
    """Unix time of its last answer; null before the first."""
    leads: bool
    """Whether it is the one that is followed now."""
    tip_height: int | None
    """Height of the tip that it told last; null before that."""
    lag_blocks: int | None
    """Stored blocks that its own chain lacks; null while that is not known."""
    trouble: str
    """Why it failed, empty while it answers."""
    left_out: list[LeftOut]
    """What it holds and poolscope does not use."""


class Watcher(Answer):
    """What is observed beside the chain; its failing stops nothing else."""

    name: str
    """Its name, such as price."""
    up: bool | None
    """Whether it observed something last; null before it did, or failed."""
    trouble: str
    """Why it fails, empty while it does not."""


class LocalRate(Answer):
    """The SHA-256d rate of the machine that poolscope runs on, one thread."""

    hashes_per_second: Figure
    """Hashes per second (H/s), the median of the repetitions of the measurement."""
    spread: Figure
    """Highest minus lowest repetition of the measurement, in H/s."""
    kernel: str | None
    """What hashed: the fastest kernel of this machine, or hashlib while none is compiled."""


class Status(Answer):
    """How the agent is, and what it follows."""

    version: str
    """Version of poolscope."""
    network: str
    """Name of the network, such as mainnet."""
    synthetic: str
    """Empty for the live chain, else why the blocks are not live: sample, rehearsal."""
    ready: bool
    """Whether it has caught up with its source and can write its store."""
    missing: list[str]
    """What is still missing before it is ready."""
    now: float
    """Unix time by the agent's clock."""
    sources: list[Source]
    """How the sources are, the preferred one first."""
    watchers: list[Watcher]
    """How the watchers are."""
    local_rate: LocalRate | None
    """Null where it has not been measured."""
    registry_version: str
    """Version of the registry that attributes blocks, the 64 hex digits of a hash."""
    registry_pools: int
    """Pools that the registry knows."""
    registry_as_of: str | None
    """The day up to which the registry knows of new pools, ISO 8601; null where it does not say."""
    other_registry_blocks: int
    """Stored blocks that a registry of another version attributed, as in the midst of a change."""


class Sources(Answer):
    """Sources and their health."""

    sources: list[Source]
    """How the sources are, the preferred one first."""
