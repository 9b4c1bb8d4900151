"""Block notifications of a bitcoind node over ZMQ: a hint to look again, nothing more.

ZMQ loses messages when a queue is full or a connection breaks, and an address that nobody
publishes at looks like a silent one. Each topic numbers its messages; a gap counts as a hint
too. What the tip is, the node says over RPC; whether the hints can be relied on, `Hearing`.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

import zmq
import zmq.asyncio

from hashing.wire import MAX_BLOCK_SIZE
from monitor.errors import ConfigError
from monitor.secrets import foreign
from monitor.urls import is_loopback, shown

Topic = Literal["hashblock", "sequence", "rawblock", "any"]
"""``hashblock``: the new tip. ``sequence``: each block that joins or leaves the chain, and
each transaction of the mempool besides. ``rawblock``: the new tip with all its bytes. ``any``:
whichever of them comes."""

_TOPICS: Final[tuple[Topic, ...]] = ("hashblock", "sequence", "rawblock")
"""The best first."""
_MAX_MESSAGE: Final = 4096
_BLOCK_LABELS: Final = (b"C", b"D")
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "[::1]"}  # noqa: S104
"""What a node binds to, and where to reach that on its own machine."""

_SETTLES: Final = 2.0
"""Seconds until a subscription has surely arrived: what is missed before is no sign."""
_GRACE: Final = 5.0
"""Seconds that the message about a block may take longer than the look that found it."""


class Publication(NamedTuple):
    """Where to listen, and to what."""

    address: str
    topic: Topic


def topic_at(offers: Iterable[tuple[str, str]], address: str) -> Topic:
    """Return what a node publishes at `address`, as its user reaches it.

    `offers` are the ``(type, address)`` lines of ``getzmqnotifications``. The port is compared,
    since the host has other names for others; ``any`` if nothing is known of it.
    """
    port = address.rpartition(":")[2]
    types = {kind for kind, bound in offers if bound.rpartition(":")[2] == port}
    return next((topic for topic in _TOPICS if f"pub{topic}" in types), "any")


def local_publication(offers: Sequence[tuple[str, str]]) -> Publication | None:
    """Return the best offer of a node on this machine that stays on it, or None.

    ZMQ has no login, and the address is the node's word: one of another machine is only
    used where the user names it.
    """
    for topic in _TOPICS:
        for kind, address in offers:
            local = _local_address(address) if kind == f"pub{topic}" else None
            if local is not None:
                return Publication(local, topic)
    return None


async def is_this_machine(host: str | None) -> bool:
    """Tell whether a host is this machine: its loopback, or an address that it can bind to."""
    if not host or is_loopback(host):
        return bool(host)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return any(_can_bind(family, address) for family, *_, address in found)


def _can_bind(family: int, address: Any) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True


def _local_address(address: str) -> str | None:
    scheme, _, rest = address.partition("://")
    if scheme == "ipc":
        return address
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    if scheme != "tcp" or not port.isdecimal():
        return None
    if is_loopback(host):
        return address
    return f"tcp://{_WILDCARDS[host]}:{port}" if host in _WILDCARDS else None


class BlockHints:
    """Listens at one address of one node, from `start` to `close`.

    Attributes
    ----------
    gaps:
        How often the numbering jumped: messages were lost, or the node restarted.
    last:
        When the last hint came (`time.monotonic`), -inf before.
    """

    def __init__(self, publication: Publication) -> None:
        self.publication = publication
        self.gaps = 0
        self.last = -math.inf
        topics = _TOPICS if publication.topic == "any" else (publication.topic,)
        self._topics = {topic.encode(): topic for topic in topics}
        self._hint = asyncio.Event()
        self._numbers: dict[bytes, int] = {}
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
        subscriber.setsockopt(zmq.IPV6, 1)
        whole = "rawblock" in self._topics.values()
        subscriber.setsockopt(zmq.MAXMSGSIZE, MAX_BLOCK_SIZE if whole else _MAX_MESSAGE)
        for topic in self._topics:
            subscriber.setsockopt(zmq.SUBSCRIBE, topic)
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
        if len(frames) != 3 or frames[0] not in self._topics or len(frames[2]) != 4:
            return
        number = int.from_bytes(frames[2], "little")
        before = self._numbers.get(frames[0])
        gap = before is not None and number != (before + 1) % (1 << 32)
        self._numbers[frames[0]] = number
        self.gaps += gap
        is_block = frames[0] != b"sequence" or frames[1][32:33] in _BLOCK_LABELS
        if gap or is_block:
            self.last = time.monotonic()
            self._hint.set()


class Hearing:
    """Whether the hints of a publication can be relied on, from what they told and did not.

    They are relied on from the first one until a block came that none told of. All times are
    those of one clock, in seconds; `now` is when listening began.
    """

    def __init__(self, now: float) -> None:
        self._deaf_until = now
        self._settled = now + _SETTLES
        self._still = -math.inf
        self._owed: float | None = None
        self._due = math.inf

    def is_reliable(self, last: float) -> bool:
        """Tell whether the hint at `last`, the last one, has shown that hints come."""
        return last > self._deaf_until

    def still(self, began: float) -> None:
        """Note a look that began at `began` and found the tip where it was."""
        self._still = began

    def moved(self, now: float) -> None:
        """Note a look that found a block on top of the old tip: a hint is owed for it."""
        if self._still >= self._settled and self._owed is None:
            self._owed, self._due = self._still, now + _GRACE

    def due_in(self, now: float) -> float:
        """Return the seconds after which `missed` can tell more; inf where nothing is owed."""
        return max(0.0, self._due - now)

    def missed(self, last: float, now: float) -> bool:
        """Tell, once for each case, that a block came and no hint, the last of them at `last`."""
        if self._owed is None or (last < self._owed and now < self._due):
            return False
        missed = last < self._owed
        self._owed, self._due = None, math.inf
        if missed:
            self._deaf_until = now
        return missed
