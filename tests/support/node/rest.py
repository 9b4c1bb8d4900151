"""The node's REST interface: paths, formats and refusals as recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hashing.header import hash_from_hex, hash_to_hex
from tests.support.node import replies
from tests.support.node.chain import Entry
from tests.support.node.rpc import encode

if TYPE_CHECKING:
    from tests.support.node.node import RegtestNode

NO_STORE: Final = "no-store"
IMMUTABLE: Final = "public, immutable, max-age=86400"
_TYPES: Final = {
    "bin": "application/octet-stream",
    "hex": "text/plain",
    "json": "application/json",
}
_PATH: Final = re.compile(r"/rest/(?P<name>[a-z/]+?)(?:/(?P<arg>[^/]*))?\.(?P<format>[a-z]+)")


@dataclass(frozen=True, slots=True)
class RestReply:
    """A reply of the REST interface."""

    status: int
    content_type: str
    body: bytes
    cache_control: str = NO_STORE


class RestRefusal(Exception):
    """A refusal in plain text with its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    @property
    def reply(self) -> RestReply:
        """The refusal as the caller gets it."""
        return RestReply(self.status, "text/plain", f"{self}\r\n".encode())


class Rest:
    """Answers REST requests about one node."""

    def __init__(self, node: RegtestNode) -> None:
        self._node = node

    def answer(self, path: str, query: Mapping[str, str]) -> RestReply | None:
        """Return the reply to a GET, or None where the node has no such path."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        name, argument, kind = match["name"], match["arg"] or "", match["format"]
        handlers = {
            "block": lambda: self._block(argument, kind),
            "block/notxdetails": lambda: self._block_without_details(argument, kind),
            "blockhashbyheight": lambda: self._hash_by_height(argument, kind),
            "chaininfo": lambda: self._chain_info(kind),
            "headers": lambda: self._headers(argument, query, kind),
        }
        if self._node.flavour.blockpart:
            handlers["blockpart"] = lambda: self._block_part(argument, query, kind)
        handler = handlers.get(name)
        if handler is None:
            return None
        try:
            if self._node.faults.warming_up:
                reason = self._node.faults.warming_up
                raise RestRefusal(503, f"Service temporarily unavailable: {reason}")
            return handler()
        except RestRefusal as refusal:
            return refusal.reply

    def _entry(self, text: str) -> Entry | None:
        try:
            digest = hash_from_hex(text)
        except ValueError:
            raise RestRefusal(400, f"Invalid hash: {text}") from None
        return self._node.chain.find(digest)

    def _stored(self, text: str) -> Entry:
        entry = self._entry(text)
        if entry is None:
            raise RestRefusal(404, f"{text} not found")
        if entry.ref.height < self._node.faults.pruned_below:
            raise RestRefusal(404, f"{text} not available (pruned data)")
        if not entry.has_block or self._node.faults.awaits(entry.ref.height):
            raise RestRefusal(404, f"{text} not available (not fully downloaded)")
        if entry.ref.hash in self._node.faults.bad_blocks:
            if self._node.flavour.blockpart:
                raise RestRefusal(500, f"I/O error reading {text}")
            raise RestRefusal(404, f"{text} not found")
        return entry

    def _block(self, argument: str, kind: str) -> RestReply:
        raw = self._node.chain.raw(self._stored(argument))
        return _bytes(self._node.faults.on_block(raw), kind, IMMUTABLE)

    def _block_without_details(self, argument: str, kind: str) -> RestReply:
        if kind != "json":
            return self._block(argument, kind)
        entry = self._stored(argument)
        return _json(replies.block_fields(self._node.chain, entry, self._node.flavour))

    def _block_part(self, argument: str, query: Mapping[str, str], kind: str) -> RestReply:
        numbers = {}
        for name in ("offset", "size"):
            text = query.get(name, "")
            if not text.isdecimal():
                raise RestRefusal(400, f"Block part {name} missing or invalid")
            numbers[name] = int(text)
        raw = self._node.faults.on_block(self._node.chain.raw(self._stored(argument)))
        offset, size = numbers["offset"], numbers["size"]
        if size == 0 or offset + size > len(raw):
            raise RestRefusal(400, f"Bad block part offset/size {offset}/{size} for {argument}")
        if kind == "json":
            raise RestRefusal(400, "JSON output is not supported for this request type")
        return _bytes(raw[offset : offset + size], kind, IMMUTABLE)

    def _headers(self, argument: str, query: Mapping[str, str], kind: str) -> RestReply:
        text = query.get("count", "5")
        if not text.isdecimal() or not 1 <= int(text) <= 2000:
            raise RestRefusal(
                400, f"Header count is invalid or out of acceptable range (1-2000): {text}"
            )
        chain = self._node.chain
        with chain.lock:
            entry, found = self._entry(argument), list[Entry]()
            while entry is not None and chain.is_active(entry) and len(found) < int(text):
                found.append(entry)
                height = entry.ref.height + 1
                entry = chain.at(height) if height <= chain.tip.ref.height else None
        if kind == "json":
            return _json([replies.header_fields(chain, e, self._node.flavour) for e in found])
        raw = b"".join(self._node.faults.on_header(e.header.serialize()) for e in found)
        return _bytes(raw, kind, NO_STORE)

    def _hash_by_height(self, argument: str, kind: str) -> RestReply:
        if not argument.isdecimal():
            raise RestRefusal(400, f"Invalid height: {argument}")
        try:
            digest = self._node.chain.at(int(argument)).ref.hash
        except IndexError:
            raise RestRefusal(404, "Block height out of range") from None
        if kind == "json":
            return _json({"blockhash": hash_to_hex(digest)})
        return _bytes(digest if kind == "bin" else digest[::-1], kind, NO_STORE)

    def _chain_info(self, kind: str) -> RestReply:
        if kind != "json":
            raise RestRefusal(404, "output format not found (available: json)")
        node = self._node
        return _json(replies.chain_info(node.chain, node.flavour, node.faults.pruned_below))


def _bytes(raw: bytes, kind: str, cache_control: str) -> RestReply:
    if kind not in {"bin", "hex"}:
        raise RestRefusal(404, "output format not found (available: .bin, .hex)")
    body = raw if kind == "bin" else raw.hex().encode() + b"\n"
    return RestReply(200, _TYPES[kind], body, cache_control)


def _json(value: Any) -> RestReply:
    return RestReply(200, _TYPES["json"], encode(value))
