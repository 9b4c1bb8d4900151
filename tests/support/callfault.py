"""What can be wrong with one call, of a node or of an API: the same for all test servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

KEEP: Final = object()
"""No other reply than the server's own."""


class Failure(NamedTuple):
    """A JSON-RPC error object and the HTTP status that it comes with."""

    code: int
    text: str
    status: int = 500


UNKNOWN: Final = Failure(-32601, "Method not found", 404)


@dataclass(frozen=True, slots=True)
class CallFault:
    """What goes wrong with one call; all off at first.

    Attributes
    ----------
    status, text:
        Answer with this HTTP status and text, and do nothing else. 403 without a text is what
        a node says to a method that is not on the user's ``rpcwhitelist``.
    error:
        Answer with this JSON-RPC error (only of a node's methods).
    delay:
        Seconds until the answer comes, whatever it is.
    reply:
        Answer this instead. A mapping changes fields of the server's own reply where that has
        fields; a field of None is removed. Bytes are sent as they are.
    """

    status: int = 0
    text: str = ""
    error: Failure | None = None
    delay: float = 0.0
    reply: Any = KEEP

    def on_reply(self, own: Any) -> Any:
        """Return the reply as the fault makes it of the server's own."""
        if self.reply is KEEP:
            return own
        if isinstance(own, dict) and isinstance(self.reply, Mapping):
            changed = own | dict(self.reply)
            return {name: value for name, value in changed.items() if value is not None}
        return self.reply


NO_FAULT: Final = CallFault()
FORBIDDEN: Final = CallFault(status=403)


def fault_of(faults: Mapping[str, CallFault], call: str) -> CallFault:
    """Return the fault of `call`: under its own name, else under the first pattern it matches.

    Patterns are those of `fnmatch`: ``*`` breaks every call that has no entry of its own, and
    an entry of `NO_FAULT` spares one.
    """
    if call in faults:
        return faults[call]
    return next((fault for name, fault in faults.items() if fnmatchcase(call, name)), NO_FAULT)
