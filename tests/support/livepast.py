"""What an agent on the live chain would have exported over real blocks, for promtool.

The blocks are those that ship: the sample (Bitcoin's headers of January 2024, with the pools that
their labels name), and the history by day (their order within a day is drawn). The agent's own
code looks through its lenses and writes its own metrics page; nothing says that they are synthetic.
"""

from __future__ import annotations

import datetime
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from analyzers.history import load_history, with_own_names
from analyzers.mined import Mined
from analyzers.registry import load_registry
from analyzers.registry.lenses import TAG_LENS, Lens, load_lenses
from hashing.header import BlockHeader, BlockRef
from hashing.params import MAINNET
from monitor.analysis import WINDOWS, Analysis, Origin, Totals, window_views
from monitor.metrics.exporter import AgentMetrics, Exporter
from monitor.snapshot import Board
from monitor.sources.sample_data import load_sample

DAY: Final = 86_400
WHOSE: Final = 'job="poolscope",instance="a"'
_SAMPLE: Final = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)(?: \S+)?")


def sample_blocks() -> list[Mined]:
    """Return the blocks of the sample, with the pools that their labels name."""
    sample, registry = load_sample(), load_registry()
    return [
        Mined(
            height,
            BlockHeader.parse(sample.header(height)).time,
            registry.slug_of_label("mempool", sample.label(height)),
        )
        for height in range(sample.start, sample.end)
    ]


def history_blocks(first: datetime.date, days: int, seed: int = 0) -> list[Mined]:
    """Return the blocks of `days` days from `first` on, at times drawn within their day."""
    table = load_history().under(with_own_names(TAG_LENS))
    start = (first - datetime.date(1970, 1, 1)).days * DAY
    part = table.between(start, start + days * DAY)
    rng = np.random.default_rng(seed)
    blocks: list[Mined] = []
    for row, own, height, day in zip(
        part.rows(),
        part.unattributed.tolist(),
        part.first_height.tolist(),
        part.start_time.tolist(),
        strict=True,
    ):
        pools: list[str | None] = [name for name, found in row.items() for _ in range(found)]
        pools += [None] * own
        times = np.sort(rng.integers(day, day + DAY, len(pools))).tolist()
        order = rng.permutation(len(pools)).tolist()
        blocks += [
            Mined(height + place, times[place], pools[which]) for place, which in enumerate(order)
        ]
    return blocks


def scrapes(
    blocks: Sequence[Mined], step: int, lenses: Mapping[str, Lens] | None = None
) -> Iterator[tuple[int, str]]:
    """Yield (time, metrics page) every `step` seconds, once the largest window is full."""
    registry, metrics = load_registry(), AgentMetrics()
    metrics.ready.set(1)
    metrics.writer.set(1)
    metrics.source_up.labels("bitcoind").set(1)
    metrics.lag.labels("bitcoind").set(0)
    times = [block.time for block in blocks]
    largest = max(WINDOWS)
    chosen = lenses or load_lenses()
    analysis = Analysis(Origin(MAINNET, "", registry.version, len(registry), chosen), tuple)
    analysis.load()
    empty = analysis.snapshot(Totals(), 0)
    board = Board(empty)
    exporter = Exporter(board, metrics)
    for now in range(times[largest - 1], max(times) + 1, step):
        seen = blocks[: bisect_right(times, now)][-largest:]
        tip = seen[-1]
        board.publish(
            replace(
                empty,
                registry_date=datetime.datetime.fromtimestamp(now, datetime.UTC).date(),
                tip=BlockRef(tip.height, bytes(32)),
                tip_time=tip.time,
                windows=window_views(seen, chosen),
                made_at=float(now),
            )
        )
        yield now, exporter.render("text/plain")[0].decode()


def promtool_series(pages: Sequence[tuple[int, str]]) -> list[dict[str, str]]:
    """Return the pages as promtool's input series; times in them count from the first page."""
    start = pages[0][0]
    series: dict[str, list[str]] = {}
    for place, (_, page) in enumerate(pages):
        for line in (*page.splitlines(), "up 1"):
            found = _SAMPLE.fullmatch(line)
            if line.startswith("#") or found is None or found[1].endswith("_created"):
                continue
            name, labels, value = found.groups()
            if name.endswith("_timestamp_seconds") and float(value):
                value = str(float(value) - start)
            key = f"{name}{{{','.join(filter(None, (WHOSE, labels)))}}}"
            series.setdefault(key, ["_"] * len(pages))[place] = value
    return [{"series": key, "values": " ".join(values)} for key, values in series.items()]
