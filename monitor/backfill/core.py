"""The past of a chain at once: ranges of blocks, read anywhere, put in order, begun again at will.

The way: headers of the whole chain, all checked (`Chain`); ranges of it that the target does
not have yet; each range read, proved and attributed by a `monitor.backfill.work.Job` on any
executor; results put into the target, which is the only memory of how far it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hashing.chain import ChainEntry
from hashing.errors import HeaderError
from hashing.header import BlockHeader, sha256d
from hashing.params import NetworkParams
from hashing.validate import validate_headers
from monitor.errors import ProofError
from monitor.proof import prove_beginning
from monitor.workers import in_order


class Span(NamedTuple):
    """Heights from `first` to `last`, both included."""

    first: int
    last: int


class Piece(NamedTuple):
    """A range as it is sent to whoever reads it: headers ``uint8[N, 80]``, places or None."""

    first: int
    headers: NDArray[np.uint8]
    places: NDArray[np.void] | None


@dataclass(frozen=True, slots=True)
class Chain:
    """Headers of a source's active chain, ``uint8[N, 80]``, the first at height `start`.

    `places` says where in the block files each block lies, where that is known.
    """

    start: int
    headers: NDArray[np.uint8]
    places: NDArray[np.void] | None = None

    @property
    def tip(self) -> int:
        """Height of the last header."""
        return self.start + len(self.headers) - 1

    def hash_at(self, height: int) -> bytes:
        """Return the hash of the block at `height`."""
        return sha256d(self.headers[height - self.start].tobytes())

    def piece(self, span: Span) -> Piece:
        """Return what is needed to read `span`."""
        chosen = slice(span.first - self.start, span.last - self.start + 1)
        places = None if self.places is None else self.places[chosen]
        return Piece(span.first, self.headers[chosen], places)


class Target(Protocol):
    """Where blocks go. It knows what it has: a backfill that is begun again asks it."""

    def missing(self, span: Span, size: int) -> list[Span]:
        """Return the ranges of `size` blocks that `span` still lacks, in the order to put them."""

    def put(self, span: Span, result: Any) -> None:
        """Take a range, wholly or not at all."""

    def finish(self, span: Span) -> None:
        """Do what is left to do when all ranges are there."""


def checked(
    chain: Chain,
    params: NetworkParams,
    name: str,
    on_progress: Callable[[int], None] | None = None,
) -> Chain:
    """Return `chain` if every header of it holds by all rules, and it is the network's own.

    `on_progress` is called with the number of headers checked since the last call.

    Raises
    ------
    ProofError
        Otherwise; `name` is the source's.
    """
    report = validate_headers(chain.headers, params, chain.start, on_progress=on_progress)
    failure = report.failure
    if failure is not None:
        raise ProofError(failure.rule, f"{name}: {failure.message}")
    try:
        known = params.milestone
        milestone = _entry(chain, known.height) if known else None
        first = _entry(chain, chain.start)
        assert first is not None
        prove_beginning(first, milestone, params, name)
    except HeaderError as error:
        raise ProofError(error.rule, f"{name}: {error}") from None
    return chain


def _entry(chain: Chain, height: int) -> ChainEntry | None:
    if not chain.start <= height <= chain.tip:
        return None
    header = BlockHeader.parse(chain.headers[height - chain.start].tobytes())
    return ChainEntry(height, header.hash, header, 0, None)


def spans(first: int, last: int, size: int) -> list[Span]:
    """Return `first` to `last` in ranges that end at multiples of `size`.

    Examples
    --------
    >>> spans(7, 25, 10)
    [Span(first=7, last=9), Span(first=10, last=19), Span(first=20, last=25)]
    """
    starts = [first, *range(first - first % size + size, last + 1, size)]
    ends = [start - 1 for start in starts[1:]] + [last]
    return [Span(*pair) for pair in zip(starts, ends, strict=True) if first <= last]


def backfill(
    chain: Chain,
    todo: Iterable[Span],
    work: Callable[[Piece], Any],
    target: Target,
    executor: Executor,
    *,
    ahead: int,
) -> Iterator[int]:
    """Put the ranges `todo` of `chain` into `target`; yield how many blocks each one was."""
    calls = ((work, chain.piece(span)) for span in todo)
    for (_, piece), result in in_order(executor, calls, ahead):
        span = Span(piece.first, piece.first + len(piece.headers) - 1)
        target.put(span, result)
        yield len(piece.headers)
