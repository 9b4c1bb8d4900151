"""How a node's next block is noticed: ZMQ, a long poll, or a look each second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, Final

from hashing.header import BlockRef, hash_to_hex
from monitor.errors import SourceError, SourceUnavailable
from monitor.reply import Fields
from monitor.sources.bitcoind_client import NodeClient
from monitor.sources.bitcoind_errors import Busy, NoAnswer, RpcError
from monitor.sources.bitcoind_optional import OptionalCalls
from monitor.sources.zmq import BlockHints, Hearing

log = logging.getLogger(__name__)

PUSH_CHECK: Final = 10.0
"""Seconds of silence after which the tip itself is looked at."""
FIRST_POLL: Final = 1.0
"""Seconds of the first long poll: it shows whether there will be an answer."""
_WAIT_KNOWS_TIP: Final = 300_000
"""The version from which ``waitfornewblock`` takes the tip that the caller knows."""
_TOO_MANY_PARAMS: Final = {-1, -32602}
_LONG_POLL: Final = "waitfornewblock"


class TipWatch:
    """Waits for one run of a node to have another tip.

    ZMQ is relied on from its first message until a block comes of which none told; before and
    after that there is a long poll beside it, which is as quick.

    Parameters
    ----------
    where:
        How messages name the node.
    version:
        The node's version, None if it is not known.
    poll_interval:
        Seconds between looks at the tip where nothing tells of a new one.
    """

    def __init__(
        self,
        client: NodeClient,
        optional: OptionalCalls,
        hints: BlockHints | None,
        *,
        where: str,
        version: int | None,
        poll_interval: float,
    ) -> None:
        self._client = client
        self._optional = optional
        self._hints = hints
        self._where = where
        self._poll_interval = poll_interval
        self._hearing = Hearing(time.monotonic())
        self._was_mute = False
        self._can_long_poll = True
        self._poll_shown = False
        self._breaks = 0
        self._knows_tip = version is None or version >= _WAIT_KNOWS_TIP

    def still(self, began: float) -> None:
        """Note a look, begun at `began` of `time.monotonic`, that found the tip unchanged."""
        self._hearing.still(began)

    def extended(self) -> None:
        """Note that there is a block on top of the old tip."""
        self._hearing.moved(time.monotonic())

    async def sleep(self, known: BlockRef | None, most: float) -> bool:
        """Sleep for at most `most` seconds, and a while at most; return True at a hint.

        `known` is the tip that is not news.
        """
        most = min(most, PUSH_CHECK)
        hints = self._hints
        if hints is None:
            return await self._poll(known, most)
        await self._judge(hints)
        if not self._hearing.is_reliable(hints.last):
            return await _first_of(hints.wait(most), self._poll(known, most))
        if self._was_mute:
            self._was_mute = False
            log.info("%s: ZMQ tells of new blocks", self._where)
        return await hints.wait(min(most, self._hearing.due_in(time.monotonic())))

    async def _judge(self, hints: BlockHints) -> None:
        """Say once that ZMQ is mute, where a block came of which it did not tell."""
        await asyncio.sleep(0)  # let in what has arrived
        if not self._hearing.missed(hints.last, time.monotonic()) or self._was_mute:
            return
        downloading = await self._optional.ask(
            self._client, "getblockchaininfo", read=_is_downloading
        )
        if downloading:  # then a node publishes no tips
            return
        self._was_mute = True
        address, topic = hints.publication
        log.warning(
            "%s: a new block came, and ZMQ at %s said nothing of it; polling until it does. Is it "
            "the address of this node's zmqpub%s, the same host and IP version, and is no firewall "
            'between? (bitcoind.zmq = "off" does without)',
            self._where,
            address,
            "hashblock" if topic == "any" else topic,
        )

    async def _poll(self, known: BlockRef | None, most: float) -> bool:
        if not self._can_long_poll:
            await asyncio.sleep(min(most, self._poll_interval))
            return False
        began = time.monotonic()
        try:
            tip = await self._long_poll(known, most)
        except SourceError as error:
            self._poll_failed(error)
            return False
        self._optional.works(_LONG_POLL)
        self._poll_shown, self._breaks = True, 0
        if known is not None and tip != known.hash:
            return True
        # An answer without news before its time must not become a stream of questions.
        rest = min(most, self._poll_interval) - (time.monotonic() - began)
        await asyncio.sleep(max(0.0, rest))
        return False

    async def _long_poll(self, known: BlockRef | None, most: float) -> bytes:
        wait = most if self._poll_shown else min(most, FIRST_POLL)
        params = [hash_to_hex(known.hash)] if known is not None and self._knows_tip else []
        reply = await self._client.aside(
            _LONG_POLL,
            max(1, int(1000 * wait)),
            *params,
            timeout=wait + self._client.optional_timeout,
        )
        return Fields(reply, _LONG_POLL).hash("hash")

    def _poll_failed(self, error: SourceError) -> None:
        """Make of a failed long poll what it means; the look at the tip that follows says more."""
        if self._client.closed:
            return
        if isinstance(error, RpcError) and error.code in _TOO_MANY_PARAMS and self._knows_tip:
            self._knows_tip = False
            return
        if isinstance(error, SourceUnavailable) and not isinstance(error, NoAnswer | Busy):
            # The connection broke, as when the node stops: then the next look says so.
            self._breaks += 1
            if self._breaks == 1:
                return
        self._can_long_poll = False
        self._optional.missed_method(_LONG_POLL, error)


def _is_downloading(reply: Any) -> bool:
    return Fields(reply, "getblockchaininfo").flag("initialblockdownload")


async def _first_of(*waits: Coroutine[Any, Any, bool]) -> bool:
    """Return what the first of `waits` returns, and end the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        results = [task.result() for task in done]
        return any(results)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
