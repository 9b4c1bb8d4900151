"""JavaScript's expressions over one character a byte; what matches was asked of Node 20."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.registry.jsregex import NotLinear, translate
from analyzers.registry.pattern import Pattern

ASKED = [
    # expression, text, whether text.match(new RegExp(expression, "i")) finds it
    ("binance", "/Binance/", True),
    ("a.c", "a\nc", False),
    ("a.c", "a\xe9c", True),
    ("/$Mined", "/$Mined", False),
    ("^/slush", "/slush", True),
    ("^/slush", "\x03/slush", False),
    ("pool$", "pool", True),
    ("pool$", "pool\n", False),
    ("[0-9a-f]{4}-x", "00FF-X", True),
    (r"a\sb", "a\xa0b", True),
    (r"a\sb", "a\x0bb", True),
    (r"\w+pool", "\xe9pool", False),
    (r"^\w$", "\xe9", False),
    ("\xe9", "\xc9", True),
    ("\xdf", "SS", False),
    ("\u03bc", "\xb5", True),
    ("\u0178", "\xff", True),
    ("\u017f", "s", False),
    ("\u212a", "k", False),
    ("\u9c7c", "\xe9\xb1\xbc", False),
    ("[^]", "\n", True),
    ("[]", "a", False),
    (r"[^\W]", "a", True),
    (r"[\w-z]", "-", True),
    ("[\xe0-\xf6]", "\xc5", True),
    (r"\u0041", "a", True),
    (r"\x41", "a", True),
    (r"\101", "a", True),
    (r"\u41", "u41", True),
    (r"\p{L}", "a", False),
    (r"\p{L}", "p{L}", True),
    ("a{,2}", "a{,2}", True),
    ("a{2", "a{2", True),
    ("[[:alpha:]]", "a", False),
    ("[[:alpha:]]", "a]", True),
    (r"\Qa.b\E", "qa.be", True),
    (r"\/a\-b", "/A-B", True),
    ("(a|b)c", "BC", True),
    ("(?<n>x)y", "xy", True),
    (r"\bpool\b", "a pool b", True),
    (r"\bpool", "apool", False),
    (r"\cJ", "\n", True),
    (r"\0", "\x00", True),
    ("x*?y", "xy", True),
    ("(?:ab){2}", "ABab", True),
    ("}]", "}]", True),
    ("|", "anything", True),
    ("A\U0001f41f*", "ab", False),  # a fish is two characters, of which one is repeated
]


@pytest.mark.parametrize(("expression", "text", "found"), ASKED)
def test_what_matches_there_matches_here(expression: str, text: str, found: bool) -> None:
    pattern = Pattern(translate(expression))
    assert any(pattern.spans(text.encode("latin-1"))) == found


@pytest.mark.parametrize("expression", ["(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", r"(a)\1"])
def test_what_has_no_bound_in_time_is_told(expression: str) -> None:
    with pytest.raises(NotLinear):
        translate(expression)


@pytest.mark.parametrize(
    "expression",
    ["(", ")", "[a", "a**", "*", "^*", "[b-a]", "a{3,1}", "(?i)a", "\\", "(?<>a)", "a|+"],
)
def test_what_is_no_expression_is_told(expression: str) -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011 - each says something else
        translate(expression)
    assert str(told.value)


@pytest.mark.slow
@given(st.text(alphabet="aZ\xe9\u03bc鱼/.^$|()[]{}*+?-\\,019dwsSbBxuck<:=! ", max_size=12))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    """What comes out is one that RE2 takes, but for sizes; its time is linear by that."""
    try:
        source = translate(text)
    except ValueError:
        return
    try:
        Pattern(source)
    except ValueError as error:
        assert "repetition" in str(error) or "too large" in str(error)  # noqa: PT017


@pytest.mark.slow
@given(st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\\^$.|?*+()[]{}")))
def test_a_plain_text_matches_itself_in_any_case(text: str) -> None:
    pattern = Pattern(translate(text))
    for spelled in (text, text.swapcase()):
        if all(ord(character) < 256 for character in spelled) and len(spelled) == len(text):
            assert any(pattern.spans(spelled.encode("latin-1")))
