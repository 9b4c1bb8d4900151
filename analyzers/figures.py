"""The one list of concentration measures: what each is called, in which unit, how sure it is.

Every face (tables of the command line, JSON, API, page, metrics, report, reference pages) takes
its words and values from `MEASURES`, so a measure that is added here is added everywhere.
Adding one takes its row here, its text in ``docs/methods.md``, and, where it has a metric,
the page that ``python -m tests.support.metrics_page`` writes.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from analyzers import concentration as formulas
from analyzers.intervals import (
    MANY_ONCE,
    UNKNOWN,
    Interval,
    entropy_interval,
    seen_once,
    told_apart,
)
from analyzers.summary import HALF, QUARTER, THIRD, TOPS, Nakamoto, Summary

_BIT: Final = math.log(2)
"""Nats in a bit."""

THRESHOLD_NAMES: Final = {"half": HALF, "third": THIRD, "quarter": QUARTER}
"""What the thresholds are called in names and labels."""


class Unit(enum.StrEnum):
    """The unit of a figure; ratios and probabilities are 0..1."""

    RATIO = "ratio"
    ENTITIES = "entities"
    BITS = "bits"
    NATS = "nats"
    PROBABILITY = "probability"


@dataclass(frozen=True, slots=True)
class Metric:
    """How a measure is exported: its name after ``poolscope_``, and labels of its own.

    `text` is the help of the metric where several measures share it.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    def bound(self, which: str) -> str:
        """Return the name of its ``lower`` or ``upper`` end; the unit stays last."""
        stem = self.name.removesuffix("_ratio")
        return f"{stem}_{which}{self.name[len(stem) :]}"


def _no_interval(_: Summary) -> Interval:
    return UNKNOWN


def _no_note(_: Summary) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of a window of blocks.

    `name` is what data calls it (JSON, API, CSV columns), `title` what people read, `help` one
    sentence on what it is. `value` and `interval` take it from a summary: NaN where it is
    undefined. `note` says what else to know of this value. `metric` is None where it is not
    exported to Prometheus.
    """

    name: str
    title: str
    unit: Unit
    help: str
    value: Callable[[Summary], float]
    interval: Callable[[Summary], Interval] = _no_interval
    note: Callable[[Summary], str] = _no_note
    metric: Metric | None = None

    @property
    def short(self) -> str:
        """Its title in a sentence: without what stands in brackets."""
        words = self.title.partition(" (")[0]
        return words if words[:2].isupper() else words[0].lower() + words[1:]

    @property
    def has_interval(self) -> bool:
        """Whether an interval is known at all."""
        return self.interval is not _no_interval


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure's value in one window; the interval is NaN where none is known."""

    name: str
    title: str
    unit: Unit
    value: float
    interval: Interval = UNKNOWN
    note: str = ""


def figures_of(summary: Summary) -> list[Figure]:
    """Return every measure of a window, the most useful first.

    Examples
    --------
    >>> from analyzers.summary import summarize
    >>> found = {figure.name: figure for figure in figures_of(summarize({"a": 60, "b": 40}))}
    >>> round(found["hhi"].value, 4), found["nakamoto_half"].value
    (0.5152, 1.0)
    """
    return [figure_of(measure, summary) for measure in MEASURES]


def figure_of(measure: Measure, summary: Summary) -> Figure:
    """Return the value of one measure."""
    return Figure(
        measure.name,
        measure.title,
        measure.unit,
        measure.value(summary),
        measure.interval(summary),
        measure.note(summary),
    )


def nakamoto_figure(name: str, found: Nakamoto) -> Figure:
    """Return a Nakamoto coefficient at any threshold, with what is probable of the true one."""
    title = f"Nakamoto coefficient, over {found.threshold}"
    return Figure(name, title, Unit.ENTITIES, _size(found), note=_likely(found))


def _counts(summary: Summary) -> list[int]:
    """Return the blocks of each entity; unknown blocks are of a miner each."""
    return [share.blocks for share in summary.shares] + [1] * summary.unattributed


def _hhi_note(summary: Summary) -> str:
    if not summary.unattributed:
        return formulas.hhi_band(summary.hhi)
    return f"{summary.hhi_unattributed_as_one:.3f} if all unknown blocks are of one miner"


def _entropy_interval(summary: Summary) -> Interval:
    found = entropy_interval(_counts(summary), summary.level)
    return Interval(found.low / _BIT, found.high / _BIT)


def _entropy_note(summary: Summary) -> str:
    part = seen_once(_counts(summary))
    text = f"may be larger: {part:.0%} of blocks are their miner's only one"
    return text if part > MANY_ONCE else ""


def _size(found: Nakamoto) -> float:
    return math.nan if found.observed is None else float(found.observed)


def _likely(found: Nakamoto) -> str:
    chances = sorted(found.posterior.items(), key=lambda item: -item[1])[:3]
    text = ", ".join(f"{size}: {chance:.0%}" for size, chance in chances if chance >= 0.005)
    return f"true value {text}" if text else ""


