"""What an agent would have told Prometheus in weeks: blocks at their own times, page by page.

The headers, times and pools are those of the sample: Bitcoin's in early 2024. The sample has
few coinbases; here blocks get real coinbases of their pools from other heights, so that rules,
fees and proofs have something to show. Everything that reads blocks is the agent's own.
"""

from __future__ import annotations

import datetime
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Final

from analyzers.attribution import attribute
from analyzers.model import Label
from analyzers.registry import Registry, load_registry
from analyzers.registry.lenses import load_lenses
from analyzers.registry.loader import make_registry
from hashing.build import build_coinbase
from hashing.header import BlockHeader, BlockRef
from hashing.params import MAINNET
from hashing.wire import TxOut, parse_coinbase
from monitor.analysis import KEPT, RECENT, Analysis, Origin, Totals
from monitor.metrics.exporter import AgentMetrics, Exporter
from monitor.relabel import relabel
from monitor.snapshot import Board
from monitor.sources.sample_data import ProvedCoinbase, load_sample
from monitor.store.base import BlockStore, Step, StoredBlock
from monitor.watch.base import BitcoinPrice
from tests.analyzers.coinbase_vectors import real_coinbases

ADDRESS: Final = "127.0.0.1:9431"
SOURCE: Final = "bitcoind"
END: Final = 829_640
"""Height of the last block: in the midst of an epoch, shortly after a reorg."""
MISSED: Final = "luxor"
"""The pool that the first registry does not know."""
LATE: Final = 400_000
"""Coinbases above this height look like those of today."""
PUSHED_HEIGHT: Final = 4
"""Bytes of a height of that size at the start of a scriptSig."""
CHECKED_BEFORE: Final = 40 * 86_400
"""Seconds between the check of the registry and the start of the agent."""
POLL: Final = 20
"""Seconds between questions to the source."""
SIZES: Final = (1_100_000, 1_900_000)
TRANSACTIONS: Final = (900, 4_600)
FEES: Final = 0.06
"""Mean fees over subsidy."""
OPEN_METRICS: Final = "application/openmetrics-text"


