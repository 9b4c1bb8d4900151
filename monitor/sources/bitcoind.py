"""Blocks from a Bitcoin Core node: JSON-RPC for control, REST for bytes, ZMQ for hints.

What the node offers is found out at `BitcoindSource.open`, and again after every
interruption: it may come back as another version, with other options.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from analyzers.leftout import LeftOut, Tally
from hashing.header import BlockRef, hash_to_hex
from monitor.errors import (
    BadReply,
    NotFound,
    NotKept,
    SourceError,
    SourceRefused,
    SourceStarting,
    SourceUnavailable,
)
from monitor.reply import Fields, as_hash, as_list, printable
from monitor.sources.base import Capabilities, SourceBlock, Want
from monitor.sources.bitcoind_blocks import BlockReader
from monitor.sources.bitcoind_client import NodeClient
from monitor.sources.bitcoind_errors import MethodRefused, RpcError, is_unknown
from monitor.sources.bitcoind_find import resolve
from monitor.sources.bitcoind_identity import is_core, network_of
from monitor.sources.bitcoind_optional import OptionalCalls
from monitor.sources.bitcoind_paths import RestPaths
from monitor.sources.bitcoind_tip import TipWatch
from monitor.sources.gather import gather
from monitor.sources.signets import signet_of
from monitor.sources.zmq import (
    BlockHints,
    Publication,
    is_this_machine,
    local_publication,
    topic_at,
)
from monitor.urls import parse, shown

log = logging.getLogger(__name__)

_STALE_STATUS: Final = {"valid-fork", "valid-headers"}
"""States of a tip whose blocks the node has; ``headers-only`` and ``invalid`` are others."""
_LOOK_AGAIN: Final = 600.0
"""Seconds after which what was not answered in time is asked again."""
_KINDS: Final = (
    SourceStarting,
    SourceUnavailable,
    SourceRefused,
    NotKept,
    NotFound,
    BadReply,
)


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Run:
    """What the node offers from one start to its next, or until `ends` (`time.monotonic`)."""

    client: NodeClient
    logins: int
    blocks: BlockReader
    watch: TipWatch
    ends: float


class BitcoindSource:
    """A Bitcoin Core node as a `BlockSource`.

    Parameters
    ----------
    url:
        RPC address such as ``http://127.0.0.1:8332``, with login or without, and with a path
        where RPC is below one; empty takes the port of `network` on this machine.
    user, password, cookie, datadir:
        How to log in: a password, the node's cookie file, or the datadir to find it in.
        With none of them the usual datadirs are searched, unless the address has a path.
    log_in:
        False asks without any login.
    headers:
        HTTP headers that go with each request, such as one with a key.
    left_out:
        What was left out of the configuration that these were read from.
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

    def __init__(
        self,
        url: str = "",
        *,
        user: str = "",
        password: str = "",
        cookie: Path | None = None,
        datadir: Path | None = None,
        log_in: bool = True,
        headers: Mapping[str, str] | None = None,
        left_out: Sequence[LeftOut] = (),
        network: str | None = None,
        rest: Literal["auto", "off"] = "auto",
        zmq: str = "auto",
        timeout: float = 30.0,
        poll_interval: float = 1.0,
    ) -> None:
        tally = Tally()
        tally.extend(left_out)
        self._address, self._login = resolve(
            url,
            user=user,
            password=password,
            cookie=cookie,
            datadir=datadir,
            network=network or "mainnet",
            log_in=log_in,
            tally=tally,
        )
        self.url = shown(self._address)
        self.left_out: Sequence[LeftOut] = tally.found
        self._headers = headers
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
        self._optional = OptionalCalls(f"bitcoind at {self.url}")
        self._seen: BlockRef | None = None

    async def open(self) -> None:
        """Connect and find out what the node offers; may be called again after a failure."""
        first_time = self._client is None
        if self._client is None:
            self._client = NodeClient(
                self._address, self._login, timeout=self._timeout, headers=self._headers
            )
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
        async with self._asking() as run:
            before = self._seen
            best = await self._best_hash(run)
            if before is None or best != before.hash:
                header = await run.client.call("getblockheader", hash_to_hex(best))
                height = Fields(header, "getblockheader").integer("height")
                self._seen = BlockRef(height, best)
                if before is not None and height > before.height:
                    run.watch.extended()
            assert self._seen is not None
            return self._seen

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return the stale tips of which the node has the blocks.

        Whatever is wrong with it, the chain goes on; a node that refuses it is not asked again
        before its next start.
        """
        async with self._asking(needed=False) as run:
            try:
                reply = await run.client.aside("getchaintips")
            except (MethodRefused, RpcError) as error:
                if isinstance(error, MethodRefused) or is_unknown(error):
                    self.capabilities = dataclasses.replace(self.capabilities, stale_tips=False)
                raise
            fields = [Fields(tip, "getchaintips") for tip in as_list(reply, "getchaintips")]
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
            while not await self._has_changed(run):
                left = deadline - time.monotonic()
                if left <= 0 or await run.watch.sleep(self._seen, left):
                    return

    async def _has_changed(self, run: _Run) -> bool:
        best = await self._best_hash(run)
        return self._seen is not None and best != self._seen.hash

    async def _best_hash(self, run: _Run) -> bytes:
        began = time.monotonic()
        best = as_hash(await run.client.call("getbestblockhash"), "getbestblockhash")
        if self._seen is not None and best == self._seen.hash:
            run.watch.still(began)
        return best

    @contextlib.asynccontextmanager
    async def _asking(self, *, needed: bool = True) -> AsyncIterator[_Run]:
        """Give the node's abilities to a request; errors leave with the node's address.

        After a failure of one that is `needed` all is found out anew.
        """
        try:
            if self._client is None:
                raise SourceUnavailable("the source is closed")
            async with self._detecting:
                if not self._is_current(self._run, self._client):
                    self._run = await self._detect(self._client)
                run = self._run
            assert run is not None
            yield run
        except SourceError as error:
            kind = next(k for k in _KINDS if isinstance(error, k))
            if issubclass(kind, SourceUnavailable) and needed:
                self._run = None
            raise kind(f"bitcoind at {self.url}: {error}") from None

    @staticmethod
    def _is_current(run: _Run | None, client: NodeClient) -> bool:
        return run is not None and run.logins == client.logins and time.monotonic() < run.ends

    async def _detect(self, client: NodeClient) -> _Run:
        """Find out what the node serves and offers: what is needed first, then the rest."""
        best = as_hash(await client.call("getbestblockhash"), "getbestblockhash")
        genesis = as_hash(await client.call("getblockhash", 0), "getblockhash")
        optional, rest = self._optional, RestPaths(client, self._optional)
        optional.begin()
        chain, node = await gather(
            optional.fields(client, method) for method in ("getblockchaininfo", "getnetworkinfo")
        )
        agent = (_said(node.text, "subversion") if node else None) or ""
        self.network = network_of(
            _said(chain.text, "chain") if chain else None,
            genesis,
            agent,
            self._wanted_network,
            signet_of(chain, self._wanted_network) if chain else None,
        ).name
        if self._rest_setting == "auto":
            await rest.find(best)
        await self._listen_to(await self._find_publication(client))
        self.capabilities = Capabilities(
            batch=32,
            headers_batch=2000,
            bodies_from=(_said(chain.integer, "pruneheight") if chain else None) or 0,
            stale_tips=True,
            push=True,
        )
        self._say_what_was_found(agent, rest)
        if chain and _said(chain.flag, "initialblockdownload"):
            log.warning("bitcoind at %s is still downloading the chain", self.url)
        watch = TipWatch(
            client,
            optional,
            self._hints,
            where=f"bitcoind at {self.url}",
            version=_said(node.integer, "version") if node else None,
            poll_interval=self._poll_interval,
        )
        ends = time.monotonic() + _LOOK_AGAIN if optional.temporary else math.inf
        return _Run(client, client.logins, BlockReader(client, rest), watch, ends)

    def _say_what_was_found(self, agent: str, rest: RestPaths) -> None:
        log.info(
            "bitcoind at %s: %s on %s, REST: %s, ZMQ: %s",
            self.url,
            printable(agent, 60) or "a node of unknown version",
            self.network,
            rest.text,
            self._hints.publication.address if self._hints else "off",
        )
        if agent and not is_core(agent):
            log.warning(
                "bitcoind at %s: is this a Bitcoin Core node? It says %s; only Bitcoin Core and "
                "what is built from it are tested",
                self.url,
                printable(agent, 60),
            )

    async def _find_publication(self, client: NodeClient) -> Publication | None:
        if self._zmq_setting == "off":
            return None
        offers = await self._optional.ask(client, "getzmqnotifications", read=_offers) or []
        if self._zmq_setting != "auto":
            return Publication(self._zmq_setting, topic_at(offers, self._zmq_setting))
        if not await is_this_machine(parse(self._address).host):
            return None
        return local_publication(offers)

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


def _said(read: Callable[[str], T], field: str) -> T | None:
    """Return an optional field, None where it is missing or makes no sense."""
    try:
        return read(field)
    except BadReply:
        return None


def _offers(reply: Any) -> list[tuple[str, str]]:
    """Return type and address of the lines of ``getzmqnotifications``."""
    fields = [
        Fields(offer, "getzmqnotifications") for offer in as_list(reply, "getzmqnotifications")
    ]
    return [(offer.text("type"), offer.text("address")) for offer in fields]
