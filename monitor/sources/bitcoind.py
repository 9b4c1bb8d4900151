"""Blocks from a Bitcoin Core node: JSON-RPC for control, REST for bytes, ZMQ for hints.

What the node offers is found out at `BitcoindSource.open`, and again after every
interruption: it may come back as another version, with other options.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from analyzers.leftout import LeftOut
from hashing.header import hash_to_hex
from hashing.params import CORE_CHAIN_NAMES, SIGNET
from monitor.errors import BadReply, NotFound, SourceError, SourceRefused, SourceUnavailable
from monitor.sources.base import BlockRef, Capabilities, SourceBlock, Want
from monitor.sources.bitcoind_blocks import BlockReader, RestLevel, probe_rest
from monitor.sources.bitcoind_client import NodeClient
from monitor.sources.bitcoind_find import resolve
from monitor.sources.bitcoind_rpc import RpcError
from monitor.sources.gather import gather
from monitor.sources.reply import Fields, as_hash, as_list, printable
from monitor.sources.signets import signet_of
from monitor.sources.zmq import (
    BlockHints,
    Publication,
    is_loopback,
    local_publication,
    offered_topic,
)

log = logging.getLogger(__name__)

_STALE_STATUS: Final = {"valid-fork", "valid-headers"}
"""States of a tip whose blocks the node has; ``headers-only`` and ``invalid`` are others."""
_PUSH_CHECK: Final = 10.0
"""Seconds of silence after which the tip itself is looked at."""
_WAIT_KNOWS_TIP: Final = 300_000
"""The version from which ``waitfornewblock`` takes the tip that the caller knows."""
_KINDS: Final = (SourceUnavailable, SourceRefused, NotFound, BadReply)


@dataclass(frozen=True, slots=True)
class _Run:
    """What the node offers from one start to its next."""

    version: int
    logins: int
    blocks: BlockReader
    hints: BlockHints | None


class BitcoindSource:
    """A Bitcoin Core node as a `BlockSource`.

    Parameters
    ----------
    url:
        RPC address such as ``http://127.0.0.1:8332``, with login or without; empty takes
        the port of `network` on this machine.
    user, password, cookie, datadir:
        How to log in: a password, the node's cookie file, or the datadir to find it in.
        With none of them the usual datadirs are searched.
    network:
        The network that the node must serve; None takes the node's.
    rest:
        ``auto`` uses the REST interface where the node offers it, ``off`` never does.
    zmq:
        ``auto`` asks the node and listens if it publishes on this machine, ``off`` never
        does; else the address to listen to.
    timeout:
        Seconds that the node may take for one answer.
    poll_interval:
        Seconds between looks at the tip where the node can only be polled.

    Raises
    ------
    ConfigError
        If the address or the login cannot be used.
    """

    name = "bitcoind"
    left_out: Sequence[LeftOut] = ()

    def __init__(
        self,
        url: str = "",
        *,
        user: str = "",
        password: str = "",
        cookie: Path | None = None,
        datadir: Path | None = None,
        network: str | None = None,
        rest: Literal["auto", "off"] = "auto",
        zmq: str = "auto",
        timeout: float = 30.0,
        poll_interval: float = 1.0,
    ) -> None:
        self.url, self._login = resolve(
            url,
            user=user,
            password=password,
            cookie=cookie,
            datadir=datadir,
            network=network or "mainnet",
        )
        self.network = network or ""
        self.capabilities = Capabilities()
        self._wanted_network = network
        self._rest_setting = rest
        self._zmq_setting = zmq
        self._timeout = timeout
        self._poll_interval = poll_interval
        self._detecting = asyncio.Lock()
        self._client: NodeClient | None = None
        self._run: _Run | None = None
        self._hints: BlockHints | None = None
        self._can_long_poll = True
        self._seen: BlockRef | None = None

    async def open(self) -> None:
        """Connect and find out what the node offers; may be called again after a failure."""
        first_time = self._client is None
        if self._client is None:
            self._client = NodeClient(self.url, self._login, timeout=self._timeout)
        self._run = None
        try:
            async with self._asking():
                pass
        except BaseException:
            if first_time:
                await self.close()
            raise

    async def close(self) -> None:
        """Let go of everything; safe to call twice and before `open`."""
        client, self._client, self._run = self._client, None, None
        await self._listen_to(None)
        if client is not None:
            await client.close()

    async def tip(self) -> BlockRef:
        """Return the node's tip."""
        async with self._asking():
            best = await self._best_hash()
            if self._seen is None or best != self._seen.hash:
                header = await self._call("getblockheader", hash_to_hex(best))
                height = Fields(header, "getblockheader").integer("height")
                self._seen = BlockRef(height, best)
            return self._seen

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return the stale tips of which the node has the blocks."""
        async with self._asking():
            tips = as_list(await self._call("getchaintips"), "getchaintips")
        fields = [Fields(tip, "getchaintips") for tip in tips]
        return [
            BlockRef(tip.integer("height"), tip.hash("hash"))
            for tip in fields
            if tip.text("status") in _STALE_STATUS
        ]

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return up to `count` headers of the active chain from height `start` on."""
        async with self._asking() as run:
            return await run.blocks.headers(start, count)

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return the blocks of `refs` in their order; `NotFound` if any is not there."""
        async with self._asking() as run:
            return await gather(run.blocks.block(ref, want) for ref in refs)

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Return when the tip may have changed, or after `timeout` seconds: only a hint."""
        deadline = time.monotonic() + timeout
        async with self._asking() as run:
            # The look before each sleep catches what moved since `tip`, and what a lost
            # message did not say.
            while not await self._has_changed():
                left = deadline - time.monotonic()
                if left <= 0 or await self._sleep_until_hint(run, left):
                    return

    async def _sleep_until_hint(self, run: _Run, most: float) -> bool:
        if run.hints is not None:
            return await run.hints.wait(min(most, _PUSH_CHECK))
        if not self._can_long_poll:
            await asyncio.sleep(min(most, self._poll_interval))
            return False
        known = [hash_to_hex(self._seen.hash)] if self._seen is not None else []
        if run.version < _WAIT_KNOWS_TIP:
            known = []
        assert self._client is not None
        milliseconds = max(1, int(1000 * min(most, _PUSH_CHECK)))
        try:
            reply = await self._client.long_poll("waitfornewblock", milliseconds, *known)
        except (RpcError, SourceRefused):  # not there, or not on the node's whitelist
            self._can_long_poll = False
            return False
        tip = Fields(reply, "waitfornewblock").hash("hash")
        return self._seen is not None and tip != self._seen.hash

    async def _has_changed(self) -> bool:
        best = await self._best_hash()
        return self._seen is not None and best != self._seen.hash

    async def _best_hash(self) -> bytes:
        return as_hash(await self._call("getbestblockhash"), "getbestblockhash")

    async def _call(self, method: str, *params: Any) -> Any:
        assert self._client is not None
        return await self._client.call(method, *params)

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[_Run]:
        """Give the node's abilities to a request; errors leave with the node's address."""
        try:
            if self._client is None:
                raise SourceUnavailable("the source is closed")
            async with self._detecting:
                if self._run is None or self._run.logins != self._client.logins:
                    self._run = await self._detect(self._client)
                run = self._run
            yield run
        except SourceError as error:
            kind = next(k for k in _KINDS if isinstance(error, k))
            if kind is SourceUnavailable:
                self._run = None
            raise kind(f"bitcoind at {self.url}: {error}") from None

    async def _detect(self, client: NodeClient) -> _Run:
        """Find out what the node serves and offers."""
        chain = Fields(await client.call("getblockchaininfo"), "getblockchaininfo")
        self._check_network(chain)
        node = Fields(await client.call("getnetworkinfo"), "getnetworkinfo")
        version, agent = node.integer("version"), printable(node.text("subversion"), 60)
        level = RestLevel.NONE
        if self._rest_setting == "auto":
            level = await probe_rest(client, chain.hash("bestblockhash"))
        await self._listen_to(await self._find_publication(client))
        self._can_long_poll = True
        self.capabilities = Capabilities(batch=32, headers_batch=2000, stale_tips=True, push=True)
        log.info(
            "bitcoind at %s: %s on %s, REST: %s, ZMQ: %s",
            self.url,
            agent,
            self.network,
            level.value,
            self._hints.publication.address if self._hints else "off",
        )
        if chain.flag("initialblockdownload"):
            log.warning("bitcoind at %s is still downloading the chain", self.url)
        return _Run(version, client.logins, BlockReader(client, level), self._hints)

    def _check_network(self, chain: Fields) -> None:
        name = chain.text("chain")
        params = CORE_CHAIN_NAMES.get(name)
        if params is SIGNET:
            params = signet_of(chain, self._wanted_network)
        if params is None:
            raise SourceRefused(f"it serves a chain {printable(name, 40)!r} that is not Bitcoin's")
        if self._wanted_network not in (None, params.name):
            raise SourceRefused(
                f"it serves {params.name}, not {self._wanted_network}: set network = "
                f'"{params.name}", or give the address of another node'
            )
        self.network = params.name

    async def _find_publication(self, client: NodeClient) -> Publication | None:
        if self._zmq_setting == "off":
            return None
        try:
            reply = as_list(await client.call("getzmqnotifications"), "getzmqnotifications")
        except (RpcError, SourceRefused):  # a node without ZMQ, or not on its whitelist
            reply = []
        fields = [Fields(offer, "getzmqnotifications") for offer in reply]
        offers = [(offer.text("type"), offer.text("address")) for offer in fields]
        if self._zmq_setting != "auto":
            return Publication(self._zmq_setting, offered_topic(offers) or "hashblock")
        return local_publication(offers, node_is_local=is_loopback(urlsplit(self.url).hostname))

    async def _listen_to(self, publication: Publication | None) -> None:
        """Listen to `publication` only; one that is listened to already stays."""
        if self._hints is not None:
            if self._hints.publication == publication:
                return
            await self._hints.close()
            self._hints = None
        if publication is not None:
            self._hints = BlockHints(publication)
            self._hints.start()
