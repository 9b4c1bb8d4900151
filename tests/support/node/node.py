"""The regtest node of the tests: Core's consensus code behind RPC, REST and ZMQ."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from hashing.header import HEADER_SIZE, BlockRef, sha256d
from hashing.wire import TxOut
from tests.support.node.chain import Event, RegtestChain
from tests.support.node.faults import Faults
from tests.support.node.flavours import CORE_31, Flavour
from tests.support.node.mining import SPACING, Miner
from tests.support.node.publisher import TOPICS, Publisher
from tests.support.node.server import Server
from tests.support.patience import PATIENCE

WARMING_UP: Final = "Loading block index…"


class RegtestNode:
    """A node on localhost that a test starts, feeds, breaks and stops.

    Everything is synchronous and may be called from any thread; the servers run in a
    thread of their own. Use it as a context manager::

        with RegtestNode(CORE_31) as node:
            node.mine(5, tag="/ViaBTC/")
            node.reorg(2)

    Parameters
    ----------
    flavour:
        The version of Bitcoin Core whose replies it gives.
    datadir:
        Kept when given; otherwise a temporary directory that `close` removes.
    rest, zmq_topics:
        Which interfaces it offers.
    user, password:
        Credentials; without a password the node writes a cookie file.
    blocks:
        Blocks to mine before the first start.
    seed:
        Seed of the coinbase tags.
    zmq_host:
        The address of this machine to publish at.
    faults:
        What is wrong with it from the beginning.
    warm_up:
        Seconds after each start for which it is still loading its block index.
    shown:
        The height at which the chain that it shows ends; see `show`.
    """

    def __init__(
        self,
        flavour: Flavour = CORE_31,
        *,
        datadir: Path | None = None,
        rest: bool = True,
        zmq_topics: Sequence[str] = TOPICS,
        user: str = "",
        password: str = "",
        rpc_port: int = 0,
        zmq_port: int = 0,
        blocks: int = 0,
        seed: int = 1,
        zmq_host: str = "127.0.0.1",
        faults: Faults | None = None,
        warm_up: float = 0.0,
        shown: int | None = None,
    ) -> None:
        self.flavour = flavour
        self.rest = rest
        self.zmq_topics = tuple(zmq_topics)
        self.user = user
        self.password = password
        self.faults = faults or Faults()
        self.warm_up = warm_up
        self.rpc_port = rpc_port
        self.requests: list[str] = []
        """Method and path of each HTTP request since the node was made."""
        self.calls: list[str] = []
        """The RPC methods that were called since the node was made."""
        self.connections = 0
        """TCP connections since the node was made."""
        self._temporary = None if datadir else tempfile.TemporaryDirectory(prefix="regtest-")
        self.datadir = datadir or Path(self._temporary.name if self._temporary else "")
        self.chain = RegtestChain(self.datadir / "regtest")
        self._miner = Miner(self.chain, seed, int(time.time()) - SPACING * 2100)
        self._zmq_host = zmq_host
        self._zmq_port = zmq_port
        self._secret = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._publisher: Publisher | None = None
        self._tip_changed: asyncio.Event | None = None
        self._stopping: asyncio.Event | None = None
        if blocks:
            self.mine(blocks)
        self.chain.shown = shown

    @property
    def url(self) -> str:
        """The address of RPC and REST."""
        return f"http://127.0.0.1:{self.rpc_port}{self.faults.prefix}"

    @property
    def zmq_address(self) -> str:
        """Where the node publishes."""
        host = f"[{self._zmq_host}]" if ":" in self._zmq_host else self._zmq_host
        return f"tcp://{host}:{self._zmq_port}"

    @property
    def cookie(self) -> Path:
        """The cookie file; it exists while a node without a password runs."""
        return self.chain.directory / ".cookie"

    @property
    def tip(self) -> BlockRef:
        """The tip of the active chain, as far as it is shown."""
        return self.chain.tip.ref

    def start(self) -> None:
        """Serve on the same ports as before, with a new cookie."""
        self._secret = self.password or secrets.token_hex(32)
        if self.warm_up:
            self.faults.warming_up = WARMING_UP
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="regtest-node")
        self._thread.start()
        ready.result(timeout=PATIENCE)
        if not self.password:
            self.cookie.write_text(f"__cookie__:{self._secret}")

    def stop(self) -> None:
        """Stop serving, as a stopped or crashed node does; the chain stays."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        self.cookie.unlink(missing_ok=True)
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = self._loop = None

    def restart(self) -> None:
        """Stop and start again: same ports, same chain, another cookie."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, write the chain out and remove a temporary directory."""
        self.stop()
        self.chain.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def mine(
        self,
        count: int = 1,
        *,
        tag: bytes | str | None = None,
        outputs: Sequence[TxOut] | None = None,
        transactions: int = 0,
    ) -> list[BlockRef]:
        """Extend the active chain; return the new blocks.

        `tag` is the coinbase text (None draws real ones), `outputs` the payout, and
        `transactions` how many more transactions each block carries.
        """
        raws = self._miner.build(
            self.chain.last, count, tag=tag, outputs=outputs, transactions=transactions
        )
        return [self.submit(raw) for raw in raws]

    def build(
        self, count: int = 1, *, on: BlockRef | None = None, tag: bytes | str | None = None
    ) -> list[bytes]:
        """Return valid blocks in a row on `on` (the tip) without submitting them."""
        entry = self.chain.tip if on is None else self.chain.find(on.hash)
        if entry is None:
            raise KeyError(on)
        return self._miner.build(entry, count, tag=tag)

    def fork(
        self, depth: int = 1, length: int = 1, *, tag: bytes | str | None = None
    ) -> list[BlockRef]:
        """Mine a branch of `length` blocks that forks off `depth` blocks below the tip.

        A branch longer than `depth` wins.
        """
        base = self.chain.at(self.tip.height - depth)
        return [self.submit(raw) for raw in self._miner.build(base, length, tag=tag)]

    def reorg(self, depth: int = 1, *, tag: bytes | str | None = None) -> list[BlockRef]:
        """Replace the last `depth` blocks by `depth` + 1 others; return those."""
        return self.fork(depth, depth + 1, tag=tag)

    def show(self, height: int | None) -> None:
        """Show the active chain only up to `height`; None shows all of it.

        So a node looks that is behind, or whose chain got shorter. What it mines meanwhile
        extends its hidden chain.
        """
        self.chain.shown = height
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def submit(self, raw: bytes) -> BlockRef:
        """Hand the node a block, as a peer does; return its place.

        Raises
        ------
        tests.support.node.chain.Refused
            If the consensus code does not accept it.
        """
        with self.chain.lock:
            events = self.chain.submit(raw)
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._announce, events)
            entry = self.chain.find(sha256d(raw[:HEADER_SIZE]))
        assert entry is not None
        return entry.ref

    def _announce(self, events: Sequence[Event]) -> None:
        if self.chain.shown is not None:
            return
        if self._publisher is not None:
            self._publisher.announce(events)
        if events:
            self._wake()

    def _wake(self) -> None:
        """Let long polls look at the tip again."""
        if self._tip_changed is not None:
            self._tip_changed.set()
            self._tip_changed = asyncio.Event()

    async def wait_for_other_tip(self, known: bytes, timeout: float | None) -> None:
        """Return when the tip is not `known`, after `timeout` seconds, or at the stop."""
        assert self._stopping is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.tip.hash == known and not self._stopping.is_set():
                    assert self._tip_changed is not None
                    await self._tip_changed.wait()

    async def pause(self, seconds: float) -> None:
        """Sleep, until the stop at most."""
        assert self._stopping is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def is_authorized(self, header: str) -> bool:
        """Tell whether an ``Authorization`` header carries the node's secret."""
        user = self.user if self.password else "__cookie__"
        wanted = base64.b64encode(f"{user}:{self._secret}".encode()).decode()
        return secrets.compare_digest(header.encode(), f"Basic {wanted}".encode())

    def _warmed_up(self) -> None:
        self.faults.warming_up = ""

    def _run(self, ready: Future[None]) -> None:
        try:
            asyncio.run(self._serve(ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    async def _serve(self, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._tip_changed = asyncio.Event()
        runner = web.AppRunner(Server(self).application(), access_log=None, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.rpc_port)
        await site.start()
        self.rpc_port = int(runner.addresses[0][1])
        if self.zmq_topics:
            self._publisher = Publisher(self, self._zmq_host, self._zmq_port)
            self._zmq_port = self._publisher.port
        if self.warm_up:
            self._loop.call_later(self.warm_up, self._warmed_up)
        ready.set_result(None)
        await self._stopping.wait()
        self._tip_changed.set()
        await runner.cleanup()
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None


def blocks_folder(datadir: Path, blocks: int) -> Path:
    """Return a blocks folder as Core leaves it: obfuscated, padded, with one stale block."""
    node = RegtestNode(datadir=datadir, blocks=blocks)
    node.fork(3)
    node.close()
    return datadir / "regtest" / "blocks"
