"""Checked access to replies: what fits is returned, everything else is a `BadReply`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import BadReply
from monitor.reply import (
    Fields,
    as_bytes,
    as_hash,
    as_list,
    parse_json,
    printable,
)

HASH_TEXT = "00" * 31 + "ff"
HASH = b"\xff" + bytes(31)


def test_fields_that_fit() -> None:
    fields = Fields({"n": 7, "t": "x", "f": True, "h": HASH_TEXT, "l": [1]}, "reply")
    assert fields.integer("n") == 7
    assert fields.text("t") == "x"
    assert fields.flag("f")
    assert not fields.flag("missing")
    assert fields.hash("h") == HASH
    assert fields.list("l") == [1]


@pytest.mark.parametrize("value", [None, True, -1, 1.0, 1 << 40, "7", [], {}])
def test_no_integer(value: Any) -> None:
    with pytest.raises(BadReply, match="reply: field n makes no sense"):
        Fields({"n": value}, "reply").integer("n")


@pytest.mark.parametrize("value", [None, 1, HASH_TEXT[:-1], HASH_TEXT + "0", "zz" * 32])
def test_no_hash(value: Any) -> None:
    with pytest.raises(BadReply, match="is not a block hash"):
        as_hash(value, "reply")


def test_wrong_kinds() -> None:
    for attempt in (
        lambda: Fields([], "reply"),
        lambda: Fields({"t": 1}, "reply").text("t"),
        lambda: Fields({"f": 1}, "reply").flag("f"),
        lambda: Fields({"l": "ab"}, "reply").list("l"),
        lambda: as_list({}, "reply"),
        lambda: as_bytes("abc", "reply"),
        lambda: as_bytes(7, "reply"),
        lambda: parse_json(b"{", "reply"),
        lambda: parse_json(b"[" * 100_000, "reply"),
        lambda: parse_json(b"\xff", "reply"),
    ):
        with pytest.raises(BadReply, match="reply"):
            attempt()


@pytest.mark.slow
@given(st.one_of(st.text(), st.binary(), st.integers(), st.none()), st.integers(1, 200))
def test_printable_is_one_short_harmless_line(value: object, limit: int) -> None:
    line = printable(value, limit)
    assert len(line) <= limit
    assert line.isprintable()
