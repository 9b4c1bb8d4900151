"""PromQL over poolscope's metrics, narrowed by the dashboards' variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AGENT: Final = 'job="$job", instance="$instance"'
WINDOW: Final = AGENT + ', window="$window"'
VIEW: Final = WINDOW + ', lens="$lens"'
"""Selectors by how much the variables narrow: one agent, one window, one window and lens."""

ALONE: Final = 'unknown="alone"'
OF_LARGEST: Final = 'unknown="of_largest"'
"""Select the reading that each unknown block is of a miner of its own, or all of the largest's."""

NAMED: Final = 'pool!~"other|unknown"'
"""Selects pools that the registry names."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and how its series are called; `legend` may hold ``{{label}}``."""

    expr: str
    legend: str = ""


def metric(name: str, *selectors: str) -> str:
    """Return the series of ``poolscope_NAME`` that all `selectors` choose; AGENT if none is given.

    Examples
    --------
    >>> metric("tip_height")
    'poolscope_tip_height{job="$job", instance="$instance"}'
    """
    return f"poolscope_{name}{{{', '.join(selectors or (AGENT,))}}}"


def estimate(value: str, low: str, high: str, *selectors: str, name: str = "") -> list[Query]:
    """Return a figure with the ends of its 95 % interval, as charts with a band want it.

    `value`, `low` and `high` are metrics; `name` goes before the names of the three series.
    """
    before = f"{name} " if name else ""
    return [
        Query(metric(part, *selectors), before + text)
        for part, text in zip((value, low, high), ESTIMATE, strict=True)
    ]


NOT_OF_CONTROL: Final = "Not said under this lens: its groups do not direct work"
"""What a panel shows where only lenses of control have figures."""


def any_above(window: str = VIEW) -> list[Query]:
    """Return the probabilities that somebody holds more than each part of the work.

    Each for the readings of the unknown blocks that bound it: of a miner each, of the largest.
    """
    return [
        Query(
            metric("any_above_probability_reading_ratio", window, f'threshold="{part}"', reading),
            f"a {part}, {words}",
        )
        for part in ("quarter", "third", "half")
        for reading, words in ((ALONE, "at least"), (OF_LARGEST, "at most"))
    ]


ESTIMATE: Final = ("estimate", "lower 95 %", "upper 95 %")
"""Names of the series of an estimate; a band lies between the last two."""


def largest(expr: str, count: int, label: str = "pool") -> str:
    """Return the series of the `count` largest by `label` at the end of the time range.

    `topk` alone would choose anew at every point and cut the lines to pieces.
    """
    return f"{expr} and on ({label}) topk({count}, {expr} @ end())"


def refused_blocks() -> list[Query]:
    """Return the blocks that did not prove themselves in an hour: all, and each reason's."""
    refused = f"sum by (reason) (increase({metric('blocks_refused_total')}[1h]))"
    return [Query(f"sum ({refused})", "all"), Query(f"{refused} > 0", "{{reason}}")]


def ever(series: str, label: str) -> str:
    """Return the series that are above zero somewhere in the time range, by `label`."""
    return f"{series} and on ({label}) max_over_time({series}[$__range] @ end()) > 0"
