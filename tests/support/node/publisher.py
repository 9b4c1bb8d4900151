"""The node's ZMQ side: the five block and transaction topics, framed as recorded."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pbk
import zmq

from tests.support.node.chain import Event

if TYPE_CHECKING:
    from tests.support.node.node import RegtestNode

TOPICS: Final = ("hashblock", "hashtx", "rawblock", "rawtx", "sequence")

_TRANSACTION_TOPICS: Final = {"hashtx", "rawtx"}


class Publisher:
    """Publishes what changed; lives in the node's event loop thread."""

    def __init__(self, node: RegtestNode, host: str, port: int) -> None:
        self._node = node
        self._sequence: Counter[str] = Counter()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.IPV6, 1)
        self._socket.setsockopt(zmq.SNDHWM, 1000)
        address = f"tcp://[{host}]" if ":" in host else f"tcp://{host}"
        self.port = port
        if port:
            self._socket.bind(f"{address}:{port}")
        else:
            self.port = self._socket.bind_to_random_port(address)

    def announce(self, events: Sequence[Event]) -> None:
        """Publish the steps of one change of the active chain, then its new tip."""
        for event in events:
            entry = self._node.chain.find(event.hash)
            assert entry is not None
            if not _TRANSACTION_TOPICS.isdisjoint(self._node.zmq_topics):
                for transaction in pbk.Block(self._node.chain.raw(entry)).transactions:
                    self._send("hashtx", bytes(transaction.txid)[::-1])
                    self._send("rawtx", bytes(transaction))
            self._send("sequence", event.hash[::-1] + event.label.encode())
        if events:
            tip = self._node.chain.find(events[-1].hash)
            assert tip is not None
            self._send("hashblock", tip.ref.hash[::-1])
            self._send("rawblock", self._node.chain.raw(tip))

    def _send(self, topic: str, body: bytes) -> None:
        if topic not in self._node.zmq_topics:
            return
        number = struct.pack("<I", self._sequence[topic])
        self._sequence[topic] += 1
        if self._node.faults.drop_zmq:
            self._node.faults.drop_zmq -= 1
            return
        self._socket.send_multipart([topic.encode(), body, number])

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()
        self._context.term()
