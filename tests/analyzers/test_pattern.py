"""Patterns: as Python's `re` finds them, without its worst cases."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.registry.pattern import Pattern

PARTS = (rb"a", rb"\xfa", rb".", rb"[a-c]", rb"\d", rb"[^/]", rb"(?:ab|a)", rb"//")
TIMES = (b"", b"?", b"+", b"{2}", b"{1,3}", b"+?")
FORMS = st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from(TIMES)), min_size=1, max_size=4)
TEXTS = st.lists(st.sampled_from([b"a", b"b", b"/", b"7", b"\n", b"\xfa", b"\xfamm"])).map(b"".join)


@pytest.mark.slow
@given(FORMS, TEXTS)
def test_it_finds_what_re_finds(form: list[tuple[bytes, bytes]], data: bytes) -> None:
    source = b"".join(part + times for part, times in form)
    wanted = [match.span() for match in re.compile(source, re.DOTALL).finditer(data)]
    assert list(Pattern(source).spans(data)) == wanted


@pytest.mark.parametrize("source", [rb"(a+)+$", rb"(a|aa)+$", rb"(.*){20}b", rb"(\w+\s?)*/$"])
def test_what_hangs_re_ends(source: bytes) -> None:
    assert list(Pattern(source).spans(b"a" * 5000 + b"!")) == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (rb"(?=a)b", "invalid perl operator"),
        (rb"(a)\1", "invalid escape"),
        (rb"(", "missing"),
        (rb"((a{100}){100}){100}", "invalid repetition size"),
    ],
)
def test_what_has_no_bound_is_refused(source: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Pattern(source)


def test_it_goes_to_other_processes() -> None:
    pattern = Pattern(rb"btc\d{4}")
    again = pickle.loads(pickle.dumps(pattern))
    assert again == pattern
    assert hash(again) == hash(pattern)
    assert list(again.spans(b"/btc1129")) == [(1, 8)]
