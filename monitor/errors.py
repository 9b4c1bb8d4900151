"""Errors that reach a user: each says what, where and what to do.

::

    PoolscopeError(Exception)
    ├── ConfigError          a setting that cannot be used
    ├── QuestionError        a question that cannot be answered as it is asked
    ├── SourceError          a source did not give what was asked
    │   ├── SourceUnavailable   try again later: down, too busy
    │   │   └── SourceStarting     it is there, and loads what it needs: a node that is warming up
    │   ├── SourceRefused       asking again is useless: wrong password, wrong network
    │   ├── NotFound            the source does not have this block (any more)
    │   │   └── NotKept            the block is in its chain, but its body is not to be had there
    │   └── BadReply            the source answered nonsense; the reply is dropped
    ├── ProofError           a block that does not prove itself; refused and counted
    └── StoreError           the store cannot be used: read-only, full, newer, other network
        ├── StoreEmpty          there is no block in it yet
        └── StoreChanged        it is not what this agent left there: read it anew
"""

from __future__ import annotations

from typing import Final

REASONS: Final = (
    "pow",
    "link",
    "nbits",
    "mtp",
    "timewarp",
    "version",
    "mismatch",
    "wire",
    "coinbase",
    "height",
    "unproved",
)
"""Why a block is refused: a header rule of `hashing.chain`, another block than was asked for,
bytes that are no coinbase, a coinbase that does not belong to the header, a height in it that
is not the block's (BIP34), or a stranger's coinbase without proof."""


class PoolscopeError(Exception):
    """Base of every error with a message for the user."""


class ConfigError(PoolscopeError):
    """A setting that cannot be used."""


class QuestionError(PoolscopeError, ValueError):
    """A question that cannot be answered as it is asked; another one may be."""


class SourceError(PoolscopeError):
    """A source did not give what it was asked for."""


class SourceUnavailable(SourceError):
    """The source cannot answer now: down, warming up, busy or rate limiting.

    Attributes
    ----------
    retry_after:
        Seconds that the source asked to wait, or None if it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceStarting(SourceUnavailable):
    """The source is there and will answer by itself: it is still loading what it needs."""


class SourceRefused(SourceError):
    """The source answers but will not serve us: wrong password, other network."""


class NotFound(SourceError):
    """The source does not have this block: pruned, reorganised away or never seen."""


class NotKept(NotFound):
    """The block is in the source's active chain, but the source has no more than its header.

    It was pruned, is lost, or has not been downloaded yet. A block that a reorg took away is
    not meant: that one is `NotFound`.
    """


class BadReply(SourceError):
    """The reply is not what the protocol promises; it was dropped."""


class ProofError(PoolscopeError):
    """A block that does not prove itself.

    Attributes
    ----------
    reason:
        Short stable name, a member of `REASONS`, fit for a metric label.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(PoolscopeError):
    """The store cannot be used as asked."""


class StoreEmpty(StoreError):
    """No block is stored yet."""

    def __init__(self, advice: str = "") -> None:
        super().__init__(f"the store is empty yet; is 'poolscope run' catching up?{advice}")


class StoreChanged(StoreError):
    """The store was changed, moved or replaced by another program; nothing was written."""
