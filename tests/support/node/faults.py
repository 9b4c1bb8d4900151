"""What can be wrong with a node, switchable while it runs."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from tests.support.callfault import FORBIDDEN, NO_FAULT, CallFault, fault_of


@dataclass(slots=True)
class Faults:
    """The faults of a test node; all off at first, each may be set at any time.

    Attributes
    ----------
    warming_up:
        The message of a node that is still loading, such as ``Loading block index…``.
    queue_full:
        Refuse every request with HTTP 503, as a full work queue does.
    html:
        Answer every request with a web page, as a captive portal or proxy does.
    garbage:
        Answer every request with these bytes and HTTP 200.
    truncate_blocks:
        Cut the second half of every block's bytes off.
    forge:
        Change bytes so that the proof must fail: a ``coinbase`` text, or a ``header`` nonce.
    pruned_below:
        Refuse blocks below this height as pruned.
    awaited_from, awaited_below:
        Have not downloaded the blocks from the first height to below the second, as a node
        that began with an assumeutxo snapshot; nothing else tells of that.
    chain_name:
        Claim this network in ``getblockchaininfo``.
    drop_zmq:
        Lose this many of the next ZMQ messages; their sequence numbers are used up.
    delay:
        Seconds to wait before each reply.
    content_type:
        The Content-Type of every reply, whatever is in it; empty sends none.
    prefix:
        Serve everything below this path, and nothing beside it, as a reverse proxy may.
    address_denied:
        Refuse this machine's address, as a node without a fitting ``rpcallowip`` does.
    no_login:
        Ask nobody for a login, as a hosted node with its key in the path.
    jsonrpc_2:
        Leave out ``result`` or ``error``, whichever is null, as JSON-RPC 2.0 wants it.
    whitelist:
        The methods that ``rpcwhitelist`` allows the user; None allows all.
    calls:
        What is wrong with single calls, by method (``getchaintips``) or REST path
        (``rest/blockpart``); see `tests.support.callfault.fault_of`.
    bad_blocks:
        Hashes of blocks that are in the index and cannot be read from the disk.
    """

    warming_up: str = ""
    queue_full: bool = False
    html: bool = False
    garbage: bytes | None = None
    truncate_blocks: bool = False
    forge: Literal["", "coinbase", "header"] = ""
    pruned_below: int = 0
    awaited_from: int = 0
    awaited_below: int = 0
    chain_name: str = ""
    drop_zmq: int = 0
    delay: float = 0.0
    content_type: str | None = None
    prefix: str = ""
    address_denied: bool = False
    no_login: bool = False
    jsonrpc_2: bool = False
    whitelist: Collection[str] | None = None
    calls: dict[str, CallFault] = field(default_factory=dict)
    bad_blocks: set[bytes] = field(default_factory=set)

    def of_method(self, name: str) -> CallFault:
        """Return what is wrong with an RPC method."""
        if self.whitelist is not None and name not in self.whitelist:
            return FORBIDDEN
        return fault_of(self.calls, name)

    def of_rest(self, path: str) -> CallFault:
        """Return what is wrong with a REST path, such as ``/rest/headers/HASH.bin``."""
        name = re.split(r"/[0-9a-f]{64}|\.", path.strip("/"), maxsplit=1)[0]
        return fault_of(self.calls, name)

    def spare(self, calls: Collection[str]) -> None:
        """Let nothing be wrong with `calls`, whatever is with the others."""
        self.calls.update(dict.fromkeys(calls, NO_FAULT))

    def on_block(self, raw: bytes) -> bytes:
        """Return a block's bytes as the faulty node hands them out."""
        if self.truncate_blocks:
            return raw[: len(raw) // 2]
        if self.forge == "coinbase":
            # The last byte of the scriptSig: still a coinbase, but with another txid.
            position = raw.index(b"\xff\xff\xff\xff", 81 + 4 + 2 + 1 + 36) - 1
            return raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        return self.on_header(raw[:80]) + raw[80:]

    def awaits(self, height: int) -> bool:
        """Say whether the block at `height` is not downloaded yet."""
        return self.awaited_from <= height < self.awaited_below

    def on_header(self, raw: bytes) -> bytes:
        """Return a header's bytes as the faulty node hands them out."""
        if self.forge == "header":
            return raw[:76] + bytes([raw[76] ^ 0xFF]) + raw[77:]
        return raw
