"""What can be wrong with a node, switchable while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
    lost_from, lost_below:
        Have no more than the headers of the blocks from the first height to below the second.
    lost_as:
        Why: ``download`` (not downloaded yet, as below an assumeutxo snapshot), or ``disk``
        (the file with them is gone).
    chain_name:
        Claim this network in ``getblockchaininfo``.
    drop_zmq:
        Lose this many of the next ZMQ messages; their sequence numbers are used up.
    delay:
        Seconds to wait before each reply.
    """

    warming_up: str = ""
    queue_full: bool = False
    html: bool = False
    garbage: bytes | None = None
    truncate_blocks: bool = False
    forge: Literal["", "coinbase", "header"] = ""
    pruned_below: int = 0
    lost_from: int = 0
    lost_below: int = 0
    lost_as: Literal["download", "disk"] = "download"
    chain_name: str = ""
    drop_zmq: int = 0
    delay: float = 0.0

    def on_block(self, raw: bytes) -> bytes:
        """Return a block's bytes as the faulty node hands them out."""
        if self.truncate_blocks:
            return raw[: len(raw) // 2]
        if self.forge == "coinbase":
            # The last byte of the scriptSig: still a coinbase, but with another txid.
            position = raw.index(b"\xff\xff\xff\xff", 81 + 4 + 2 + 1 + 36) - 1
            return raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        return self.on_header(raw[:80]) + raw[80:]

    def lost(self, height: int, why: str) -> bool:
        """Say whether the node has only the header of the block at `height`, for this reason."""
        return self.lost_from <= height < self.lost_below and self.lost_as == why

    def on_header(self, raw: bytes) -> bytes:
        """Return a header's bytes as the faulty node hands them out."""
        if self.forge == "header":
            return raw[:76] + bytes([raw[76] ^ 0xFF]) + raw[77:]
        return raw