def _nakamoto(name: str, threshold: Fraction, of: Callable[[Summary], Nakamoto]) -> Measure:
    return Measure(
        f"nakamoto_{name}",
        f"Nakamoto coefficient, over {threshold}",
        Unit.ENTITIES,
        f"Fewest entities that together found more than {threshold} of the blocks.",
        lambda summary: _size(of(summary)),
        note=lambda summary: _likely(of(summary)),
        metric=Metric(
            "nakamoto_entities",
            {"threshold": name},
            "Fewest entities that found more than the threshold of the window's blocks.",
        ),
    )


def _top(size: int) -> Measure:
    def value(summary: Summary) -> float:
        return summary.ratios[size - 1].value if size <= max(1, summary.entities) else math.nan

    def interval(summary: Summary) -> Interval:
        return summary.ratios[size - 1].interval if size <= summary.entities else UNKNOWN

    title = "Share of the largest" if size == 1 else f"Share of the largest {size}"

    def note(summary: Summary) -> str:
        counts = [share.blocks for share in summary.shares]
        if told_apart(counts, size):
            return ""
        return f"ranks {size} and {size + 1} are not told apart: on the high side"

    text = f"Joint share of the {size} largest, their group taken as named beforehand."
    return Measure(f"cr{size}", title, Unit.RATIO, text, value, interval, note)


def _any_above(name: str, threshold: Fraction) -> Measure:
    return Measure(
        f"any_above_{name}",
        f"P(one is over {threshold})",
        Unit.PROBABILITY,
        f"Probability that some entity holds more than {threshold} of the work, on the high side.",
        lambda summary: summary.any_above[threshold],
        metric=Metric(
            "any_above_probability_ratio",
            {"threshold": name},
            "Probability that some entity holds more than the threshold of the work.",
        ),
    )


def _biased_entropy(estimator: formulas.EntropyEstimator, note: str) -> Measure:
    return Measure(
        f"entropy_{estimator.replace('-', '_')}",
        f"Shannon entropy, bits, {estimator}",
        Unit.BITS,
        f"Shannon entropy by the {estimator} estimator.",
        lambda summary: formulas.shannon(_counts(summary), estimator) / _BIT,
        note=lambda _: note,
    )


MEASURES: Final[tuple[Measure, ...]] = (
    Measure(
        "hhi",
        "HHI",
        Unit.RATIO,
        "Herfindahl-Hirschman index, unbiased: 1 if one finds all, near 0 if all are tiny.",
        lambda summary: summary.hhi,
        lambda summary: summary.hhi_interval,
        _hhi_note,
        Metric("hhi_ratio"),
    ),
    Measure(
        "hhi_plug_in",
        "HHI as others publish it",
        Unit.RATIO,
        "Plain sum of squared shares.",
        lambda summary: summary.hhi_plug_in,
        note=lambda _: "sum of squared shares: biased up",
    ),
    Measure(
        "effective_number",
        "Effective number (1/HHI)",
        Unit.ENTITIES,
        "Effective number of entities, 1/HHI: so many equal ones would be as concentrated.",
        lambda summary: summary.effective_number,
        lambda summary: summary.effective_number_interval,
        metric=Metric("effective_entities"),
    ),
    Measure(
        "effective_number_entropy",
        "Effective number (entropy)",
        Unit.ENTITIES,
        "Effective number of entities by entropy: large ones weigh less than in 1/HHI.",
        lambda summary: summary.effective_number_entropy,
        lambda summary: summary.effective_number_entropy_interval,
        _entropy_note,
    ),
    _nakamoto("half", HALF, lambda summary: summary.nakamoto_half),
    _nakamoto("third", THIRD, lambda summary: summary.nakamoto_third),
    *map(_top, TOPS),
    Measure(
        "entropy",
        "Shannon entropy, bits",
        Unit.BITS,
        "Shannon entropy of the shares, by Grassberger's estimator.",
        lambda summary: formulas.shannon(_counts(summary), "grassberger") / _BIT,
        _entropy_interval,
        _entropy_note,
    ),
    _biased_entropy("plug-in", "as others publish it: biased down"),
    _biased_entropy("miller-madow", ""),
    _biased_entropy("chao-shen", ""),
    Measure(
        "gini",
        "Gini coefficient",
        Unit.RATIO,
        "Gini coefficient of those who found a block: 0 if all found the same number.",
        lambda summary: summary.gini,
        note=lambda _: "of the entities seen: biased down",
    ),
    Measure(
        "theil",
        "Theil index",
        Unit.NATS,
        "Theil index of those who found a block: 0 if all found the same number.",
        lambda summary: formulas.theil(_counts(summary)),
    ),
    Measure(
        "min_entropy",
        "Min-entropy, bits",
        Unit.BITS,
        "Min-entropy: it follows from the largest share alone.",
        lambda summary: formulas.renyi(_counts(summary), math.inf) / _BIT,
    ),
    Measure(
        "hhi_normalised",
        "Normalised HHI",
        Unit.RATIO,
        "HHI stretched so that equal shares give 0, whatever their number.",
        lambda summary: formulas.hhi_normalised(_counts(summary)),
    ),
    *(_any_above(name, threshold) for name, threshold in THRESHOLD_NAMES.items()),
)
