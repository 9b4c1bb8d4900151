"""Block notifications of a bitcoind node over ZMQ: a hint to look again, nothing more.

ZMQ loses messages when a queue is full or a connection breaks. Each topic numbers its
messages; a gap counts as a hint too. What the tip is, the node says over RPC.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

import zmq
import zmq.asyncio

from monitor.errors import ConfigError
from monitor.secrets import foreign
from monitor.urls import is_loopback, shown

Topic = Literal["hashblock", "sequence"]
"""``hashblock``: the new tip. ``sequence``: each block that joins or leaves the chain, and
each transaction of the mempool besides; for nodes that publish nothing else."""

_TOPICS: Final[tuple[Topic, ...]] = ("hashblock", "sequence")
_MAX_MESSAGE: Final = 4096
_BLOCK_LABELS: Final = (b"C", b"D")
_ANY_HOST: Final = {"0.0.0.0", "*", "::"}  # noqa: S104 - what a node binds to, not we


class Publication(NamedTuple):
    """Where to listen, and to what."""

    address: str
    topic: Topic


def offered_topic(offers: Iterable[tuple[str, str]]) -> Topic | None:
    """Return the best topic among ``(type, address)`` lines of ``getzmqnotifications``."""
    types = {kind for kind, _ in offers}
    return next((topic for topic in _TOPICS if f"pub{topic}" in types), None)


def local_publication(
    offers: Sequence[tuple[str, str]], *, node_is_local: bool
) -> Publication | None:
    """Return the best offer of ``getzmqnotifications`` on this machine, or None.

    ZMQ has no login, and the address is the node's word: one of another machine is only
    used where the user names it.
    """
    for topic in _TOPICS:
        for kind, address in offers:
            if kind == f"pub{topic}":
                local = _local_address(address, node_is_local=node_is_local)
                if local is not None:
                    return Publication(local, topic)
    return None


def _local_address(address: str, *, node_is_local: bool) -> str | None:
    scheme, _, rest = address.partition("://")
    if scheme == "ipc":
        return address if node_is_local else None
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    if scheme != "tcp" or not port.isdecimal():
        return None
    if is_loopback(host):
        return address
    return f"tcp://127.0.0.1:{port}" if host in _ANY_HOST and node_is_local else None


class BlockHints:
    """Listens to one topic of one node, from `start` to `close`.

    Attributes
    ----------
    gaps:
        How often the numbering jumped: messages were lost, or the node restarted.
    """

    def __init__(self, publication: Publication) -> None:
        self.publication = publication
        self.gaps = 0
        self._hint = asyncio.Event()
        self._last: int | None = None
        self._context = zmq.asyncio.Context()
        self._subscriber: zmq.asyncio.Socket | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect and listen; a node that is not there yet is connected to when it comes.

        Raises
        ------
        ConfigError
            If the address is none that ZMQ understands.
        """
        self._subscriber = subscriber = self._context.socket(zmq.SUB)
        subscriber.setsockopt(zmq.MAXMSGSIZE, _MAX_MESSAGE)
        subscriber.setsockopt(zmq.SUBSCRIBE, self.publication.topic.encode())
        try:
            subscriber.connect(self.publication.address)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(
                f"bitcoind.zmq {shown(self.publication.address)}: {foreign(error)}; give tcp://HOST:PORT"
            ) from None
        self._task = asyncio.create_task(self._listen(subscriber), name="bitcoind-zmq")

    async def wait(self, timeout: float) -> bool:
        """Return True at a hint since the last call, False after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._hint.wait()
        except TimeoutError:
            return False
        self._hint.clear()
        return True

    async def close(self) -> None:
        """Stop listening; safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._context.destroy(linger=0)

    async def _listen(self, subscriber: zmq.asyncio.Socket) -> None:
        while True:
            self._take(await subscriber.recv_multipart())

    def _take(self, frames: list[bytes]) -> None:
        """Look at one message; anything that is not one of the node's is ignored."""
        if len(frames) != 3 or frames[0] != self.publication.topic.encode() or len(frames[2]) != 4:
            return
        number = int.from_bytes(frames[2], "little")
        gap = self._last is not None and number != (self._last + 1) % (1 << 32)
        self._last = number
        self.gaps += gap
        is_block = self.publication.topic == "hashblock" or frames[1][32:33] in _BLOCK_LABELS
        if gap or is_block:
            self._hint.set()
