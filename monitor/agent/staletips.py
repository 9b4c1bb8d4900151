"""Stale tips: what a source tells of the branches that lost, asked for beside the chain.

They are nice to have. A source that refuses them, does not know them, answers late or wrong,
or that lacks a block of them, is followed all the same: nothing here ends a round of the
chain, or says anything about whether the source is up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from analyzers.leftout import Kind, LeftOut, Tally
from hashing.header import BlockRef, hash_to_hex
from monitor.agent.driver import Driver
from monitor.agent.follower import Follower
from monitor.agent.turns import Turn
from monitor.errors import ProofError, SourceError, SourceUnavailable, StoreError
from monitor.metrics.exporter import AgentMetrics
from monitor.trouble import Standing

log = logging.getLogger(__name__)

EVERY: Final = 60.0
"""Seconds between looks at the stale tips of a source of one's own: a node walks its whole
block index for it."""
EVERY_PUBLIC: Final = 600.0
EVERY_SYNTHETIC: Final = 2.0
BUDGET: Final = 120.0
"""Seconds that one answer may take."""
BACK_OFF: Final = 3600.0
"""Most seconds between looks at the stale tips of a source that does not give them."""
TRY_AGAIN: Final = 6 * 3600.0
"""Seconds after which a block that could not be had is asked for once more."""
MOST: Final = 256
"""Stale tips of a source that are looked at; the highest ones."""

NO_BLOCK: Final = "the source cannot give the block"
NO_PROOF: Final = "it does not prove itself"
NO_LINK: Final = "its branch does not reach what is stored, or only below what is followed"
TOO_MANY: Final = f"more than {MOST} stale tips"

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Settled:
    """A stale tip that is done with: what kept it from being stored, and until when."""

    why: str = ""
    until: float = float("inf")


class StaleTips:
    """Stores what the source of a turn tells of stale branches, again and again.

    `on_look` is called after each look: what is left out may have changed.
    """

    def __init__(
        self,
        turn: Turn,
        driver: Driver,
        follower: Follower,
        metrics: AgentMetrics,
        on_look: Callable[[], None],
    ) -> None:
        self._turn = turn
        self._driver = driver
        self._follower = follower
        self._metrics = metrics
        self._on_look = on_look
        self._settled: dict[BlockRef, _Settled] = {}
        self._dropped: list[BlockRef] = []
        self._trouble = Standing(log)

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """The stale tips that the source tells of and that are not stored."""
        tally = Tally()
        for ref, settled in self._settled.items():
            if settled.why:
                tally.add(Kind.TIP, settled.why, _named(ref))
        for ref in self._dropped:
            tally.add(Kind.TIP, TOO_MANY, _named(ref))
        return tally.found

    async def run(self) -> None:
        """Look for ever, as often as the source may be asked; only cancellation ends it."""
        failures = 0
        while True:
            if not self._may_ask():
                await asyncio.sleep(EVERY_SYNTHETIC)
                continue
            try:
                await self._look()
            except SourceError as error:
                failures += 1
                self._trouble.began(f"no stale tips (the chain is followed without them): {error}")
            except StoreError:
                pass  # the chain meets it, too, and says so
            except Exception:  # a fault of ours, in what may not stop the chain
                failures += 1
                log.exception("no stale tips of %s", self._turn.name)
            else:
                failures = 0
                self._trouble.ended(f"{self._turn.name} tells its stale tips again")
            self._on_look()
            await asyncio.sleep(min(self._every() * 2 ** min(failures, 10), BACK_OFF))

    def _may_ask(self) -> bool:
        """Say whether the chain is stored up to the source's tip: branches link to that."""
        turn = self._turn
        if not turn.opened or not turn.source.capabilities.stale_tips or turn.tip is None:
            return False
        return turn.lag is not None and not self._follower.is_news(turn.tip)

    def _every(self) -> float:
        able = self._turn.source.capabilities
        if able.synthetic:
            return EVERY_SYNTHETIC
        return EVERY_PUBLIC if able.public else EVERY

    async def _look(self) -> None:
        """Ask for the tips, and for the branches of those that are new.

        Raises
        ------
        SourceError
            If the source does not tell them, or does not answer any more.
        StoreError
            If a branch cannot be stored.
        """
        tips = await _within_budget(self._turn.source.stale_tips())
        told = sorted(set(tips), reverse=True)  # the highest first
        told, self._dropped = told[:MOST], told[MOST:]
        now = time.monotonic()
        self._settled = {
            ref: self._settled[ref]
            for ref in told
            if ref in self._settled and self._settled[ref].until > now
        }
        for ref in told:
            if ref not in self._settled:
                self._settled[ref] = await self._settle(ref)

    async def _settle(self, ref: BlockRef) -> _Settled:
        try:
            await self._driver.branch(self._turn.source, ref, _within_budget)
        except SourceUnavailable:
            # Of one block or of all: this one may wait, and the next look tells the others.
            self._settled[ref] = _Settled(NO_BLOCK, time.monotonic() + TRY_AGAIN)
            raise
        except SourceError as error:
            log.debug("stale block %s of %s: %s", _named(ref), self._turn.name, error)
            return _Settled(NO_BLOCK, time.monotonic() + TRY_AGAIN)
        except ProofError as error:
            self._metrics.refused.labels(error.reason).inc()
            log.warning("stale branch refused: %s", error)
            return _Settled(NO_PROOF)
        return _Settled("" if self._follower.holds(ref) else NO_LINK)


async def _within_budget(answer: Awaitable[Answer]) -> Answer:
    try:
        async with asyncio.timeout(BUDGET):
            return await answer
    except TimeoutError:
        raise SourceUnavailable(f"no answer within {BUDGET:.0f} s") from None


def _named(ref: BlockRef) -> str:
    return f"{ref.height} {hash_to_hex(ref.hash)}"
