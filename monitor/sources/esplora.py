"""Blocks from a public API: Blockstream's Esplora or mempool.space, or a server of one's own.

A stranger's answers count only as far as they prove themselves. Each coinbase is therefore
fetched with its Merkle branch: three small requests a block, whose headers come by the page.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from analyzers.leftout import LeftOut
from hashing.header import BlockHeader, BlockRef, sha256d
from hashing.params import NETWORKS
from monitor.errors import BadReply, NotFound, SourceError, SourceRefused, SourceUnavailable
from monitor.http import IN_FLIGHT, PACE, ApiClient
from monitor.sources.base import Capabilities, SourceBlock, Want
from monitor.sources.esplora_api import OPTIONAL, Api, Summary
from monitor.sources.gather import gather
from monitor.sources.missing import Missing

log = logging.getLogger(__name__)

_HEADER_PAGES: Final = 10
"""Pages of headers that one call asks for at most."""
_FEW_TXIDS: Final = 64
"""With no more transactions than this, all txids are less to fetch than a branch."""
_ASK_AGAIN: Final = 60.0
"""Seconds after which a path that could not be answered is asked again."""
_STALE_WITHIN: Final = 2016
"""Blocks below the tip within which stale tips are of interest."""
_SUMMARIES_KEPT: Final = 5000
_BLOCKS_KEPT: Final = 64
"""What came before an API stopped answering need not be asked for again."""

_ProvedCoinbase: TypeAlias = tuple[bytes | None, tuple[bytes, ...] | None, tuple[bytes, ...] | None]
"""A coinbase, its Merkle branch, all txids."""


class EsploraSource:
    """A `BlockSource` over a public API.

    Parameters
    ----------
    url:
        Base address, with ``/api`` or without.
    network:
        The network that the API must serve; None takes what it serves.
    headers:
        HTTP headers that go with each request, such as one with a key.
    poll_interval:
        Seconds between looks at the tip.
    timeout:
        Seconds that one answer may take.
    pace:
        Seconds between two requests at first; it doubles whenever the API finds it too fast.

    Raises
    ------
    ConfigError
        If the address cannot be used.
    """

    name = "esplora"
    left_out: Sequence[LeftOut] = ()

    def __init__(
        self,
        url: str,
        network: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        poll_interval: float = 30.0,
        timeout: float = 30.0,
        pace: float = PACE,
    ) -> None:
        self.network = network or ""
        self.capabilities = Capabilities(public=True)
        self._client = ApiClient(url, timeout=timeout, pace=pace, headers=headers)
        self._wanted_network = network
        self._poll_interval = poll_interval
        self._api: Api | None = None
        self._branches_from = -math.inf
        self._extended_from = -math.inf
        self._missing = Missing()
        self._tip: BlockRef | None = None
        self._looked = 0.0
        self._stale: tuple[BlockRef, ...] = ()
        self._summaries: dict[bytes, Summary] = {}
        self._blocks: dict[bytes, SourceBlock] = {}

    async def open(self) -> None:
        """Find the API below the address, its dialect and its network."""
        if self._api is not None:
            return
        try:
            api = await self._find()
            self.network = await self._network_of(api)
            self._branches_from = await self._first_branches(api)
            self._extended_from = -math.inf
        except SourceError:
            await self._client.close()
            raise
        self.capabilities = Capabilities(
            batch=api.page,
            headers_batch=_HEADER_PAGES * api.page,
            stale_tips=api.dialect == "mempool",
            public=True,
        )
        log.info("%s speaks the %s dialect", self._client.host, api.dialect)
        self._api = api

    async def close(self) -> None:
        """Close the connections."""
        self._api = None
        await self._client.close()

    async def tip(self) -> BlockRef:
        """Return the tip of the API's chain."""
        api = self._opened()
        self._looked = time.monotonic()
        tip = await api.tip_hash()
        if self._tip is None or self._tip.hash != tip:
            self._tip = (await self._summary(api, tip)).ref
        return self._tip

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return the stale tips that mempool tells of, not far below the tip."""
        api = self._opened()
        try:
            tips = await api.stale_tips() if self.capabilities.stale_tips else []
        except (NotFound, SourceRefused) as error:
            # It is not asked again before the next opening; an old mempool has no such path.
            self.capabilities = dataclasses.replace(self.capabilities, stale_tips=False)
            if not isinstance(error, NotFound):
                raise
            tips = []
        best = self._tip or BlockRef(0, b"")
        self._stale = tuple(
            ref for ref in tips if best.height - _STALE_WITHIN < ref.height and ref != best
        )
        return self._stale

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return headers up to the tip that `tip` told last, by the page."""
        api = self._opened()
        if self._tip is None or start > self._tip.height:
            await self.tip()
        tip = self._tip.height if self._tip else -1
        stop = min(start + min(count, self.capabilities.headers_batch), tip + 1)
        if stop <= start:
            return []
        tops = range(stop - 1, start - 1, -api.page)
        pages = await gather(api.summaries(top) for top in tops)
        found = {summary.ref.height: summary for page in pages for summary in page}
        self._keep(found.values())
        if missing := set(range(start, stop)) - found.keys():
            raise SourceUnavailable(f"{self._client.host} does not have block {min(missing)} yet")
        headers = [found[height].header for height in range(start, stop)]
        for before, after in pairwise(headers):
            if BlockHeader.parse(after).prev_hash != sha256d(before):
                raise SourceUnavailable(f"{self._client.host}: its chain changed meanwhile")
        return headers

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return blocks with what proves their coinbases, whatever is wanted."""
        api = self._opened()
        distinct = list(dict.fromkeys(refs))
        await self._find_summaries(api, distinct)
        # A few at a time, so that what is complete when the API stops answering is kept.
        slots = asyncio.Semaphore(IN_FLIGHT)
        blocks = await gather(self._block(api, ref, slots) for ref in distinct)
        by_ref = dict(zip(distinct, blocks, strict=True))
        return [by_ref[ref] for ref in refs]

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Look at the tip every `poll_interval` seconds until it is another."""
        api = self._opened()
        end = time.monotonic() + timeout
        while True:
            due = self._looked + self._poll_interval
            await asyncio.sleep(max(0.0, min(due, end) - time.monotonic()))
            if due > end:
                return
            self._looked = time.monotonic()
            try:
                tip = await api.tip_hash()
            except SourceError:
                return  # the next look at the tips says what is wrong
            if self._tip is None or tip != self._tip.hash:
                return

    def _opened(self) -> Api:
        if self._api is None:
            raise SourceUnavailable(f"{self._client.host}: not open")
        return self._api

    async def _find(self) -> Api:
        """Find where below the address the API lies, and its dialect."""
        reason = ""
        for root in ("/api", ""):
            api = Api(self._client, root)
            try:
                tip = await api.tip_height()
            except (NotFound, BadReply) as error:
                reason = str(error)
                continue
            mempool = Api(self._client, root, "mempool")
            try:
                await mempool.summaries(tip, optional=True)
            except NotFound:
                return api
            except SourceError as error:
                if self._is_of_all(error):
                    raise
                if not isinstance(error, BadReply):  # as another dialect may word it
                    self._missed("/v1/blocks/*", error)
                return api
            return mempool
        raise BadReply(f"{reason}; no Esplora or mempool API answers there: check esplora.urls")

    async def _network_of(self, api: Api) -> str:
        """Return the network that the API serves, if it is the one wanted."""
        genesis = await api.block_hash(0)
        served = {sha256d(params.genesis_header): name for name, params in NETWORKS.items()}
        wanted = self._wanted_network
        # All signets have the same genesis block: their headers tell them apart.
        if wanted is not None and sha256d(NETWORKS[wanted].genesis_header) == genesis:
            return wanted
        network = served.get(genesis)
        if network is None or wanted is not None:
            raise SourceRefused(
                f"{self._client.host} serves {network or 'an unknown network'}, not "
                f"{wanted or 'Bitcoin'}: set esplora.urls to a server of your network"
            )
        return network

    async def _first_branches(self, api: Api) -> float:
        """Return from when on the API gives branches; mempool's own backend never does."""
        tip = await api.tip_hash()
        try:
            await api.coinbase_txid(tip)
        except NotFound:
            return math.inf
        except SourceError as error:
            if self._is_of_all(error):
                raise
            return self._missed("/block/*/txid/0", error)
        return -math.inf

    def _missed(self, path: str, error: SourceError) -> float:
        """Note that an optional path fails; return when to ask it again (`time.monotonic`)."""
        self._missing.missed(path, error, OPTIONAL[path])
        passes = isinstance(error, SourceUnavailable)
        return time.monotonic() + _ASK_AGAIN if passes else math.inf

    @staticmethod
    def _is_of_all(error: SourceError) -> bool:
        """Tell whether an error at one path is about all: the API wants to be left alone."""
        return isinstance(error, SourceUnavailable) and error.retry_after is not None

    async def _find_summaries(self, api: Api, refs: Sequence[BlockRef]) -> None:
        """Fetch the summaries of `refs` that are not kept: by the page, else one by one."""
        missing = [ref for ref in refs if ref.hash not in self._summaries]
        while len(missing) > 1:
            try:
                self._keep(await api.summaries(max(ref.height for ref in missing)))
            except NotFound:
                break  # not on the active chain
            left = [ref for ref in missing if ref.hash not in self._summaries]
            if len(left) == len(missing):
                break
            missing = left
        await gather(self._summary(api, ref.hash) for ref in missing)

    async def _summary(self, api: Api, block_hash: bytes) -> Summary:
        if block_hash not in self._summaries:
            self._keep([await self._fresh_summary(api, block_hash)])
        return self._summaries[block_hash]

    async def _fresh_summary(self, api: Api, block_hash: bytes) -> Summary:
        if api.dialect == "mempool" and time.monotonic() >= self._extended_from:
            try:
                summary = await api.summary(block_hash)
            except NotFound:
                raise
            except SourceError as error:
                if self._is_of_all(error):
                    raise
                self._extended_from = self._missed("/v1/block/*", error)
            else:
                self._missing.works("/v1/block/*")
                return summary
        return await api.summary(block_hash, plain=True)

    def _keep(self, summaries: Iterable[Summary]) -> None:
        self._summaries.update((summary.ref.hash, summary) for summary in summaries)
        _forget_oldest(self._summaries, _SUMMARIES_KEPT)

    async def _block(self, api: Api, ref: BlockRef, slots: asyncio.Semaphore) -> SourceBlock:
        kept = self._blocks.get(ref.hash)
        if kept is not None:
            return kept
        async with slots:
            summary = await self._summary(api, ref.hash)
            try:
                coinbase, branch, txids = await self._coinbase(api, summary)
            except NotFound:
                # Of a block that lost, the indexer may have forgotten the transactions.
                if ref not in self._stale or summary.label is None:
                    raise
                coinbase = branch = txids = None
        block = self._blocks[ref.hash] = SourceBlock(
            ref=summary.ref,
            header=summary.header,
            coinbase_tx=coinbase,
            merkle_branch=branch,
            txids=txids,
            tx_count=summary.tx_count,
            size=summary.size,
            label=summary.label,
        )
        _forget_oldest(self._blocks, _BLOCKS_KEPT)
        return block

    async def _coinbase(self, api: Api, summary: Summary) -> _ProvedCoinbase:
        """Return a coinbase with its Merkle branch, or with all txids."""
        block_hash = summary.ref.hash
        if summary.tx_count > _FEW_TXIDS and time.monotonic() >= self._branches_from:
            path = "/block/*/txid/0"
            try:
                txid = await api.coinbase_txid(block_hash)
                path = "/tx/*/merkle-proof"
                branch = await api.merkle_branch(txid)
            except NotFound:
                pass  # servers give branches of the active chain only
            except SourceError as error:
                if self._is_of_all(error):
                    raise
                self._branches_from = self._missed(path, error)
            else:
                self._missing.works("/block/*/txid/0")
                self._missing.works("/tx/*/merkle-proof")
                return await api.transaction(txid), branch, None
        txids = await api.txids(block_hash)
        return await api.transaction(txids[0]), None, txids


def _forget_oldest(kept: dict[bytes, Summary] | dict[bytes, SourceBlock], most: int) -> None:
    while len(kept) > most:
        del kept[next(iter(kept))]
