"""The list of measures: one name, one unit, one sentence for each, and values that fit."""

from __future__ import annotations

import math
import re

import pytest

from analyzers.figures import MEASURES, Measure, Unit, figures_of
from analyzers.summary import Summary, summarize

NAMES = [measure.name for measure in MEASURES]
MIX = summarize({"a": 43, "b": 25, "c": 20, "d": 15, "e": 1}, unattributed=40)
EMPTY = summarize({})
ALONE = summarize({"a": 12})


def test_no_name_is_given_twice() -> None:
    assert len(set(NAMES)) == len(NAMES)
    metrics = [(m.metric.name, *m.metric.labels.items()) for m in MEASURES if m.metric]
    assert len(set(metrics)) == len(metrics)


@pytest.mark.parametrize("measure", MEASURES, ids=NAMES)
def test_words_are_complete(measure: Measure) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", measure.name)
    assert measure.title
    assert measure.help.endswith(".")
    if measure.metric:
        assert measure.unit not in (Unit.RATIO, Unit.PROBABILITY) or (
            measure.metric.name.endswith("_ratio")
        )


@pytest.mark.parametrize("summary", [MIX, ALONE], ids=["mix", "alone"])
def test_values_are_in_their_unit_and_within_their_interval(summary: Summary) -> None:
    for figure in figures_of(summary):
        if math.isnan(figure.value):
            continue
        if figure.unit in (Unit.RATIO, Unit.PROBABILITY):
            assert 0 <= figure.value <= 1, figure
        if figure.unit is Unit.ENTITIES:
            assert 1 <= figure.value <= summary.blocks, figure
        if not math.isnan(figure.interval.low):
            assert figure.interval.low <= figure.value * (1 + 1e-9), figure
            assert figure.value <= figure.interval.high * (1 + 1e-9), figure


def test_an_empty_window_has_no_figure() -> None:
    assert [figure.name for figure in figures_of(EMPTY) if not math.isnan(figure.value)] == []


def test_what_is_unsure_is_said_at_the_figure() -> None:
    said = {figure.name: figure.note for figure in figures_of(MIX)}
    assert "may be larger: 28 %" in said["effective_number_entropy"].replace("%", " %")
    assert "may be larger" in said["entropy"]
    assert "not told apart" in said["cr2"]
    assert not said["cr1"]  # 43 and 25: two deviations apart
    plain = {figure.name: figure.note for figure in figures_of(summarize({"a": 90, "b": 54}))}
    assert not plain["effective_number_entropy"]
    assert not plain["cr1"]
