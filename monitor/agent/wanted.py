"""What a follower wants of whoever drives it: the words between the two."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hashing.header import BlockRef
from monitor.errors import ProofError
from monitor.sources.base import Capabilities
from monitor.store.base import Step


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source is, as far as following it needs."""

    name: str
    capabilities: Capabilities


@dataclass(frozen=True, slots=True)
class GetHeaders:
    """Wants ``list[bytes]``: headers of the source's active chain from `start` on."""

    start: int
    count: int


@dataclass(frozen=True, slots=True)
class GetBlocks:
    """Wants ``list[SourceBlock | NotFound]`` in the order of `refs`.

    The error stands for a block that the source does not have; `NotKept` says that it is in
    the source's chain all the same.
    """

    refs: Sequence[BlockRef]


@dataclass(frozen=True, slots=True)
class GetElsewhere:
    """Wants the same blocks of another source: ``(Offer, list[SourceBlock | NotFound])``.

    Of the next source in order that is not among the `asked`; None if there is no more.
    """

    refs: Sequence[BlockRef]
    asked: frozenset[str]


@dataclass(frozen=True, slots=True)
class GetStored:
    """Wants ``list[bytes]``: stored headers of the active chain from `start` on."""

    start: int


@dataclass(frozen=True, slots=True)
class Apply:
    """Wants `step` stored; `left` blocks are still to come."""

    step: Step
    left: int = 0


@dataclass(frozen=True, slots=True)
class Refuse:
    """Wants nothing: what another source than the one that is followed sent is refused."""

    error: ProofError


@dataclass(frozen=True, slots=True)
class Say:
    """Wants nothing: `text` is for the log, a warning where somebody has to do something."""

    text: str
    warning: bool = False


Wanted: TypeAlias = GetHeaders | GetBlocks | GetElsewhere | GetStored | Apply | Refuse | Say
Plan: TypeAlias = Generator[Wanted, Any, None]
