"""As many of some blocks as a source has."""

from __future__ import annotations

from collections.abc import Sequence

from hashing.header import BlockRef
from monitor.errors import NotFound
from monitor.sources.base import BlockSource, SourceBlock, Want
from monitor.sources.gather import gather


async def each_block(
    source: BlockSource, refs: Sequence[BlockRef], want: Want
) -> list[SourceBlock | NotFound]:
    """Return what `source` has of `refs`, in their order; else why it has it not.

    Where one of many is not there, a source says no more than that; each is asked for by itself
    then.

    Raises
    ------
    SourceError
        As the source does, but for `NotFound`.
    """
    try:
        return list(await source.blocks(refs, want))
    except NotFound as error:
        if len(refs) == 1:
            return [error]
    alone = await gather(each_block(source, [ref], want) for ref in refs)
    return [answer for (answer,) in alone]
