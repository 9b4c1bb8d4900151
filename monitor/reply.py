"""Checked access to what a source says: every field is looked at before it is used."""

from __future__ import annotations

import json
from typing import Any, Final

from hashing.errors import WireError
from hashing.header import hash_from_hex
from monitor.errors import BadReply
from monitor.secrets import one_line as printable

__all__ = ["Fields", "as_bytes", "as_hash", "as_list", "parse_json", "printable", "start_of"]

_MAX_HEIGHT: Final = 1 << 31
_LOOKED_AT: Final = 1 << 14


def is_page(kind: str, body: bytes) -> bool:
    """Tell a web page from data that a server only labels as one."""
    return kind == "text/html" and body.lstrip()[:1] in {b"<", b""}


def start_of(body: bytes, limit: int = 40) -> str:
    """Return the beginning of a body as one harmless line.

    Far more of it is looked at: what is cut off first hides from the search for secrets.
    """
    return printable(body[:_LOOKED_AT].decode("utf-8", "replace"), limit)


def parse_json(body: bytes, what: str) -> Any:
    """Return the JSON value of `body`; `BadReply` naming `what` if it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadReply(f"{what}: the reply is not JSON ({start_of(body)})") from None


def as_hash(value: Any, what: str) -> bytes:
    """Return the 32 internal-order bytes of a reversed-hex hash, else `BadReply`."""
    try:
        if isinstance(value, str):
            return hash_from_hex(value)
    except WireError:
        pass
    raise BadReply(f"{what}: {printable(value, 80)!r} is not a block hash")


def as_bytes(value: Any, what: str) -> bytes:
    """Return the bytes of a hex string, else `BadReply`."""
    try:
        if isinstance(value, str):
            return bytes.fromhex(value)
    except ValueError:
        pass
    raise BadReply(f"{what}: {printable(value, 40)!r} is not hex")


def as_list(value: Any, what: str) -> list[Any]:
    """Return `value` if it is a list, else `BadReply`."""
    if isinstance(value, list):
        return value
    raise BadReply(f"{what}: a list was expected, not {printable(value, 40)!r}")


class Fields:
    """The fields of a JSON object from a node; `what` names the reply in errors."""

    __slots__ = ("_values", "_what")

    def __init__(self, value: Any, what: str) -> None:
        if not isinstance(value, dict):
            raise BadReply(f"{what}: an object was expected, not {printable(value, 40)!r}")
        self._values = value
        self._what = what

    def integer(self, name: str, most: int = _MAX_HEIGHT) -> int:
        """Return a whole number from 0 to `most`."""
        value = self._values.get(name)
        if type(value) is int and 0 <= value <= most:
            return value
        raise self._wrong(name)

    def text(self, name: str) -> str:
        """Return a string."""
        value = self._values.get(name)
        if isinstance(value, str):
            return value
        raise self._wrong(name)

    def flag(self, name: str) -> bool:
        """Return a truth value; a missing one is false."""
        value = self._values.get(name, False)
        if isinstance(value, bool):
            return value
        raise self._wrong(name)

    def hash(self, name: str) -> bytes:
        """Return a hash as 32 internal-order bytes."""
        return as_hash(self._values.get(name), f"{self._what}, field {name}")

    def list(self, name: str) -> list[Any]:
        """Return a list."""
        return as_list(self._values.get(name), f"{self._what}, field {name}")

    def _wrong(self, name: str) -> BadReply:
        value = printable(self._values.get(name), 40)
        return BadReply(f"{self._what}: field {name} makes no sense ({value!r})")
