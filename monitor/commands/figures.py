"""The figures that the statistics commands show, as rows of plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analyzers import concentration as measures
from analyzers.intervals import UNKNOWN, Interval, entropy_interval
from analyzers.summary import HALF, QUARTER, THIRD, Nakamoto, Summary

_OTHER_ENTROPIES: Final[tuple[measures.EntropyEstimator, ...]] = (
    "plug-in",
    "miller-madow",
    "chao-shen",
)
"""Beside Grassberger's, which has the interval."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One named figure; `interval` is NaN where none is known, `note` says what else to know."""

    name: str
    title: str
    value: float
    interval: Interval = UNKNOWN
    note: str = ""


def figures_of(summary: Summary) -> list[Figure]:
    """Return every measure of a window, the most useful first."""
    points = measures.POINTS
    counts = [share.blocks for share in summary.shares] + [1] * summary.unattributed
    low, high = summary.hhi_interval
    upper = summary.hhi_unattributed_as_one * points
    rest = f"{upper:.0f} if all unattributed blocks are of one miner"
    entropy = entropy_interval(counts, summary.level)
    return [
        Figure(
            "hhi_points",
            "HHI, points",
            summary.hhi * points,
            Interval(low * points, high * points),
            rest if summary.unattributed else measures.hhi_band(summary.hhi),
        ),
        Figure(
            "hhi_plug_in_points",
            "HHI as others publish it",
            summary.hhi_plug_in * points,
            note="sum of squared shares: biased up",
        ),
        Figure(
            "effective_number",
            "Effective number of miners (1/HHI)",
            summary.effective_number,
            summary.effective_number_interval,
        ),
        Figure(
            "effective_number_entropy",
            "Effective number (entropy)",
            summary.effective_number_entropy,
            summary.effective_number_entropy_interval,
        ),
        nakamoto_figure("nakamoto_half", summary.nakamoto_half),
        nakamoto_figure("nakamoto_third", summary.nakamoto_third),
        *(
            Figure(
                f"cr{ratio.top}",
                f"Share of the largest {ratio.top}" if ratio.top > 1 else "Share of the largest",
                ratio.value,
                ratio.interval,
            )
            for ratio in summary.ratios
            if ratio.top <= max(1, summary.entities)
        ),
        Figure(
            "entropy_bits",
            "Shannon entropy, bits",
            measures.shannon(counts, "grassberger") / math.log(2),
            Interval(entropy.low / math.log(2), entropy.high / math.log(2)),
        ),
        *(
            Figure(
                f"entropy_{estimator.replace('-', '_')}_bits",
                f"Shannon entropy, bits, {estimator}",
                measures.shannon(counts, estimator) / math.log(2),
                note="as others publish it: biased down" if estimator == "plug-in" else "",
            )
            for estimator in _OTHER_ENTROPIES
        ),
        Figure("gini", "Gini coefficient", summary.gini, note="of the entities seen: biased down"),
        Figure("theil", "Theil index", measures.theil(counts)),
        Figure(
            "min_entropy_bits", "Min-entropy, bits", measures.renyi(counts, math.inf) / math.log(2)
        ),
        Figure("hhi_normalised", "Normalised HHI", measures.hhi_normalised(counts)),
        *(
            Figure(f"any_above_{name}", f"P(some miner over {text})", summary.any_above[threshold])
            for threshold, name, text in (
                (HALF, "half", "1/2"),
                (THIRD, "third", "1/3"),
                (QUARTER, "quarter", "1/4"),
            )
        ),
    ]


def nakamoto_figure(name: str, found: Nakamoto) -> Figure:
    """Return a Nakamoto coefficient with what is probable of the true one."""
    value = math.nan if found.observed is None else float(found.observed)
    chances = sorted(found.posterior.items(), key=lambda item: -item[1])[:3]
    note = ", ".join(f"{size}: {chance:.0%}" for size, chance in chances if chance >= 0.005)
    title = f"Nakamoto coefficient, over {found.threshold}"
    return Figure(name, title, value, note=f"true value {note}" if note else "")


def figures_json(figures: Sequence[Figure]) -> dict[str, dict[str, float | str | None]]:
    """Return the figures as JSON values by name."""
    return {
        figure.name: {
            "value": plain(figure.value),
            "low": plain(figure.interval.low),
            "high": plain(figure.interval.high),
        }
        for figure in figures
    }


def plain(value: float) -> float | None:
    """Return `value` as JSON can carry it: None where it is not a finite number."""
    return value if math.isfinite(value) else None


def number(value: float) -> str:
    """Return `value` with as many digits as a person reads; a dash where it is undefined."""
    if not math.isfinite(value):
        return "-"
    if value == int(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if 0 < abs(value) < 5e-4:
        return "<0.001" if value > 0 else ">-0.001"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.3f}"


def span(interval: Interval) -> str:
    """Return an interval for people; empty where it is unknown."""
    if not all(map(math.isfinite, interval)):
        return ""
    return f"{number(interval.low)} to {number(interval.high)}"
