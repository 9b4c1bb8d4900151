"""Tables as people's programs write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.textrows import decoded, number_of, quoted, rows_of, same

ROWS = [["AntPool", "12"], ["Ä & Co", "1,5"]]


@pytest.mark.parametrize(
    "text",
    [
        'AntPool,12\nÄ & Co,"1,5"\n',
        '"AntPool","12"\r\n"Ä & Co","1,5"\r\n',
        "AntPool;12\nÄ & Co;1,5\n",
        "AntPool\t12\r\nÄ & Co\t1,5",
        "\ufeffAntPool;12\n\n# a note; of 1\nÄ & Co;1,5\n",
        " AntPool ; 12 \nA\u0308 & Co ; 1,5\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_ends_of_lines_and_encodings(text: str, encoding: str) -> None:
    raw = text.removeprefix("\ufeff").encode(encoding)
    assert [row for _, row in rows_of(decoded(raw), range(2, 3))] == ROWS


def test_lines_keep_their_numbers() -> None:
    assert [row.number for row in rows_of("# x\n\na,1\n\nb,2", range(2, 3))] == [3, 5]


def test_a_name_may_hold_what_parts_fields_elsewhere() -> None:
    assert [row for _, row in rows_of("A;B,5\nC,6\n", range(2, 3))] == [["A;B", "5"], ["C", "6"]]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", "7"),
        (" 1,234 ", "1234"),
        ("1,234,567", "1234567"),
        ("1,234.5", "1234.5"),
        ("1'234", "1234"),
        ("1\u202f234", "1234"),
        ("1_000", "1000"),
        ("0,234", "0.234"),
        ("12,5", "12.5"),
        ("2.5e20", "2.5E+20"),
        ("250000000000000000000", "250000000000000000000"),
        ("-3", "-3"),
        ("1,23,4", None),
        ("1_0", None),
        ("nan", None),
        ("inf", None),
        ("-Infinity", None),
        ("sNaN", None),
        ("0x10", None),
        ("", None),
        ("9" * 2000, None),
        ("1e400", "1E+400"),
    ],
)
def test_numbers(text: str, number: str | None) -> None:
    found = number_of(text)
    assert (None if found is None else str(found)) == number


def test_a_wrong_value_is_quoted_whole() -> None:
    value = "25" + "0" * 70
    assert quoted(value) == repr(value)
    assert len(quoted("9" * 10_000)) < 250


@pytest.mark.slow
@given(st.text(max_size=80))
def test_any_text_has_rows_or_a_reason(text: str) -> None:
    try:
        rows = list(rows_of(text, range(2, 4)))
    except ValueError:
        return
    assert all(row.fields for row in rows)


@pytest.mark.slow
@given(st.text(max_size=30))
def test_any_name_is_the_same_as_itself_in_any_form(text: str) -> None:
    assert same(text) == same(f" {text} ")
