"""The report's first words follow from the figures, whatever the window holds."""

from __future__ import annotations

import numpy as np

from analyzers.history import load_history
from analyzers.summary import summarize
from analyzers.trend import trend
from analyzers.windows import CountTable, table_of
from monitor.report.html import grid
from monitor.report.short import compared, in_short, shares_table, year_before

WEEK = 7 * 86_400


def weeks(*rows: dict[str, int]) -> CountTable:
    return table_of(rows, [0] * len(rows), range(len(rows)), range(0, WEEK * len(rows), WEEK))


def test_the_window_a_year_before_is_found() -> None:
    table = weeks(*[{"a": 9}] * 60)
    assert year_before(table) == 59 - 52
    assert year_before(weeks(*[{"a": 9}] * 40)) is None
    history = load_history().merged(30)
    place = year_before(history)
    assert place is not None
    assert abs(int(history.start_time[-1] - history.start_time[place]) - 365 * 86_400) < 16 * 86_400


def test_a_change_is_said_only_where_it_can_be_shown() -> None:
    still, later = {"a": 500, "b": 500}, {"a": 900, "b": 100}
    for last, words in ((later, "HHI has risen by"), (still, "no change of HHI can be shown")):
        table = weeks(*[still] * 52, last)
        found = compared(table, 0, 0.95)
        assert words in in_short(summarize(last), [], (0, found))
    fallen = compared(weeks(later, still), 0, 0.95)
    assert "HHI has fallen by" in in_short(summarize(still), [], (0, fallen))


def test_the_trend_of_the_present_era_is_said() -> None:
    summary = summarize({"a": 6, "b": 5})
    rising = 0.1 + 0.01 * np.arange(30) + 0.001 * np.sin(np.arange(30))
    assert "is rising" in in_short(summary, [("old", trend([])), ("now", trend(rising))], None)
    assert "no trend" in in_short(summary, [("now", trend([0.1] * 30))], None)
    assert "too few" in in_short(summary, [("now", trend([0.1]))], None)


def test_names_from_outside_are_escaped_and_empty_windows_have_no_nan() -> None:
    page = in_short(summarize({"<b>": 3}), [], None) + shares_table(summarize({"<b>": 3}), None)
    assert "<b>" not in page
    empty = in_short(summarize({}), [], None) + shares_table(summarize({}), None)
    assert "nan" not in empty


def test_who_came_within_the_year_is_in_the_table() -> None:
    table = weeks({"a": 50, "gone": 50}, {"a": 50, "new": 50})
    page = shares_table(summarize(table.row(-1)), compared(table, 0, 0.95))
    assert "+50.0" in page
    assert "gone" not in page


def test_columns_of_numbers_are_set_as_numbers() -> None:
    page = grid(("a", "b"), [("1", "x"), ("<0.001", "2"), ("-", "3"), ("+4 to 5", "")])
    assert page.count('class="number"') == 5
