"""A node's past from its block files, its tip from the node itself.

Files are quicker than any node, but they are indexed whole before the first block, and the
index stays in memory: so they are opened only for a long way, and let go near the tip.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from analyzers.leftout import LeftOut
from hashing.header import BlockRef
from monitor.errors import NotFound, NotKept, SourceError
from monitor.sources.base import BlockSource, SourceBlock, Want

log = logging.getLogger(__name__)

LONG_WAY: Final = 20_000
"""Blocks below the tip from which indexing the files pays."""
NEAR: Final = 144
"""Blocks below the tip from which the node is asked again."""


class NodeWithFiles:
    """A `BlockSource` of one's own node, with the folder that it writes its blocks to.

    What the files cannot give is asked of the node, and what the node does not keep is looked
    for in the files: they may be those of another node, or older.

    Parameters
    ----------
    node, files:
        Sources of the same network, neither open yet.
    long_way:
        Blocks below the tip from which the files are opened.
    """

    def __init__(self, node: BlockSource, files: BlockSource, long_way: int = LONG_WAY) -> None:
        self._node = node
        self._files = files
        self._long_way = long_way
        self._tip = 0
        self._reading = False
        self._usable = True
        self.name, self.network = node.name, node.network
        self.capabilities = node.capabilities

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What node and files hold and are not asked for."""
        return [*self._node.left_out, *self._files.left_out]

    async def open(self) -> None:
        """Open the node; the files follow when they are wanted."""
        await self._node.open()
        self.network = self._node.network
        self.capabilities = replace(self._node.capabilities, bodies_from=0)
        self._usable = True

    async def close(self) -> None:
        """Close both."""
        await self._close_files()
        await self._node.close()

    async def tip(self) -> BlockRef:
        """Return the node's tip."""
        tip = await self._node.tip()
        self._tip = tip.height
        return tip

    async def stale_tips(self) -> Sequence[BlockRef]:
        """Return the node's stale tips."""
        return await self._node.stale_tips()

    async def headers(self, start: int, count: int) -> list[bytes]:
        """Return the node's headers."""
        return await self._node.headers(start, count)

    async def blocks(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock]:
        """Return blocks from the files if they lie far below the tip, else from the node."""
        depth = self._tip - max((ref.height for ref in refs), default=self._tip)
        found = None
        if depth < NEAR:
            await self._close_files()
        elif self._reading or depth >= self._long_way:
            found = await self._from_files(refs, want)
        if found is not None:
            return found
        try:
            return await self._node.blocks(refs, want)
        except NotKept:
            found = await self._from_files(refs, want)
            if found is None:
                raise
            return found

    async def wait_for_tip_change(self, timeout: float) -> None:
        """Wait for the node's hint."""
        await self._node.wait_for_tip_change(timeout)

    async def _from_files(self, refs: Sequence[BlockRef], want: Want) -> list[SourceBlock] | None:
        """Return blocks from the files, None if they do not have all of them."""
        if not self._usable:
            return None
        try:
            if not self._reading:
                log.info("indexing the block files; this may take a minute")
                await self._files.open()
                self._reading = True
            return await self._files.blocks(refs, want)
        except NotFound:
            return None
        except SourceError as error:
            log.warning("asking the node instead of reading its files: %s", error)
            self._usable = False
            await self._close_files()
            return None

    async def _close_files(self) -> None:
        if self._reading:
            self._reading = False
            await self._files.close()
