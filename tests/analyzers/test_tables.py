"""No figure without unit, date and source: every row of every table that ships."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers import tables
from analyzers.tables import COLUMNS, UNITS, Period, TableError

HEAD = ",".join(COLUMNS) + "\n"
ROW = "map,2025-05,China,13.7,%,somebody,\n"


@pytest.mark.parametrize("name", tables.names())
def test_every_row_has_unit_date_and_source(name: str) -> None:
    rows = tables.load(name)
    assert rows
    for row in rows:
        assert row.unit in UNITS, row
        assert row.period.first <= row.period.last <= datetime.date(2033, 12, 31), row
        assert len(row.source) >= 5, row
        assert "[mem]" not in row.source + row.note, row
        assert "general knowledge" not in row.source.lower(), row
        assert row.source.lower() not in {"same", "unknown", "n/a"}, row
        assert row.series, row
        assert row.entity, row


@pytest.mark.parametrize("name", tables.names())
def test_no_figure_is_there_twice(name: str) -> None:
    keys = [(row.series, row.period, row.entity, row.unit) for row in tables.load(name)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("column", COLUMNS[:-1])
def test_a_row_without_what_every_row_needs_is_refused(column: str) -> None:
    fields = ROW.strip().split(",")
    fields[COLUMNS.index(column)] = ""
    with pytest.raises(TableError, match=f"t.csv, line 2: the row has no {column}"):
        tables.parse(HEAD + ",".join(fields), "t.csv")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("%", "parsecs"), "no unit"),
        (ROW.replace("13.7", "many"), "no number"),
        (ROW.replace("13.7", "NaN"), "no finite number"),
        (ROW.replace("2025-05", "May 2025"), "no date"),
        (ROW.replace("2025-05", "2025-02-30"), "no day"),
        (ROW.replace("2025-05", "2025-05/2024-01"), "no span"),
        (ROW.replace("2025-05", "٢٠٢٥"), "no date"),
        ("a,b\n", "7 fields"),
    ],
)
def test_bad_rows_are_named(row: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        tables.parse(HEAD + row)


def test_a_table_without_its_columns_is_refused() -> None:
    with pytest.raises(TableError, match="must name the columns"):
        tables.parse(ROW)
    with pytest.raises(TableError, match="no table 'nope'"):
        tables.load("nope")


def test_a_row_keeps_its_digits_and_knows_how_it_was_rounded() -> None:
    (row,) = tables.parse("# what it is\n" + HEAD + ROW)
    assert row.number == pytest.approx(0.137)
    assert row.rounding == pytest.approx(0.0005)
    (row,) = tables.parse(HEAD + ROW.replace("13.7", "38"))
    assert row.rounding == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025", (2025, 1, 1), (2025, 12, 31)),
        ("2025-Q4", (2025, 10, 1), (2025, 12, 31)),
        ("2024-02", (2024, 2, 1), (2024, 2, 29)),
        ("2026-01-12", (2026, 1, 12), (2026, 1, 12)),
        ("2024-06/2024-09", (2024, 6, 1), (2024, 9, 30)),
    ],
)
def test_periods(text: str, first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    period = Period.parse(text)
    assert (period.first, period.last) == (datetime.date(*first), datetime.date(*last))
    assert str(period) == text


@given(st.text(max_size=30))
def test_any_text_is_a_period_or_a_table_error(text: str) -> None:
    try:
        period = Period.parse(text)
    except TableError:
        return
    assert period.first <= period.last


@given(st.text(max_size=120))
def test_any_row_is_read_or_refused(text: str) -> None:
    try:
        rows = tables.parse(HEAD + text)
    except TableError:
        return
    assert all(row.source and row.unit for row in rows)
