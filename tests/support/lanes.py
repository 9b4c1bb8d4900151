"""Which members of a large kind each run tries, and which the heavy lane alone.

A run of all tests stays short enough to be made for each change, and every value of every axis is
in it; that all combinations hold is what ``./poolscope test --heavy`` shows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

HEAVY: Final = pytest.mark.heavy


def pairs(*axes: Mapping[str, object]) -> list[ParameterSet]:
    """Return all combinations of named values as parameters.

    Each run tries as many as the longest axis is long, and so every value of every axis; the
    others are for the heavy lane.

    >>> [(each.id, bool(each.marks)) for each in pairs({"a": 1, "b": 2}, {"x": 3, "y": 4})]
    [('a-x', False), ('a-y', True), ('b-x', True), ('b-y', False)]
    """
    longest = max(len(axis) for axis in axes)
    tried = {tuple(list(axis)[i % len(axis)] for axis in axes) for i in range(longest)}
    return [
        pytest.param(
            *(axis[name] for axis, name in zip(axes, names, strict=True)),
            id="-".join(names),
            marks=() if names in tried else HEAVY,
        )
        for names in itertools.product(*axes)
    ]


def often(few: int, many: int) -> list[object]:
    """Return how often something is done in each run, and in the heavy lane."""
    return [few, pytest.param(many, marks=HEAVY)]
