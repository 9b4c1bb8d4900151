"""Concentration over time, from the pools of the stored blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from analyzers.figures import MEASURES, figure_of
from analyzers.registry.lenses import Lens, applies_to
from analyzers.summary import Summary, summarize
from monitor import answers
from monitor.answers.convert import bounded, figures
from monitor.store.base import BlockStore

MAX_POINTS: Final = 180
"""Points of a history: more than a screen can tell apart."""
LEAST_STEP: Final = 72
"""Blocks between two points, at least: half a day."""
SPAN: Final = 105_120
"""Blocks looked back: two years."""
_DRAWN: Final = tuple(measure for measure in MEASURES if measure.metric is not None)
"""Measures over time: those that Prometheus keeps too."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which history: windows of `window` blocks under `lens`, and whose share besides."""

    window: int
    lens: str
    pool: str | None


def history(store: BlockStore, question: Question, lens: Lens) -> answers.History:
    """Return concentration over the stored chain; empty while it is shorter than a window.

    Windows that no row of `lens` applies to are left out.
    """
    window, tip = question.window, store.tip()
    step = LEAST_STEP
    points: list[answers.Point] = []
    if tip is not None:
        first = max(store.first_height() or 0, tip.height + 1 - SPAN)
        chain = store.chain(first)
        heights, times = chain.height.tolist(), chain.time.tolist()
        numbers, names = chain.entities(lens)
        entities = [(*names, None)[number] for number in numbers.tolist()]  # -1 is the last
        applies = applies_to(lens, chain)
        step = _step(len(heights) - window)
        for end in _ends(heights, window, step):
            if not applies[end - window : end].any():
                continue
            counts = Counter(entities[end - window : end])
            points.append(_point(counts, question, lens, (heights[end - 1], times[end - 1])))
    return answers.History(
        window=window, lens=question.lens, pool=question.pool, step=step, points=points
    )


def _step(room: int) -> int:
    """Return the distance of points, a multiple of `LEAST_STEP`."""
    return LEAST_STEP * max(1, -(-room // (LEAST_STEP * MAX_POINTS)))


def _ends(heights: list[int], window: int, step: int) -> list[int]:
    """Return the indices behind each window: at multiples of `step` in height, and the tip."""
    ends = [
        end
        for end in range(window, len(heights) + 1)
        if heights[end - 1] % step == 0 or end == len(heights)
    ]
    # A point right before the tip's would say the same thing twice.
    if len(ends) > 1 and ends[-1] - ends[-2] < step // 2:
        del ends[-2]
    return ends


def _point(
    counts: Mapping[str | None, int], question: Question, lens: Lens, end: tuple[int, int]
) -> answers.Point:
    """Return the point of a window that ends with a block of this height and time."""
    pool, (height, time) = question.pool, end
    found = {name: blocks for name, blocks in counts.items() if name is not None}
    summary = _summary(tuple(sorted(found.items())), counts.get(None, 0))
    own = summary.group({pool}) if pool else None
    return answers.Point(
        height=height,
        time=time,
        blocks=summary.blocks,
        unknown=summary.unattributed,
        withheld=summary.withheld or None,
        figures=figures(
            figure_of(measure, summary)
            for measure in _DRAWN
            if lens.kind.is_control or not measure.of_control
        ),
        share=bounded(own.share, own.interval, own.bounds) if own else None,
    )


@lru_cache(4 * MAX_POINTS)
def _summary(counts: tuple[tuple[str, int], ...], unattributed: int) -> Summary:
    """Return the figures of a window: computed once, as old windows do not change."""
    return summarize(dict(counts), unattributed=unattributed)
