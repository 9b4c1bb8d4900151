"""How the agent is."""

from __future__ import annotations

from monitor.web.answers.base import Answer, Exact, Figure


class Source(Answer):
    """One place that blocks come from."""

    name: str
    up: bool | None
    """Whether it answered last; null before the first request."""
    requests: int
    failures: int
    last_success: Exact
    """Unix time of its last answer."""


class LocalRate(Answer):
    """The SHA-256d rate of the machine that poolscope runs on, one thread."""

    hashes_per_second: Figure
    spread: Figure
    """Highest minus lowest repetition of the measurement."""


class Status(Answer):
    """How the agent is, and what it follows."""

    version: str
    network: str
    synthetic: str
    """Empty for the live chain, else why the blocks are not live: sample, rehearsal."""
    ready: bool
    missing: list[str]
    """What is still missing before it is ready."""
    now: float
    """The agent's clock."""
    sources: list[Source]
    local_rate: LocalRate | None
    """Null where it has not been measured."""
    registry_version: str
    registry_pools: int


class Sources(Answer):
    """Sources and their health."""

    sources: list[Source]
