"""The endpoints of the API: path, parameters, answer, and what answers it.

This one table is the router, the validation and the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from hashing.header import hash_from_hex, hash_to_hex
from monitor import answers
from monitor.answers import convert
from monitor.answers.convert_blocks import brief, detail
from monitor.snapshot import WindowView
from monitor.store.base import BlockStore, StoredBlock
from monitor.web import overview, pools, status
from monitor.web.context import WebContext
from monitor.web.errors import ApiError
from monitor.web.history import Question, history
from monitor.web.queries import (
    BlocksQuery,
    ClaimsQuery,
    HistoryQuery,
    PageQuery,
    Query,
    ReorgsQuery,
    StaleQuery,
    WindowQuery,
)
from monitor.web.reader import Reader, Worker

PREFIX: Final = "/api/v1"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, as far as its answer depends on it."""

    context: WebContext
    reader: Reader
    judge: Worker
    place: Mapping[str, str]


class PathParameter(NamedTuple):
    """A path parameter: its pattern, a regular expression, and what it means."""

    pattern: str
    description: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. `live` answers can change without a new block and are not kept."""

    path: str
    summary: str
    answer: type[answers.Answer]
    handler: Callable[[Ask, Any], Awaitable[answers.Answer]]
    query: type[Query] = Query
    places: Mapping[str, PathParameter] = field(default_factory=dict)
    live: bool = False


async def _status(ask: Ask, _query: Query) -> answers.Status:
    return status.status(ask.context)


async def _sources(ask: Ask, _query: Query) -> answers.Sources:
    return answers.Sources(sources=status.sources(ask.context))


async def _overview(ask: Ask, _query: Query) -> answers.Overview:
    return overview.overview(ask.context)


async def _tip(ask: Ask, _query: Query) -> answers.Tip:
    found = overview.tip(ask.context.board.snapshot)
    if found is None:
        raise ApiError(404, "there is no block yet")
    return found


async def _epoch(ask: Ask, _query: Query) -> answers.Epoch:
    found = overview.epoch(ask.context.board.snapshot.epoch)
    if found is None:
        raise ApiError(404, "no forecast: the epoch has just begun, or does not end here")
    return found


async def _lenses(ask: Ask, _query: Query) -> answers.Lenses:
    return answers.Lenses(lenses=overview.lenses(ask.context))


async def _measures(_ask: Ask, _query: Query) -> answers.Measures:
    return convert.measures()


async def _windows(ask: Ask, query: WindowQuery) -> answers.Windows:
    return answers.Windows(
        windows=[overview.shares(view, ask.context) for view in _chosen(ask, query)]
    )


async def _concentration(ask: Ask, query: WindowQuery) -> answers.Concentrations:
    return answers.Concentrations(
        concentration=[convert.concentration(view) for view in _chosen(ask, query)]
    )


def _chosen(ask: Ask, query: WindowQuery) -> list[WindowView]:
    if query.lens is not None:
        _lens(ask, query.lens)
    return [
        view
        for view in ask.context.board.snapshot.windows
        if query.window in (None, view.window) and query.lens in (None, view.lens)
    ]


def _lens(ask: Ask, name: str) -> str:
    if name not in ask.context.lenses:
        known = ", ".join(ask.context.lenses)
        raise ApiError(400, f"parameter 'lens': must be one of {known}")
    return name


async def _history(ask: Ask, query: HistoryQuery) -> answers.History:
    question = Question(query.window, _lens(ask, query.lens), query.pool)
    entity_of = ask.context.lenses[query.lens]
    return await ask.reader.read(question, lambda store: history(store, question, entity_of))


async def _pools(ask: Ask, _query: Query) -> answers.PoolList:
    return pools.pool_list(ask.context)


async def _pool(ask: Ask, _query: Query) -> answers.PoolDetail:
    return pools.pool_detail(ask.context, ask.place["slug"])


async def _blocks(ask: Ask, query: BlocksQuery) -> answers.BlockList:
    found, older = await ask.reader.read(
        query, lambda store: _newest(store, query.before, query.limit, query.pool)
    )
    return answers.BlockList(
        blocks=[brief(block, ask.context.name_of, ask.context.params) for block in found],
        next=_next("/blocks", query, found[-1].ref.height) if older else None,
    )


def _next(path: str, query: PageQuery, last: int | str) -> str:
    """Return where the page behind that of `query` is, which ended with `last`."""
    asked = query.model_dump(exclude_none=True) | {"before": last}
    return f"{PREFIX}{path}?{urlencode(asked)}"


def _newest(
    store: BlockStore, before: int | None, limit: int, pool: str | None
) -> tuple[list[StoredBlock], bool]:
    """Return the newest active blocks below `before`, and whether there are older ones."""
    tip, first = store.tip(), store.first_height()
    if tip is None or first is None:
        return [], False
    stop = tip.height + 1 if before is None else min(before, tip.height + 1)
    if pool is None:
        start = max(first, stop - limit)
        return list(store.blocks(start, stop))[::-1], start > first
    chain = store.chain(first, stop)
    number = {name: place for place, name in enumerate(chain.pools)} | {"unknown": -1}
    heights = chain.height[chain.pool == number.get(pool, len(number))].tolist()
    found = [store.block(height) for height in heights[: -limit - 1 : -1]]
    return [block for block in found if block is not None], len(heights) > limit


async def _block(ask: Ask, _query: Query) -> answers.BlockDetail:
    place = ask.place["block"]
    key = hash_from_hex(place) if len(place) == 64 else int(place)
    found = await ask.reader.read(place, lambda store: store.block(key))
    if found is None:
        raise ApiError(404, f"no block {place} in the store of this agent")
    return detail(found, ask.context.name_of, ask.context.params)


async def _stale(ask: Ask, query: StaleQuery) -> answers.StaleList:
    def stale(store: BlockStore) -> list[StoredBlock]:
        before = None if query.before is None else hash_from_hex(query.before)
        if before is not None and not store.knows(before):
            raise ApiError(400, "parameter 'before': no block of this hash in the store")
        return store.stale_blocks(query.limit + 1, before)

    found = (await ask.reader.read(query, stale))[::-1]
    shown = [
        brief(block, ask.context.name_of, ask.context.params) for block in found[: query.limit]
    ]
    return answers.StaleList(
        total=ask.context.board.snapshot.stale_blocks,
        blocks=shown,
        next=_next("/stale", query, shown[-1].hash) if len(found) > query.limit else None,
    )


async def _reorgs(ask: Ask, query: ReorgsQuery) -> answers.ReorgList:
    found = await ask.reader.read(query, lambda store: store.reorgs(query.limit + 1, query.before))
    shown = [
        answers.Reorg(
            number=reorg.number,
            at=reorg.at,
            fork_height=reorg.fork_height,
            depth=reorg.depth,
            old_tip=hash_to_hex(reorg.old_tip),
        )
        for reorg in found[::-1][: query.limit]
    ]
    snapshot = ask.context.board.snapshot
    return answers.ReorgList(
        total=snapshot.reorgs,
        deepest=snapshot.deepest_reorg,
        reorgs=shown,
        next=_next("/reorgs", query, shown[-1].number) if len(found) > query.limit else None,
    )


async def _claims(ask: Ask, query: ClaimsQuery) -> answers.Claims:
    snapshot = ask.context.board.snapshot

    def judge() -> answers.Claims:
        from monitor.web.claims import judged, terms_of_chain

        return judged(query, terms_of_chain(snapshot))

    return await ask.judge.run((query, snapshot.tip), judge)


ENDPOINTS: Final = (
    Endpoint("/status", "How the agent is.", answers.Status, _status, live=True),
    Endpoint("/sources", "Sources and their health.", answers.Sources, _sources, live=True),
    Endpoint("/overview", "Everything the page shows.", answers.Overview, _overview),
    Endpoint("/tip", "The end of the chain.", answers.Tip, _tip),
    Endpoint("/lenses", "Who is counted as one, under each lens.", answers.Lenses, _lenses),
    Endpoint("/measures", "What each measure of concentration is.", answers.Measures, _measures),
    Endpoint("/windows", "Shares by window and lens.", answers.Windows, _windows, WindowQuery),
    Endpoint(
        "/concentration",
        "Concentration by window and lens.",
        answers.Concentrations,
        _concentration,
        WindowQuery,
    ),
    Endpoint(
        "/concentration/history",
        "Concentration over time, and a pool's share if asked.",
        answers.History,
        _history,
        HistoryQuery,
    ),
    Endpoint("/epoch", "The running difficulty epoch.", answers.Epoch, _epoch),
    Endpoint("/pools", "Pools with blocks in any window.", answers.PoolList, _pools),
    Endpoint(
        "/pools/{slug}",
        "A pool: the registry's entry and what it found.",
        answers.PoolDetail,
        _pool,
        places={"slug": PathParameter("[a-z0-9._-]{1,64}", "The pool's slug.")},
    ),
    Endpoint("/blocks", "Blocks, newest first.", answers.BlockList, _blocks, BlocksQuery),
    Endpoint(
        "/blocks/{block}",
        "A block by height or hash (reversed hex), with coinbase and evidence.",
        answers.BlockDetail,
        _block,
        places={
            "block": PathParameter(
                "[0-9a-f]{64}|[0-9]{1,8}",
                "A height of the active chain, or the hash of any stored block.",
            )
        },
    ),
    Endpoint("/stale", "Stale blocks, newest first.", answers.StaleList, _stale, StaleQuery),
    Endpoint(
        "/claims",
        "The founding claims, judged under inputs that can be changed.",
        answers.Claims,
        _claims,
        ClaimsQuery,
    ),
    Endpoint("/reorgs", "Reorgs, newest first.", answers.ReorgList, _reorgs, ReorgsQuery),
)
