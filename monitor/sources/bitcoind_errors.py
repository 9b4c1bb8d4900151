"""What a node's refusals and failures mean; every message names the call."""

from __future__ import annotations

import re
from typing import Final

from bitcoinrpc.authproxy import JSONRPCException

from monitor.errors import (
    BadReply,
    NotFound,
    SourceError,
    SourceRefused,
    SourceStarting,
    SourceUnavailable,
)
from monitor.reply import printable

METHOD_NOT_FOUND: Final = -32601
_WARMING_UP: Final = -28
_NOT_FOUND: Final = {-5, -8}
"""Unknown block, height out of range."""
_NO_BODY: Final = ({-1, -32603}, re.compile(r"not available|not found|from disk", re.IGNORECASE))
"""Pruned, not downloaded yet, or lost: the codes, and what the messages of all versions say."""
_NO_RESULT: Final = -343
"""The library's own code: neither result nor error."""

SPEAKING_STATUS: Final = {401, 403, 429, 502, 503, 504}
"""HTTP statuses that speak for themselves, whatever the body says."""


class HttpRefusal(Exception):
    """A response with one of `SPEAKING_STATUS`; `text` is the start of its body."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = printable(text)


class RpcError(BadReply):
    """The node's own error object, where it has no meaning that every call shares."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: error {code} {message}")
        self.code = code
        self.message = message


def is_unknown(error: SourceError) -> bool:
    """Tell whether the node says that it has no such method."""
    return isinstance(error, RpcError) and error.code == METHOD_NOT_FOUND


class MethodRefused(SourceRefused):
    """HTTP 403 to one method: it is not on the whitelist, or nothing is allowed at all.

    Attributes
    ----------
    by_node:
        Whether it looks like the node's own refusal, which has no body.
    """

    def __init__(self, method: str, *, by_node: bool) -> None:
        super().__init__(f"{method} is refused (HTTP 403)")
        self.method = method
        self.by_node = by_node


class NoAnswer(SourceUnavailable):
    """Nothing came within the time that an answer may take."""

    def __init__(self, call: str, timeout: float) -> None:
        super().__init__(f"no answer to {call} within {timeout:g} s")


class Busy(SourceUnavailable):
    """The node, or a server before it, cannot answer this now, and says so by HTTP."""


def meaning(error: JSONRPCException, method: str) -> SourceError:
    """Return what an error object in the reply to `method` means."""
    code, message = error.code, printable(error.message)
    if type(code) is not int:
        return BadReply(f"the error reply to {method} makes no sense ({message})")
    if code == _NO_RESULT:
        return BadReply(f"the reply to {method} is no JSON-RPC ({message})")
    if code == _WARMING_UP:
        return SourceStarting(f"the node is warming up ({message}); waiting")
    if code in _NOT_FOUND or (code in _NO_BODY[0] and _NO_BODY[1].search(message)):
        return NotFound(f"{method}: {message}")
    return RpcError(method, code, message)


def busy(refusal: HttpRefusal, method: str) -> Busy:
    """Return what a status that means "not now" means in the reply to `method`."""
    if refusal.status == 503:
        return Busy(f"the node is too busy for {method} ({refusal.text or 'HTTP 503'})")
    return Busy(f"no answer to {method}: a server before the node says HTTP {refusal.status}")


def broken(error: Exception, method: str, timeout: float) -> SourceUnavailable:
    """Return what a failure of the connection means for a call of `method`."""
    if isinstance(error, TimeoutError):
        return NoAnswer(method, timeout)
    if isinstance(error, ConnectionRefusedError):
        text = "connection refused: is the node running, and is this its RPC port?"
        return SourceUnavailable(text)
    reason = printable(error, 80) or type(error).__name__
    return SourceUnavailable(f"the connection failed at {method} ({reason})")
