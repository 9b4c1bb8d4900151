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
from analyzers.ignorance import UNBOUNDED, Bounds, Readings, bounds_of, union
from analyzers.intervals import (
    MANY_ONCE,
    UNKNOWN,
    Interval,
    entropy_interval,
    seen_once,
    told_apart,
)
from analyzers.nakamoto import Nakamoto
from analyzers.summary import HALF, QUARTER, THIRD, TOPS, Reading, Summary

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

    def part(self, which: str) -> str:
        """Return the name of its ``lower``, ``upper`` or ``reading``; the unit stays last."""
        stem = self.name.removesuffix("_ratio")
        return f"{stem}_{which}{self.name[len(stem) :]}"


def _no_interval(_: Reading) -> Interval:
    return UNKNOWN


def _no_note(_: Readings[Reading]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of a window of blocks.

    `name` is what data calls it (JSON, API, CSV columns), `title` what people read, `help` one
    sentence on what it is. `value` and `interval` take it from a reading: NaN where it is
    undefined. `bounded` says whether the readings are its bounds: if it only rises, or only falls,
    with every unknown block that a larger miner has instead of a smaller, then nobody who may have
    found them takes it beyond "all alone" and "all of the largest". Else they are readings and no
    more. `note` says what else to know of this value. `metric` is None where it is not exported to
    Prometheus. `of_control` marks those that only mean something where entities direct the work:
    whether one is above a threshold.
    """

    name: str
    title: str
    unit: Unit
    help: str
    value: Callable[[Reading], float]
    interval: Callable[[Reading], Interval] = _no_interval
    bounded: bool = False
    note: Callable[[Readings[Reading]], str] = _no_note
    metric: Metric | None = None
    of_control: bool = False

    @property
    def short(self) -> str:
        """Its title in a sentence: without what stands in brackets."""
        words = self.title.partition(" (")[0]
        return words if words[:2].isupper() else words[0].lower() + words[1:]

    @property
    def has_interval(self) -> bool:
        """Whether an interval is known at all."""
        return self.interval is not _no_interval


NO_READINGS: Final = Readings(math.nan, math.nan, math.nan)
"""Of what is no measure of who found the blocks."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure's value in one window, with all that chance and unknown blocks leave open.

    `value` is NaN where it is undefined or withheld; `Summary.withheld` says so. `interval` holds
    the true value with the summary's level, whoever found the unknown blocks: the union of
    the intervals of all readings. It is NaN where none is known by chance. `bounds` are of
    the unknown blocks alone, NaN where there are some that do not bound the measure.
    """

    name: str
    title: str
    unit: Unit
    value: float
    interval: Interval = UNKNOWN
    readings: Readings[float] = NO_READINGS
    bounds: Bounds = UNBOUNDED
    note: str = ""


def figures_of(summary: Summary, *, control: bool = True) -> list[Figure]:
    """Return every measure of a window, the most useful first.

    Without `control` those are left out that only mean something where entities direct work.

    Examples
    --------
    >>> from analyzers.summary import summarize
    >>> found = {figure.name: figure for figure in figures_of(summarize({"a": 60, "b": 40}))}
    >>> round(found["hhi"].value, 4), found["nakamoto_half"].value
    (0.5152, 1.0)
    >>> open = {f.name: f for f in figures_of(summarize({"a": 60, "b": 30}, unattributed=10))}
    >>> open["cr1"].value, open["cr1"].bounds.high, list(open["nakamoto_third"].readings)
    (0.6, 0.7, [1.0, 1.0, 1.0])
    """
    return [
        figure_of(measure, summary) for measure in MEASURES if control or not measure.of_control
    ]


def figure_of(measure: Measure, summary: Summary) -> Figure:
    """Return one measure."""
    readings, unknown = summary.readings, summary.unattributed
    found = readings.each(measure.value)
    return Figure(
        measure.name,
        measure.title,
        measure.unit,
        math.nan if summary.withheld else found.alone,
        union(readings.each(measure.interval)) if measure.has_interval else UNKNOWN,
        found,
        bounds_of(found, unknown) if measure.bounded or not unknown else UNBOUNDED,
        measure.note(readings),
    )


def nakamoto_figure(name: str, found: Readings[Nakamoto], summary: Summary) -> Figure:
    """Return a Nakamoto coefficient at any threshold, with what is probable of the true one."""
    sizes = found.each(_size)
    return Figure(
        name,
        f"Nakamoto coefficient, over {found.alone.threshold}",
        Unit.ENTITIES,
        math.nan if summary.withheld else sizes.alone,
        readings=sizes,
        bounds=bounds_of(sizes, summary.unattributed),
        note=_likely(found),
    )


def _hhi_note(readings: Readings[Reading]) -> str:
    ends = readings.alone, readings.of_largest
    return " to ".join(dict.fromkeys(formulas.hhi_band(reading.hhi) for reading in ends))


def _entropy_interval(reading: Reading) -> Interval:
    found = entropy_interval(reading.counts, reading.level)
    return Interval(found.low / _BIT, found.high / _BIT)


def _entropy_note(found: Readings[Reading]) -> str:
    part = seen_once(found.alone.counts)
    text = f"may be larger: {part:.0%} of blocks are their miner's only one"
    return text if part > MANY_ONCE else ""


def _size(found: Nakamoto) -> float:
    return math.nan if found.observed is None else float(found.observed)


def _likely(found: Readings[Nakamoto]) -> str:
    """Say how probable which true coefficient is, under each reading that says another."""
    said = {
        words: _chances(reading)
        for words, reading in zip(("alone", "one", "the largest's"), found, strict=True)
    }
    if len(set(said.values())) == 1:
        return f"true value {said['alone']}" if said["alone"] else ""
    return "true value " + "; ".join(f"if {words} {text}" for words, text in said.items())


def _chances(found: Nakamoto) -> str:
    """Return the sizes that are probable with their probabilities, none of which is certain."""
    chances = sorted(found.posterior.items(), key=lambda item: -item[1])[:3]
    return ", ".join(
        f"{size}: {'over 99%' if chance > 0.99 else f'{chance:.0%}'}"
        for size, chance in chances
        if chance >= 0.005
    )


def _nakamoto(name: str, threshold: Fraction, of: Callable[[Reading], Nakamoto]) -> Measure:
    return Measure(
        f"nakamoto_{name}",
        f"Nakamoto coefficient, over {threshold}",
        Unit.ENTITIES,
        f"Fewest entities that together found more than {threshold} of the blocks.",
        lambda reading: _size(of(reading)),
        bounded=True,
        note=lambda readings: _likely(readings.each(of)),
        metric=Metric(
            "nakamoto_entities",
            {"threshold": name},
            "Fewest entities that found more than the threshold of the window's blocks.",
        ),
    )


def _top(size: int) -> Measure:
    title = "Share of the largest" if size == 1 else f"Share of the largest {size}"

    def note(found: Readings[Reading]) -> str:
        if told_apart(found.alone.counts, size):
            return ""
        return f"ranks {size} and {size + 1} are not told apart: on the high side"

    return Measure(
        f"cr{size}",
        title,
        Unit.RATIO,
        f"Joint share of the {size} largest, their group taken as named beforehand.",
        lambda reading: reading.ratios[size - 1].value,
        lambda reading: reading.ratios[size - 1].interval,
        bounded=True,
        note=note,
    )


def _any_above(name: str, threshold: Fraction) -> Measure:
    return Measure(
        f"any_above_{name}",
        f"P(one is over {threshold})",
        Unit.PROBABILITY,
        f"Probability that some entity holds more than {threshold} of the work, on the high side.",
        lambda reading: reading.any_above[threshold],
        bounded=True,
        metric=Metric(
            "any_above_probability_ratio",
            {"threshold": name},
            "Probability that some entity holds more than the threshold of the work.",
        ),
        of_control=True,
    )


def _biased_entropy(estimator: formulas.EntropyEstimator, note: str) -> Measure:
    return Measure(
        f"entropy_{estimator.replace('-', '_')}",
        f"Shannon entropy, bits, {estimator}",
        Unit.BITS,
        f"Shannon entropy by the {estimator} estimator.",
        lambda reading: formulas.shannon(reading.counts, estimator) / _BIT,
        bounded=estimator != "chao-shen",
        note=lambda _: note,
    )


MEASURES: Final[tuple[Measure, ...]] = (
    Measure(
        "hhi",
        "HHI",
        Unit.RATIO,
        "Herfindahl-Hirschman index, unbiased: 1 if one finds all, near 0 if all are tiny.",
        lambda reading: reading.hhi,
        lambda reading: reading.hhi_interval,
        bounded=True,
        note=_hhi_note,
        metric=Metric("hhi_ratio"),
    ),
    Measure(
        "hhi_plug_in",
        "HHI as others publish it",
        Unit.RATIO,
        "Plain sum of squared shares.",
        lambda reading: reading.hhi_plug_in,
        bounded=True,
        note=lambda _: "sum of squared shares: biased up",
    ),
    Measure(
        "effective_number",
        "Effective number (1/HHI)",
        Unit.ENTITIES,
        "Effective number of entities, 1/HHI: so many equal ones would be as concentrated.",
        lambda reading: reading.effective_number,
        lambda reading: reading.effective_number_interval,
        bounded=True,
        metric=Metric("effective_entities"),
    ),
    Measure(
        "effective_number_entropy",
        "Effective number (entropy)",
        Unit.ENTITIES,
        "Effective number of entities by entropy: large ones weigh less than in 1/HHI.",
        lambda reading: reading.effective_number_entropy,
        lambda reading: reading.effective_number_entropy_interval,
        note=_entropy_note,
    ),
    _nakamoto("half", HALF, lambda reading: reading.nakamoto_half),
    _nakamoto("third", THIRD, lambda reading: reading.nakamoto_third),
    *map(_top, TOPS),
    Measure(
        "entropy",
        "Shannon entropy, bits",
        Unit.BITS,
        "Shannon entropy of the shares, by Grassberger's estimator.",
        lambda reading: formulas.shannon(reading.counts, "grassberger") / _BIT,
        _entropy_interval,
        note=_entropy_note,
    ),
    _biased_entropy("plug-in", "as others publish it: biased down"),
    _biased_entropy("miller-madow", ""),
    _biased_entropy("chao-shen", ""),
    Measure(
        "gini",
        "Gini coefficient",
        Unit.RATIO,
        "Gini coefficient of those who found a block: 0 if all found the same number.",
        lambda reading: reading.gini,
        note=lambda _: "of the entities seen: biased down",
    ),
    Measure(
        "theil",
        "Theil index",
        Unit.NATS,
        "Theil index of those who found a block: 0 if all found the same number.",
        lambda reading: formulas.theil(reading.counts),
    ),
    Measure(
        "min_entropy",
        "Min-entropy, bits",
        Unit.BITS,
        "Min-entropy: it follows from the largest share alone.",
        lambda reading: formulas.renyi(reading.counts, math.inf) / _BIT,
        bounded=True,
    ),
    Measure(
        "hhi_normalised",
        "Normalised HHI",
        Unit.RATIO,
        "HHI stretched so that equal shares give 0, whatever their number.",
        lambda reading: formulas.hhi_normalised(reading.counts),
    ),
    *(_any_above(name, threshold) for name, threshold in THRESHOLD_NAMES.items()),
)
