"""What was left out is counted and named, whatever the input holds."""

from __future__ import annotations

import json

import pytest

from analyzers.leftout import NOUNS, Kind, LeftOut, Tally


def test_one_is_said_as_one_and_many_with_a_few_examples() -> None:
    tally = Tally()
    tally.add(Kind.CONF_SETTING, "it names no file that can be read", "includeconf=a.conf")
    for height in range(500, 901):
        tally.add(Kind.UNLINKED_BLOCK, "is a block file missing?", str(height))
    one, many = tally.found
    assert str(one) == (
        "left out: 1 setting of bitcoin.conf (includeconf=a.conf): "
        "it names no file that can be read"
    )
    assert str(many) == (
        "left out: 401 blocks that do not link (500, 501, 502, 503, 504, ...): "
        "is a block file missing?"
    )


def test_examples_of_strangers_are_safe_and_short() -> None:
    tally = Tally()
    tally.add(Kind.LABEL_ROW, "no such block", b"\x1b[2J" + b"x" * 1000)
    (left,) = tally.found
    assert "\x1b" not in str(left)
    assert len(str(left)) < 200


def test_extending_counts_each_thing_once() -> None:
    left = LeftOut(Kind.LIST_ENTRY, 7, "RE2 cannot take its pattern", ("a", "b"))
    tally = Tally()
    tally.extend([left])
    tally.extend([left])
    assert tally.found == (
        LeftOut(Kind.LIST_ENTRY, 14, "RE2 cannot take its pattern", ("a", "b", "a", "b")),
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_has_a_label_and_nouns(kind: Kind) -> None:
    assert kind.value.replace("_", "").isalpha()
    assert json.loads(json.dumps(LeftOut(kind, 2, "why").as_json()))["kind"] == kind.value
    assert NOUNS[kind][1] in str(LeftOut(kind, 2, "why"))
