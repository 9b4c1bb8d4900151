"""Pools: what the registry says of them, and what they found."""

from __future__ import annotations

from monitor import answers
from monitor.answers import convert
from monitor.snapshot import Snapshot, WindowView
from monitor.web.context import WebContext
from monitor.web.errors import ApiError

PLAIN: str = "tag"
"""The lens that shows pools themselves."""


def pool_list(context: WebContext) -> answers.PoolList:
    """Return the pools with blocks in any window, those of the longest window first."""
    blocks: dict[str, dict[int, int]] = {}
    views = sorted(_plain(context.board.snapshot), key=lambda view: -view.window)
    for view in views:
        for share in view.summary.shares:
            blocks.setdefault(share.entity, {})[view.window] = share.blocks
    return answers.PoolList(
        pools=[
            answers.PoolBlocks(slug=slug, name=context.name_of(slug), blocks=found)
            for slug, found in blocks.items()
        ]
    )


def pool_detail(context: WebContext, slug: str) -> answers.PoolDetail:
    """Return one pool.

    Raises
    ------
    ApiError
        404 if neither the registry nor a window knows it.
    """
    known = context.registry.pools.get(slug) if context.registry else None
    windows = [_window(context, view, slug) for view in _plain(context.board.snapshot)]
    if known is None and not any(window.share.blocks for window in windows):
        raise ApiError(404, f"no pool {slug!r}: see /api/v1/pools for those with blocks")
    return answers.PoolDetail(
        slug=slug,
        name=context.name_of(slug),
        aliases=list(known.aliases) if known else [],
        website=known.website if known else "",
        windows=windows,
        tags=[
            answers.PoolTag(text=tag.text, strength=tag.strength, sources=list(tag.sources))
            for tag in (known.tags if known else ())
        ],
        payouts=[
            answers.PoolPayout(
                address=payout.address, strength=payout.strength, sources=list(payout.sources)
            )
            for payout in (known.payouts if known else ())
        ],
    )


def _plain(snapshot: Snapshot) -> list[WindowView]:
    return [view for view in snapshot.windows if view.lens == PLAIN]


def _window(context: WebContext, view: WindowView, slug: str) -> answers.PoolWindow:
    share = view.summary.share_of(slug) or view.summary.group({slug})
    return answers.PoolWindow(
        window=view.window,
        of_blocks=view.summary.blocks,
        share=convert.share(share, context.name_of),
    )
