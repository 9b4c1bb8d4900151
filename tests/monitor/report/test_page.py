"""A report can be made of any windows, also where nothing is known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from analyzers.windows import CountTable, table_of
from monitor.report.page import Subject, make_report

SUBJECT = Subject("a <source>", "1w", "tag", "the beginning to the end")


def weeks(rows: list[dict[str, int]], own: int) -> CountTable:
    places = range(len(rows))
    return table_of(rows, [own] * len(rows), places, (place * 604_800 for place in places))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "own"),
    [
        ([{}], 0),
        ([{}] * 12, 7),
        ([{"a": 5}], 0),
        ([{"a": 5}, {}, {"a": 2, "b": 2}], 1),
        ([{"a": 40, "b": 30}] * 60, 3),
    ],
    ids=["empty", "nobody known", "single", "gap", "no change"],
)
def test_any_windows_make_a_report(rows: list[dict[str, int]], own: int) -> None:
    page = make_report(
        weeks(rows, own),
        SUBJECT,
        level=0.95,
        draws=100,
        seed=0,
        made=datetime(2026, 5, 1, tzinfo=UTC),
    )
    assert page.count("<svg ") == 5
    assert "a &lt;source&gt;" in page
    text = page.split("<h2>Claims, judged</h2>")[0]
    assert ">nan" not in text
    assert " nan" not in text
