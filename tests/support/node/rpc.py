"""The node's JSON-RPC: methods, argument checks, and the 1.x and 2.0 envelopes."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hashing.header import hash_from_hex, hash_to_hex
from tests.support.callfault import UNKNOWN
from tests.support.node import replies
from tests.support.node.chain import Entry

if TYPE_CHECKING:
    from tests.support.node.node import RegtestNode

PRUNED: Final = "Block not available (pruned data)"


class RpcError(Exception):
    """An error that the caller sees, with Bitcoin Core's code."""

    def __init__(self, code: int, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or {-32600: 400, -32601: 404}.get(code, 500)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status and the JSON body under it; a notification has no body."""

    status: int
    body: Any | None


def encode(body: Any) -> bytes:
    """Return JSON as Bitcoin Core writes it: compact UTF-8 and a newline."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class Rpc:
    """Answers requests about one node."""

    def __init__(self, node: RegtestNode) -> None:
        self._node = node
        self._started = time.monotonic()
        self._methods: dict[str, Callable[[list[Any]], Awaitable[Any]]] = {
            "getbestblockhash": self._best_block_hash,
            "getblock": self._block,
            "getblockchaininfo": self._blockchain_info,
            "getblockcount": self._block_count,
            "getblockhash": self._block_hash,
            "getblockheader": self._block_header,
            "getchaintips": self._chain_tips,
            "getnetworkinfo": self._network_info,
            "getzmqnotifications": self._zmq_notifications,
            "uptime": self._uptime,
            "waitfornewblock": self._wait_for_new_block,
        }

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of all methods."""
        return tuple(self._methods)

    async def answer(self, body: bytes) -> Reply:
        """Return the reply to the body of one POST."""
        try:
            request = json.loads(body)
        except ValueError:
            return _failure(RpcError(-32700, "Parse error"), {})
        if isinstance(request, list):
            answers = [await self._answer_one(single) for single in request]
            bodies = [answer.body for answer in answers if answer.body is not None]
            return Reply(200, bodies) if bodies or not request else Reply(204, None)
        return await self._answer_one(request)

    async def _answer_one(self, request: Any) -> Reply:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failure(RpcError(-32600, "Invalid Request object"), {})
        method = request["method"]
        try:
            own = await self._call(method, list(request.get("params") or []))
            result = self._node.faults.of_method(method).on_reply(own)
        except RpcError as error:
            return _failure(error, request)
        if request.get("jsonrpc") != "2.0":
            return Reply(200, {"result": result, "error": None, "id": request.get("id")})
        if "id" not in request:
            return Reply(204, None)
        return Reply(200, {"jsonrpc": "2.0", "result": result, "id": request["id"]})

    async def _call(self, name: str, params: list[Any]) -> Any:
        if self._node.faults.warming_up:
            raise RpcError(-28, self._node.faults.warming_up)
        fault = self._node.faults.of_method(name)
        if fault.error is not None:
            raise RpcError(*fault.error)
        method = self._methods.get(name)
        if method is None:
            raise RpcError(*UNKNOWN)
        return await method(params)

    def _entry(self, params: list[Any], name: str) -> Entry:
        text = _argument(params, 0, name, str)
        if len(text) != 64:
            raise RpcError(-8, f"{name} must be of length 64 (not {len(text)}, for '{text}')")
        try:
            digest = hash_from_hex(text)
        except ValueError:
            raise RpcError(-8, f"{name} must be hexadecimal string (not '{text}')") from None
        entry = self._node.chain.find(digest)
        if entry is None:
            raise RpcError(-5, "Block not found")
        return entry

    async def _best_block_hash(self, params: list[Any]) -> Any:
        return hash_to_hex(self._node.chain.tip.ref.hash)

    async def _block_count(self, params: list[Any]) -> Any:
        return self._node.chain.tip.ref.height

    async def _block_hash(self, params: list[Any]) -> Any:
        height = _argument(params, 0, "height", int)
        try:
            return hash_to_hex(self._node.chain.at(height).ref.hash)
        except IndexError:
            raise RpcError(-8, "Block height out of range") from None

    async def _block_header(self, params: list[Any]) -> Any:
        entry = self._entry(params, "hash")
        if len(params) > 1 and not _argument(params, 1, "verbose", bool):
            return self._node.faults.on_header(entry.header.serialize()).hex()
        return replies.header_fields(self._node.chain, entry, self._node.flavour)

    async def _block(self, params: list[Any]) -> Any:
        entry = self._entry(params, "blockhash")
        if entry.ref.height < self._node.faults.pruned_below:
            raise RpcError(-1, PRUNED)
        if not entry.has_block or self._node.faults.awaits(entry.ref.height):
            raise RpcError(-1, "Block not available (not fully downloaded)")
        if entry.ref.hash in self._node.faults.bad_blocks:
            raise RpcError(-1, "Block not found on disk")
        verbosity = _argument(params, 1, "verbosity", int) if len(params) > 1 else 1
        if verbosity == 0:
            return self._node.faults.on_block(self._node.chain.raw(entry)).hex()
        if verbosity == 1:
            return replies.block_fields(self._node.chain, entry, self._node.flavour)
        raise RpcError(-8, f"the test node has no getblock verbosity {verbosity}")

    async def _blockchain_info(self, params: list[Any]) -> Any:
        node = self._node
        info = replies.chain_info(node.chain, node.flavour, node.faults.pruned_below)
        return info | {"chain": node.faults.chain_name or info["chain"]}

    async def _chain_tips(self, params: list[Any]) -> Any:
        return [
            {
                "height": tip.ref.height,
                "hash": hash_to_hex(tip.ref.hash),
                "branchlen": tip.branch_length,
                "status": tip.status,
            }
            for tip in self._node.chain.tips()
        ]

    async def _network_info(self, params: list[Any]) -> Any:
        return _network_info(self._node)

    async def _uptime(self, params: list[Any]) -> Any:
        return int(time.monotonic() - self._started)

    async def _zmq_notifications(self, params: list[Any]) -> Any:
        return [
            {"type": f"pub{topic}", "address": self._node.zmq_address, "hwm": 1000}
            for topic in self._node.zmq_topics
        ]

    async def _wait_for_new_block(self, params: list[Any]) -> Any:
        allowed = 2 if self._node.flavour.wait_tip else 1
        if len(params) > allowed:
            raise RpcError(-1, "waitfornewblock ( timeout )\n\nWaits for any new block")
        timeout = _argument(params, 0, "timeout", int) if params else 0
        if timeout < 0:
            raise RpcError(-1, "Negative timeout")
        known = self._node.chain.tip.ref.hash
        if len(params) == 2:
            known = hash_from_hex(_argument(params, 1, "current_tip", str))
        await self._node.wait_for_other_tip(known, timeout / 1000 if timeout else None)
        tip = self._node.chain.tip.ref
        return {"hash": hash_to_hex(tip.hash), "height": tip.height}


def _argument(params: list[Any], index: int, name: str, kind: type[Any]) -> Any:
    names = {str: "string", int: "number", bool: "bool", list: "array", dict: "object"}
    value = params[index] if index < len(params) else None
    if kind is int and name == "verbosity" and isinstance(value, bool):
        return int(value)
    if type(value) is not kind:
        got = names.get(type(value), "null")
        detail = f"JSON value of type {got} is not of expected type {names[kind]}"
        raise RpcError(
            -3, f'Wrong type passed:\n{{\n    "Position {index + 1} ({name})": "{detail}"\n}}'
        )
    return value


def _failure(error: RpcError, request: dict[str, Any]) -> Reply:
    body = {"code": error.code, "message": error.message}
    if request.get("jsonrpc") == "2.0":
        if "id" not in request:
            return Reply(204, None)
        return Reply(200, {"jsonrpc": "2.0", "error": body, "id": request["id"]})
    return Reply(error.status, {"result": None, "error": body, "id": request.get("id")})


def _network_info(node: RegtestNode) -> dict[str, Any]:
    flavour = node.flavour
    info: dict[str, Any] = {
        "version": flavour.version,
        "subversion": flavour.subversion,
        "protocolversion": flavour.protocol,
        "localservices": "0000000000000c09",
        "localservicesnames": ["NETWORK", "WITNESS", "NETWORK_LIMITED", "P2P_V2"],
        "localrelay": True,
        "timeoffset": 0,
    }
    if flavour.send_buckets:
        bucket = {"backlog": 0, "count_tok": 420.0, "size_tok": 12_000_000.5}
        info |= {"tx_send_rate": 14, "inv_buckets": {"inbound": bucket, "outbound": bucket}}
    networks = [
        {
            "name": name,
            "limited": name not in {"ipv4", "ipv6"},
            "reachable": name in {"ipv4", "ipv6"},
            "proxy": "",
            "proxy_randomize_credentials": False,
        }
        for name in ("ipv4", "ipv6", "onion", "i2p", "cjdns")
    ]
    return info | {
        "networkactive": True,
        "connections": 0,
        "connections_in": 0,
        "connections_out": 0,
        "networks": networks,
        "relayfee": 1e-06,
        "incrementalfee": 1e-06,
        "localaddresses": [],
        "warnings": list(flavour.warnings),
    }
