"""The examples in the documentation of the analyzers run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "assumptions",
    "changepoints",
    "claims",
    "claims.markets",
    "claims.places",
    "claims.values",
    "compare",
    "concentration",
    "differences",
    "economics",
    "energy",
    "eras",
    "figures",
    "frames",
    "geography",
    "hhi_ends",
    "history",
    "intervals",
    "leftout",
    "mined",
    "network",
    "observed",
    "security",
    "series",
    "sharefile",
    "simulate",
    "summary",
    "tables",
    "trend",
    "windows",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    results = doctest.testmod(importlib.import_module(f"analyzers.{name}"))
    assert results.attempted
    assert not results.failed