class Past:
    """An agent whose past is told to it: `pages` is what each scrape would have found.

    `last` is the header time of the newest block, at which the past ends.
    """

    def __init__(self, store: BlockStore) -> None:
        self._store = store
        self._sample = load_sample()
        self._stale = {block.height: block for block in self._sample.stale}
        self._coinbases = _coinbases_by_pool()
        self._registry = load_registry()
        self._next = self._sample.start
        self._asked = 0
        self._metrics = AgentMetrics()
        self.last = BlockHeader.parse(self._sample.header(END)).time

    def pages(self, times: Sequence[int], registry_changes: int) -> Iterator[str]:
        """Yield OpenMetrics text at each of `times`; all blocks until then are stored.

        A registry with one pool fewer is in use until `registry_changes`.
        """
        known = [pool for pool in self._registry.pools.values() if pool.slug != MISSED]
        former = make_registry(known, self._registry.sources)
        before = [time for time in times if time < registry_changes]
        yield from self._run(former, before, times[0])
        list(relabel(self._store, self._registry))
        yield from self._run(self._registry, times[len(before) :], registry_changes)

    def _run(self, registry: Registry, times: Sequence[int], started: int) -> Iterator[str]:
        """Yield the pages of one life of the process."""
        lenses = load_lenses()
        checked = datetime.date.fromtimestamp(started - CHECKED_BEFORE)
        origin = Origin(MAINNET, "sample", registry.version, len(registry), lenses, checked)
        analysis = Analysis(origin, self._last_blocks)
        analysis.load(self._store.stale_blocks(RECENT))
        metrics = self._metrics = AgentMetrics()
        metrics.ready.set(1)
        metrics.writer.set(1)
        self._asked = times[0]
        board = Board(analysis.snapshot(Totals(), times[0]))
        exporter = Exporter(board, metrics)
        for time in times:
            for step in self._steps(registry, time):
                began = perf_counter()
                self._store.apply(step)
                analysis.apply(step)
                metrics.processing.observe(perf_counter() - began)
                self._count(step)
            self._ask(time)
            counts = self._store.counts()
            totals = Totals(counts.reorgs, counts.deepest_reorg, counts.stale, counts.header_only)
            board.publish(analysis.snapshot(totals, time))
            dollars = 43_000 + (time - self.last) // 400
            board.observed("price", BitcoinPrice(dollars, "price.example", time - 300))
            began = perf_counter()
            page, _ = exporter.render(OPEN_METRICS)
            yield _labelled(page.decode(), time, started, perf_counter() - began)

    def _last_blocks(self) -> Iterator[StoredBlock]:
        tip = self._store.tip()
        return self._store.blocks(tip.height - KEPT + 1, tip.height + 1) if tip else iter(())

    def _steps(self, registry: Registry, until: int) -> Iterator[Step]:
        """Yield what the agent stores up to a time: reorgs where the sample has a rival."""
        chain: list[StoredBlock] = []
        while self._next < self._sample.end:
            header = self._sample.header(self._next)
            if BlockHeader.parse(header).time > until:
                break
            if rival := self._stale.get(self._next):
                yield Step([*chain, self._rival(rival, registry)])
                chain = [self._block(self._next, header, registry)]
                yield Step(chain, rollback_to=self._next - 1)
                chain = []
            else:
                chain.append(self._block(self._next, header, registry))
            self._next += 1
        if chain:
            yield Step(chain)

    def _block(self, height: int, header: bytes, registry: Registry) -> StoredBlock:
        name = self._sample.label(height)
        rng = random.Random(height)
        coinbase = self._coinbase(name, height, rng)
        label = Label(name, self._sample.label_source)
        return StoredBlock(
            ref=BlockRef(height, BlockHeader.parse(header).hash),
            header=header,
            coinbase_tx=coinbase,
            proof="coinbase" if coinbase else "header",
            stale=False,
            source=SOURCE,
            label=label,
            attribution=attribute(
                parse_coinbase(coinbase) if coinbase else None,
                registry,
                height=height,
                label=label,
            ),
            tx_count=1 if rng.random() < 0.004 else rng.randint(*TRANSACTIONS),
            size=rng.randint(*SIZES),
        )

    def _rival(self, rival: ProvedCoinbase, registry: Registry) -> StoredBlock:
        coinbase = parse_coinbase(rival.coinbase_tx)
        return StoredBlock(
            ref=BlockRef(rival.height, BlockHeader.parse(rival.header).hash),
            header=rival.header,
            coinbase_tx=rival.coinbase_tx,
            proof="coinbase",
            stale=False,
            source=SOURCE,
            label=None,
            attribution=attribute(coinbase, registry, height=rival.height),
            tx_count=rival.tx_count,
            size=rival.size,
        )

    def _coinbase(self, pool: str, height: int, rng: random.Random) -> bytes | None:
        """Return a coinbase of the pool that claims the subsidy and some fees."""
        if not (known := self._coinbases.get(pool)):
            return None
        tail, outputs = known[height % len(known)]
        fees = rng.expovariate(1 / FEES) * (1 + 0.6 * ((height // 72) % 9) / 9)
        reward = int(MAINNET.subsidy(height) * (1 + fees))
        return build_coinbase(height, tail, _paying(outputs, reward), witness=False)

    def _count(self, step: Step) -> None:
        metrics = self._metrics
        metrics.blocks.inc(len(step.append))
        if step.rollback_to is not None:
            metrics.saw_reorg(1)
            metrics.reorg_time.set(BlockHeader.parse(step.append[0].header).time)

    def _ask(self, time: int) -> None:
        """Count what asking the source for news would."""
        metrics = self._metrics
        metrics.requests.labels(SOURCE).inc((time - self._asked) // POLL)
        self._asked = time
        metrics.failures.labels(SOURCE)
        metrics.source_up.labels(SOURCE).set(1)
        metrics.last_success.labels(SOURCE).set(time - 20)


def _coinbases_by_pool() -> dict[str, list[tuple[bytes, tuple[TxOut, ...]]]]:
    found = defaultdict(list)
    for real in sorted(real_coinbases(), key=lambda real: real.height):
        if real.height > LATE and real.outputs:
            tail = real.script_sig[PUSHED_HEIGHT:]
            found[real.pool or "unknown"].append((tail, real.outputs))
    return dict(found)


def _paying(outputs: Sequence[TxOut], reward: int) -> list[TxOut]:
    """Return `outputs` with the same scripts and proportions, together worth `reward`."""
    total = sum(output.value for output in outputs)
    paid = [replace(output, value=output.value * reward // total) for output in outputs]
    rest = reward - sum(output.value for output in paid)
    return [replace(paid[0], value=paid[0].value + rest), *paid[1:]]


def _labelled(page: str, time: int, started: int, took: float) -> str:
    """Return the samples of a page as this agent's at `time`, and what Prometheus adds.

    The process began at `started`; the page took so many seconds.
    """
    samples = [line for line in page.splitlines() if line[0] != "#" and "_created" not in line]
    whose = f'job="poolscope",instance="{ADDRESS}"'
    lines = []
    for sample in samples:
        name, value = sample.rsplit(" ", 1)
        if name == "process_start_time_seconds":
            value = str(started)
        begin, brace, rest = name.partition("{")
        labels = f"{whose},{rest}" if brace else f"{whose}}}"
        lines.append(f"{begin}{{{labels} {value} {time}\n")
    return "".join(
        [
            *lines,
            f"up{{{whose}}} 1 {time}\n",
            f"scrape_samples_scraped{{{whose}}} {len(samples)} {time}\n",
            f"scrape_duration_seconds{{{whose}}} {took} {time}\n",
        ]
    )
